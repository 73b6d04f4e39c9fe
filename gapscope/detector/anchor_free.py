"""YOLOv3 without anchors: Darknet-53, YOLOv3's pyramid, and a head with one branch for classes and one for boxes.

Layers 0-74 are Darknet-53, so any of its weights can be their start. The head is YOLOv3's up to where it detects; in
place of the convolutions that say everything at once, two pairs of them lead to the classes and the box of each cell.
How far the sides of a box lie from the cell's center is said as a distribution over whole strides, whose mean counts.

Source:
    Redmon and Farhadi 2018, arXiv:1804.02767 (backbone, pyramid); Ge et al. 2021, arXiv:2107.08430, section 2.1 (one
    box for each cell, separate branches); Li et al. 2020, arXiv:2006.04388, section 3 (distributions of offsets).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gapscope.detector.anchor_free_loss import OFFSETS, Said, anchor_free_losses
from gapscope.detector.decode import select_candidates, suppress_overlaps
from gapscope.detector.factories import ANCHOR_FREE
from gapscope.detector.layers import BACKBONE_LAST, add_darknet53, check_size
from gapscope.detector.modules import layer_module
from gapscope.detector.network import check_images, draw_convolutions, run_table
from gapscope.detector.network_map import LayerMap, table_map
from gapscope.detector.protocol import BACKBONE, HEAD, Target
from gapscope.detector.stack import Layer, Stack
from gapscope.detector.thresholds import SCORED_CONFIDENCE, SCORED_OVERLAP

SIDES = 4
"""Of a box: left, top, right and bottom."""
PRIOR = 0.01
"""What every cell says of every class before training (Lin et al. 2017, arXiv:1708.02002, section 4.1)."""
MOST_FOUND, MOST_LOOKED_AT = 300, 1000
"""Boxes of an image: that are handed out, and among which overlaps are suppressed."""


class Branches(NamedTuple):
    """The last layers of one resolution's branches."""

    classes: int
    boxes: int


def anchor_free_layers(classes: int, width: float = 1.0) -> tuple[tuple[Layer, ...], tuple[Branches, ...]]:
    """The layers, and where they end at strides 32, 16 and 8.

    Args:
        classes: Number of classes.
        width: Factor on the channels of all layers but the last ones, as for YOLOv3.

    Raises:
        InputError: If there is no class, or the width is out of range.
    """
    check_size(classes, width)
    stack = Stack(width)
    add_darknet53(stack)
    last_of_stage = {layer.stride: layer.index for layer in stack.layers}
    shared, ends = add_branches(stack, 512, classes)
    found = [ends]
    for filters, stride in ((256, 16), (128, 8)):
        stack.route(shared)
        stack.conv(filters, 1)
        stack.upsample()
        stack.route(stack.last, last_of_stage[stride])
        shared, ends = add_branches(stack, filters, classes)
        found.append(ends)
    return tuple(stack.layers), tuple(found)


def add_branches(stack: Stack, filters: int, classes: int) -> tuple[int, Branches]:
    """YOLOv3's five convolutions of one resolution, then the two branches; also which layer both of them read."""
    for _ in range(2):
        stack.conv(filters, 1)
        stack.conv(2 * filters, 3)
    stack.conv(filters, 1)
    shared = stack.last
    ends: list[int] = []
    for outputs in (classes, SIDES * len(OFFSETS)):
        if ends:
            stack.route(shared)
        stack.conv(filters, 3)
        stack.conv(filters, 3)
        stack.conv(outputs, normalized=False, activation="linear")
        ends.append(stack.last)
    return shared, Branches(*ends)


class AnchorFree(nn.Module):
    """The network, which offers `gapscope.detector.protocol.Detector`.

    Attributes:
        table: The lines of the layer table.
        layers: Their modules.
        ends: Where the branches of each resolution end.
    """

    def __init__(self, num_classes: int, width: float = 1.0, seed: int = 0) -> None:
        """
        Args:
            num_classes: Of the study.
            width: Factor on the channels.
            seed: Of its weights, which are drawn as those of YOLOv3.

        Raises:
            InputError: If there is no class, or the width is out of range.
        """
        super().__init__()
        self.width = width
        self.table, self.ends = anchor_free_layers(num_classes, width)
        self.layers = nn.ModuleList(layer_module(layer) for layer in self.table)
        draw_convolutions(self.layers, torch.Generator().manual_seed(seed))
        for classes, _ in self.ends:
            nn.init.constant_(self.layers[classes].get_parameter("conv.bias"), -math.log(1 / PRIOR - 1))

    def forward(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The raw maps of strides 32, 16 and 8 for float images (b, 3, h, w), RGB in 0..1: the logits of the classes
        (b, N, h / stride, w / stride) and those of the offsets (b, 64, ...).

        Raises:
            InputError: If the images do not fit.
        """
        check_images(images)
        outputs = [index for ends in self.ends for index in ends]
        maps = run_table(self.table, lambda index, *inputs: self.layers[index](*inputs), images, outputs)
        return list(zip(maps[::2], maps[1::2], strict=True))

    def said(self, images: Tensor) -> Said:
        """What every cell says of float images (b, 3, h, w)."""
        return read_maps(self(images), self.strides)

    @property
    def strides(self) -> list[int]:
        """Pixels per cell of each map."""
        return [self.table[ends.classes].stride for ends in self.ends]

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        return anchor_free_losses(self.said(images), targets)

    def detect(self, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        said = self.said(images)
        found = []
        for boxes, confidences in zip(said.boxes, said.classes.sigmoid(), strict=True):
            candidates = select_candidates(boxes, confidences, SCORED_CONFIDENCE, MOST_LOOKED_AT, multi_label=False)
            kept = suppress_overlaps(candidates, SCORED_OVERLAP, MOST_FOUND)
            found.append((kept.boxes, kept.confidences, kept.classes))
        return found

    def blocks(self) -> dict[str, dict[str, list[str]]]:
        """The backbone in stages of one resolution, the head up to the end of each resolution's branches."""
        found: dict[str, dict[str, list[str]]] = {BACKBONE: {}, HEAD: {}}
        for block in self.layer_map.blocks:
            part = found[BACKBONE if block.in_backbone else HEAD]
            part[block.name] = [f"layers.{index}" for index in range(block.first, block.last + 1)]
        return found

    @property
    def layer_map(self) -> LayerMap:
        """The same with what each layer does and reads."""
        detections = [index for ends in self.ends for index in ends]
        return table_map(ANCHOR_FREE, self.table, BACKBONE_LAST, [ends.boxes for ends in self.ends], detections)


def read_maps(maps: Sequence[tuple[Tensor, Tensor]], strides: Sequence[int]) -> Said:
    """What raw maps mean, in float32.

    Of a cell of side s with its center at (x, y), the left side of the box lies at x - s E[d], where d = -2..13 has the
    probabilities that the softmax of its sixteen logits gives; top, right and bottom likewise.
    """
    classes, values, points, sides = [], [], [], []
    for (logits, offsets), stride in zip(maps, strides, strict=True):
        classes.append(logits.float().flatten(2).transpose(1, 2))
        values.append(offsets.float().flatten(2).transpose(1, 2))
        rows, columns = (stride * (torch.arange(side, device=offsets.device) + 0.5) for side in offsets.shape[-2:])
        points.append(torch.cartesian_prod(rows, columns).flip(1))
        sides.append(torch.full((len(points[-1]),), float(stride), device=offsets.device))
    said, point, side = torch.cat(values, 1).unflatten(2, (SIDES, len(OFFSETS))), torch.cat(points), torch.cat(sides)
    steps = torch.tensor(OFFSETS, dtype=said.dtype, device=said.device)
    far = side[:, None] * (said.softmax(-1) @ steps)
    boxes = torch.cat([point - far[..., :2], point + far[..., 2:]], -1)
    return Said(torch.cat(classes, 1), boxes, said, point, side)
