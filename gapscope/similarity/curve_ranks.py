"""Do two curves along the layers of a network rise and fall at the same layers?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEAST_LAYERS = 10
"""Fewer defined layers than this say nothing about a rank correlation."""


@dataclass(frozen=True)
class Rank:
    """Spearman's rho and how special it is; NaN where too few layers are defined."""

    rho: float
    p: float
    """Of all shifts of one curve along the network, end joined to start, the share that agrees at least as well."""
    layers: int
    """Defined in both."""
    p_either: float = float("nan")
    """The share that agrees, or disagrees, at least as well."""


def rank(one: Array, other: Array) -> Rank:
    """Spearman's rho of two curves (layers,) over the layers that both define.

    Neighbouring layers are alike, so layers are no independent observations and the usual p of a rank correlation would
    be far too small. Shifting one curve along the other keeps what neighbours share and breaks only where things
    happen; with L layers p is 1 / L at least.

    Of unrelated curves, 5 to 6 % had p_either of 0.05 or less where one was a random walk and the other had one value
    for each of YOLOv3's nine blocks; where both had steps at these blocks, 22 % did (1,000 pairs each).
    """
    from scipy.stats import rankdata  # late: it takes a second

    both = np.isfinite(one) & np.isfinite(other)
    count = int(both.sum())
    ranks = [rankdata(values[both]) for values in (one, other)]
    centred = [values - values.mean() for values in ranks] if count else ranks
    norm = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    if count < LEAST_LAYERS or norm == 0:
        return Rank(float("nan"), float("nan"), count)
    places = np.arange(count)
    shifted = centred[0][(places[None, :] - places[:, None]) % count] @ centred[1] / norm  # the first by 0
    as_well = float((shifted >= shifted[0] - 1e-12).mean())
    either = float((abs(shifted) >= abs(shifted[0]) - 1e-12).mean())
    return Rank(float(shifted[0]), as_well, count, either)
