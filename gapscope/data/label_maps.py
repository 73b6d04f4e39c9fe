"""Label maps by name: known data sets come with the map of the paper, or with the nearest thing to it."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gapscope.data.labels import map_labels
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.words import did_you_mean

_FILE = Path(__file__).with_name("label_maps.toml")
_WORDS = ("about", "drop", "ignore", "rest")
"""Keys of a map that are no common labels."""


@dataclass(frozen=True)
class LabelMap:
    """What becomes of every name of a data set."""

    labels: Mapping[str, tuple[str, ...]]
    """Common label -> the data set's names for it."""
    drop: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    about: str = ""
    drop_rest: bool = False
    """Names that are listed nowhere are dropped; otherwise they are refused."""


@cache
def named_label_maps() -> dict[str, LabelMap]:
    """All maps that come with gapscope, by name, from label_maps.toml."""
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {
        name: LabelMap(
            labels={label: tuple(sources) for label, sources in entry.items() if label not in _WORDS},
            drop=tuple(entry.get("drop", ())),
            ignore=tuple(entry.get("ignore", ())),
            about=entry["about"],
            drop_rest=entry.get("rest") == "drop",
        )
        for name, entry in content.items()
    }


def label_map(name: str) -> LabelMap:
    """One of them.

    Raises:
        InputError: There is none of this name.
    """
    known = named_label_maps()
    if name not in known:
        raise InputError(f"there is no label map '{name}'.{did_you_mean(name, known, also_known=True)}")
    return known[name]


def fit(name: str, own: LabelMap, classes: Sequence[str], present: Sequence[str]) -> LabelMap:
    """A named map for one study and one data set.

    Args:
        name: The named map.
        own: What the user says; a name that is listed there has that fate, whatever the named map says.
        classes: The study's classes. Names whose common label is not among them are dropped: their boxes are then
            background, and are counted as such.
        present: The names that the data set has; others of the named map are left out.

    Raises:
        InputError: The map does not exist, or no name of the data set would become a class of the study.
    """
    named = label_map(name)
    said = {*own.drop, *own.ignore, *(source for sources in own.labels.values() for source in sources)}

    def left(sources: Sequence[str]) -> tuple[str, ...]:
        return tuple(source for source in sources if source in present and source not in said)

    labels = {
        label: (*own.labels.get(label, ()), *left(named.labels.get(label, ())))
        for label in classes
        if label in own.labels or label in named.labels
    }
    if not any(labels.values()):
        raise InputError(
            f"label map '{name}' turns none of this data set's names ({', '.join(present)}) into a class of the study "
            f"({', '.join(classes)}) - it knows {', '.join(named.labels)}. Choose another map, or write labels."
        )
    foreign = [source for label, sources in named.labels.items() if label not in classes for source in left(sources)]
    drop = [*own.drop, *foreign, *left(named.drop)]
    ignore = (*own.ignore, *left(named.ignore))
    if named.drop_rest:
        listed = {*drop, *ignore, *(source for sources in labels.values() for source in sources)}
        drop += [source for source in present if source not in listed]
    own_only = {
        label: sources for label, sources in own.labels.items() if label not in classes
    }  # refused later, by name
    return LabelMap({**labels, **own_only}, tuple(drop), ignore, named.about)


def renamed(table: AnnotationTable, name: str, own: LabelMap) -> AnnotationTable:
    """A data set whose classes are renamed, dropped or ignored outside a study, where all classes of a map are wanted.

    Args:
        table: The data set.
        name: A named map, or "" for none.
        own: What the user says; it wins over the named map. Where it only drops and ignores, every other class keeps
            its name; empty and without a named map it changes nothing.

    Raises:
        InputError: There is no map of that name, or the maps do not fit the data set.
    """
    if name:
        wanted = list(dict.fromkeys([*label_map(name).labels, *own.labels]))
        plan = fit(name, own, wanted, table.class_names)
        return map_labels(table, plan.labels, plan.drop, plan.ignore)[0]
    if not (own.labels or own.drop or own.ignore):
        return table
    same = {label: [label] for label in table.class_names if label not in (*own.drop, *own.ignore)}
    return map_labels(table, own.labels or same, own.drop, own.ignore)[0]
