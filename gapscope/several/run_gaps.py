"""How big is the gap in every run, and where may gaps be averaged or subtracted?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

import numpy as np

from gapscope.evaluation.columns import Array
from gapscope.findings.estimates import Estimate, mean_estimate
from gapscope.findings.gaps import Gap
from gapscope.findings.headline import headline_draws
from gapscope.findings.results import Results
from gapscope.run_folder import RunName
from gapscope.several.runs import Run, scored_alike

GapKey = tuple[str, str, str]
"""The role of the test domain (real, synthetic, control), the arm trained there, the arm that was not. Gaps of several
runs are lined up by it: other data sets have other names, but the same part to play."""


@dataclass(frozen=True, eq=False)
class NetworkPair:
    """The gap between two networks of one seed."""

    weights: tuple[str, str]
    """What tells them from others: SHA-256 of both, else where they are."""
    points: float
    draws: Array | None
    """(draws,) over test images drawn anew, AP points; None where an evaluation holds none."""


@dataclass(frozen=True, eq=False)
class RunGap:
    """A gap in one run."""

    run: Run
    gap: Gap
    networks: tuple[NetworkPair, ...]
    """One per seed of the gap."""
    alike: tuple[object, ...] | None
    """Equal for gaps that were measured on the same images by the same rules; None where that is not known."""

    @property
    def kind(self) -> GapKey:
        role = self.run.results.experiment.domains[self.gap.domain].role
        return role, self.run.called(self.gap.home), self.run.called(self.gap.other)

    @property
    def domain_title(self) -> str:
        return self.run.results.domain_title(self.gap.domain)


@dataclass(frozen=True, eq=False)
class Comparable:
    """One gap in two or more runs that score the same test images by the same rules."""

    gaps: tuple[RunGap, ...]

    @property
    def kind(self) -> GapKey:
        return self.gaps[0].kind

    @property
    def networks(self) -> list[NetworkPair]:
        """Every pair of networks once, even if it is part of several runs."""
        return list({one.weights: one for gap in self.gaps for one in gap.networks}.values())

    @property
    def pooled(self) -> Estimate:
        """Mean over all pairs of networks, AP points; its interval is over the test images that all share."""
        found = self.networks
        return mean_estimate([one.points for one in found], [one.draws for one in found])

    @property
    def num_studies(self) -> int:
        return len({gap.run.group for gap in self.gaps})

    def differences(self) -> Iterator[tuple[RunGap, RunGap, Estimate]]:
        """Every later run minus the first: (later, first, AP points), on the same draws of test images."""
        first, *later = self.gaps
        for gap in later:
            yield gap, first, minus(gap.networks, first.networks)


def run_gaps(runs: Sequence[Run]) -> list[RunGap]:
    """The gaps of all runs, those of one kind after each other."""
    found = [gap for run in runs for gap in _of_run(run)]
    kinds = list(dict.fromkeys(gap.kind for gap in found))
    return sorted(found, key=lambda gap: (kinds.index(gap.kind), gap.run.at))


def by_kind(found: Sequence[RunGap]) -> list[list[RunGap]]:
    """The same, one list per kind."""
    return [list(same) for _, same in groupby(found, key=lambda gap: gap.kind)]


def comparables(found: Sequence[RunGap]) -> list[Comparable]:
    """Gaps that may be averaged and subtracted: two or more runs, the same test images, the same rules."""
    sets = []
    for kind in by_kind(found):
        for alike in dict.fromkeys(gap.alike for gap in kind if gap.alike is not None):
            chosen = tuple(gap for gap in kind if gap.alike == alike)
            if len(chosen) > 1:
                sets.append(Comparable(chosen))
    return sets


def _of_run(run: Run) -> Iterator[RunGap]:
    for gap in run.findings.numbers.gaps:
        networks = tuple(_networks(run.results, gap, seed, at) for at, seed in enumerate(gap.seeds))
        yield RunGap(run, gap, networks, scored_alike(run.results, gap.domain))


def _networks(results: Results, gap: Gap, seed: int, at: int) -> NetworkPair:
    names = RunName(gap.home, seed), RunName(gap.other, seed)
    sha = [results.evaluations[name, gap.domain].weights_sha256 for name in names]
    home, other = (str(one or f"{results.folder.resolve()}/{name}") for one, name in zip(sha, names, strict=True))
    drawn = [headline_draws(results, name, gap.domain) for name in names]
    return NetworkPair((home, other), gap.points[at], _difference(drawn[0], drawn[1], 100))


def _difference(one: Array | None, other: Array | None, factor: float = 1) -> Array | None:
    if one is None or other is None or len(one) != len(other):
        return None
    return np.asarray(factor * (one - other))


def minus(networks: Sequence[NetworkPair], others: Sequence[NetworkPair]) -> Estimate:
    """How much more is lost between some pairs of networks than between others, AP points, on the same draws."""
    value = fmean(one.points for one in networks) - fmean(one.points for one in others)
    return mean_estimate([value], [_difference(mean_draws(networks), mean_draws(others))])


def mean_draws(networks: Sequence[NetworkPair]) -> Array | None:
    """(draws,) of the mean gap; None where one pair has none, or another number of them."""
    known = [one.draws for one in networks if one.draws is not None]
    if len(known) < len(networks) or len({len(one) for one in known}) > 1:
        return None
    return np.asarray(np.mean(known, axis=0))
