"""Which boxes are the hood of the camera's own car, labelled as if it were one more car on the road?

The paper removes the hood (section 3.1.2) but gives no method; this one is ours. It asks three things of a group of
images (drive, sequence): does a box of the right shape and place stay put through it, and does the rest of the scene
move meanwhile? The last tells a hood from the car in front at a light. Where nothing else moves, or nothing else is
labelled, the box stays, unless a hood was found in just that place in another group.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

BOTTOM = 0.005
"""A hood ends at the lower edge: at most this share of the image's height above it, or 2 pixels."""
MIN_WIDTH, TOP = 0.3, 0.45
"""It spans the centre column, is at least so wide and starts below this height (shares of the image). A motorcycle's
windscreen is narrower and higher than a car's hood; the back of a car in front, near enough to reach the lower edge,
starts higher."""
PERSISTENCE = 0.8
"""So many of the group's images show it."""
SAME_PLACE = 0.6
"""IoU with the group's median box: suspension moves a hood's edge, but not the hood."""
STEADY = 0.03
"""Median absolute deviation of its left, right and upper edge, as shares of the image."""
PART_INSIDE, PART_AREA = 0.9, 0.25
"""A smaller box of the same class also is the hood, half hidden or split up, if so much of it lies inside the median
box, it reaches the lower edge, and it has so much of the median box's area."""
STANDING = 0.2
"""The scene stands still if so many of its other boxes are in the same place half a group later."""
SAME_BOX = 0.9
"""IoU from which a box of the same class is in the same place."""
SAME_HOOD = 0.8
"""IoU with a hood of another group from which one in a standing scene is believed."""
MIN_IMAGES = 3
"""Smaller groups keep all boxes."""
PAIRS = 50
"""Pairs of images, at most, by which a scene is judged to move."""

_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")

Boxes = NDArray[np.float64]
"""(n, 4) corners as shares of width and height."""


@dataclass(frozen=True)
class Hood:
    """What looks like the camera's own hood in one group of images."""

    group: str
    removed: bool
    reason: str
    """Why it was removed, or kept."""
    boxes: int
    images: int
    """How many images the group has."""
    xyxy: tuple[float, float, float, float]
    """Its median box, in shares (0 to 1) of width and height."""


@dataclass(frozen=True, eq=False)
class HoodSearch:
    """What was found in a table, and which of its boxes that concerns."""

    table: AnnotationTable
    """The table that was searched."""
    hoods: tuple[Hood, ...]
    """In the order of their groups' names."""
    hood_of_box: NDArray[np.int32]
    """(m,) index into `hoods`, -1 for every other box."""

    @property
    def removed(self) -> NDArray[np.bool_]:
        """(m,) the boxes that go."""
        go = np.array([hood.removed for hood in self.hoods] + [False])
        return go[self.hood_of_box]

    def without(self) -> AnnotationTable:
        """The table without the boxes that go."""
        return self.table.keep_boxes(~self.removed)


def find_hoods(table: AnnotationTable, *, classes: Collection[str] = (), keep: Collection[str] = ()) -> HoodSearch:
    """Look for hoods in every group of at least three images; images without a group keep all boxes.

    Args:
        table: Boxes of one domain, whose groups are drives or sequences in the order of their paths.
        classes: Only boxes of these classes can be hoods; of all classes if empty.
        keep: Groups whose boxes stay, whatever they look like.

    Raises:
        InputError: A class or a group does not exist.
    """
    _check_names("class", classes, table.class_names)
    _check_names("group", keep, tuple(map(str, np.unique(table.groups))))
    boxes = table.xyxy.astype(np.float64) / np.stack([table.widths, table.heights] * 2, axis=1)[table.box_image]
    shaped = _has_hood_shape(table, boxes)
    if classes:
        shaped &= np.isin(table.box_class, [table.class_names.index(name) for name in classes])
    found = [hood for name, images in _groups(table) if (hood := _find_in_group(table, boxes, shaped, name, images))]
    cores = np.array([core.xyxy for core in found if core.moves], dtype=np.float64).reshape(-1, 4)
    hood_of_box = np.full(table.num_boxes, -1, dtype=np.int32)
    hoods = []
    for i, core in enumerate(found):
        hood_of_box[core.rows] = i
        hoods.append(_judged(core, cores, core.group in keep))
    return HoodSearch(table, tuple(hoods), hood_of_box)


def _check_names(what: str, asked: Collection[str], known: tuple[str, ...]) -> None:
    unknown = [name for name in asked if name not in known]
    if unknown:
        listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        raise InputError(f"hood: no {what} '{unknown[0]}' - expected one of {listed}. Fix the name.")


@dataclass(frozen=True)
class _Core:
    """A box that stays put in one group, and the rows of the table that show it."""

    group: str
    images: int
    xyxy: Boxes
    rows: NDArray[np.int64]
    moves: bool | None
    """Whether the rest of the scene does; None if there is no rest."""


def _judged(core: _Core, elsewhere: Boxes, keep: bool) -> Hood:
    x1, y1, x2, y2 = map(float, core.xyxy)
    known = bool(len(elsewhere)) and float(_iou(elsewhere, core.xyxy).max()) >= SAME_HOOD
    if keep:
        removed, reason = False, "the experiment file says to keep it"
    elif core.moves:
        removed, reason = True, "it stays put while the rest of the scene moves"
    elif known:
        removed, reason = True, "the scene stands still, but another group has a hood in this place"
    elif core.moves is None:
        removed, reason = False, "nothing else is labelled, so it may be a car in front of a camera that stands"
    else:
        removed, reason = False, "the scene stands still, so it may be the car in front"
    return Hood(core.group, removed, reason, len(core.rows), core.images, (x1, y1, x2, y2))


def _groups(table: AnnotationTable) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Name and images, in the order of their paths, of each group that is large enough to judge."""
    names, group_of_image = np.unique(table.groups, return_inverse=True)
    order = np.lexsort((table.paths, group_of_image))
    starts = np.searchsorted(group_of_image[order], np.arange(len(names) + 1))
    for name, first, last in zip(names.tolist(), starts[:-1], starts[1:], strict=True):
        if name and last - first >= MIN_IMAGES:
            yield name, order[first:last]


def _has_hood_shape(table: AnnotationTable, boxes: Boxes) -> NDArray[np.bool_]:
    x1, y1, x2, _ = boxes.T
    return _at_lower_edge(table, boxes) & (x1 < 0.5) & (x2 > 0.5) & (x2 - x1 >= MIN_WIDTH) & (y1 >= TOP)


def _at_lower_edge(table: AnnotationTable, boxes: Boxes) -> NDArray[np.bool_]:
    return boxes[:, 3] >= 1 - np.maximum(BOTTOM, 2 / table.heights[table.box_image])


def _find_in_group(
    table: AnnotationTable, boxes: Boxes, shaped: NDArray[np.bool_], name: str, images: NDArray[np.int64]
) -> _Core | None:
    first, last = (np.searchsorted(table.box_image, images, side).tolist() for side in _SIDES)
    rows = np.concatenate([np.arange(start, stop) for start, stop in zip(first, last, strict=True)])
    candidates = rows[shaped[rows]]
    if len(candidates) < MIN_IMAGES:
        return None
    median = np.median(boxes[candidates], axis=0)
    candidates = candidates[_iou(boxes[candidates], median) >= SAME_PLACE]
    if not len(candidates):
        return None
    median = np.median(boxes[candidates], axis=0)
    spread = np.median(np.abs(boxes[candidates] - median), axis=0)
    members = np.union1d(candidates, _parts(table, boxes, rows, candidates, median))
    shown = len(np.unique(table.box_image[members]))
    if shown < PERSISTENCE * len(images) or (spread[:3] > STEADY).any():
        return None
    others = np.setdiff1d(rows, members, assume_unique=True)
    return _Core(name, len(images), median, members, _moves(table, boxes, images, others))


def _parts(
    table: AnnotationTable, boxes: Boxes, rows: NDArray[np.int64], whole: NDArray[np.int64], median: Boxes
) -> NDArray[np.int64]:
    """Rows that show a piece of the hood: it is half hidden, or labelled as several instances."""
    label = np.bincount(table.box_class[whole].astype(np.int64) + 1).argmax() - 1
    own = boxes[rows]
    inside = _shared(own, median) >= PART_INSIDE * _areas(own)
    large = _areas(own) >= PART_AREA * _areas(median[None])[0]
    at_edge = own[:, 3] >= 1 - np.maximum(BOTTOM, 2 / table.heights[table.box_image[rows]])
    return rows[inside & large & at_edge & (table.box_class[rows] == label)]


def _moves(table: AnnotationTable, boxes: Boxes, images: NDArray[np.int64], others: NDArray[np.int64]) -> bool | None:
    """Whether boxes other than the hood's are elsewhere half a group later; None if there are none."""
    half = len(images) // 2
    firsts = np.unique(np.linspace(0, len(images) - 1 - half, PAIRS).astype(int))
    by_image = {int(image): others[table.box_image[others] == image] for image in images[[*firsts, *(firsts + half)]]}
    looked = stayed = 0
    for first in firsts:
        before, after = by_image[int(images[first])], by_image[int(images[first + half])]
        looked += len(before)
        for row in before:
            same_class = after[table.box_class[after] == table.box_class[row]]
            stayed += bool(len(same_class)) and float(_iou(boxes[same_class], boxes[row]).max()) >= SAME_BOX
    return stayed < STANDING * looked if looked else None


def _areas(boxes: Boxes) -> Boxes:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def _shared(boxes: Boxes, other: Boxes) -> Boxes:
    """Area that boxes (n, 4) share with one box (4,)."""
    sides = np.minimum(boxes[:, 2:], other[2:]) - np.maximum(boxes[:, :2], other[:2])
    return np.prod(np.maximum(sides, 0), axis=1)


def _iou(boxes: Boxes, other: Boxes) -> Boxes:
    """IoU of boxes (n, 4) with one box (4,)."""
    shared = _shared(boxes, other)
    return shared / (_areas(boxes) + _areas(other[None]) - shared)
