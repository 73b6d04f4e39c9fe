"""Which 107 layers make up YOLOv3 (backbone 0-74, head 75-106), and what feeds each of them?

The table follows Darknet's `yolov3.cfg`, index for index. Layers 0-74 are the backbone (Darknet-53), 75-106 the head.

Source:
    Redmon and Farhadi 2018, arXiv:1804.02767; the public `yolov3.cfg` that comes with Darknet.
"""

import re
from collections.abc import Sequence

from gapscope.detector.stack import (
    BOX_CHANNELS,
    IMAGE as IMAGE,  # so that readers of the table find it here
    Layer,
    Stack,
)
from gapscope.errors import InputError

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


def is_yolov3(layers: Sequence[int | str]) -> bool:
    """Whether layers are the 107 that the paper numbers: backbone 0-74, head 75-106."""
    return list(layers) == list(range(NUM_LAYERS))


def yolov3_layers(classes: int, width: float = 1.0) -> tuple[Layer, ...]:
    """The 107 layers for a number of classes.

    Args:
        classes: Number of classes N; each detection layer writes 3 (5 + N) channels, whatever the width.
        width: Factor on all other channel counts, which are rounded to a multiple of 8, at least 8. 1 is YOLOv3.

    Raises:
        InputError: If there is no class, or the width is not above 0.
    """
    check_size(classes, width)
    stack = Stack(width)
    add_darknet53(stack)
    add_pyramid(stack, classes, pooled=False)
    return tuple(stack.layers)


def check_size(classes: int, width: float) -> None:
    """Refuse a network without classes or of an absurd width."""
    if classes < 1:
        raise InputError(f"YOLOv3 was asked for {classes} classes - it needs at least 1. Name the classes to detect.")
    if not 0 < width <= 4:
        raise InputError(f"width = {width} - expected a factor above 0 and up to 4; 1 is YOLOv3, 0.25 a thin network.")


def add_darknet53(stack: Stack) -> None:
    """Layers 0-74: residual blocks at five resolutions."""
    stack.conv(32, 3)
    filters = 64
    for num_blocks in RESIDUAL_BLOCKS:
        stack.conv(filters, 3, step=2)
        for _ in range(num_blocks):
            stack.conv(filters // 2, 1)
            stack.conv(filters, 3)
            stack.shortcut(stack.last - 2)
        filters *= 2


def add_pyramid(stack: Stack, classes: int, *, pooled: bool) -> None:
    """The head: detections at strides 32, 16 and 8, each finer one with the last layer of the backbone at its stride.

    Args:
        pooled: Spatial pyramid pooling before the coarsest detections, which makes YOLOv3-SPP of YOLOv3.
    """
    last_of_stage = {layer.stride: layer.index for layer in stack.layers}
    if pooled:
        add_pyramid_pooling(stack)
    add_branch(stack, 512, classes, anchors=(6, 7, 8), pairs=2 if pooled else 3)
    for filters, anchors, stride in ((256, (3, 4, 5), 16), (128, (0, 1, 2), 8)):
        stack.route(stack.last - 3)  # before the last 3x3 convolution of the branch, not the detections
        stack.conv(filters, 1)
        stack.upsample()
        stack.route(stack.last, last_of_stage[stride])
        add_branch(stack, filters, classes, anchors)


def add_branch(stack: Stack, filters: int, classes: int, anchors: tuple[int, ...], pairs: int = 3) -> None:
    """Pairs of convolutions and the detection layer they end in."""
    for _ in range(pairs):
        stack.conv(filters, 1)
        stack.conv(2 * filters, 3)
    add_detections(stack, classes, anchors)


def add_detections(stack: Stack, classes: int, anchors: tuple[int, ...]) -> None:
    """A linear convolution and its detection layer."""
    stack.conv(len(anchors) * (BOX_CHANNELS + classes), 1, normalized=False, activation="linear")
    stack.yolo(anchors, classes)


def add_pyramid_pooling(stack: Stack) -> None:
    """The first pair of convolutions, one more, and what it says within 5, 9 and 13 cells around (He et al. 2014)."""
    stack.conv(512, 1)
    stack.conv(1024, 3)
    stack.conv(512, 1)
    whole = stack.last
    stack.maxpool(5, 1)
    stack.route(whole)
    stack.maxpool(9, 1)
    stack.route(whole)
    stack.maxpool(13, 1)
    stack.route(stack.last, stack.last - 2, stack.last - 4, whole)


def parse_layer_ranges(text: str) -> tuple[int, ...]:
    """Layers of ranges with commas between them, such as "0-4, 62-74, 81", rising, each once.

    Raises:
        InputError: If a part is no layer number and no range of them, from 0 to 106.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part, flags=re.ASCII)
        if match is None:
            raise InputError(f"{text!r} is no list of layers - expected ranges or numbers, such as '62-74, 81'.")
        first, last = int(match[1]), int(match[2] or match[1])
        check_range(first, last)
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def layer_ranges(layers: Sequence[int]) -> str:
    """The other way round: rising layers as ranges.

    >>> layer_ranges([0, 1, 2, 62, 75, 76])
    '0-2, 62, 75-76'
    """
    starts = [index for index in layers if index - 1 not in layers]
    ends = [index for index in layers if index + 1 not in layers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def check_range(first: int, last: int, num_layers: int = NUM_LAYERS) -> None:
    """Refuse a range of layers that the network does not have."""
    if not 0 <= first <= last < num_layers:
        known = num_layers == NUM_LAYERS
        network, parts = ("YOLOv3", " The backbone is 0-74, the head 75-106.") if known else ("this network", "")
        raise InputError(
            f"layers {first}-{last} are out of range - {network} has layers 0-{num_layers - 1}, counted upwards.{parts}"
        )
