"""Which places of a head without anchors answer for which object, and how good is each answer? The best aligned ones.

A place is aligned with an object if it is sure of the object's class and its box fits: a place that would win among
detections should be the one whose box is right. Each object takes the places that are best aligned with it now.

Source:
    Feng et al. 2021, arXiv:2108.07755, section 3.2 (task alignment learning).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pad_sequence

from gapscope.boxes import paired_iou
from gapscope.detector.protocol import Target

CLASS_POWER, OVERLAP_POWER = 0.5, 6.0
"""How much the confidence counts, and how much the IoU; the paper has 1 and 6."""
PLACES = 10
"""How many places an object takes at most; the paper has 13."""
SMALLEST = 1e-37
"""Keeps divisions finite."""


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
    worth: Tensor
    """(b, c) how sure it should be of the class: as its alignment is to the object's best, times the best IoU of all
    places that answer for the object; 0 where there is none."""


def objects_of(targets: Sequence[Target]) -> Objects:
    """The labelled boxes of a batch, side by side."""
    one_row = targets[0].boxes.new_zeros(1, 4), targets[0].classes.new_zeros(1)  # so that there is one in any case
    boxes = pad_sequence([*(one.boxes for one in targets), one_row[0]], batch_first=True)[:-1]
    classes = pad_sequence([*(one.classes for one in targets), one_row[1]], batch_first=True)[:-1]
    there = pad_sequence([*(torch.ones_like(one.classes) for one in targets), one_row[1]], batch_first=True)[:-1]
    return Objects(boxes, classes, there.bool())


@torch.no_grad()
def best_aligned(confidences: Tensor, boxes: Tensor, points: Tensor, strides: Tensor, objects: Objects) -> Answers:
    """Choose the places that answer for each object: of those that may, the ones best aligned with it.

        alignment = confidence of the object's class ^ 0.5 * IoU ^ 6

    Args:
        confidences: (b, c, N) what each place says of each class, 0 to 1.
        boxes: (b, c, 4) the box it says, `xyxy` in pixels.
        points: (c, 2) where it is: x and y in pixels.
        strides: (c,) pixels from one place to the next of its map.
        objects: Of the batch.
    """
    overlap = paired_iou(boxes[:, None], objects.boxes[:, :, None])  # (b, m, c)
    may = _places(points, strides, objects)
    sure = confidences.transpose(1, 2).gather(1, objects.classes[..., None].expand(-1, -1, confidences.shape[1]))
    alignment = sure.pow(CLASS_POWER) * overlap.pow(OVERLAP_POWER) * may
    best = alignment.topk(min(PLACES, alignment.shape[2]), -1)
    chosen = torch.zeros_like(may).scatter_(2, best.indices, best.values > 0)
    fits = one_hot(overlap.masked_fill(~chosen, -1).argmax(1), chosen.shape[1]).transpose(1, 2).bool()
    chosen &= fits  # a place that several objects take answers for the one that its box fits best
    alignment, overlap = alignment * chosen, overlap * chosen
    worth = alignment / alignment.amax(-1, keepdim=True).clamp(min=SMALLEST) * overlap.amax(-1, keepdim=True)
    which = chosen.int().argmax(1)  # (b, c)
    return Answers(
        chosen.any(1),
        objects.boxes.gather(1, which[..., None].expand(-1, -1, 4)),
        objects.classes.gather(1, which),
        worth.amax(1),
    )


def _places(points: Tensor, strides: Tensor, objects: Objects) -> Tensor:
    """Which places (b, m, c) may answer for which object: those whose point lies in its box, taken to be at least a
    stride wide and high, since many small objects hold no point."""
    low, high = objects.boxes[:, :, None, :2], objects.boxes[:, :, None, 2:]
    reach = torch.maximum((high - low) / 2, strides[:, None] / 2)
    near = ((points - (low + high) / 2).abs() <= reach).all(-1)
    return near & objects.there[..., None]
