"""Which places of a head without anchors answer for which object, and how good is each answer? The cheapest ones.

What it costs a place to answer for an object is how wrong its class and its box are now. Each object takes the places
that cost least, and the better they overlap it, the more of them.

Source:
    Ge et al. 2021, arXiv:2107.08430, section 2.1 (SimOTA), which simplifies Ge et al. 2021, arXiv:2103.14259 (OTA).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pad_sequence

from gapscope.boxes import paired_iou
from gapscope.detector.protocol import Target

OVERLAP_COST = 3.0
"""What the logarithm of an IoU counts beside a cross-entropy of classes: lambda of the paper."""
REACH = 2.5
"""How far from an object's center, in strides along each side, a place may be that lies outside its box."""
APART = 1e5
"""Cost of a place that does not lie both in the box and within reach of the center: above any other."""
OVERLAPS = 10
"""How many of the largest overlaps, added up, say how many places an object takes."""
SMALLEST = 1e-7
"""Keeps logarithms finite."""


class Objects(NamedTuple):
    """The objects of a batch, as many rows for each image as the fullest one needs, and at least one."""

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
    overlap: Tensor
    """(b, c) IoU of the place's own box with the object's; 0 where there is none."""


def objects_of(targets: Sequence[Target]) -> Objects:
    """The labelled boxes of a batch, side by side."""
    one_row = targets[0].boxes.new_zeros(1, 4), targets[0].classes.new_zeros(1)  # so that there is one in any case
    boxes = pad_sequence([*(one.boxes for one in targets), one_row[0]], batch_first=True)[:-1]
    classes = pad_sequence([*(one.classes for one in targets), one_row[1]], batch_first=True)[:-1]
    there = pad_sequence([*(torch.ones_like(one.classes) for one in targets), one_row[1]], batch_first=True)[:-1]
    return Objects(boxes, classes, there.bool())


@torch.no_grad()
def cheapest(confidences: Tensor, boxes: Tensor, points: Tensor, strides: Tensor, objects: Objects) -> Answers:
    """Choose the places that answer for each object: of those that may, the ones that it costs least.

        cost = cross-entropy of the classes with the object's - 3 log IoU, and 10^5 outside its box or out of reach

    A place may answer for an object if its point lies in the object's box, or within `REACH` of its strides of the
    center: many small objects hold no point. An object takes as many places as the ten largest overlaps of those that
    may add up to, rounded down, and at least one. A place that several objects take answers for the one that costs it
    least.

    Args:
        confidences: (b, c, N) what each place says of each class, 0 to 1.
        boxes: (b, c, 4) the box it says, `xyxy` in pixels.
        points: (c, 2) where it is: x and y in pixels.
        strides: (c,) pixels from one place to the next of its map.
        objects: Of the batch.
    """
    overlap = paired_iou(boxes[:, None], objects.boxes[:, :, None])  # (b, m, c)
    may, best_placed = _places(points, strides, objects)
    cost = _class_cost(confidences, objects.classes) - OVERLAP_COST * (overlap + SMALLEST).log()
    cost = (cost + APART * ~best_placed).masked_fill(~may, torch.inf)
    most = min(OVERLAPS, overlap.shape[2])
    count = (overlap * may).topk(most, -1).values.sum(-1, keepdim=True).long().clamp(min=1)
    rank = cost.argsort(dim=-1, stable=True).argsort(-1)
    chosen = (rank < count) & may
    several = chosen.sum(1, keepdim=True) > 1
    least = one_hot(cost.masked_fill(~chosen, torch.inf).argmin(1), chosen.shape[1]).transpose(1, 2).bool()
    chosen &= ~several | least
    which = chosen.int().argmax(1)  # (b, c)
    return Answers(
        chosen.any(1),
        objects.boxes.gather(1, which[..., None].expand(-1, -1, 4)),
        objects.classes.gather(1, which),
        (overlap * chosen).sum(1),
    )


def _places(points: Tensor, strides: Tensor, objects: Objects) -> tuple[Tensor, Tensor]:
    """Which places (b, m, c) may answer for which object, and which lie in its box and near its center at once."""
    inside = ((points > objects.boxes[:, :, None, :2]) & (points < objects.boxes[:, :, None, 2:])).all(-1)
    center = (objects.boxes[..., :2] + objects.boxes[..., 2:]) / 2
    near = ((points - center[:, :, None]).abs() < REACH * strides[:, None]).all(-1)
    return (inside | near) & objects.there[..., None], inside & near


def _class_cost(confidences: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy (b, m, c) of what each place says of all classes with each object's class."""
    sure = confidences.clamp(SMALLEST, 1 - SMALLEST)
    yes, no = -sure.log(), -(1 - sure).log()
    right = (yes - no).transpose(1, 2).gather(1, classes[..., None].expand(-1, -1, sure.shape[1]))
    return no.sum(-1)[:, None] + right
