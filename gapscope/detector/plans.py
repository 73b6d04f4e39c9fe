"""Which networks are built in, and what is one made of?"""

from collections.abc import Callable
from dataclasses import dataclass

from gapscope.detector.layers import (
    ANCHORS,
    add_darknet53,
    add_detections,
    add_pyramid,
    check_size,
    yolov3_layers,
)
from gapscope.detector.stack import Layer, Stack
from gapscope.errors import InputError
from gapscope.words import number_of

TINY_ANCHORS = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))


@dataclass(frozen=True)
class Plan:
    """What a network is made of, and where that is from."""

    layers: tuple[Layer, ...]
    anchors: tuple[tuple[float, float], ...]
    """Width and height in pixels of the network's input; yolo layers name theirs by index."""
    name: str
    """Of a built-in network, or of the .cfg file."""
    width: float = 1.0
    """Factor on the channels of a built-in network."""
    size: tuple[int, int] = (416, 416)
    """Width and height in pixels of the input that it was made for, and gets where nothing else is asked for."""
    cfg: str = ""
    """The text of the .cfg file; empty for a built-in network."""
    notes: tuple[str, ...] = ()
    """What of the .cfg file was read in a way that may surprise, as sentences."""

    def __repr__(self) -> str:
        classes = f", {number_of(self.classes, 'class', 'classes')}" if self.classes else ""
        size = f"{self.size[0]} x {self.size[1]}"
        return f"<plan of {self.name}: {number_of(len(self.layers), 'layer')}{classes}, for {size} pixels>"

    @property
    def classes(self) -> int:
        """Number of classes of the yolo layers; 0 if there are none."""
        return max((layer.classes for layer in self.layers), default=0)


def input_side(plan: Plan, asked: int | None = None) -> int:
    """Side of the square that a network looks at, in pixels: what was asked for, or what it was made for.

    Raises:
        InputError: If nothing was asked for and the network was made for another shape.
    """
    if asked is not None:
        return asked
    width, height = plan.size
    if width != height:
        raise InputError(
            f"{plan.name} is made for {width} x {height} pixels, but networks look at squares here. Give their side, "
            f"such as --size {max(width, height)}; what is found then differs from what Darknet finds."
        )
    return width


def reading_notes(plan: Plan, asked: int | None = None) -> list[str]:
    """What a user should know of how a .cfg file is followed, as sentences; nothing for a built-in network.

    Args:
        asked: Side of the network's input, if one was asked for.

    Raises:
        InputError: As `input_side`.
    """
    if not plan.cfg:
        return []
    side, said = input_side(plan, asked), f"{plan.size[0]} x {plan.size[1]} pixels"
    follows = plan.size == (side, side)
    of_size = (
        f"input: {said}, as {plan.name} says" if follows else f"input: {side} x {side} pixels; {plan.name} says {said}"
    )
    return [*(f"note: {note}" for note in plan.notes), of_size]


def yolov3_plan(classes: int, width: float = 1.0) -> Plan:
    """YOLOv3: 107 layers."""
    return Plan(yolov3_layers(classes, width), ANCHORS, "yolov3", width)


def darknet53_plan(classes: int, width: float = 1.0) -> Plan:
    """The backbone of YOLOv3 alone, layers 0-74, as it was trained to classify images; `classes` plays no part."""
    check_size(classes, width)
    stack = Stack(width)
    add_darknet53(stack)
    return Plan(tuple(stack.layers), (), "darknet53", width, size=(256, 256))


def yolov3_spp_plan(classes: int, width: float = 1.0) -> Plan:
    """YOLOv3 with spatial pyramid pooling before its coarsest detections: 114 layers."""
    check_size(classes, width)
    stack = Stack(width)
    add_darknet53(stack)
    add_pyramid(stack, classes, pooled=True)
    return Plan(tuple(stack.layers), ANCHORS, "yolov3-spp", width, size=(608, 608))


def yolov3_tiny_plan(classes: int, width: float = 1.0) -> Plan:
    """YOLOv3-tiny: 24 layers, maxpools instead of residual blocks, detections at strides 32 and 16.

    The finer detections have anchors 1, 2 and 3. The file that comes with Darknet says 0, 1 and 2, but its published
    weights were trained with these: with 0, 1 and 2 their boxes come out too small.
    """
    check_size(classes, width)
    stack = Stack(width)
    for filters in (16, 32, 64, 128, 256):
        stack.conv(filters, 3)
        stack.maxpool(2, 2)
    stack.conv(512, 3)
    stack.maxpool(2, 1)
    stack.conv(1024, 3)
    stack.conv(256, 1)
    shared = stack.last
    stack.conv(512, 3)
    add_detections(stack, classes, anchors=(3, 4, 5))
    stack.route(shared)
    stack.conv(128, 1)
    stack.upsample()
    stack.route(stack.last, 8)
    stack.conv(256, 3)
    add_detections(stack, classes, anchors=(1, 2, 3))
    return Plan(tuple(stack.layers), TINY_ANCHORS, "yolov3-tiny", width)


BUILT_IN: dict[str, Callable[[int, float], Plan]] = {
    "yolov3": yolov3_plan,
    "yolov3-tiny": yolov3_tiny_plan,
    "yolov3-spp": yolov3_spp_plan,
    "darknet53": darknet53_plan,
}
"""Name -> (number of classes, width) -> plan."""


def built_in_plan(name: str, classes: int = 80, width: float = 1.0) -> Plan:
    """A built-in network by its name.

    Raises:
        InputError: If there is none of that name, there is no class, or the width is not above 0.
    """
    if name not in BUILT_IN:
        raise InputError(
            f"{name!r} is no built-in network - expected one of {', '.join(BUILT_IN)}, or a .cfg file. "
            "Choose one, or check the path."
        )
    return BUILT_IN[name](classes, width)
