"""Sure about many layers at once: one p, one band and one calibrated number for a whole curve.

A curve has 107 layers, and chance has 107 chances. Layers share their draws, so that the joint law of all layers is in
them and nothing has to be assumed about how layers depend on each other: what matters is the farthest layer of a draw.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from gapscope.evaluation.bands import SURE, band as band  # of a curve of layers as of any other
from gapscope.similarity.gram import Array
from gapscope.similarity.measures import Measure


def p_over_all(value: Array, floor: Array, measure: Measure) -> Array:
    """p corrected for every layer (or cell) of a curve: the share of orders that make *any* layer as alike.

    Values are compared in standard deviations of each layer's own floor, the true order counted in everywhere. So the
    chance that any layer of unrelated networks gets p <= 0.05 is at most 5 %, exactly, for any dependence.

    Args:
        value: (...); NaN where undefined.
        floor: (orders, ...), the same orders for all layers.
        measure: Says which end is alike.

    Source:
        Westfall and Young 1993, "Resampling-based multiple testing", single-step maxT.
    """
    every = np.concatenate([value[None], floor]).reshape(1 + len(floor), -1)
    every = every if measure.larger_is_more_similar else -every
    spread = every.std(0)
    z = (every - every.mean(0)) / np.where(spread > 0, spread, np.inf)
    defined = np.isfinite(every).all(0)
    if not defined.any():
        return np.full_like(value, np.nan)
    farthest = z[:, defined].max(1)
    p = (farthest[:, None] >= z[0] - 1e-12).mean(0)
    return np.where(defined, p, np.nan).reshape(value.shape)


@dataclass(frozen=True)
class Calibrated:
    """One number for a whole curve, beside what the same number is for shuffled images."""

    value: float
    threshold: float
    """Reached by one order in 20."""
    p: float
    score: float
    """Where the value lies between the threshold (0) and a network compared with itself (1); 0 below the threshold."""


def calibrated(value: Array, floor: Array, measure: Measure) -> dict[str, Calibrated]:
    """`mean` and `max` (the most alike layer) over all layers, calibrated as a whole, not layer by layer.

    The largest of many layers is large by chance already, the more so the more layers there are. So the floor of the
    largest is the largest of each order, not the floor of the layer where it lies.

        score = (value - threshold) / (itself - threshold), at least 0

    with the 0.95 (1 + orders)-th of all values, the true one among them, as threshold.

    Args:
        value: (...); undefined layers are left out.
        floor: (orders, ...), the same orders for all layers.
        measure: Says which end is alike, and what a layer compared with itself gives.

    Source:
        Groger, Wen and Brbic 2026, arXiv:2602.14486 (aggregates are calibrated after they are taken).
    """
    sign = 1 if measure.larger_is_more_similar else -1
    every = sign * np.concatenate([value[None], floor]).reshape(1 + len(floor), -1)
    every = every[:, np.isfinite(every).all(0)]
    if not every.size:
        return {name: Calibrated(*[float("nan")] * 4) for name in ("mean", "max")}
    found = {}
    for name, of_curve in (("mean", every.mean(1)), ("max", every.max(1))):
        threshold = float(np.sort(of_curve)[ceil(SURE * len(of_curve)) - 1])
        p = float((of_curve >= of_curve[0] - 1e-12).mean())
        best = sign * measure.itself
        score = (of_curve[0] - threshold) / (best - threshold) if best > threshold else 0.0
        found[name] = Calibrated(sign * float(of_curve[0]), sign * threshold, p, float(np.clip(score, 0, 1)))
    return found
