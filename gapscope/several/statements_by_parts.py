"""The paper's statements, which number the layers of YOLOv3, asked of any network by its parts."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gapscope.detector.network_map import LayerMap
from gapscope.findings.layer_curves import ranges
from gapscope.several.statements import (
    STATEMENTS,
    Array,
    Statement,
    defined_mean,
    highest,
    lowest,
)

Layers = NDArray[np.int64]
EARLY = 12 / 106
"""The relative depth up to which the paper calls layers the first ones: 12 of YOLOv3."""
NEAR = 3
"""Layers on each side of a join that it is held against."""


BY_PARTS = {
    "a": "The first layers are alike",
    "b": "The end of the backbone and the first part of the head are the least alike",
    "c": "Peaks where the head joins in the backbone",
    "d": "Detection layers are unlike",
    "e": "The backbones are more alike than the heads",
}
"""What the statements say of networks that have other layers than YOLOv3, by letter."""


def statements_of(network: LayerMap, layers: int) -> list[Statement]:
    """The paper's own statements of YOLOv3; of any other network those that its parts allow.

    Args:
        network: The parts.
        layers: How many of its layers, the first ones, a curve has.
    """
    if network.is_yolov3 and layers == len(network.layers):
        return list(STATEMENTS)
    makers = (_early, _least_alike, _joins, _detections, _backbone)
    return [one for make in makers for one in make(network, layers)]


def _early(network: LayerMap, layers: int) -> Iterator[Statement]:
    last = round(EARLY * (layers - 1))
    rest = np.arange(last + 1, layers)
    if len(rest):
        yield _statement("a", np.arange(last + 1), rest, lowest)


def _least_alike(network: LayerMap, layers: int) -> Iterator[Statement]:
    """Layers 62-85 of YOLOv3 are the end of its backbone and the beginning of its head."""
    deep = [block for block in network.blocks if block.in_backbone][-1:]
    deep += [block for block in network.blocks if not block.in_backbone][:1]
    inside = _there([at for block in deep for at in range(block.first, block.last + 1)], layers)
    rest = np.setdiff1d(np.arange(layers), inside)
    if len(inside) and len(rest):
        yield _statement("b", rest, inside, highest, about=inside)


def _joins(network: LayerMap, layers: int) -> Iterator[Statement]:
    """A layer that joins in a map of the backbone, against its neighbours; of several the one that stands out least."""
    near = {
        at: np.r_[max(0, at - NEAR) : at, at + 1 : min(layers, at + 1 + NEAR)] for at in _there(network.joins, layers)
    }
    near = {at: around for at, around in near.items() if len(around)}
    if near:

        def contrast(curves: Array) -> Array:
            found = [curves[..., at] - defined_mean(curves[..., around]) for at, around in near.items()]
            return np.stack(found, axis=-1).min(-1)

        number = f"the join minus the mean of up to {NEAR} layers on each side; of several joins the smallest"
        yield _made("c", number, contrast, np.array(list(near)), lowest)


def _detections(network: LayerMap, layers: int) -> Iterator[Statement]:
    """Layers that are decoded against the rest of their block. Darknet's pass on what a convolution says: with it."""
    found = []
    for at in _there(network.detections, layers):
        read = network.inputs[at] if network.kinds[at] == "yolo" else ()
        inside = _there([at, *(one for one in read if one >= 0)], layers)
        block = next(block for block in network.blocks if block.first <= at <= block.last)
        rest = np.setdiff1d(np.arange(block.first, min(block.last + 1, layers)), [*inside, *network.detections])
        found += [(inside, rest)] if len(rest) else []
    if found:

        def contrast(curves: Array) -> Array:
            drops = [defined_mean(curves[..., rest]) - defined_mean(curves[..., inside]) for inside, rest in found]
            return np.stack(drops, axis=-1).min(-1)

        about = np.unique(np.concatenate([inside for inside, _ in found]))
        number = "mean of the rest of the block minus mean of these; of several blocks the smallest"
        yield _made("d", number, contrast, about, highest)


def _backbone(network: LayerMap, layers: int) -> Iterator[Statement]:
    split = network.backbone_last + 1
    if 0 < split < layers:
        yield _statement("e", np.arange(split), np.arange(split, layers), highest)


def _statement(
    letter: str, more: Layers, less: Layers, level: Callable[[Array], float], about: Layers | None = None
) -> Statement:
    """Layers that are said to be more alike than others, by the difference of their means."""

    def contrast(curves: Array) -> Array:
        return defined_mean(curves[..., more]) - defined_mean(curves[..., less])

    number = f"mean of layers {ranges(more)} minus mean of layers {ranges(less)}"
    return _made(letter, number, contrast, more if about is None else about, level)


def _made(
    letter: str, number: str, contrast: Callable[[Array], Array], about: Layers, level: Callable[[Array], float]
) -> Statement:
    paper = next(one for one in STATEMENTS if one.letter == letter)
    name = f"{'layers' if len(about) > 1 else 'layer'} {ranges(about)}"
    return Statement(
        letter,
        BY_PARTS[letter],
        paper.paper,
        number,
        contrast,
        lambda curves: defined_mean(curves[..., about]),
        name,
        f"{name}, layer by layer",
        lambda curves: level(curves[:, about]),
    )


def _there(layers: Sequence[int], count: int) -> Layers:
    """Those of some layers that a curve has, rising."""
    return np.array(sorted({at for at in layers if at < count}), dtype=int)
