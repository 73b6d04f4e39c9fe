"""At which layers do two arms differ by more than a change of seed does, and how many layers were looked at?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.findings.layer_curves import DEBIASED, PairCurve, largest, least
from gapscope.similarity.measures import find_measure

SHORTFALL, INTERVALS = "shortfall", "intervals"
RULES = {
    SHORTFALL: "the interval of the shortfall lies above 0 and the similarity below that of every pair of seeds",
    INTERVALS: "the pair's interval lies wholly on the less alike side of the ceilings' intervals",
}
FALSE_DISCOVERIES = 0.05
"""Layers whose q lies below this share more than shuffled images do."""


@dataclass(frozen=True)
class LayerDifference:
    """Same-index layers of two arms of one seed, against two seeds of these arms."""

    layers: NDArray[np.int64]
    """Those that differ by more."""
    looked: int
    """Layers with a value and a ceiling."""
    rule: str
    """Which of `RULES` was asked."""


def beyond_seeds(
    effect: xr.Dataset | None, curve: PairCurve, ceilings: Sequence[PairCurve], measure: str
) -> LayerDifference | None:
    """Where two networks are less alike than two seeds; None without a ceiling.

    For debiased CKA the stage `compare` took value and ceiling over the same draws of images (`layer_summary`), and the
    interval of their difference decides. Other measures are judged by whether two intervals overlap, which is stricter.
    Neither is corrected for the number of layers.
    """
    if measure == DEBIASED and effect is not None:
        known = np.isfinite(effect["similarity"].values) & np.isfinite(effect["ceiling"].values)
        less = (effect["shortfall_low"].values > 0) & (effect["similarity"].values < effect["ceiling_min"].values)
        return LayerDifference(effect["layer"].values[known & less], int(known.sum()), SHORTFALL)
    return by_intervals(curve, ceilings, measure) if ceilings else None


def at_every_seed(found: Sequence[LayerDifference]) -> LayerDifference | None:
    """Where two arms are less alike than two seeds whichever seed one looks at; None without a ceiling."""
    if not found:
        return None
    layers = reduce(np.intersect1d, [one.layers for one in found])
    return LayerDifference(layers, min(one.looked for one in found), found[0].rule)


def by_intervals(curve: PairCurve, ceilings: Sequence[PairCurve], measure: str) -> LayerDifference | None:
    """Where the pair's interval lies on the less alike side of all ceilings'; None if nowhere both are known."""
    if find_measure(measure).larger_is_more_similar:
        near, far = curve.interval_high, least(ceilings, "interval_low")
        less = near < far
    else:
        near, far = curve.interval_low, largest(ceilings, "interval_high")
        less = near > far
    known = np.isfinite(near) & np.isfinite(far)
    return LayerDifference(curve.layers[known & less], int(known.sum()), INTERVALS) if known.any() else None


def above_floor(grid: xr.Dataset, measure: str = DEBIASED) -> int | None:
    """How many layers share more than shuffled images do, at a false discovery rate of 5 %; None in grids of before."""
    if "floor_q" not in grid:
        return None
    return int((grid["floor_q"].sel(measure=measure).values < FALSE_DISCOVERIES).sum())
