"""What does the paper say of its curves? Each statement is one number that is positive where it holds.

A curve holds the CKA of each of the 107 layers with its counterpart. `contrast` turns curves (..., 107) into numbers
(...), so the same rule reads a sample, its bootstrap draws, the floor and the ceiling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gapscope.detector.network_map import BLOCKS, ROUTES

Array = NDArray[np.float64]
Answer = Literal["yes", "no", "open"]
"""`yes`: the 95 % interval lies above 0; `no`: below it; `open`: it holds 0."""

DETECTION_BLOCKS = tuple((block.first, block.last) for block in BLOCKS if not block.in_backbone)
"""First and last layer; the last is a detection layer, the one before it the convolution that feeds it."""


def defined_mean(values: Array, axis: int | None = -1) -> Array:
    """Mean over what is defined; NaN where nothing is."""
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0).sum(axis), known.sum(axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def lowest(values: Array) -> float:
    """Of what is defined; NaN if nothing is."""
    return float(np.fmin.reduce(values, axis=None, initial=np.nan))


def highest(values: Array) -> float:
    """Likewise."""
    return float(np.fmax.reduce(values, axis=None, initial=np.nan))


def mean_of(curves: Array, first: int, last: int) -> Array:
    """Mean over layers first..last, both included, of those that are defined."""
    return defined_mean(curves[..., first : last + 1])


def mean_without(curves: Array, first: int, last: int) -> Array:
    """Mean over all layers but first..last."""
    return defined_mean(np.delete(curves, np.arange(first, last + 1), axis=-1))


def early(curves: Array) -> Array:
    return mean_of(curves, 0, 12) - mean_without(curves, 0, 12)


def dip(curves: Array) -> Array:
    return mean_without(curves, 62, 85) - mean_of(curves, 62, 85)


def route_peaks(curves: Array) -> Array:
    """How far each route layer stands above the three layers before and the three behind it (..., 2)."""
    sides = [np.concatenate([curves[..., at - 3 : at], curves[..., at + 1 : at + 4]], axis=-1) for at in ROUTES]
    return np.stack([curves[..., at] - defined_mean(near) for at, near in zip(ROUTES, sides, strict=True)], axis=-1)


def peaks(curves: Array) -> Array:
    return route_peaks(curves).min(-1)


def detection_drops(curves: Array) -> Array:
    """How far each detection layer and the convolution before it lie below the rest of their block (..., 3)."""
    drops = [mean_of(curves, first, last - 2) - mean_of(curves, last - 1, last) for first, last in DETECTION_BLOCKS]
    return np.stack(drops, axis=-1)


def detection(curves: Array) -> Array:
    return detection_drops(curves).min(-1)


def backbone(curves: Array) -> Array:
    return mean_of(curves, 0, 74) - mean_of(curves, 75, 106)


@dataclass(frozen=True)
class Statement:
    """One of the paper's statements about curves."""

    letter: str
    title: str
    paper: str
    """What the paper says, with its numbers (biased CKA, 32 x 32 pixels)."""
    number: str
    """What the contrast is, in words."""
    contrast: Callable[[Array], Array]
    inside: Callable[[Array], Array]
    """Mean over the layers that the statement is about."""
    inside_name: str
    level: str
    """What the paper gives a number for, in words."""
    level_of: Callable[[Array], float]
    """The same of curves (comparisons, layers)."""


STATEMENTS = (
    Statement(
        "a",
        "The first layers are alike",
        "similarity above 0.9 in layers 0-12, above 0.7 up to layer 37, for both synthetic arms (section 4.1)",
        "mean of layers 0-12 minus mean of layers 13-106",
        early,
        lambda curves: mean_of(curves, 0, 12),
        "layers 0-12",
        "the lowest of layers 0-12",
        lambda curves: lowest(curves[:, :13]),
    ),
    Statement(
        "b",
        "Layers 62-85 are the least alike",
        "under 0.35 in layers 62-85, lower than the rest of the network in all comparisons (section 4.1)",
        "mean of all other layers minus mean of layers 62-85",
        dip,
        lambda curves: mean_of(curves, 62, 85),
        "layers 62-85",
        "the highest of layers 62-85",
        lambda curves: highest(curves[:, 62:86]),
    ),
    Statement(
        "c",
        "Peaks at the routes 86 and 98",
        "two peaks in the head, where layers 61 and 36 of the backbone are joined in (section 4.1)",
        "the route minus the mean of the three layers before and the three behind it; of the two routes the smaller",
        peaks,
        lambda curves: defined_mean(curves[..., ROUTES]),
        "layers 86, 98",
        "the lower route",
        lambda curves: lowest(curves[:, ROUTES]),
    ),
    Statement(
        "d",
        "Detection layers are unlike",
        "0.05 to 0.2 at layers 82, 94, 106 and the convolutions that feed them (section 4.1)",
        "mean of the rest of the block minus mean of 81-82, 93-94 or 105-106; of the three blocks the smallest",
        detection,
        lambda curves: defined_mean(curves[..., [81, 82, 93, 94, 105, 106]]),
        "layers 81-82, 93-94, 105-106",
        "the highest of layers 82, 94, 106",
        lambda curves: highest(curves[:, [82, 94, 106]]),
    ),
    Statement(
        "e",
        "The backbones are more alike than the heads",
        "backbone 0.69 and 0.71, head 0.34 and 0.30 for U-Real against U-Synthetic, seeds 0 and 1 (Table 5)",
        "mean of layers 0-74 minus mean of layers 75-106",
        backbone,
        lambda curves: mean_of(curves, 0, 74),
        "layers 0-74",
        "the highest mean of a head",
        lambda curves: highest(mean_of(curves, 75, 106)),
    ),
)


def certainty(draws: Array) -> Answer:
    """Does the 95 % interval of drawn contrasts (draws,) lie above 0, below it, or around it?"""
    low, high = np.quantile(draws, (0.025, 0.975))
    return "yes" if low > 0 else "no" if high < 0 else "open"


def in_all(answers: Sequence[Answer]) -> Answer:
    """Does it hold in all comparisons? One sure exception is a `no`, one doubtful comparison leaves it `open`."""
    if "no" in answers:
        return "no"
    return "open" if "open" in answers else "yes"
