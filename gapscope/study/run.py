"""Run a study, or one training of it: check everything first, then do what is still to be done."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import tomli_w

from gapscope.config import Experiment
from gapscope.data.splits import read_list
from gapscope.errors import InputError
from gapscope.experiment_file import sealed
from gapscope.files import read_text, write_json, write_text
from gapscope.leftovers import remove_left_files
from gapscope.networks import is_yolov3, layer_map
from gapscope.progress import Progress, silent
from gapscope.run_folder import STAGES, RunFolder, RunName
from gapscope.study.arm_training import start_network
from gapscope.study.domains import given_data_root, told_together
from gapscope.study.engines.choose import check_engine, open_engine
from gapscope.study.engines.engine import Engine
from gapscope.study.engines.hand_out import hand_out
from gapscope.study.environment import environment
from gapscope.study.given_arms import given_network
from gapscope.study.graft_units import check_grafts
from gapscope.study.plan import Todo, plan
from gapscope.study.probe import check_probe
from gapscope.study.replaced import put_aside, take_back_kept
from gapscope.study.side_by_side import do_side_by_side
from gapscope.study.stage_progress import StageProgress, ahead_of
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import (
    Below,
    Unit,
    UnitKeys,
    adopt,
    ledger,
    look_up,
    note_done,
    pending,
    training_unit,
    with_needs,
)
from gapscope.words import did_you_mean

AT_HOME = ("data", "report")
"""Stages that no engine is given: data have been read here to check them, and a page is drawn in seconds."""

Announce = Callable[[Sequence[Todo]], None]
"""Told what is to be done, before anything is done or replaced, and again once data have been read."""


def run(
    experiment: Experiment,
    out: Path | str,
    *,
    config_text: str | None = None,
    data_root: Path | str | None = None,
    only: str | None = None,
    jobs: int | None = None,
    on: str | None = None,
    slurm: Sequence[str] = (),
    progress: Progress = silent,
    announce: Announce | None = None,
) -> Path:
    """Run a study, or go on with it where it stopped.

    Args:
        experiment: What to do.
        out: The run folder. Units of work that stand there and were made from the same inputs are kept.
        config_text: The experiment file as given, kept beside the resolved one.
        data_root: Where relative `root` folders start.
        only: Do one stage: data, train, evaluate, record, graft, compare or report.
        jobs: Trainings at a time, each with its share of the cores; one, unless an engine says otherwise. Results of
            another number may differ in the last digits, since sums are split among threads in another way.
        on: An engine that does the work of all stages but the first and the last: `ray`, `ray=ADDRESS` or `slurm`.
        slurm: Options of sbatch, such as `partition=gpu`.
        progress: Told how far the stages are.
        announce: Told what is to be done, before it is.

    Returns:
        The path of the report.

    Raises:
        InputError: If anything the user gave is wrong; what can be checked beforehand is, before anything is written.
    """
    out = Path(out)
    data_root = None if data_root is None else Path(data_root)
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs = {jobs}: at least one training runs at a time.")
    if on is not None:
        check_engine(on, slurm)
    if only is not None and only not in STAGES:
        raise InputError(f"there is no stage '{only}'. The stages are: {', '.join(STAGES)}.")
    study = Study(experiment, RunFolder(out), data_root, progress)
    study.folder.refuse_links()
    if only == "graft" or (experiment.graft is not None and only is None):
        check_grafts(study)
    units = units_of(study)
    check(pending(units, study.folder), study, only=only, jobs=jobs or 1, elsewhere=on is not None)
    with study.folder.locked():
        remove_left_files(study.folder.root)
        tell(announce, study, units, only)
        write_settings(study, config_text)
        adopt(units, study.folder)
        if on is None or only in AT_HOME:
            do(units, study, only=only, jobs=jobs or 1, announce=announce)
        else:
            with open_engine(on, study.folder, jobs, slurm) as engine:
                do_on(engine, units, study, only=only, announce=announce)
    return study.folder.report


def planned(experiment: Experiment, out: Path, data_root: Path | None = None, only: str | None = None) -> list[Todo]:
    """What `run` would do; nothing is written."""
    study = Study(experiment, RunFolder(out), data_root)
    return [one for one in plan(study, units_of(study)) if only in (None, one.unit.stage)]


def tell(announce: Announce | None, study: Study, units: Sequence[Unit], only: str | None = None) -> None:
    """Announce what is to be done."""
    if announce is not None:
        announce([one for one in plan(study, units) if only in (None, one.unit.stage)])


def train_one(
    experiment: Experiment,
    out: Path | str,
    arm: str,
    seed: int,
    *,
    config_text: str | None = None,
    data_root: Path | str | None = None,
    progress: Progress = silent,
    announce: Announce | None = None,
) -> Path:
    """Train one arm with one seed in a run folder, after what it needs; `run` then finds it done.

    Several may work in one run folder at a time, each on its own arm and seed, once the data stage is done.

    Returns:
        The path of the weights.

    Raises:
        InputError: As `run`, or if the experiment has no such arm or seed.
    """
    out = Path(out)
    data_root = None if data_root is None else Path(data_root)
    if arm not in experiment.arms:
        raise InputError(f"there is no arm '{arm}'.{did_you_mean(arm, list(experiment.arms))}")
    if seed not in experiment.seeds:
        raise InputError(f"there is no seed {seed}: the experiment's seeds are {experiment.seeds}. Add it there.")
    study = Study(experiment, RunFolder(out), data_root, progress)
    study.folder.refuse_links()
    every = units_of(study)
    units = with_needs(training_unit(RunName(arm, seed)), every)
    waiting = pending(units, study.folder)
    check(waiting, study)
    writes = any(unit.stage == "data" for unit in waiting) or not has_settings(study)
    tell(announce, study, units)
    with study.folder.locked() if writes else nullcontext():  # trainings beside this one hold only their own folders
        if writes:
            write_settings(study, config_text)
            adopt(every, study.folder)
        do([unit for unit in units if unit.stage == "data"], study, announce=announce)
    do(units, study)
    return study.folder.weights(RunName(arm, seed))


def check(
    waiting: list[Unit], study: Study, *, only: str | None = None, jobs: int = 1, elsewhere: bool = False
) -> None:
    """Find out what can be wrong with the units that are to be done, before anything is written.

    What this machine's devices can do is of no interest where the work is done `elsewhere`.

    Raises:
        InputError: Naming what is wrong with each domain, or else with probes or trainings.
    """
    drawn = {f"probe/{name}" for name in study.experiment.probe.further}
    domains = [unit.domain for unit in waiting if unit.stage == "data" and unit.name not in drawn and unit.domain]
    told_together(partial(study.check_domain, name) for name in domains)
    for unit in waiting:
        if unit.name in drawn and unit.domain and unit.domain not in domains:
            found = len(read_list(study.folder.split(unit.domain, "test")))
            check_probe(study.experiment, unit.domain, found)
    trained = [unit.run for unit in waiting if unit.stage == "train" and only in (None, "train") and unit.run]
    if trained:
        study.check_training(jobs, devices=not elsewhere)
        check_starts(study, trained)


def check_starts(study: Study, runs: Sequence[RunName]) -> None:
    """Fill the network of every arm that starts from a file, or was trained elsewhere, once, so that a wrong file shows
    before hours of work.

    Raises:
        InputError: Naming the arms whose file is none of their network.
    """
    experiment, seen = study.experiment, dict[tuple[object, ...], RunName]()
    for run in runs:
        arm = experiment.arms[run.arm]
        if arm.trained:
            seen[run] = run
        elif arm.is_trained and arm.start != "scratch" and arm.start not in experiment.arms:
            seen.setdefault((arm.model, arm.start, arm.keep_head), run)
    told_together(partial(check_start, study, run) for run in seen.values())


def check_start(study: Study, run: RunName) -> None:
    """Refuse an arm whose weights are not of its network, naming the arm."""
    if study.experiment.arms[run.arm].trained:
        given_network(study, run)
        return
    try:
        start_network(study, run)
    except InputError as error:
        raise InputError(f"[arms.{run.arm}] {error}") from error


def do(
    units: list[Unit], study: Study, *, only: str | None = None, jobs: int = 1, announce: Announce | None = None
) -> list[str]:
    """Do what is pending, stage by stage; returns the names of what was done.

    A result that is replaced is kept first, and its record is dropped right before the work begins: a kill at any
    moment leaves the old result or the new one, never a record of other files.

    Raises:
        InputError: If `only` names a stage whose inputs are not there yet.
    """
    folder, done, told = study.folder, list[str](), StageProgress(study.progress)
    keys: dict[str, UnitKeys] = {}
    restore(units, study)
    standing, below = ledger(units, folder), Below(units)

    def look_again() -> None:
        standing.update(ledger(units, folder))
        keys.update((name, one.keys) for name, one in standing.items())

    def begin(unit: Unit) -> None:
        put_aside(unit, study.folder)

    def finished(unit: Unit, seconds: float) -> None:
        note_done(standing[unit.name], folder, seconds)
        done.append(unit.name)
        told.one_done(unit.name)
        if unit.left is not None:  # not at all of them again, of which there may be thousands
            for one in below.of(unit):
                standing[one.name] = look_up(one, standing, folder)
                keys[one.name] = standing[one.name].keys

    look_again()
    for stage in [only] if only else STAGES:
        chosen = [one.unit for one in standing.values() if one.unit.stage == stage and not one.done]
        own = {unit.name for unit in chosen}
        missing = [name for unit in chosen for name in standing[unit.name].follows if name not in own]
        if missing:
            raise InputError(
                f"stage '{stage}' needs {missing[0]}, which is not done in {folder.root}. "
                "Run the stages before it first, or leave out --only."
            )
        told.begin(stage, len(chosen), {} if only else ahead_of(stage, standing.values()))
        if stage == "train" and jobs > 1 and len(chosen) > 1:
            do_side_by_side(chosen, keys, study, jobs, begin, finished)
        else:
            for unit in chosen:
                if standing[unit.name].done:  # what it starts from came out as it was
                    told.one_done(unit.name)
                    continue
                begin(unit)
                started = time.perf_counter()
                unit.work(study, keys[unit.name])
                finished(unit, time.perf_counter() - started)
        if chosen and stage != STAGES[-1]:  # what is made from the same as before need not wait
            if stage == "data":
                adopt(units, folder)
                tell(announce, study, units, only)
            restore(units, study)
            look_again()
    return done


def do_on(
    engine: Engine,
    units: list[Unit],
    study: Study,
    *,
    only: str | None = None,
    announce: Announce | None = None,
) -> None:
    """Do what is pending, with an engine for all but data and report.

    Raises:
        InputError: As `do`; or if units failed, once all others are done.
    """
    if only is None:
        do(units, study, only="data")
        adopt(units, study.folder)
        tell(announce, study, units)
    stages = [only] if only else [stage for stage in STAGES if stage not in AT_HOME]
    hand_out(engine, units, study, stages=stages)
    if only is None:
        do(units, study, only="report")


def restore(units: Sequence[Unit], study: Study) -> None:
    """Take back every kept result that is wanted again."""
    for one in ledger(units, study.folder).values():
        if one.kept is not None:
            take_back_kept(one, study.folder)


def has_settings(study: Study) -> bool:
    """Whether the run folder holds this very experiment."""
    return study.folder.config.exists() and read_text(study.folder.config) == resolved(study)


def resolved(study: Study) -> str:
    """The experiment file with every default, and its own hash in the first line."""
    return sealed(tomli_w.dumps(study.experiment.model_dump(mode="json", exclude_none=True)))


def write_settings(study: Study, config_text: str | None) -> None:
    """Keep the experiment as given and with every default, and note where this is."""
    folder = study.folder
    write_text(folder.given_config, config_text if config_text is not None else resolved(study))
    write_text(folder.config, resolved(study))
    if is_yolov3(study.experiment):
        folder.networks.unlink(missing_ok=True)
    else:
        write_json(folder.networks, {arm: layer_map(study.experiment, arm).as_json() for arm in study.experiment.arms})
    data_root = given_data_root(study.data_root)
    if data_root is not None and any(
        not Path(one.root or "/").is_absolute() for one in study.experiment.domains.values()
    ):
        write_text(folder.data_root, f"{data_root.resolve()}\n")
    if not folder.environment.exists():
        write_json(folder.environment, environment(study.device))
