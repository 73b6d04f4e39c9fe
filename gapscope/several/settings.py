"""Which settings do runs share, and which are not the same?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gapscope.config import NUMBERS_DO_NOT_DEPEND_ON, Experiment

NAMES = {"name", "title", "note", "source"}
"""Last parts of keys that only say what something is called."""
NO_NUMBERS = {"seeds", "data.cache", "data.cache_folder", "record.memory"} | {
    f"train.{key}" for key in NUMBERS_DO_NOT_DEPEND_ON
}
"""Other keys that may differ within one study. `root` of a domain may too: the data's fingerprint stands for it."""


EMPTY = "(empty)"


def settings(experiment: Experiment) -> dict[str, str]:
    """Every setting with its default, by dotted key, as people write it: lists without brackets and quotes."""
    return dict(_flat(experiment.model_dump(mode="json"), ""))


def _flat(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        yield key, ", ".join(map(str, value)) or EMPTY
    elif value is not None:
        yield key, value or EMPTY if isinstance(value, str) else json.dumps(value)


def moves_numbers(key: str) -> bool:
    """Whether two runs that differ in this setting are two studies."""
    return key not in NO_NUMBERS and key.rpartition(".")[2] not in {*NAMES, "root"}


@dataclass(frozen=True)
class Setting:
    """One key in all runs."""

    key: str
    values: tuple[str | None, ...]
    """As text, one per run; None where a run does not have it."""

    @property
    def shared(self) -> bool:
        return len(set(self.values)) == 1

    @property
    def moves_numbers(self) -> bool:
        return moves_numbers(self.key)


HAS_IT = "as in its own configuration"
"""What stands for all keys of a domain or arm that not every run has."""


def differing(rows: Sequence[Setting]) -> list[Setting]:
    """What is not the same, those that move numbers first; a domain or arm that not every run has is one row."""
    whole: dict[str, list[Setting]] = {}
    for row in rows:
        whole.setdefault(_owner(row.key), []).append(row)
    found = []
    for owner, of_owner in whole.items():
        there = [any(row.values[run] is not None for row in of_owner) for run in range(len(of_owner[0].values))]
        if all(there):
            found += [row for row in of_owner if not row.shared]
        else:
            found.append(Setting(owner, tuple(HAS_IT if here else None for here in there)))
    return sorted(found, key=lambda row: not row.moves_numbers)


def _owner(key: str) -> str:
    """The domain or arm that a key belongs to, `domains.camera`; other keys stand for themselves."""
    parts = key.split(".")
    return ".".join(parts[:2]) if parts[0] in ("domains", "arms") else key


def side_by_side(experiments: Sequence[Experiment]) -> list[Setting]:
    """Every key that any run has, in the order of the configuration."""
    columns = [settings(experiment) for experiment in experiments]
    keys = sorted({key for column in columns for key in column}, key=_order)
    return [Setting(key, tuple(column.get(key) for column in columns)) for key in keys]


def _order(key: str) -> tuple[int, str]:
    """The tables as gapscope.config has them; within one, by name, so that a domain's keys stay together."""
    tables = list(Experiment.model_fields)
    return tables.index(key.partition(".")[0]), key
