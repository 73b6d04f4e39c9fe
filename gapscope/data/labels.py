"""Label maps: the names of a data set become the study's classes, and every box is accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gapscope.data.table import ANY_CLASS, AnnotationTable
from gapscope.errors import InputError
from gapscope.words import did_you_mean, number_of

REGION_WORDS = ("crowd", "group", "region", "dontcare", "ignore")
"""A class whose name holds one of these, letters only, is of regions with any number of objects, not of single ones."""
REST = "*"
"""In `drop`: every name that is neither mapped nor ignored, unless the data set has a class of this very name."""


@dataclass(frozen=True)
class LabelCounts:
    """What became of every box of the source, by source class; regions the source itself ignores are not counted."""

    label_map: dict[str, dict[str, int]]
    """Target class -> source class -> boxes."""
    dropped: dict[str, int]
    ignored_sources: dict[str, int]


def map_labels(
    table: AnnotationTable,
    mapping: Mapping[str, Sequence[str]],
    drop: Sequence[str] = (),
    ignore: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> tuple[AnnotationTable, LabelCounts]:
    """Rename and merge classes.

    Args:
        table: Boxes with the names of their data set.
        mapping: Target class -> source classes. Names are case-sensitive.
        drop: Source classes whose boxes vanish: what they hold counts as background; `REST` stands for all that are
            named nowhere.
        ignore: Source classes whose boxes become ignore regions of every class (`ANY_CLASS`); crowds, if the name says
            that they are regions (`REGION_WORDS`).
        classes: Target classes in order; the order of `mapping` if empty. A class may have no source here.

    Raises:
        InputError: A source class with boxes is neither mapped, dropped nor ignored, is named twice, or does not exist;
            or a target is not among `classes`.
    """
    targets = tuple(classes) or tuple(mapping)
    _check_targets(mapping, targets)
    drop = with_rest(mapping, drop, ignore, table.class_names)
    fate = _fates(mapping, drop, ignore, table.class_names)
    scored = table.counts()
    _check_all_named(scored, fate)

    new_class = np.full(len(table.class_names) + 1, ANY_CLASS, dtype=np.int16)  # the last entry serves ANY_CLASS itself
    for i, source in enumerate(table.class_names):
        if fate.get(source) in targets:
            new_class[i] = targets.index(fate[source])
    vanish = np.array([fate.get(name, _DROP) == _DROP for name in table.class_names] + [False], dtype=np.bool_)
    foreign = np.array([fate.get(name) == _IGNORE for name in table.class_names] + [True], dtype=np.bool_)
    regions = np.array([is_region(name) for name in table.class_names] + [False]) & foreign
    # A class without boxes may go unnamed, but it may still have crowd regions: those vanish like a dropped class.
    left = table.keep_boxes(~vanish[table.box_class])
    mapped = replace(
        left,
        class_names=targets,
        box_class=new_class[left.box_class],
        ignore=left.ignore | foreign[left.box_class],
        crowd=left.crowd | regions[left.box_class],
    )
    counts = LabelCounts(
        label_map={target: {source: scored[source] for source in mapping.get(target, ())} for target in targets},
        dropped={source: scored[source] for source in drop},
        ignored_sources={source: scored[source] for source in ignore},
    )
    return mapped, counts


def with_rest(
    mapping: Mapping[str, Sequence[str]], drop: Sequence[str], ignore: Sequence[str], present: Sequence[str]
) -> list[str]:
    """The names that are dropped, all of those that `REST` stands for among them.

    >>> with_rest({"car": ["van"]}, ["tram", "*"], ["crowd"], ["van", "crowd", "tram", "sky"])
    ['tram', 'sky']
    """
    if REST not in drop or REST in present:
        return list(drop)
    named = {*drop, *ignore, *(source for sources in mapping.values() for source in sources)}
    return [*(name for name in drop if name != REST), *(name for name in present if name not in named)]


def said_rest(dropped: Mapping[str, int], named: Sequence[str]) -> str:
    """What `REST` dropped, in one sentence; "" if it was not asked for or nothing was left for it.

    Args:
        dropped: Boxes by dropped name.
        named: What the user wrote to be dropped.
    """
    rest = {name: boxes for name, boxes in dropped.items() if name not in named}
    if REST not in named or not rest:
        return ""
    with_boxes = sorted((name for name in rest if rest[name]), key=lambda name: -rest[name])
    listed = ", ".join(f"{name} ({rest[name]:,})" for name in with_boxes)
    empty = len(rest) - len(with_boxes)
    also = f"{' and ' if listed else ''}{empty} name{'s' if empty > 1 else ''} without boxes" if empty else ""
    return f'drop = ["*"] drops what nothing else names, in boxes: {listed}{also}.'


def is_region(name: str) -> bool:
    """Whether a class is of regions rather than of single objects, going by its name."""
    letters = "".join(filter(str.isalpha, name.lower()))
    return any(word in letters for word in REGION_WORDS)


_DROP, _IGNORE = "\0drop", "\0ignore"  # no class can have these names


def parse_mapping(texts: Sequence[str], option: str) -> dict[str, list[str]]:
    """What `name=a,b` says, several times: {name: [a, b]}.

    Raises:
        InputError: A text has another form, or a name is given twice.
    """
    mapping: dict[str, list[str]] = {}
    for text in texts:
        name, equals, members = text.partition("=")
        parts = [part.strip() for part in members.split(",")]
        if not (equals and name.strip() and all(parts)):
            raise InputError(f'{option} "{text}" - expected a name and what it stands for, as in "vehicle=car,bus".')
        if name.strip() in mapping:
            raise InputError(f"{option}: '{name.strip()}' is given twice. Put all that it stands for into one.")
        mapping[name.strip()] = parts
    return mapping


def _check_targets(mapping: Mapping[str, Sequence[str]], targets: tuple[str, ...]) -> None:
    for target in mapping:
        if target not in targets:
            meant = did_you_mean(target, targets, also_known=True)
            raise InputError(f"label map: target '{target}' is no class of the study.{meant}")


def _fates(
    mapping: Mapping[str, Sequence[str]], drop: Sequence[str], ignore: Sequence[str], known: tuple[str, ...]
) -> dict[str, str]:
    named = [(source, target) for target, sources in mapping.items() for source in sources]
    named += [(source, _DROP) for source in drop] + [(source, _IGNORE) for source in ignore]
    fate: dict[str, str] = {}
    for source, target in named:
        if source not in known:
            raise InputError(
                f"label map: '{source}' is no class of this data set.{did_you_mean(source, known, also_known=True)}"
            )
        if source in fate:
            raise InputError(f"label map: '{source}' is named twice - expected every source class once. Remove one.")
        fate[source] = target
    return fate


def _check_all_named(scored: dict[str, int], fate: dict[str, str]) -> None:
    unmapped = {name: n for name, n in scored.items() if n and name not in fate}
    if unmapped:
        ranked = sorted(unmapped.items(), key=lambda item: -item[1])
        listed = ", ".join(f"'{name}' ({number_of(n, 'box', 'boxes')})" for name, n in ranked)
        raise InputError(
            f"label map: unmapped {listed} - expected a place for every class. "
            'Map, drop or ignore each; drop = ["*"] drops all that are left.'
        )
