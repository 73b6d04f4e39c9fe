"""Do the curves of two runs rise and fall at the same layers?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gapscope.several.run_curves import RunCurve
from gapscope.several.statements import Array
from gapscope.similarity.curve_ranks import Rank, rank


@dataclass(frozen=True, eq=False)
class RankAgreement:
    """How alike the curves of one pair of arms are in two runs."""

    a: RunCurve
    b: RunCurve
    similarity: Rank
    shortfall: Rank | None
    """Of ceiling minus similarity: without what the architecture does to any two networks. None with one seed."""
    by_depth: bool
    """Whether layers were lined up by relative depth, since the networks have other layers."""


def rank_agreements(curves: Sequence[RunCurve]) -> list[RankAgreement]:
    """Every two runs that have a curve of one pair of arms."""
    return [_agreement(a, b) for a, b in combinations(curves, 2)]


def _agreement(a: RunCurve, b: RunCurve) -> RankAgreement:
    by_depth = a.architecture != b.architecture
    pair = _on_one_axis(a, a.value, b, b.value)
    shortfall = None
    if a.ceiling is not None and b.ceiling is not None:
        shortfall = rank(*_on_one_axis(a, a.ceiling - a.value, b, b.ceiling - b.value))
    return RankAgreement(a, b, rank(*pair), shortfall, by_depth)


def _on_one_axis(a: RunCurve, one: Array, b: RunCurve, other: Array) -> tuple[Array, Array]:
    """Both by layer index, or the longer one at the relative depths of the shorter one's layers."""
    if len(a.layers) == len(b.layers):
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
