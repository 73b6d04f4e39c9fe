"""Which boxes do the raw maps of a network mean? Decoding, and non-maximum suppression (NMS)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from gapscope.boxes import cxcywh_to_xyxy
from gapscope.detector.layers import ANCHORS_PER_LAYER, YOLO_LAYERS, yolov3_layers
from gapscope.detector.network import Darknet
from gapscope.detector.stack import Layer
from gapscope.detector.thresholds import SCORED_CONFIDENCE, SCORED_OVERLAP
from gapscope.errors import InputError
from gapscope.words import number_of

MAP_LAYERS = tuple(yolov3_layers(1)[index] for index in YOLO_LAYERS)
"""YOLOv3's detection layers: where the cells and anchors of its three raw maps lie, in the order of `forward`."""
MAP_STRIDES = tuple(layer.stride for layer in MAP_LAYERS)
"""Pixels per cell of each map: 32, 16, 8."""
MAP_ANCHORS = tuple(layer.anchors for layer in MAP_LAYERS)
"""Which of the nine anchors each map uses: the largest, the middle and the smallest three."""
LARGEST_GROWTH = math.log(1e3)
"""A box is at most a thousand times its anchor; held back in the logit, so that no gradient becomes infinite."""


class Decoded(NamedTuple):
    """What every anchor of every cell says; map after map, anchor by anchor, row by row."""

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

    def __repr__(self) -> str:
        sure = f", confidence {self.confidences[-1]:.3f} to {self.confidences[0]:.3f}" if len(self.boxes) else ""
        return f"<{number_of(len(self.boxes), 'detection')}{sure}>"

    def inside(self, width: int, height: int) -> "Detections":
        """The same detections, with boxes cut at the border of an image of so many pixels."""
        limits = torch.tensor([width, height, width, height]).to(self.boxes)
        return replace(self, boxes=torch.minimum(self.boxes.clamp(min=0), limits))


def split_map(raw: Tensor, num_anchors: int = ANCHORS_PER_LAYER) -> Tensor:
    """A raw map (b, a (5 + N), h, w) as (b, a, h, w, 5 + N), in float32: tx, ty, tw, th, objectness, classes."""
    b, channels, h, w = raw.shape
    return raw.float().view(b, num_anchors, channels // num_anchors, h, w).permute(0, 1, 3, 4, 2)


def box_from_logits(logits: Tensor, cell: Tensor, anchor: Tensor, scale_xy: float = 1.0) -> Tensor:
    """Boxes (..., 4) `xyxy`, in cells, from tx, ty, tw, th (..., 4), the cell's column and row and the anchor in cells.

        bx = column + sigmoid(tx), by = row + sigmoid(ty), bw = anchor width * exp(tw), bh = anchor height * exp(th)

    With `scale_xy` s, s sigmoid(t) - (s - 1) / 2 stands for sigmoid(t), so that a center can reach the cell's border.

    Source:
        Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1; s: Bochkovskiy et al. 2020, arXiv:2004.10934.
    """
    offset = logits[..., :2].sigmoid()
    if scale_xy != 1:
        offset = scale_xy * offset - (scale_xy - 1) / 2
    center = cell + offset
    extent = anchor * logits[..., 2:4].clamp(max=LARGEST_GROWTH).exp()
    return cxcywh_to_xyxy(torch.cat([center, extent], dim=-1))


def decode(raw: Sequence[Tensor], anchors: Tensor, layers: Sequence[Layer] = MAP_LAYERS) -> Decoded:
    """Boxes, objectness and classes of all cells.

    Args:
        raw: The raw maps, as `Darknet.forward` returns them.
        anchors: The network's anchors (a, 2) in pixels of its input: `network.anchors`.
        layers: The yolo layers that the maps come from: `network.yolo_layers`.
    """
    parts = [
        decode_map(split_map(one, len(layer.anchors)), anchors[list(layer.anchors)], layer.stride, layer.scale_xy)
        for one, layer in zip(raw, layers, strict=True)
    ]
    return Decoded(*(torch.cat(each, dim=1) for each in zip(*parts, strict=True)))


def decode_map(values: Tensor, anchors: Tensor, stride: int, scale_xy: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, objectness and classes of one split map (b, a, h, w, 5 + N) with its anchors (a, 2) in pixels."""
    _, _, h, w, _ = values.shape
    rows, columns = torch.meshgrid(
        torch.arange(h, device=values.device), torch.arange(w, device=values.device), indexing="ij"
    )
    cell = torch.stack([columns, rows], dim=-1).to(values.dtype)
    boxes = box_from_logits(values[..., :4], cell, anchors[:, None, None, :] / stride, scale_xy) * stride
    probabilities = values[..., 4:].sigmoid()
    return boxes.flatten(1, 3), probabilities[..., 0].flatten(1), probabilities[..., 1:].flatten(1, 3)


def detect(
    network: Darknet,
    images: Tensor,
    confidence: float = SCORED_CONFIDENCE,
    iou: float = SCORED_OVERLAP,
    max_detections: int = 100,
    *,
    max_candidates: int = 1000,
    multi_label: bool = False,
) -> list[Detections]:
    """The objects a network finds in each image; it is run in evaluation mode and left in the mode it was in.

    Args:
        network: YOLOv3, or another network with detection layers.
        images: (b, 3, s, s) RGB, bytes or float values in 0..1.
        confidence: Least objectness times class probability that counts.
        iou: Of two boxes of one class that overlap more than this, the less confident goes.
        max_detections: Most boxes per image, all classes together.
        max_candidates: Most boxes per image, most confident first, that are looked at for overlaps.
        multi_label: Let one box speak for every class above `confidence`, not only its best.

    Raises:
        InputError: If the network has no detection layers, the images do not fit it, or a threshold is out of range.
    """
    if not network.yolo_layers:
        raise InputError(f"{network.plan.name} has no detection layers - it finds nothing. Use a whole detector.")
    for name, value in (("confidence", confidence), ("iou", iou)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} = {value} - expected a value from 0 to 1.")
    decoded = evaluated(network, images if images.is_floating_point() else images.float() / 255)
    height, width = images.shape[-2:]
    limits = (confidence, iou, max_detections)
    return found_in(decoded, (width, height), *limits, max_candidates=max_candidates, multi_label=multi_label)


def found_in(
    decoded: Decoded,
    sides: tuple[int, int],
    confidence: float,
    iou: float,
    max_detections: int,
    *,
    max_candidates: int = 1000,
    multi_label: bool = False,
) -> list[Detections]:
    """The objects in each image, from decoded maps and the images' width and height in pixels; otherwise `detect`."""
    found = []
    for boxes, objectness, classes in zip(*decoded, strict=True):
        confidences = objectness[:, None] * classes
        candidates = select_candidates(boxes, confidences, confidence, max_candidates, multi_label=multi_label)
        found.append(suppress_overlaps(candidates, iou, max_detections).inside(*sides))
    return found


@torch.no_grad()
def evaluated(network: Darknet, images: Tensor) -> Decoded:
    """Decoded maps of a network in evaluation mode, which is then put back into the mode it was in."""
    was_training = network.training
    network.eval()
    try:
        return decode(network(images), network.anchors, network.yolo_layers)
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
    from torchvision.ops import batched_nms  # late: it takes seconds

    kept = batched_nms(candidates.boxes, candidates.confidences, candidates.classes, iou)[:most]
    return Detections(candidates.boxes[kept], candidates.confidences[kept], candidates.classes[kept])
