"""Hand a study's units out to an engine, each as soon as its inputs are there, until none can be done any more."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from gapscope.config.resources import Resources, Stage, in_bytes
from gapscope.errors import InputError
from gapscope.files import write_text
from gapscope.run_folder import RunFolder
from gapscope.study.engines.engine import End, Engine, Job, Share
from gapscope.study.engines.schedule import Schedule
from gapscope.study.replaced import put_aside
from gapscope.study.study import Study
from gapscope.study.units import Unit, note_done
from gapscope.words import number_of

HANDED_OUT = get_args(Stage)
NETWORKS_RUN = ("train", "evaluate", "record", "graft")
"""Stages whose units run a network, and so want a GPU."""
TRIES = 3
"""How often a unit is begun that ends without a word, as when its machine goes down or its memory does not suffice."""
SECONDS_TO_LOOK = 1.0


def hand_out(engine: Engine, units: Sequence[Unit], study: Study, *, stages: Iterable[str]) -> list[str]:
    """Do all units of some stages that are to be done, on an engine; returns their names.

    What fails keeps only what is made from it from being done: all else goes on, and failures are told at the end.

    Args:
        engine: Where units are done.
        units: Of the study, each after those that it needs.
        study: What they belong to; its progress hears how many are done.
        stages: Which to do; of these, those that an engine is given.

    Raises:
        InputError: If units failed for reasons that the user can mend.
        RuntimeError: If others failed.
    """
    chosen = set(stages) & set(HANDED_OUT)
    shares = {stage: share_of(stage, study, engine.gpus, engine.cores) for stage in chosen}
    schedule, folder = Schedule(units, study), study.folder
    running: dict[str, Unit] = {}
    failed: dict[str, End] = {}
    tries: dict[str, int] = {}
    done: list[str] = []
    while True:
        for unit in schedule.ready(set(running) | set(failed)):
            if unit.stage in chosen and engine.room() > 0:
                put_aside(unit, folder)
                keys = schedule.standing[unit.name].keys
                engine.start(Job(unit, keys, study, shares[unit.stage], Path.cwd()))
                running[unit.name] = unit
                tries[unit.name] = tries.get(unit.name, 0) + 1
        if not running:
            break
        end = engine.ended(SECONDS_TO_LOOK)
        if end is None:
            continue
        unit = running.pop(end.unit)
        if end.how == "done":
            note_done(schedule.standing[unit.name], folder, end.seconds)
            schedule.note(unit)
            done.append(unit.name)
            waiting = sum(one.stage in chosen for one in schedule.left())
            study.progress(f"on {engine.name}", len(done), len(done) + waiting, unit.name)
        elif end.how != "lost" or tries[unit.name] >= TRIES:
            failed[unit.name] = end
    if failed:
        left = [unit.name for unit in schedule.left() if unit.stage in chosen and unit.name not in failed]
        raise failure(list(failed.values()), left, tries, folder)
    return done


def share_of(stage: str, study: Study, gpus: bool | None, cores: int) -> Share:
    """What a unit of a stage is given: what [resources] says, or else one GPU where networks run and there are some.

    Args:
        stage: Such as `train`.
        study: With its [resources] and `[train] device`.
        gpus: Whether the engine's machines have GPUs; None if that cannot be known.
        cores: Cores where [resources] names none.

    Raises:
        InputError: If a network would be meant to run on a GPU and be given none, or that cannot be known.
    """
    given: dict[Any, Resources] = dict(study.experiment.resources)
    asked, device = given.get(stage, Resources()), study.experiment.train.device
    wants = stage in NETWORKS_RUN and (device == "cuda" or (device == "auto" and gpus is not False))
    number = asked.gpus
    if number is None:
        if wants and gpus is None and device == "auto":
            raise InputError(
                "[train] device = 'auto': whether the machines of this engine have GPUs cannot be known beforehand. "
                f"Say gpus = 1 (or 0) in [resources.{stage}], or device = 'cpu' or 'cuda' in [train]."
            )
        number = 1.0 if wants else 0.0
    elif wants and number == 0 and (device == "cuda" or gpus):
        raise InputError(
            f"[resources.{stage}] gpus = 0 and [train] device = '{device}': without a GPU of its own it would run on "
            "the CPU in silence. Set gpus = 1, or device = 'cpu' if that is meant."
        )
    return Share(number, asked.cpus or cores, in_bytes(asked.memory))


def failure(failed: Sequence[End], left: Sequence[str], tries: dict[str, int], folder: RunFolder) -> Exception:
    """What to raise once all else is done: every unit that failed, why, and what was not done for want of it."""
    lines = [_told(end, tries[end.unit], folder) for end in failed]
    waiting = f" Not done for want of them: {_few(left)}." if left else ""
    text = (
        f"{number_of(len(failed), 'unit')} of work failed; all that does not need them is done.{waiting}\n"
        + "\n".join(lines)
    )
    text += "\nMend what they name and give the same command again: it goes on from there."
    return RuntimeError(text) if any(end.how == "failed" for end in failed) else InputError(text)


def _told(end: End, tries: int, folder: RunFolder) -> str:
    if end.how == "failed":
        path = folder.failure(end.unit)
        write_text(path, end.message)
        last = end.message.strip().splitlines()[-1]
        return f"- {end.unit}: {last} (all of it: {path})"
    again = f", {tries} times in a row" if end.how == "lost" else ""
    return f"- {end.unit}: {end.message}{again}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def cores_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
