"""Which 107 layers make up YOLOv3, and what feeds each of them?

The table follows Darknet's `yolov3.cfg`, index for index. Layers 0-74 are the backbone (Darknet-53), 75-106 the head.

Source:
    Redmon and Farhadi 2018, arXiv:1804.02767; the public `yolov3.cfg` that comes with Darknet.
"""

import re
from dataclasses import dataclass
from typing import Literal

from gapscope.errors import InputError

IMAGE = -1
"""The input of layer 0."""
NUM_LAYERS = 107
BACKBONE_LAST = 74
YOLO_LAYERS = (82, 94, 106)
"""The detection layers, at strides 32, 16 and 8."""
LARGEST_STRIDE = 32
"""Input sides must be multiples of this, in pixels."""
ANCHORS = ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))
"""Width and height of the nine reference boxes, in pixels of the network's input."""
ANCHORS_PER_LAYER = 3
RESIDUAL_BLOCKS = (1, 2, 8, 8, 4)
"""Residual blocks after each halving of the resolution."""

Kind = Literal["conv", "shortcut", "route", "upsample", "yolo"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One line of the table: what the layer is, what it reads and what shape it writes."""

    index: int
    """Darknet index, 0 to 106."""
    kind: Kind
    inputs: tuple[int, ...]
    """Indices of the layers it reads, in order; -1 is the image."""
    in_filters: int
    """Channels it reads, all inputs of a concatenation together."""
    filters: int
    """Channels it writes."""
    stride: int
    """Input pixels per cell of its output."""
    size: int = 0
    """Side of a convolution's kernel, in cells; 0 for the other kinds."""
    step: int = 1
    """How far a convolution's kernel moves, in cells."""
    normalized: bool = False
    """A convolution followed by batch normalization and leaky ReLU; the others have a bias and stay linear."""
    anchors: tuple[int, ...] = ()
    """Indices into the nine anchors, for a yolo layer."""

    def num_features(self, size: int) -> int:
        """Numbers it writes for one square image of `size` pixels: p, the number of features in a comparison."""
        return self.filters * (size // self.stride) ** 2


def yolov3_layers(classes: int, width: float = 1.0) -> tuple[Layer, ...]:
    """The 107 layers for a number of classes.

    Args:
        classes: Number of classes N; each detection layer writes 3 (5 + N) channels, whatever the width.
        width: Factor on all other channel counts, which are rounded to a multiple of 8, at least 8. 1 is YOLOv3.

    Raises:
        InputError: If there is no class, or the width is not above 0.
    """
    if classes < 1:
        raise InputError(f"YOLOv3 was asked for {classes} classes - it needs at least 1. Name the classes to detect.")
    if not 0 < width <= 4:
        raise InputError(f"width = {width} - expected a factor above 0 and up to 4; 1 is YOLOv3, 0.25 a thin network.")
    stack = _Stack(width, head_filters=ANCHORS_PER_LAYER * (5 + classes))
    stack.backbone()
    stack.head()
    return tuple(stack.layers)


class _Stack:
    """Piles up layers; `filters` are those of the full network and are made thinner here."""

    def __init__(self, width: float, head_filters: int) -> None:
        self.layers: list[Layer] = []
        self.width = width
        self.head_filters = head_filters

    def backbone(self) -> None:
        self.conv(32, 3)
        filters = 64
        for num_blocks in RESIDUAL_BLOCKS:
            self.conv(filters, 3, step=2)
            for _ in range(num_blocks):
                self.conv(filters // 2, 1)
                self.conv(filters, 3)
                self.shortcut()
            filters *= 2

    def head(self) -> None:
        last_of_stage = {layer.stride: layer.index for layer in self.layers}
        self.detect(512, anchors=(6, 7, 8))
        for filters, anchors, stride in ((256, (3, 4, 5), 16), (128, (0, 1, 2), 8)):
            self.route(len(self.layers) - 4)  # before the last 3x3 convolution of the branch, not the detections
            self.conv(filters, 1)
            self.upsample()
            self.route(len(self.layers) - 1, last_of_stage[stride])
            self.detect(filters, anchors)

    def detect(self, filters: int, anchors: tuple[int, ...]) -> None:
        """Seven convolutions and the detection layer they end in."""
        for _ in range(3):
            self.conv(filters, 1)
            self.conv(2 * filters, 3)
        self.add("conv", self.head_filters, size=1)
        self.add("yolo", self.head_filters, anchors=anchors)

    def conv(self, filters: int, size: int, step: int = 1) -> None:
        self.add("conv", self.thin(filters), size=size, step=step, normalized=True)

    def shortcut(self) -> None:
        last = len(self.layers) - 1
        self.add("shortcut", self.layers[-1].filters, inputs=(last, last - 2))

    def route(self, *inputs: int) -> None:
        self.add("route", sum(self.layers[i].filters for i in inputs), inputs=inputs)

    def upsample(self) -> None:
        self.add("upsample", self.layers[-1].filters)

    def thin(self, filters: int) -> int:
        return max(8, 8 * round(filters * self.width / 8))

    def add(
        self,
        kind: Kind,
        filters: int,
        inputs: tuple[int, ...] | None = None,
        size: int = 0,
        step: int = 1,
        normalized: bool = False,
        anchors: tuple[int, ...] = (),
    ) -> None:
        index = len(self.layers)
        inputs = (index - 1,) if inputs is None else inputs
        sources = [self.layers[i] for i in inputs if i != IMAGE]
        if kind == "shortcut":
            in_filters = filters
        else:
            in_filters = sum(layer.filters for layer in sources) if sources else 3
        stride = sources[0].stride * step if sources else step
        layer = Layer(
            index=index,
            kind=kind,
            inputs=inputs,
            in_filters=in_filters,
            filters=filters,
            stride=stride // 2 if kind == "upsample" else stride,
            size=size,
            step=step,
            normalized=normalized,
            anchors=anchors,
        )
        self.layers.append(layer)


def parse_layer_range(text: str) -> tuple[int, int]:
    """First and last layer of a range such as "0-74", both included.

    Raises:
        InputError: If it is not two layer numbers in order, from 0 to 106.
    """
    match = re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", text, flags=re.ASCII)
    if match is None:
        raise InputError(f"{text!r} is no range of layers - expected FIRST-LAST, such as '0-74' for the backbone.")
    first, last = int(match[1]), int(match[2])
    check_range(first, last)
    return first, last


def check_range(first: int, last: int) -> None:
    """Refuse a range of layers that the network does not have."""
    if not 0 <= first <= last < NUM_LAYERS:
        raise InputError(
            f"layers {first}-{last} are out of range - YOLOv3 has layers 0-{NUM_LAYERS - 1}, counted upwards. "
            "The backbone is 0-74, the head 75-106."
        )
