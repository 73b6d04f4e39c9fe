"""Sure about many numbers at once: one band for a whole curve, whose points share their draws of images."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SURE = 0.95
"""How often a band holds a whole curve."""
COVERED = (0.025, 0.975)
"""The quantiles that bound an interval of a single number."""


def band(drawn: Array) -> tuple[Array, Array]:
    """A band (low, high) of a whole curve: 95 % of the draws lie within it at every point.

    It is each point's own interval, widened about its median by one factor for all points: the least with which 95 %
    of the draws lie wholly inside. Where it excludes a number, all points looked at are accounted for.

    Args:
        drawn: (draws, points), the same draws of images for all points; NaN where undefined.

    Source:
        Montiel Olea and Plagborg-Moller 2019, Journal of Applied Econometrics 34:1 (sup-t bands), with quantiles
        instead of standard errors, so that a skewed interval stays skewed.
    """
    low, middle, high = np.quantile(drawn, (COVERED[0], 0.5, COVERED[1]), axis=0)
    defined = np.isfinite(middle)
    if not defined.any():
        return low, high
    below, above = (middle - low)[defined], (high - middle)[defined]
    away = drawn[:, defined] - middle[defined]
    reach = np.where(away < 0, below, above)
    farthest = np.divide(np.abs(away), reach, out=np.zeros_like(away), where=reach > 0).max(1)
    place = min(ceil(SURE * (len(farthest) + 1)), len(farthest))
    factor = max(1.0, float(np.sort(farthest)[place - 1]))
    return middle - factor * (middle - low), middle + factor * (high - middle)
