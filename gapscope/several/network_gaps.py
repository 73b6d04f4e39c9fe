"""Does one network lose more than another on the same test images? Sure about all pairs of networks together."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gapscope.evaluation.bands import band
from gapscope.findings.estimates import Estimate
from gapscope.several.line_up import SideBySide
from gapscope.several.run_gaps import Comparable, GapKey, NetworkPair, RunGap, mean_draws, minus


@dataclass(frozen=True, eq=False)
class NetworkDifference:
    """The gap of one network minus that of another, both on the same draws of test images."""

    a: RunGap
    b: RunGap
    alone: Estimate
    """AP points, with its interval as if no other pair of networks were looked at."""
    estimate: Estimate
    """The same with an interval that holds, in 95 % of the draws, for all pairs of networks together."""
    comparisons: int
    """So many pairs of networks."""

    @property
    def seeds_overlap(self) -> bool:
        """Whether a seed of the one that loses more loses less than a seed of the other."""
        more, less = (self.a, self.b) if self.estimate.value >= 0 else (self.b, self.a)
        return min(more.gap.points) <= max(less.gap.points)

    @property
    def is_told(self) -> bool:
        """Whether the networks lose differently: neither images, nor the other pairs, nor seeds turn it around."""
        known = self.estimate.has_interval and not self.estimate.low <= 0 <= self.estimate.high
        return known and not self.seeds_overlap


Differences = Mapping[GapKey, Sequence[NetworkDifference]]
"""By gap."""


def network_differences(side: SideBySide) -> Differences:
    """By gap: every two networks, the later one minus the earlier one."""
    return {same.kind: list(_differences(same)) for same in side.comparables}


def _differences(same: Comparable) -> Iterator[NetworkDifference]:
    pairs = [(later, first) for first, later in combinations(same.gaps, 2)]
    factor = _widened([(a.networks, b.networks) for a, b in pairs])
    for a, b in pairs:
        alone = minus(a.networks, b.networks)
        value, low, high = alone.value, alone.low, alone.high
        together = Estimate(value, value - factor * (value - low), value + factor * (high - value))
        yield NetworkDifference(a, b, alone, together, len(pairs))


def _widened(pairs: Sequence[tuple[Sequence[NetworkPair], Sequence[NetworkPair]]]) -> float:
    """By how much intervals of all pairs are wider than each alone: that of a band over them, see `bands.band`.

    NaN, which leaves all without intervals, where a pair has no draws that could be held against the others'.
    """
    if len(pairs) < 2:
        return 1.0
    drawn = []
    for networks, others in pairs:
        one, other = mean_draws(networks), mean_draws(others)
        if one is None or other is None:
            return math.nan
        drawn += [one, other]
    if len({len(draws) for draws in drawn}) > 1:
        return math.nan
    values = np.stack(drawn[::2], axis=1) - np.stack(drawn[1::2], axis=1)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return math.nan
    low, high = band(values)
    alone = np.quantile(values, 0.975, axis=0) - np.quantile(values, 0.025, axis=0)
    known = alone > 0
    return float(((high - low)[known] / alone[known]).max()) if known.any() else 1.0
