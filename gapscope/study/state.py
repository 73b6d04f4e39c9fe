"""How far is a run? Read from its folder, without locking or changing it, while it goes on, stands still or is done."""

import os
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import read_run_config
from gapscope.run_folder import STAGES, RunFolder
from gapscope.study.plan import Todo, plan
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import Unit
from gapscope.training.checkpoint import CHECKPOINT
from gapscope.training.metrics import read_epochs


@dataclass(frozen=True)
class StageState:
    """One stage: units done and their seconds, and the unit that is next."""

    name: str
    done: int
    total: int
    seconds: float
    again: int
    """Units that were done, but from something else than now: other settings or data, another version of gapscope."""
    following: str | None
    """The first unit that is not done; None where all are."""
    seconds_left: float | None
    """From the units of this stage that are done, at their mean, and trainings that have begun; None if none is."""


@dataclass(frozen=True)
class TrainingState:
    """A training that has begun and is not done."""

    arm: str
    seed: int
    epoch: int
    """Finished epochs."""
    epochs: int
    """The most there can be: without a better network it ends sooner."""
    loss: float
    val_map50: float | None
    """Of the last validation; None before the first."""
    best_map50: float | None
    seconds_left: float | None
    """For all epochs that there can be, at the median speed so far."""


@dataclass(frozen=True)
class RunState:
    """How far a run is."""

    experiment: Experiment
    stages: tuple[StageState, ...]
    trainings: tuple[TrainingState, ...]
    todo: tuple[Todo, ...]
    """What is not done, and why."""
    changed: float
    """When something was last written, seconds since 1970."""

    @property
    def done(self) -> bool:
        return all(stage.done == stage.total for stage in self.stages)

    @property
    def current(self) -> StageState | None:
        """The first stage that is not done."""
        return next((stage for stage in self.stages if stage.done < stage.total), None)


class Watched:
    """A run folder that is looked at again and again. What its units are made from is looked up once."""

    def __init__(self, run: Path, data_root: Path | None = None) -> None:
        self.folder = RunFolder(run)
        self.data_root = data_root
        self._known: tuple[object, Study, list[Unit]] | None = None

    def state(self) -> RunState:
        """How far the run is now.

        Raises:
            InputError: If the folder holds no run (any more), one of its files is broken, or a data set is not there.
        """
        study, units = self._units()
        experiment, todo = study.experiment, plan(study, units, by_times=True)
        waiting = {one.unit.name: one for one in todo}
        trainings = tuple(_trainings(units, waiting, self.folder, experiment))
        stages = tuple(_stages(units, waiting, self.folder, trainings))
        return RunState(experiment, stages, trainings, tuple(todo), last_change(self.folder.root))

    def _units(self) -> tuple[Study, list[Unit]]:
        """The study and its units, read anew where the experiment's file has changed."""
        config = self.folder.config
        try:
            stat = config.stat()
        except OSError:
            raise InputError(
                f"{self.folder.root} holds no run: there is no {config.name}. Name a folder that 'gapscope run' made."
            ) from None
        version = stat.st_mtime_ns, stat.st_size, stat.st_ino
        if self._known is None or self._known[0] != version:
            self.folder.refuse_links()
            study = Study(read_run_config(self.folder), self.folder, self.data_root)
            self._known = version, study, units_of(study)
        return self._known[1:]


def _stages(
    units: list[Unit], waiting: dict[str, Todo], folder: RunFolder, trainings: tuple[TrainingState, ...]
) -> Iterator[StageState]:
    by_stage = defaultdict(list)
    for unit in units:
        by_stage[unit.stage].append(unit)
    for name in [stage for stage in STAGES if by_stage[stage]]:
        mine = by_stage[name]
        spent = [_seconds(unit, folder) for unit in mine if unit.name not in waiting]
        left = [unit for unit in mine if unit.name in waiting]
        begun = trainings if name == "train" else ()
        more = [unit for unit in left if not unit.is_quick]
        slow = [_seconds(unit, folder) for unit in mine if unit.name not in waiting and not unit.is_quick]
        yield StageState(
            name,
            done=len(spent),
            total=len(mine),
            seconds=sum(spent),
            again=sum(waiting[unit.name].how not in ("anew", "taken back") for unit in left),
            following=left[0].name if left else None,
            seconds_left=seconds_left(slow, len(more), begun, [waiting[unit.name].seconds for unit in more]),
        )


def _seconds(unit: Unit, folder: RunFolder) -> float:
    return float((folder.read_record(unit.name) or {}).get("seconds", 0))


def seconds_left(
    spent: list[float],
    left: int,
    begun: tuple[TrainingState, ...] = (),
    said: Sequence[float | None] = (),
) -> float | None:
    """About how long the units of a stage that are left will take.

    Args:
        spent: Seconds of each unit that is done.
        left: How many are left, those that have begun among them.
        begun: Trainings that have begun; several of them run at a time, and are taken to go on so.
        said: What the units that are left say of themselves, which counts where none is done.
    """
    known = [seconds for seconds in said if seconds is not None]
    if left and not spent and len(known) == left:
        return sum(known)
    own = [training.seconds_left for training in begun if training.seconds_left is not None]
    if not left or not (spent or own):
        return None
    typical = statistics.fmean(spent) if spent else max(own)
    return (sum(own) + typical * (left - len(own))) / max(1, len(own))


def _trainings(
    units: list[Unit], waiting: dict[str, Todo], folder: RunFolder, experiment: Experiment
) -> Iterator[TrainingState]:
    """Trainings with a checkpoint and at least one finished epoch, among those that are not done."""
    for unit in units:
        if unit.stage == "train" and unit.run is not None and unit.name in waiting:
            begun = (folder.training(unit.run) / CHECKPOINT).exists()
            epochs = read_epochs(folder.metrics(unit.run)) if begun else []
            if epochs:
                yield training_state(unit.run.arm, unit.run.seed, epochs, experiment.train_of(unit.run.arm).epochs)


def training_state(arm: str, seed: int, epochs: list[dict[str, Any]], most: int) -> TrainingState:
    """What the lines of a metrics.jsonl say about a training of at most `most` epochs."""
    last, scores = epochs[-1], [line["val_map50"] for line in epochs if line.get("val_map50") is not None]
    speeds = [line["seconds"] for line in epochs if line.get("seconds")]
    left = most - int(last["epoch"])
    return TrainingState(
        arm,
        seed,
        epoch=int(last["epoch"]),
        epochs=most,
        loss=float(last["loss"]),
        val_map50=scores[-1] if scores else None,
        best_map50=max(scores, default=None),
        seconds_left=statistics.median(speeds) * left if speeds else None,
    )


def last_change(run: Path) -> float:
    """When a file of the run was last put in its place, seconds since 1970.

    Files are renamed into place, which changes the time of their folder: three levels of folders are looked at, not the
    images of a domain one by one.
    """
    newest, level = 0.0, [run]
    for _ in range(4):
        below: list[Path] = []
        for folder in level:
            try:
                newest = max(newest, folder.stat().st_mtime)
                with os.scandir(folder) as entries:
                    below += [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            except FileNotFoundError:  # removed in between
                continue
        level = below
    return newest
