"""Which part of YOLOv3 is a layer in? The blocks of backbone and head that figures outline and the page names.

Layers carry the Darknet index 0..106. Blocks begin where the resolution changes in the backbone and after each
detection layer in the head.
"""

from dataclasses import dataclass

from gapscope.detector.layers import BACKBONE_LAST, yolov3_layers


@dataclass(frozen=True)
class Block:
    """Layers first..last (both included) that work at one resolution."""

    name: str
    first: int
    last: int

    @property
    def in_backbone(self) -> bool:
        return self.last <= BACKBONE_LAST


ROUTES = (86, 98)
"""Layers that join a backbone map (61 and 36) to the head."""
BLOCKS = (
    Block("stem", 0, 0),
    Block("stage 1", 1, 4),
    Block("stage 2", 5, 11),
    Block("stage 3", 12, 36),
    Block("stage 4", 37, 61),
    Block("stage 5", 62, 74),
    Block("head 32", 75, 82),
    Block("head 16", 83, 94),
    Block("head 8", 95, 106),
)


def block_of(layer: int) -> Block:
    """The block that a layer (0..106) belongs to."""
    return next(block for block in BLOCKS if block.first <= layer <= block.last)


def describe_layers(classes: int, width: float) -> list[str]:
    """One line per layer, such as `62: conv 3x3, 1024 channels, stride 32, stage 5`."""
    lines = []
    for layer in yolov3_layers(classes, width):
        kind = f"conv {layer.size}x{layer.size}" if layer.kind == "conv" else layer.kind
        place = f"stride {layer.stride}, {block_of(layer.index).name}"
        lines.append(f"{layer.index}: {kind}, {layer.filters} channels, {place}")
    return lines
