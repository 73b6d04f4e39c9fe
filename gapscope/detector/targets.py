"""Which anchor of which cell answers for which object?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gapscope.detector.decode import MAP_ANCHORS, MAP_STRIDES


@dataclass(frozen=True)
class Positives:
    """The places of one raw map that answer for an object; one row per answer, an object may have several."""

    image: Tensor
    """(k,) position of the image in the batch."""
    anchor: Tensor
    """(k,) which of the map's three anchors, 0 to 2."""
    row: Tensor
    """(k,)"""
    column: Tensor
    """(k,)"""
    target: Tensor
    """(k,) which object."""


def shape_iou(sizes: Tensor, anchors: Tensor) -> Tensor:
    """IoU (m, 9) of widths and heights (m, 2) with those of the anchors (9, 2), all about one center."""
    shared = torch.minimum(sizes[:, None], anchors).prod(-1)
    return shared / (sizes.prod(-1)[:, None] + anchors.prod(-1) - shared)


def assign(
    boxes: Tensor,
    image_index: Tensor,
    anchors: Tensor,
    size: tuple[int, int],
    *,
    iou_threshold: float = 0.225,
    always_best: bool = True,
) -> list[Positives]:
    """The positives of the three raw maps, in the order of `YOLOv3.forward`.

    Every anchor whose shape fits a target answers for it, in the one cell of its map that holds the target's center.
    A box without area, or with its center outside the image, is no target.

    Args:
        boxes: Targets (m, 4), `xyxy` in pixels of the network's input; ignored boxes left out.
        image_index: Their images (m,), as positions in the batch.
        anchors: The nine anchors (9, 2) in pixels.
        size: Height and width of the input in pixels.
        iou_threshold: An anchor fits if its shape IoU with the target is above this.
        always_best: A target that no anchor fits gets the anchor that fits it best. Off, as in the paper's training
            code, such targets (very small or oddly shaped) are never learned.

    Source:
        The matching rule of the training code of early 2020 that the paper used, rewritten from its description.
    """
    height, width = size
    center, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    limit = torch.tensor([width, height]).to(center)
    usable = ((extent > 0) & (center >= 0) & (center < limit)).all(-1)
    fit = shape_iou(extent.clamp(min=0), anchors)
    matches = fit > iou_threshold
    if always_best:
        best = torch.zeros_like(matches).scatter_(1, fit.argmax(1, keepdim=True), True)
        matches |= best & ~matches.any(1, keepdim=True)
    matches &= usable[:, None]
    found = []
    for mask, stride in zip(MAP_ANCHORS, MAP_STRIDES, strict=True):
        target, anchor = matches[:, list(mask)].nonzero(as_tuple=True)
        column, row = (center[target] / stride).long().unbind(-1)
        found.append(Positives(image_index[target], anchor, row, column, target))
    return found


def ignored_cells(regions: Tensor, image_index: Tensor, num_images: int, shape: tuple[int, int], stride: int) -> Tensor:
    """Which cells (b, h, w) of a map have their center in an ignored region (k, 4), `xyxy` in pixels; edges count."""
    h, w = shape
    y = (torch.arange(h, device=regions.device) + 0.5) * stride
    x = (torch.arange(w, device=regions.device) + 0.5) * stride
    x1, y1, x2, y2 = regions[:, :, None].unbind(1)
    inside = ((y >= y1) & (y <= y2))[:, :, None] & ((x >= x1) & (x <= x2))[:, None, :]
    count = torch.zeros(num_images, h, w, device=regions.device)
    return count.index_add_(0, image_index, inside.to(count)) > 0
