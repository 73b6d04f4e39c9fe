"""Which anchor of which cell answers for which object?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gapscope.detector.decode import MAP_LAYERS
from gapscope.detector.stack import Layer


@dataclass(frozen=True)
class Positives:
    """The places of one raw map that answer for an object; one row per answer, an object may have several."""

    image: Tensor
    """(k,) position of the image in the batch."""
    anchor: Tensor
    """(k,) which of the map's anchors, 0 to 2 of YOLOv3's three."""
    row: Tensor
    """(k,)"""
    column: Tensor
    """(k,)"""
    target: Tensor
    """(k,) which object."""


@dataclass(frozen=True)
class MapTargets:
    """What one raw map (b, 3, h, w, 5 + N) is taught: k answers, and which places say whether there is an object."""

    image: Tensor
    """(k,) position of the image in the batch."""
    anchor: Tensor
    """(k,) which of the map's anchors, 0 to 2 of YOLOv3's three."""
    row: Tensor
    """(k,)"""
    column: Tensor
    """(k,)"""
    boxes: Tensor
    """(k, 4) `xyxy`, in pixels of the network's input."""
    classes: Tensor
    """(k,) int64"""
    counted: Tensor | None
    """bool (b, a, h, w): False where the map may say anything about objectness; None where every place counts."""
    num_counted: int
    """How many places count."""

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def place(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The answers' places, to index a split map with."""
        return self.image, self.anchor, self.row, self.column


def shape_iou(sizes: Tensor, anchors: Tensor) -> Tensor:
    """IoU (m, a) of widths and heights (m, 2) with those of the anchors (a, 2), all about one center."""
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
    layers: Sequence[Layer] = MAP_LAYERS,
) -> list[Positives]:
    """The positives of the raw maps, in the order of `Darknet.forward`.

    Every anchor whose shape fits a target answers for it, in the one cell of its map that holds the target's center.
    A box without area, or with its center outside the image, is no target.

    Args:
        boxes: Targets (m, 4), `xyxy` in pixels of the network's input; ignored boxes left out.
        image_index: Their images (m,), as positions in the batch.
        anchors: The network's anchors (a, 2) in pixels.
        size: Height and width of the input in pixels.
        iou_threshold: An anchor fits if its shape IoU with the target is above this. 1 and `always_best` together are
            Darknet's rule: one anchor per object, the best of all nine.
        always_best: A target that no anchor fits gets the anchor that fits it best. Off, as in the paper's training
            code, such targets (very small or oddly shaped) are never learned.
        layers: The yolo layers of the maps, which say which anchors each has. Anchors that none has answer for nothing.

    Source:
        The matching rule of the training code of early 2020 that the paper used, rewritten from its description.
        Darknet's rule: Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1.
    """
    height, width = size
    center, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    limit = torch.tensor([width, height]).to(center)
    usable = ((extent > 0) & (center >= 0) & (center < limit)).all(-1)
    fit = shape_iou(extent.clamp(min=0), anchors)
    matches = fit > iou_threshold
    if always_best:
        unused = sorted(set(range(len(anchors))) - {anchor for layer in layers for anchor in layer.anchors})
        if unused:  # as one of yolov3-tiny's
            fit[:, unused] = -1
        best = torch.zeros_like(matches).scatter_(1, fit.argmax(1, keepdim=True), True)
        matches |= best & ~matches.any(1, keepdim=True)
    matches &= usable[:, None]
    found = []
    for layer in layers:
        target, anchor = matches[:, list(layer.anchors)].nonzero(as_tuple=True)
        column, row = (center[target] / layer.stride).long().unbind(-1)
        found.append(Positives(image_index[target], anchor, row, column, target))
    return found


def map_targets(
    positives: Sequence[Positives],
    boxes: Tensor,
    classes: Tensor,
    regions: Tensor,
    region_images: Tensor,
    num_images: int,
    size: tuple[int, int],
    device: torch.device,
    layers: Sequence[Layer] = MAP_LAYERS,
) -> list[MapTargets]:
    """What the raw maps are taught, on the device where they are.

    Everything is worked out where the boxes are. From boxes on the CPU it goes to a GPU in a few copies that nothing
    waits for, so that no step has to wait for the GPU to catch up.

    Args:
        positives: From `assign`.
        boxes: Targets (m, 4), `xyxy` in pixels of the network's input; ignored boxes left out.
        classes: Their classes (m,).
        regions: Ignored boxes (j, 4); a cell whose center lies in one says nothing about objectness, unless it
            answers for an object.
        region_images: Their images (j,), as positions in the batch.
        num_images: Images in the batch.
        size: Height and width of the input in pixels.
        device: Where the raw maps are.
        layers: The yolo layers of the maps.
    """
    target = torch.cat([places.target for places in positives])
    columns = ("image", "anchor", "row", "column")
    whole = torch.stack([torch.cat([getattr(places, name) for places in positives]) for name in columns])
    counts = [len(places.target) for places in positives]
    numbers = send(torch.cat([whole, classes[target][None]]), device).split(counts, dim=1)
    coordinates = send(boxes[target], device).split(counts)
    found = []
    for layer, places, rows, xyxy in zip(layers, positives, numbers, coordinates, strict=True):
        stride, per_cell = layer.stride, len(layer.anchors)
        shape = size[0] // stride, size[1] // stride
        counted, num_counted = None, num_images * per_cell * shape[0] * shape[1]
        if len(regions):
            ignored = ignored_cells(regions, region_images, num_images, shape, stride)
            counted = (~ignored)[:, None].repeat(1, per_cell, 1, 1)
            counted[places.image, places.anchor, places.row, places.column] = True
            num_counted, counted = int(counted.sum()), send(counted, device)
        image, anchor, row, column, label = rows
        found.append(MapTargets(image, anchor, row, column, xyxy, label, counted, num_counted))
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


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; a copy from the CPU to a GPU is queued behind the work there, and nothing waits."""
    if tensor.device == device:
        return tensor
    pinned = tensor.pin_memory() if device.type == "cuda" and tensor.device.type == "cpu" else tensor
    return pinned.to(device, non_blocking=True)
