"""Units of work: what each is made from, what it leaves behind, and which of them still have to be done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapscope.files import hash_value
from gapscope.run_folder import RunFolder

STAGES = ("data", "train", "evaluate", "record", "compare", "report")
"""In the order in which they run; `--only` takes one of them."""

STAGE_VERSIONS = {"data": 3, "train": 2, "evaluate": 2, "record": 2, "compare": 3, "report": 2}
"""Raised when a stage's code gives other numbers or files than before, so that finished runs make it again."""


@dataclass(frozen=True)
class Unit:
    """One piece of work, such as one arm trained with one seed."""

    stage: str
    name: str
    """Unique within the run, such as `train/u-real/seed0`."""
    made_from: Any
    """Everything besides other units that decides the result: a JSON-able part of the configuration, hashes."""
    needs: tuple[str, ...]
    """Names of the units whose files it reads."""
    outputs: tuple[Path, ...]
    work: Callable[..., None]
    """Does it, given the study and the unit's key."""
    left: Callable[[], Any] | None = None
    """Once it is done: a JSON-able value of all that other units read of it. They go by that, and so stay as they are
    where the unit is made again with the same result; without it, by what the unit is made from."""


def keys_of(units: Sequence[Unit], folder: RunFolder) -> dict[str, str]:
    """The key of every unit: a hash of what it is made from and of what the units that it needs have left.

    The report tells of everything, so it goes by what they are made from.
    """
    keys: dict[str, str] = {}
    passed_on: dict[str, str] = {}
    for unit in units:
        from_others = keys if unit.stage == "report" else passed_on
        parts = [unit.stage, STAGE_VERSIONS[unit.stage], unit.made_from, [from_others[name] for name in unit.needs]]
        keys[unit.name] = hash_value(parts)
        passed_on[unit.name] = folder.left_by(unit.name, keys[unit.name]) or keys[unit.name]
    return keys


def pending(units: Sequence[Unit], folder: RunFolder) -> list[Unit]:
    """The units that are not done: never made, made from something else, or whose files are gone.

    Whatever is made from such a unit is pending too.
    """
    keys = keys_of(units, folder)
    waiting: dict[str, Unit] = {}
    for unit in units:
        stale = any(name in waiting for name in unit.needs)
        if stale or not folder.is_done(unit.name, keys[unit.name], unit.outputs):
            waiting[unit.name] = unit
    return list(waiting.values())


def with_needs(name: str, units: Sequence[Unit]) -> list[Unit]:
    """A unit after all those that it needs, directly or through others, in the order in which they can be done."""
    by_name = {unit.name: unit for unit in units}
    wanted, queue = {name}, [name]
    while queue:
        needs = set(by_name[queue.pop()].needs) - wanted
        wanted |= needs
        queue.extend(needs)
    return [unit for unit in units if unit.name in wanted]
