"""How much does an arm lose on a domain that it was not trained on, and how sure is that?"""

import math
from dataclasses import dataclass
from statistics import fmean

from gapscope.findings.headline import Estimate, headline_draws, headline_map50, map50s, mean_estimate
from gapscope.findings.results import Results
from gapscope.run_folder import RunName


@dataclass(frozen=True)
class Gap:
    """How much an arm loses on a domain it never saw, against the arm that was trained there."""

    domain: str
    home: str
    other: str
    seeds: tuple[int, ...]
    """Those at which both arms have been evaluated."""
    points: tuple[float, ...]
    """AP points (100 times mAP@0.5 of `home` minus that of `other`), one per seed."""
    spread: float
    """The largest difference between two seeds of one of the two arms on this domain, AP points; NaN with one seed."""
    estimate: Estimate
    """Mean over the seeds, AP points; its interval is over the test images, which both arms share in every draw."""
    num_images: int

    @property
    def mean(self) -> float:
        return self.estimate.value

    @property
    def seeds_disagree(self) -> bool:
        """Whether the gap has another sign with another seed."""
        return min(self.points) < 0 < max(self.points)

    @property
    def within_seeds(self) -> bool:
        """Whether a change of seed moves one of the arms by as much."""
        return math.isfinite(self.spread) and abs(self.mean) <= self.spread

    @property
    def spans_zero(self) -> bool:
        """Whether other test images could turn the gap around."""
        return self.estimate.has_interval and self.estimate.low <= 0 <= self.estimate.high

    @property
    def is_loss(self) -> bool:
        """Whether something is lost that one may go on to explain: neither images nor seeds turn it around."""
        return self.mean > 0 and not self.spans_zero and not self.seeds_disagree


def gaps(results: Results) -> list[Gap]:
    """For every test domain that a reported arm was trained on: the gap of every arm that was not.

    Of several arms that were, the one with the fewest domains is the one to compare with, of these the first.
    """
    found = []
    for domain in results.test_domains:
        trained_on = {arm: results.experiment.arms[arm].domains for arm in results.arms}
        home = min(
            (arm for arm in results.arms if domain in trained_on[arm]), key=lambda a: len(trained_on[a]), default=""
        )
        for other in (arm for arm in results.arms if home and domain not in trained_on[arm]):
            gap = gap_between(results, domain, home, other)
            if gap is not None:
                found.append(gap)
    return found


def gap_between(results: Results, domain: str, home: str, other: str) -> Gap | None:
    """One arm's mAP minus another's on a domain; None where no seed has both."""
    pairs = {seed: (RunName(home, seed), RunName(other, seed)) for seed in results.seeds}
    points = {
        seed: 100 * (headline_map50(results, a, domain) - headline_map50(results, b, domain))
        for seed, (a, b) in pairs.items()
    }
    seeds = tuple(seed for seed, value in points.items() if math.isfinite(value))
    if not seeds:
        return None
    draws = []
    for a, b in (pairs[seed] for seed in seeds):
        one, two = headline_draws(results, a, domain), headline_draws(results, b, domain)
        draws.append(None if one is None or two is None or len(one) != len(two) else 100 * (one - two))
    values = [points[seed] for seed in seeds]
    spreads = [seed_spread(results, arm, domain) for arm in (home, other)]
    spread = max((value for value in spreads if math.isfinite(value)), default=math.nan)
    num_images = results.evaluations[pairs[seeds[0]][0], domain]["num_images"]
    return Gap(domain, home, other, seeds, tuple(values), spread, mean_estimate(values, draws), num_images)


def seed_spread(results: Results, arm: str, domain: str) -> float:
    """Largest minus smallest headline mAP@0.5 over an arm's seeds, AP points; NaN with one."""
    values = [value for value in map50s(results, arm, domain) if math.isfinite(value)]
    return 100 * (max(values) - min(values)) if len(values) > 1 else math.nan


def mean_over(values: list[float]) -> float:
    """The mean of the defined values; NaN if none is."""
    known = [value for value in values if math.isfinite(value)]
    return fmean(known) if known else math.nan
