"""Which part of a network is a layer in? The blocks of backbone and head that figures outline and the page names.

Layers carry indices 0, 1, 2, ...; of Darknet's networks those of their files. Blocks begin where the resolution changes
in the backbone and after each detection layer in the head.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

from gapscope.detector.layers import BACKBONE_LAST, LARGEST_STRIDE
from gapscope.detector.plans import Plan, yolov3_plan
from gapscope.detector.stack import Layer
from gapscope.errors import InputError


@dataclass(frozen=True)
class Block:
    """Layers first..last (both included), in a backbone those that work at one resolution."""

    name: str
    first: int
    last: int
    in_backbone: bool = True


@dataclass(frozen=True)
class LayerMap:
    """What the layers of a network are, and which blocks they form. It needs neither the network nor its code."""

    network: str
    """What people call it, such as `YOLOv3` or `yolov3-tiny`."""
    layers: tuple[str, ...]
    """What each is, in words."""
    blocks: tuple[Block, ...]
    """In the order of the layers, those of the backbone first; every layer is in one."""
    joins: tuple[int, ...] = ()
    """Layers of the head that join in a map of the backbone."""
    detections: tuple[int, ...] = ()
    """Layers whose maps are decoded."""
    weighted: tuple[int, ...] = ()
    """Layers that have weights."""
    kinds: tuple[str, ...] = ()
    """What each layer does, such as `conv 3x3` or `shortcut`."""
    inputs: tuple[tuple[int, ...], ...] = ()
    """The layers that each reads; -1 is the image."""
    stride: int = LARGEST_STRIDE
    """Sides of the input must be multiples of this, in pixels."""
    recorded: int | None = None
    """How many of the layers, the first ones, put out something that is recorded; None for all."""

    @property
    def num_recorded(self) -> int:
        """How many layers, the first ones, are recorded."""
        return len(self.layers) if self.recorded is None else self.recorded

    @property
    def backbone_last(self) -> int:
        """The last layer of the backbone."""
        return max((block.last for block in self.blocks if block.in_backbone), default=-1)

    @property
    def is_yolov3(self) -> bool:
        """Whether these are the 107 layers that the paper numbers."""
        return self.network == YOLOV3 and len(self.layers) == 107

    def range_of(self, part: str) -> tuple[int, int]:
        """First and last layer of `backbone`, `head` or a block by its name.

        Raises:
            KeyError: There is no such part.
        """
        return self.ranges[part]

    @property
    def ranges(self) -> dict[str, tuple[int, int]]:
        """First and last layer of the backbone, the head and every block, by name."""
        last, found = self.backbone_last, dict[str, tuple[int, int]]()
        if last >= 0:
            found["backbone"] = 0, last
        if last < len(self.layers) - 1:
            found["head"] = last + 1, len(self.layers) - 1
        return found | {block.name: (block.first, block.last) for block in self.blocks}

    def words_of(self, part: str) -> str:
        """Layers of a part as people write them: `0-74`."""
        first, last = self.range_of(part)
        return f"{first}-{last}" if last > first else f"{first}"

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        blocks = [[block.name, block.first, block.last, block.in_backbone] for block in self.blocks]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()} | {
            "blocks": blocks
        }


def parse_map(found: Mapping[str, Any]) -> LayerMap:
    """The other way round.

    Raises:
        KeyError, TypeError, ValueError: It is no such map.
    """
    blocks = tuple(Block(str(name), int(first), int(last), bool(back)) for name, first, last, back in found["blocks"])
    layers = tuple(map(str, found["layers"]))
    if [at for block in blocks for at in range(block.first, block.last + 1)] != list(range(len(layers))):
        raise ValueError("its blocks are not its layers, one after the other")
    numbers = {name: tuple(map(int, found[name])) for name in ("joins", "detections", "weighted")}
    kinds, inputs = tuple(map(str, found["kinds"])), tuple(tuple(map(int, one)) for one in found["inputs"])
    return LayerMap(
        str(found["network"]),
        layers,
        blocks,
        **numbers,
        kinds=kinds,
        inputs=inputs,
        stride=int(found["stride"]),
        recorded=found.get("recorded"),
    )


YOLOV3 = "YOLOv3"
ROUTES = (86, 98)
"""Layers of YOLOv3 that join a backbone map (61 and 36) to the head."""
BLOCKS = (
    Block("stem", 0, 0),
    Block("stage 1", 1, 4),
    Block("stage 2", 5, 11),
    Block("stage 3", 12, 36),
    Block("stage 4", 37, 61),
    Block("stage 5", 62, 74),
    Block("head 32", 75, 82, in_backbone=False),
    Block("head 16", 83, 94, in_backbone=False),
    Block("head 8", 95, 106, in_backbone=False),
)
"""Of YOLOv3."""
BACKBONES = {"yolov3": BACKBONE_LAST, "yolov3-spp": BACKBONE_LAST, "yolov3-tiny": 12}
"""Last layer of the backbone of built-in networks."""


def block_of(layer: int) -> Block:
    """The block of YOLOv3 that a layer (0..106) belongs to."""
    return next(block for block in BLOCKS if block.first <= layer <= block.last)


def backbone_end(plan: Plan) -> int:
    """The last layer of the backbone.

    Of a .cfg file that is the last shortcut before the first detections, as in YOLOv3; without shortcuts the last of
    the widest layers there, which ends what Darknet's own files to start from hold.

    Raises:
        InputError: The network has no detection layers.
    """
    first = next((layer.index for layer in plan.layers if layer.kind == "yolo"), None)
    if first is None:
        raise InputError(
            f"{plan.name} has no detection layers - a study needs a detector. Take 'yolov3', 'yolov3-tiny', "
            "'yolov3-spp' or a .cfg file with [yolo] sections."
        )
    if not plan.cfg and plan.name in BACKBONES:
        return BACKBONES[plan.name]
    before = plan.layers[: first - 1]  # without the convolution that feeds the detections
    shortcuts = [layer.index for layer in before if layer.kind == "shortcut"]
    widest = max((layer.filters for layer in before), default=0)
    return max(shortcuts or [layer.index for layer in before if layer.filters == widest])


def darknet_map(plan: Plan) -> LayerMap:
    """The layers and blocks of a network of Darknet's.

    Raises:
        InputError: The network has no detection layers.
    """
    name = YOLOV3 if plan.name == "yolov3" and not plan.cfg else plan.name
    yolo = tuple(layer.index for layer in plan.layers if layer.kind == "yolo")
    return table_map(name, plan.layers, backbone_end(plan), yolo, yolo)


def table_map(
    name: str, layers: Sequence[Layer], last: int, ends: Sequence[int], detections: Sequence[int]
) -> LayerMap:
    """The layers and blocks of a network that a table of layers describes.

    Args:
        name: What people call it.
        layers: The table.
        last: The last layer of the backbone.
        ends: Layers that end a block of the head, called after their stride; what stands behind the last one belongs
            to it.
        detections: Layers whose maps are decoded.
    """
    blocks = (*_backbone_blocks(layers[: last + 1]), *_head_blocks(layers, last + 1, ends))
    joins = tuple(
        layer.index
        for layer in layers[last + 1 :]
        if layer.kind == "route" and len(layer.inputs) > 1 and min(layer.inputs) <= last
    )
    weighted = tuple(layer.index for layer in layers if layer.kind == "conv")
    words = tuple(_in_words(layer, blocks) for layer in layers)
    kinds, inputs = tuple(map(_kind, layers)), tuple(layer.inputs for layer in layers)
    stride = math.lcm(*(layer.stride for layer in layers if layer.stride))
    return LayerMap(name, words, blocks, joins, tuple(detections), weighted, kinds, inputs, stride)


def _backbone_blocks(layers: Sequence[Layer]) -> Iterator[Block]:
    for number, (_, group) in enumerate(groupby(layers, key=lambda layer: layer.stride)):
        indices = [layer.index for layer in group]
        yield Block(f"stage {number}" if number else "stem", indices[0], indices[-1])


def _head_blocks(layers: Sequence[Layer], first: int, ends: Sequence[int]) -> Iterator[Block]:
    seen = list[int]()
    for end in ends:
        stride = layers[end].stride
        last = layers[-1].index if end == ends[-1] else end
        again = f" ({seen.count(stride) + 1})" if stride in seen else ""
        yield Block(f"head {stride}{again}", first, last, in_backbone=False)
        seen.append(stride)
        first = last + 1


def _in_words(layer: Layer, blocks: tuple[Block, ...]) -> str:
    """Such as `62: conv 3x3, 1024 channels, stride 32, stage 5`."""
    block = next(block for block in blocks if block.first <= layer.index <= block.last)
    return f"{layer.index}: {_kind(layer)}, {layer.filters} channels, stride {layer.stride}, {block.name}"


def _kind(layer: Layer) -> str:
    return f"conv {layer.size}x{layer.size}" if layer.kind == "conv" else layer.kind


@lru_cache(maxsize=32)
def yolov3_map(classes: int = 1, width: float = 1.0) -> LayerMap:
    """That of YOLOv3."""
    return darknet_map(yolov3_plan(classes, width))
