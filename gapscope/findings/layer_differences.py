"""At which layers are two networks less alike than two seeds, all layers accounted for?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.findings.layer_curves import DEBIASED, PairCurve, largest, least
from gapscope.similarity.measures import find_measure

BAND, BANDS, SHORTFALL, INTERVALS = "band", "bands", "shortfall", "intervals"
RULES = {
    BAND: "the band of the shortfall, which holds for all layers together, lies above 0 and the similarity below that "
    "of every pair of seeds",
    BANDS: "the pair's band, which holds for all layers together, lies wholly on the less alike side of the ceilings'",
    SHORTFALL: "the interval of the shortfall lies above 0 and the similarity below that of every pair of seeds, not "
    "corrected for the number of layers, since this was compared by an older gapscope",
    INTERVALS: "the pair's interval lies wholly on the less alike side of the ceilings' intervals, not corrected for "
    "the number of layers, since this was compared by an older gapscope",
}
ALPHA = 0.05
"""Layers whose p for all layers together does not exceed this share more than shuffled images do."""


@dataclass(frozen=True)
class LayerDifference:
    """Same-index layers of two networks, against two seeds of their arms: of these networks, on any such images."""

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
    band of their difference decides. Other measures are judged by whether two bands overlap, which is stricter. Bands
    hold for all layers together; files of before have only intervals, each of its own layer.
    """
    if measure == DEBIASED and effect is not None:
        end, rule = ("shortfall_band_low", BAND) if "shortfall_band_low" in effect else ("shortfall_low", SHORTFALL)
        known = np.isfinite(effect[end].values) & np.isfinite(effect["ceiling"].values)
        less = (effect[end].values > 0) & (effect["similarity"].values < effect["ceiling_min"].values)
        return LayerDifference(effect["layer"].values[known & less], int(known.sum()), rule)
    return by_bands(curve, ceilings, measure) if ceilings else None


def at_every_seed(found: Sequence[LayerDifference]) -> LayerDifference | None:
    """Where the networks of two arms are less alike than two seeds, with each seed; None without a ceiling."""
    if not found:
        return None
    layers = reduce(np.intersect1d, [one.layers for one in found])
    return LayerDifference(layers, min(one.looked for one in found), found[0].rule)


def by_bands(curve: PairCurve, ceilings: Sequence[PairCurve], measure: str) -> LayerDifference | None:
    """Where the pair's band lies on the less alike side of all ceilings'; None if nowhere both are known.

    Curves of files of before have no bands: there their intervals are asked.
    """
    corrected = all(one.band_low is not None for one in (curve, *ceilings))
    low, high = ("band_low", "band_high") if corrected else ("interval_low", "interval_high")
    if find_measure(measure).larger_is_more_similar:
        near, far = getattr(curve, high), least(ceilings, low)
        less = near < far
    else:
        near, far = getattr(curve, low), largest(ceilings, high)
        less = near > far
    known, rule = np.isfinite(near) & np.isfinite(far), BANDS if corrected else INTERVALS
    return LayerDifference(curve.layers[known & less], int(known.sum()), rule) if known.any() else None


def above_floor(grid: xr.Dataset, measure: str = DEBIASED) -> int | None:
    """At how many layers these networks share more than shuffled images do, the chance of any false one being 5 %.

    None in grids of before, whose p were not corrected so.
    """
    if "floor_p_all" not in grid:
        return None
    return int((grid["floor_p_all"].sel(measure=measure).values <= ALPHA).sum())
