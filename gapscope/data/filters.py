"""Filters: which labelled boxes are no fair targets, and are taken out before anything is trained or scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError


def drop_small(table: AnnotationTable, min_area: float) -> tuple[AnnotationTable, int]:
    """Remove boxes under `min_area` square pixels of the original image, and say how many.

    Ignore regions stay, however small: they only ever forgive.

    Source: Ljungqvist et al. 2022, section 3.1.2 (100 square pixels, game images only).
    """
    keep = (table.areas >= min_area) | table.ignore
    return table.keep_boxes(keep), int((~keep).sum())


@dataclass(frozen=True)
class Hood:
    """The driver's own hood, as found in one group of images."""

    group: str
    boxes: int
    images: int
    """How many images the group has."""
    xyxy: tuple[float, float, float, float]
    """Its median box, in shares (0 to 1) of width and height."""


def remove_hood(
    table: AnnotationTable,
    *,
    min_width: float = 0.4,
    top: float = 0.5,
    bottom: float = 2.0,
    persistence: float = 0.8,
    min_iou: float = 0.9,
    min_images: int = 3,
    classes: Sequence[str] = (),
) -> tuple[AnnotationTable, list[Hood]]:
    """Remove the hood of the camera's own car where a data set labels it as an ordinary object.

    A box can be a hood if it ends within `bottom` pixels of the lower edge, spans the centre column, is at least
    `min_width` of the image wide and starts below `top` of its height. It is one if such a box stays put through its
    group (drive, sequence): at least `persistence` of the group's images hold one whose IoU with the group's median
    box is `min_iou` or more. Groups of fewer than `min_images` images and images without a group keep all boxes:
    geometry alone could be the car in front. `classes` limits the search; all classes if empty.

    The paper removes the hood (section 3.1.2) but gives no method; this one is ours.
    """
    unknown = [name for name in classes if name not in table.class_names]
    if unknown:
        raise InputError(f"hood: no class '{unknown[0]}' - expected one of {', '.join(table.class_names)}.")
    boxes = table.xyxy / np.stack([table.widths, table.heights] * 2, axis=1)[table.box_image]
    candidate = _has_hood_shape(table, boxes, min_width, top, bottom)
    if classes:
        candidate &= np.isin(table.box_class, [table.class_names.index(name) for name in classes])
    hood = np.zeros(table.num_boxes, dtype=np.bool_)
    found: list[Hood] = []
    group_of_box = table.groups[table.box_image]
    for group, images in zip(*np.unique(table.groups, return_counts=True), strict=True):
        rows = np.flatnonzero(candidate & (group_of_box == group))
        if group == "" or images < min_images or not len(rows):
            continue
        median = np.median(boxes[rows], axis=0)
        rows = rows[_iou(boxes[rows], median) >= min_iou]
        if len(np.unique(table.box_image[rows])) >= persistence * images:
            hood[rows] = True
            x1, y1, x2, y2 = map(float, median)
            found.append(Hood(group=str(group), boxes=len(rows), images=int(images), xyxy=(x1, y1, x2, y2)))
    return table.keep_boxes(~hood), found


def _has_hood_shape(
    table: AnnotationTable, boxes: NDArray[np.floating], min_width: float, top: float, bottom: float
) -> NDArray[np.bool_]:
    x1, y1, x2, _ = boxes.T
    at_edge = table.xyxy[:, 3] >= table.heights[table.box_image] - bottom
    return at_edge & (x1 < 0.5) & (x2 > 0.5) & (x2 - x1 >= min_width) & (y1 >= top)


def _iou(boxes: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
    """IoU of boxes (n, 4) with one box (4,)."""
    sides = np.minimum(boxes[:, 2:], other[2:]) - np.maximum(boxes[:, :2], other[:2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (areas + np.prod(other[2:] - other[:2]) - shared)
