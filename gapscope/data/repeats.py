"""Boxes that are there twice: one object, written down again."""

import numpy as np
from numpy.typing import NDArray

from gapscope.data.table import AnnotationTable

NEAR_IOU = 0.95
"""Two boxes of one class that overlap by more may be one object."""


def repeated_boxes(
    images: NDArray[np.integer], classes: NDArray[np.integer], numbers: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which boxes are there already, in the same image, with the same class and the same numbers?

    Args:
        images, classes: (m,) of each box.
        numbers: (m, k) what else is said of it: corners, and shares of it that are hidden; NaN is equal to NaN.

    Returns:
        The boxes that repeat another, in rising order, and of each the first that it repeats.
    """
    bits = (numbers + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    columns = [images, classes, *bits.T]
    key = np.zeros(len(images), np.uint64)
    for column in columns:  # a hash (Fibonacci's multiplier): boxes that share it are compared in full
        key = (key ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    order = np.argsort(key, kind="stable")
    alike = np.flatnonzero(key[order][1:] == key[order][:-1])
    first: dict[int, int] = {}
    for later, before in zip(order[alike + 1].tolist(), order[alike].tolist(), strict=True):
        earliest = first.get(before, before)  # of three, the third follows the second, which follows the first
        if all(column[later] == column[earliest] for column in columns):
            first[later] = earliest
    again = sorted(first)
    return np.array(again, np.int64), np.array([first[box] for box in again], np.int64)


def near_repeats(table: AnnotationTable, least_iou: float = NEAR_IOU) -> int:
    """Pairs of boxes of one class in one image with an IoU above `least_iou`; ignore regions do not count."""
    scored = table.keep_boxes(~table.ignore)
    count = 0
    for image in np.flatnonzero(np.bincount(scored.box_image, minlength=1) > 1):
        boxes, labels, _ = scored.boxes_of(int(image))
        near = (_iou(boxes.astype(np.float64)) > least_iou) & (labels[:, None] == labels[None, :])
        count += int(np.triu(near, 1).sum())
    return count


def _iou(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (n, n) of every box with every other, as `gapscope.boxes.box_iou` has it: that one waits for torch."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    union: NDArray[np.float64] = areas[:, None] + areas[None, :] - shared
    return shared / union
