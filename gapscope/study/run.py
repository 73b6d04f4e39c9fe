"""Run a study, or one training of it: check everything first, then do what is still to be done."""

import time
from contextlib import nullcontext
from pathlib import Path

import tomli_w

from gapscope.config import Experiment
from gapscope.data.splits import read_list
from gapscope.errors import InputError
from gapscope.files import hash_value, read_text, write_json, write_text
from gapscope.progress import Progress, silent
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.environment import environment
from gapscope.study.probe import check_probe
from gapscope.study.side_by_side import do_side_by_side
from gapscope.study.stages import training_unit, units_of
from gapscope.study.study import Study
from gapscope.study.units import STAGES, Unit, keys_of, pending, with_needs
from gapscope.words import did_you_mean


def run(
    experiment: Experiment,
    out: Path,
    *,
    config_text: str | None = None,
    data_root: Path | None = None,
    only: str | None = None,
    jobs: int = 1,
    progress: Progress = silent,
) -> Path:
    """Run a study, or go on with it where it stopped.

    Args:
        experiment: What to do.
        out: The run folder. Units of work that stand there and were made from the same inputs are kept.
        config_text: The experiment file as given, kept beside the resolved one.
        data_root: Where relative `root` folders start.
        only: Do one stage: data, train, evaluate, record, compare or report.
        jobs: Trainings at a time, each with its share of the cores. Results of another number may differ in the last
            digits, since sums are split among threads in another way.
        progress: Told how far the stages are.

    Returns:
        The path of the report.

    Raises:
        InputError: If anything the user gave is wrong; what can be checked beforehand is, before anything is written.
    """
    if jobs < 1:
        raise InputError(f"jobs = {jobs}: at least one training runs at a time.")
    if only is not None and only not in STAGES:
        raise InputError(f"there is no stage '{only}'. The stages are: {', '.join(STAGES)}.")
    study = Study(experiment, RunFolder(out), data_root, progress)
    units = units_of(study)
    check(pending(units, study.folder), study, only=only, jobs=jobs)
    with study.folder.locked():
        write_settings(study, config_text)
        do(units, study, only=only, jobs=jobs)
    return study.folder.report


def train_one(
    experiment: Experiment,
    out: Path,
    arm: str,
    seed: int,
    *,
    config_text: str | None = None,
    data_root: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Train one arm with one seed in a run folder, after what it needs; `run` then finds it done.

    Several may work in one run folder at a time, each on its own arm and seed, once the data stage is done.

    Returns:
        The path of the weights.

    Raises:
        InputError: As `run`, or if the experiment has no such arm or seed.
    """
    if arm not in experiment.arms:
        raise InputError(f"there is no arm '{arm}'.{did_you_mean(arm, list(experiment.arms))}")
    if seed not in experiment.seeds:
        raise InputError(f"there is no seed {seed}: the experiment's seeds are {experiment.seeds}. Add it there.")
    study = Study(experiment, RunFolder(out), data_root, progress)
    units = with_needs(training_unit(RunName(arm, seed)), units_of(study))
    waiting = pending(units, study.folder)
    check(waiting, study)
    writes = any(unit.stage == "data" for unit in waiting) or not has_settings(study)
    with study.folder.locked() if writes else nullcontext():  # trainings beside this one hold only their own folders
        if writes:
            write_settings(study, config_text)
        do([unit for unit in units if unit.stage == "data"], study)
    do(units, study)
    return study.folder.weights(RunName(arm, seed))


def check(waiting: list[Unit], study: Study, *, only: str | None = None, jobs: int = 1) -> None:
    """Find out what can be wrong with the units that are to be done, before anything is written.

    Raises:
        InputError: Naming what is wrong with each domain, or else with probes or trainings.
    """
    domains = [unit.name.removeprefix("data/") for unit in waiting if unit.name.startswith("data/")]
    problems = []
    for name in domains:
        try:
            study.check_domain(name)
        except InputError as problem:
            problems.append(str(problem))
    if problems:
        raise InputError("\n".join(problems))
    for unit in waiting:
        name = unit.name.removeprefix("probe/")
        if unit.name != name and name not in domains:
            check_probe(study.experiment, name, len(read_list(study.folder.split(name, "test"))))
    if any(unit.stage == "train" and only in (None, "train") for unit in waiting):
        study.check_training(jobs)


def do(units: list[Unit], study: Study, *, only: str | None = None, jobs: int = 1) -> list[str]:
    """Do what is pending, stage by stage; returns the names of what was done.

    Raises:
        InputError: If `only` names a stage whose inputs are not there yet.
    """
    folder = study.folder
    keys = keys_of(units, folder)
    waiting = {unit.name: unit for unit in pending(units, folder)}
    done: list[str] = []

    def finished(unit: Unit, seconds: float) -> None:
        left = None if unit.left is None else hash_value(unit.left())
        folder.write_record(unit.name, keys[unit.name], unit.outputs, seconds, left)
        if left is not None:
            keys.update(keys_of(units, folder))
        del waiting[unit.name]
        done.append(unit.name)

    for stage in [only] if only else STAGES:
        chosen = [unit for unit in waiting.values() if unit.stage == stage]
        missing = [name for unit in chosen for name in unit.needs if name in waiting and waiting[name] not in chosen]
        if missing:
            raise InputError(
                f"stage '{stage}' needs {missing[0]}, which is not done in {folder.root}. "
                "Run the stages before it first, or leave out --only."
            )
        for unit in chosen:
            folder.forget(unit.name)
        if stage == "train" and jobs > 1 and len(chosen) > 1:
            do_side_by_side(chosen, keys, study, jobs, finished)
            continue
        for number, unit in enumerate(chosen, start=1):
            started = time.perf_counter()
            unit.work(study, keys[unit.name])
            finished(unit, time.perf_counter() - started)
            if stage == "compare":  # many short units: one bar for all of them
                study.progress("comparing", number, len(chosen), unit.name.partition("/")[2])
        if any(unit.left is not None for unit in chosen):  # what is made from the same as before need not wait
            waiting = {unit.name: unit for unit in pending(units, folder)}
    return done


def has_settings(study: Study) -> bool:
    """Whether the run folder holds this very experiment."""
    return study.folder.config.exists() and read_text(study.folder.config) == resolved(study)


def resolved(study: Study) -> str:
    """The experiment file with every default."""
    return tomli_w.dumps(study.experiment.model_dump(mode="json", exclude_none=True))


def write_settings(study: Study, config_text: str | None) -> None:
    """Keep the experiment as given and with every default, and note where this is."""
    folder = study.folder
    write_text(folder.given_config, config_text if config_text is not None else resolved(study))
    write_text(folder.config, resolved(study))
    if not folder.environment.exists():
        write_json(folder.environment, environment(study.device))
