"""Which places of a head without anchors answer for which object, and how good is each answer? Task alignment.

An answer is good if it says the right class and lies in the right place, both at once. So the places that already do
best teach the others, and what a place says of a class is taught to be how well its box fits: detections then sort by
how well they are placed.

Source:
    Feng et al. 2021, arXiv:2108.07755 (TOOD), section 3.2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pad_sequence

from gapscope.boxes import paired_iou
from gapscope.detector.protocol import Target

CLASS_POWER, OVERLAP_POWER = 1.0, 6.0
"""alpha and beta of the paper: alignment = confidence^alpha IoU^beta."""
MOST_ANSWERS = 13
"""Places that may answer for one object, as in the paper."""
REACH = 2.5
"""How far from an object's center, in strides along each side, a place may be that lies outside its box."""


class Objects(NamedTuple):
    """The objects of a batch, as many rows for each image as the fullest one needs."""

    boxes: Tensor
    """(b, m, 4) `xyxy` in pixels of the network's input; zeros in rows that hold no object."""
    classes: Tensor
    """(b, m) int64"""
    there: Tensor
    """(b, m) bool: whether the row holds an object."""


class Answers(NamedTuple):
    """What each of the c places of each image is taught."""

    positive: Tensor
    """(b, c) bool: whether it answers for an object."""
    boxes: Tensor
    """(b, c, 4) the object's box, `xyxy` in pixels; anything where there is none."""
    classes: Tensor
    """(b, c) int64: its class; anything where there is none."""
    quality: Tensor
    """(b, c) how good an answer it is among those for its object, 0 to 1; 0 where there is none."""


def objects_of(targets: Sequence[Target]) -> Objects:
    """The labelled boxes of a batch, side by side."""
    one_row = targets[0].boxes.new_zeros(1, 4), targets[0].classes.new_zeros(1)  # so that there is one in any case
    boxes = pad_sequence([*(one.boxes for one in targets), one_row[0]], batch_first=True)[:-1]
    classes = pad_sequence([*(one.classes for one in targets), one_row[1]], batch_first=True)[:-1]
    there = pad_sequence([*(torch.ones_like(one.classes) for one in targets), one_row[1]], batch_first=True)[:-1]
    return Objects(boxes, classes, there.bool())


@torch.no_grad()
def align(confidences: Tensor, boxes: Tensor, points: Tensor, strides: Tensor, objects: Objects) -> Answers:
    """Choose the places that answer for each object: of those that may, the best aligned.

    A place may answer for an object if its point lies in the object's box, or within `REACH` of its strides of the
    center: many small objects hold no point. A place that is chosen for several objects answers for the one that its
    box overlaps most. An object that no box overlaps yet has the places next to its center, with a quality of 0: it
    teaches nothing until a box reaches it, and untrained boxes are as large as their cells, so that some do.

    Args:
        confidences: (b, c, N) what each place says of each class, 0 to 1.
        boxes: (b, c, 4) the box it says, `xyxy` in pixels.
        points: (c, 2) where it is: x and y in pixels.
        strides: (c,) pixels from one place to the next of its map.
        objects: Of the batch.
    """
    overlap = paired_iou(boxes[:, None], objects.boxes[:, :, None])  # (b, m, c)
    said = confidences.transpose(1, 2).gather(1, objects.classes[..., None].expand_as(overlap))
    alignment = said**CLASS_POWER * overlap**OVERLAP_POWER
    near, distance = _near(points, strides, objects)
    chosen = _best(alignment, distance, near)
    several = chosen.sum(1, keepdim=True) > 1
    fullest = torch.where(chosen, overlap, -1.0).argmax(1)
    chosen &= ~several | one_hot(fullest, chosen.shape[1]).transpose(1, 2).bool()
    which = chosen.int().argmax(1)  # (b, c)
    return Answers(
        chosen.any(1),
        objects.boxes.gather(1, which[..., None].expand(-1, -1, 4)),
        objects.classes.gather(1, which),
        _quality(alignment * chosen, overlap * chosen),
    )


def _near(points: Tensor, strides: Tensor, objects: Objects) -> tuple[Tensor, Tensor]:
    """Which places (b, m, c) may answer for which object, and how far they are from its center in their strides."""
    inside = ((points > objects.boxes[:, :, None, :2]) & (points < objects.boxes[:, :, None, 2:])).all(-1)
    center = (objects.boxes[..., :2] + objects.boxes[..., 2:]) / 2
    apart = (points - center[:, :, None]).abs() / strides[:, None]
    near = inside | (apart < REACH).all(-1)
    return near & objects.there[..., None], apart.square().sum(-1).sqrt()


def _best(alignment: Tensor, distance: Tensor, near: Tensor) -> Tensor:
    """The `MOST_ANSWERS` best aligned places (b, m, c) of each object; among equals the nearer ones."""
    order = distance.argsort(dim=-1, stable=True)
    key = torch.where(near, alignment, -1.0).gather(-1, order)
    best = order.gather(-1, key.argsort(dim=-1, descending=True, stable=True)[..., :MOST_ANSWERS])
    return torch.zeros_like(near).scatter_(-1, best, True) & near


def _quality(alignment: Tensor, overlap: Tensor) -> Tensor:
    """(b, c) the alignment (b, m, c) of what was chosen, scaled so that an object's best is its largest IoU."""
    best, largest = alignment.amax(-1, keepdim=True), overlap.amax(-1, keepdim=True)
    return torch.where(best > 0, alignment / best.clamp(min=1e-30) * largest, 0.0).amax(1)
