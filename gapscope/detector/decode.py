"""Which boxes do the raw maps of a network mean?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from gapscope.boxes import cxcywh_to_xyxy
from gapscope.detector.layers import ANCHORS_PER_LAYER
from gapscope.detector.network import YOLOv3
from gapscope.errors import InputError

MAP_STRIDES = (32, 16, 8)
"""Pixels per cell of the three raw maps, in the order of `YOLOv3.forward`."""
MAP_ANCHORS = ((6, 7, 8), (3, 4, 5), (0, 1, 2))
"""Which of the nine anchors each map uses."""
LARGEST_GROWTH = math.log(1e3)
"""A box is at most a thousand times its anchor; held back in the logit, so that no gradient becomes infinite."""


class Decoded(NamedTuple):
    """What every anchor of every cell says; cells of strides 32, 16, 8 in turn, anchor by anchor, row by row."""

    boxes: Tensor
    """(b, cells, 4) `xyxy` in pixels of the network's input, not cut at its border."""
    objectness: Tensor
    """(b, cells) probability that there is an object."""
    classes: Tensor
    """(b, cells, N) probability of each class, given an object; independent of each other."""


@dataclass(frozen=True)
class Detections:
    """The boxes found in one image, most confident first."""

    boxes: Tensor
    """(d, 4) `xyxy` in pixels of the network's input, inside it."""
    confidences: Tensor
    """(d,) objectness times class probability."""
    classes: Tensor
    """(d,) int64 class indices."""

    def inside(self, width: int, height: int) -> "Detections":
        """The same detections, with boxes cut at the border of an image of so many pixels."""
        limits = torch.tensor([width, height, width, height]).to(self.boxes)
        return replace(self, boxes=torch.minimum(self.boxes.clamp(min=0), limits))


def split_map(raw: Tensor) -> Tensor:
    """A raw map (b, 3 (5 + N), h, w) as (b, 3, h, w, 5 + N), in float32: tx, ty, tw, th, objectness, classes."""
    b, channels, h, w = raw.shape
    return raw.float().view(b, ANCHORS_PER_LAYER, channels // ANCHORS_PER_LAYER, h, w).permute(0, 1, 3, 4, 2)


def box_from_logits(logits: Tensor, cell: Tensor, anchor: Tensor) -> Tensor:
    """Boxes (..., 4) `xyxy`, in cells, from tx, ty, tw, th (..., 4), the cell's column and row and the anchor in cells.

        bx = column + sigmoid(tx), by = row + sigmoid(ty), bw = anchor width * exp(tw), bh = anchor height * exp(th)

    Source:
        Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1.
    """
    center = cell + logits[..., :2].sigmoid()
    extent = anchor * logits[..., 2:4].clamp(max=LARGEST_GROWTH).exp()
    return cxcywh_to_xyxy(torch.cat([center, extent], dim=-1))


def decode(raw: Sequence[Tensor], anchors: Tensor) -> Decoded:
    """Boxes, objectness and classes of all cells.

    Args:
        raw: The three raw maps, as `YOLOv3.forward` returns them.
        anchors: The nine anchors (9, 2) in pixels of the network's input: `network.anchors`.
    """
    parts = [
        decode_map(split_map(one), anchors[list(mask)], stride)
        for one, mask, stride in zip(raw, MAP_ANCHORS, MAP_STRIDES, strict=True)
    ]
    return Decoded(*(torch.cat(each, dim=1) for each in zip(*parts, strict=True)))


def decode_map(values: Tensor, anchors: Tensor, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, objectness and classes of one split map (b, 3, h, w, 5 + N) with its three anchors (3, 2) in pixels."""
    _, _, h, w, _ = values.shape
    rows, columns = torch.meshgrid(
        torch.arange(h, device=values.device), torch.arange(w, device=values.device), indexing="ij"
    )
    cell = torch.stack([columns, rows], dim=-1).to(values.dtype)
    boxes = box_from_logits(values[..., :4], cell, anchors[:, None, None, :] / stride) * stride
    probabilities = values[..., 4:].sigmoid()
    return boxes.flatten(1, 3), probabilities[..., 0].flatten(1), probabilities[..., 1:].flatten(1, 3)


def detect(
    network: YOLOv3,
    images: Tensor,
    confidence: float = 0.001,
    iou: float = 0.6,
    max_detections: int = 100,
    *,
    max_candidates: int = 1000,
    multi_label: bool = False,
) -> list[Detections]:
    """The objects a network finds in each image; it is run in evaluation mode and left in the mode it was in.

    Args:
        network: A YOLOv3.
        images: (b, 3, s, s) RGB, bytes or float values in 0..1.
        confidence: Least objectness times class probability that counts.
        iou: Of two boxes of one class that overlap more than this, the less confident goes.
        max_detections: Most boxes per image, all classes together.
        max_candidates: Most boxes per image, most confident first, that are looked at for overlaps.
        multi_label: Let one box speak for every class above `confidence`, not only its best.

    Raises:
        InputError: If the images do not fit the network, or a threshold is out of range.
    """
    for name, value in (("confidence", confidence), ("iou", iou)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} = {value} - expected a value from 0 to 1.")
    decoded = evaluated(network, images if images.is_floating_point() else images.float() / 255)
    height, width = images.shape[-2:]
    found = []
    for boxes, objectness, classes in zip(*decoded, strict=True):
        confidences = objectness[:, None] * classes
        candidates = select_candidates(boxes, confidences, confidence, max_candidates, multi_label=multi_label)
        found.append(suppress_overlaps(candidates, iou, max_detections).inside(width, height))
    return found


@torch.no_grad()
def evaluated(network: YOLOv3, images: Tensor) -> Decoded:
    """Decoded maps of a network in evaluation mode, which is then put back into the mode it was in."""
    was_training = network.training
    network.eval()
    try:
        return decode(network(images), network.anchors)
    finally:
        network.train(was_training)


def select_candidates(
    boxes: Tensor, confidences: Tensor, confidence: float, most: int, *, multi_label: bool
) -> Detections:
    """The most confident of boxes (cells, 4) with the confidences (cells, N) of their classes, best first."""
    if multi_label:
        cell = torch.arange(len(boxes), device=boxes.device).repeat_interleave(confidences.shape[1])
        label = torch.arange(confidences.shape[1], device=boxes.device).repeat(len(boxes))
        confidences = confidences.flatten()
    else:
        cell = torch.arange(len(boxes), device=boxes.device)
        confidences, label = confidences.max(1)
    enough = (confidences >= confidence).nonzero()[:, 0]
    order = enough[confidences[enough].argsort(descending=True, stable=True)[:most]]
    return Detections(boxes[cell[order]], confidences[order], label[order])


def suppress_overlaps(candidates: Detections, iou: float, most: int) -> Detections:
    """Non-maximum suppression, each class by itself."""
    kept = batched_nms(candidates.boxes, candidates.confidences, candidates.classes, iou)[:most]
    return Detections(candidates.boxes[kept], candidates.confidences[kept], candidates.classes[kept])
