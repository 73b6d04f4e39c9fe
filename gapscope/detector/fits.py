"""Which layers of which network do so many values fill? A Darknet weights file says no more than how many it holds."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gapscope.detector.plans import BUILT_IN, Plan, built_in_plan
from gapscope.detector.stack import BOX_CHANNELS, Layer


def stored_values(layer: Layer) -> int:
    """How many values a Darknet file holds of a layer."""
    if layer.kind != "conv":
        return 0
    kernels = layer.filters * (layer.in_filters // layer.groups) * layer.size**2
    return layer.filters * (4 if layer.normalized else 1) + kernels


def running_totals(table: Sequence[Layer]) -> NDArray[np.int64]:
    """(layers,) values of layers 0 to i, for each i."""
    return np.cumsum([stored_values(layer) for layer in table], dtype=np.int64)


def last_begun(table: Sequence[Layer], found: int) -> int:
    """The last layer that is whole in the first `found` values; -1 if not even the first is."""
    return int(np.searchsorted(running_totals(table), found, side="right")) - 1


def is_exact(table: Sequence[Layer], found: int) -> bool:
    """Whether so many values are whole layers and nothing else."""
    last = last_begun(table, found)
    return found > 0 and last >= 0 and int(running_totals(table)[last]) == found


def detection_convs(table: Sequence[Layer]) -> list[tuple[Layer, Layer]]:
    """Each yolo layer's convolution, with the yolo layer: the only ones whose size depends on the classes."""
    return [(table[layer.inputs[0]], layer) for layer in table if layer.kind == "yolo" and layer.inputs[0] >= 0]


def first_of_classes(table: Sequence[Layer]) -> int:
    """The first layer whose size depends on the number of classes; the number of layers if there is none."""
    return min((conv.index for conv, _ in detection_convs(table)), default=len(table))


def classes_of_whole_file(table: Sequence[Layer], found: int) -> int:
    """The number of classes for which this network has so many values; 0 if there is none."""
    heads = detection_convs(table)
    if not heads or any(conv.kind != "conv" or conv.normalized for conv, _ in heads):
        return 0
    others = int(running_totals(table)[-1]) - sum(stored_values(conv) for conv, _ in heads)
    per_class = sum(len(yolo.anchors) * (1 + conv.in_filters * conv.size**2) for conv, yolo in heads)
    channels, rest = divmod(found - others, per_class)
    return 0 if rest else max(0, channels - BOX_CHANNELS)


def built_in_fits(found: int) -> Iterator[tuple[Plan, int]]:
    """Built-in networks at full width that so many values fill, each with the last layer that they fill.

    Whole networks come first.
    """
    parts = []
    for name in BUILT_IN:
        plan = built_in_plan(name)
        classes = classes_of_whole_file(plan.layers, found)
        if classes:
            yield built_in_plan(name, classes), len(plan.layers) - 1
        elif is_exact(plan.layers, found):
            parts.append((plan, last_begun(plan.layers, found)))
    yield from parts
