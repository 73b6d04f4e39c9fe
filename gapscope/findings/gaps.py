"""How much does an arm lose on a domain that it was not trained on, how sure is that, and what is it made of?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gapscope.arms import baseline_of, is_plain, labelled_domains
from gapscope.config import Experiment
from gapscope.findings.estimates import Estimate, mean_estimate
from gapscope.findings.gap_parts import GapParts, gap_parts
from gapscope.findings.headline import HeadlineScores, headline_draws, headline_map50
from gapscope.findings.results import Results


@dataclass(frozen=True)
class Gap:
    """How much an arm loses on a domain it never saw, against the arm that was trained there."""

    domain: str
    home: str
    other: str
    seeds: tuple[int, ...]
    """Those at which both arms have been evaluated."""
    home_map50s: tuple[float, ...]
    """mAP@0.5 of `home`, one per seed."""
    other_map50s: tuple[float, ...]
    points: tuple[float, ...]
    """AP points (100 times mAP@0.5 of `home` minus that of `other`), one per seed."""
    spread: float
    """The largest difference between two seeds of one of the two arms on this domain, AP points; NaN with one seed."""
    estimate: Estimate
    """Mean over the seeds, AP points; its interval is over the test images, which both arms share in every draw."""
    num_images: int
    parts: GapParts

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


def find_gaps(results: Results, scores: HeadlineScores) -> list[Gap]:
    """For every test domain that a reported arm was trained on: the gap of every arm that was not.

    Of several arms that were, the one with the fewest domains is the one to compare with, of these one that goes on
    from no other model, of these one that sees all images, of these the first. Arms that are remedies for another one's
    gap have none of their own: `remedies` says how much of that they close. Nor have those that see a part of what
    another one sees: they may learn little, and that was to be found out where they are at home.
    """
    found = []
    experiment, arms = results.experiment, results.arms
    learnt_from = {arm: labelled_domains(experiment, arm) for arm in arms}
    for domain in results.test_domains:
        home = min(
            (arm for arm in arms if domain in learnt_from[arm]),
            key=lambda arm: (
                len(learnt_from[arm]),
                not is_plain(experiment, arm),
                bool(experiment.arms[arm].images or experiment.arms[arm].half),
            ),
            default="",
        )
        strangers = [arm for arm in arms if domain not in learnt_from[arm] and not _sees_a_part(experiment, arms, arm)]
        for other in (arm for arm in strangers if home and baseline_of(experiment, arms, arm, domain) is None):
            gap = gap_between(results, scores, domain, home, other)
            if gap is not None:
                found.append(gap)
    return found


def _sees_a_part(experiment: Experiment, arms: Sequence[str], arm: str) -> bool:
    """Whether an arm sees a part of the images of its domains, and another plain one sees all of the same."""
    mine = experiment.arms[arm]
    plain = [experiment.arms[name] for name in arms if is_plain(experiment, name)]
    whole = [set(one.domains) for one in plain if not (one.images or one.half)]
    return bool(mine.images or mine.half) and set(mine.domains) in whole


def gap_between(results: Results, scores: HeadlineScores, domain: str, home: str, other: str) -> Gap | None:
    """One arm's mAP minus another's on a domain; None where no seed has both."""
    both = [
        (a, b, headline_map50(results, a, domain), headline_map50(results, b, domain))
        for a, b in results.run_pairs(home, other)
    ]
    known = [(a, b, one, two, 100 * (one - two)) for a, b, one, two in both if math.isfinite(one - two)]
    if not known:
        return None
    draws = []
    for a, b, *_ in known:
        mine, theirs = headline_draws(results, a, domain), headline_draws(results, b, domain)
        draws.append(None if mine is None or theirs is None or len(mine) != len(theirs) else 100 * (mine - theirs))
    points = tuple(value for *_, value in known)
    spreads = [scores.of(arm, domain).spread for arm in (home, other)]
    return Gap(
        domain,
        home,
        other,
        seeds=tuple(a.seed for a, *_ in known),
        home_map50s=tuple(one for _, _, one, _, _ in known),
        other_map50s=tuple(two for _, _, _, two, _ in known),
        points=points,
        spread=max((value for value in spreads if math.isfinite(value)), default=math.nan),
        estimate=mean_estimate(points, draws),
        num_images=results.evaluations[known[0][0], domain].num_images,
        parts=gap_parts(results, domain, [a for a, *_ in known], [b for _, b, *_ in known]),
    )
