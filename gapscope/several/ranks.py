"""Do the curves of two runs rise and fall at the same layers?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from gapscope.several.run_curves import RunCurve
from gapscope.several.statements import Array

LEAST_LAYERS = 10
"""Fewer defined layers than this say nothing about a rank correlation."""


@dataclass(frozen=True, eq=False)
class RankAgreement:
    """How alike the curves of one pair of arms are in two runs."""

    a: RunCurve
    b: RunCurve
    similarity: "Rank"
    shortfall: "Rank | None"
    """Of ceiling minus similarity: without what the architecture does to any two networks. None with one seed."""
    by_depth: bool
    """Whether layers were lined up by relative depth, since the networks have other layers."""


@dataclass(frozen=True)
class Rank:
    """Spearman's rho and how special it is; NaN where too few layers are defined."""

    rho: float
    p: float
    """Of all shifts of one curve along the network, end joined to start, the share that agrees at least as well."""
    layers: int
    """Defined in both."""


def rank_agreements(curves: Sequence[RunCurve]) -> list[RankAgreement]:
    """Every two runs that have a curve of one pair of arms."""
    return [_agreement(a, b) for a, b in combinations(curves, 2)]


def _agreement(a: RunCurve, b: RunCurve) -> RankAgreement:
    by_depth = a.layers != b.layers
    pair = _on_one_axis(a, a.value, b, b.value)
    shortfall = None
    if a.ceiling is not None and b.ceiling is not None:
        shortfall = rank(*_on_one_axis(a, a.ceiling - a.value, b, b.ceiling - b.value))
    return RankAgreement(a, b, rank(*pair), shortfall, by_depth)


def _on_one_axis(a: RunCurve, one: Array, b: RunCurve, other: Array) -> tuple[Array, Array]:
    """Both by layer index, or the longer one at the relative depths of the shorter one's layers."""
    if a.layers == b.layers:
        return one, other
    if len(one) > len(other):
        return _at(b.depth, a.depth, one), other
    return one, _at(a.depth, b.depth, other)


def _at(places: Array, depth: Array, values: Array) -> Array:
    """Linear between neighbours; NaN beside an undefined layer."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(places), np.nan)
    between = np.interp(places, depth[known], values[known])
    beside_unknown = np.interp(places, depth, (~known).astype(float)) > 0
    return np.where(beside_unknown, np.nan, between)


def rank(one: Array, other: Array) -> Rank:
    """Spearman's rho of two curves (layers,) over the layers that both define.

    Neighbouring layers are alike, so layers are no independent observations and the usual p of a rank correlation would
    be far too small. Shifting one curve along the other keeps what neighbours share and breaks only where things
    happen; with L layers p is 1 / L at least.
    """
    both = np.isfinite(one) & np.isfinite(other)
    count = int(both.sum())
    ranks = [rankdata(values[both]) for values in (one, other)]
    centred = [values - values.mean() for values in ranks] if count else ranks
    norm = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    if count < LEAST_LAYERS or norm == 0:
        return Rank(float("nan"), float("nan"), count)
    places = np.arange(count)
    shifted = centred[0][(places[None, :] - places[:, None]) % count] @ centred[1] / norm  # the first by 0
    return Rank(float(shifted[0]), float((shifted >= shifted[0] - 1e-12).mean()), count)
