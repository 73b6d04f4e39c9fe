"""Which detections and targets overlap, and by how much?"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.columns import Array, Boxes, Rows

BLOCK = 1 << 18
"""Pairs that are looked at in one go: 2 MB for each column of numbers that this takes."""


@dataclass(frozen=True)
class Pairs:
    """A detection and a target of one image that overlap: a row for each pair, sorted by detection, then by target."""

    detection: Rows
    """(p,) row among the detections"""
    target: Rows
    """(p,) row among the targets"""
    iou: Array
    """(p,) intersection over union; on a crowd the share of the detection that lies on it, as COCO has it"""

    def __len__(self) -> int:
        return len(self.iou)

    def take(self, rows: Rows | NDArray[np.bool_]) -> "Pairs":
        """These rows, in this order, or those where a mask is true."""
        return Pairs(self.detection[rows], self.target[rows], self.iou[rows])


def overlapping_pairs(targets: Boxes, detections: Boxes, least: float, num_classes: int | None) -> Pairs:
    """All pairs within an image whose IoU is at least `least` (above 0).

    Args:
        num_classes: Only pairs of one class are looked at; an ignore region of every class goes with all of them.
            With None, classes do not matter.
    """
    rows, keys, wanted = _keys(targets, detections, num_classes)
    rows = rows[np.lexsort((rows, keys))]
    held = np.bincount(keys, minlength=int(wanted.max(initial=-1)) + 1)
    count, first = held[wanted], (np.cumsum(held) - held)[wanted]
    found = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for start, stop in _blocks(count):
        times = count[start:stop]
        detection = np.repeat(np.arange(start, stop), times)
        within = np.arange(len(detection)) - np.repeat(np.cumsum(times) - times, times)
        target = rows[np.repeat(first[start:stop], times) + within]
        found.append(_overlapping(detections, targets, detection, target, least))
    columns = ([getattr(pairs, name) for pairs in found] for name in ("detection", "target", "iou"))
    return Pairs(*(np.concatenate(column) for column in columns))


def _keys(targets: Boxes, detections: Boxes, num_classes: int | None) -> tuple[Rows, Rows, Rows]:
    """Rows of the targets and the key of each; the key of each detection. Boxes of one key are compared."""
    rows = np.arange(len(targets))
    if num_classes is None:
        return rows, targets.image, detections.image
    every = targets.label < 0
    labels = np.concatenate([targets.label[~every], np.tile(np.arange(num_classes), every.sum())])
    rows = np.concatenate([rows[~every], np.repeat(rows[every], num_classes)])
    return rows, targets.image[rows] * num_classes + labels, detections.image * num_classes + detections.label


def _blocks(count: Rows) -> Iterator[tuple[int, int]]:
    """Ranges of detections with about BLOCK pairs each."""
    edges = np.flatnonzero(np.diff(np.cumsum(count) // BLOCK)) + 1
    limits = [0, *edges.tolist(), len(count)]
    return ((a, b) for a, b in pairwise(limits) if b > a)


def _overlapping(detections: Boxes, targets: Boxes, detection: Rows, target: Rows, least: float) -> Pairs:
    """Those of the given pairs (p,), (p,) whose IoU is at least `least`.

    The arithmetic is that of pycocotools, which keeps (x, y, w, h): its right edges x + w can differ from ours in the
    last digit, and an IoU that is exactly a threshold hangs on that. Most pairs do not even share columns of pixels, so
    these go first.

    Only of a crowd, a region with many objects in it, is the share of the detection asked: any box within it may be one
    of them. A single object that is ignored, such as VOC's difficult ones, is overlapped like any other.
    """
    sides: list[Array] = []
    for axis in (0, 1):
        low_d, low_t = detections.xyxy[detection, axis], targets.xyxy[target, axis]
        size_d, size_t = detections.xyxy[detection, axis + 2] - low_d, targets.xyxy[target, axis + 2] - low_t
        side = np.minimum(low_d + size_d, low_t + size_t) - np.maximum(low_d, low_t)
        shared = side > 0
        detection, target = detection[shared], target[shared]
        sides = [part[shared] for part in (*sides, size_d, size_t, side)]
    width_d, width_t, width, height_d, height_t, height = sides
    intersection, area_d = width * height, width_d * height_d
    union = area_d + width_t * height_t - intersection
    iou = intersection / np.where(targets.crowd[target], area_d, union)
    enough = iou >= least
    return Pairs(detection[enough], target[enough], iou[enough])
