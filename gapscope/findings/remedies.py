"""What has been tried against a gap, how much of it that closes, and what it costs: paired, on the same test images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.arms import all_before, baseline_of, labelled_domains
from gapscope.evaluation.bootstrap import interval
from gapscope.evaluation.columns import Array
from gapscope.findings.estimates import UNKNOWN, Estimate
from gapscope.findings.gaps import Gap, gap_between
from gapscope.findings.headline import HeadlineScores, headline_draws, headline_map50
from gapscope.findings.results import Results


@dataclass(frozen=True)
class RemedyCost:
    """What a remedy takes besides what the arm without it took."""

    labelled_images: int | None
    """Training images of the domain where the gap is, with labels, that something of it has learnt from; None where
    their number is not known."""
    unlabelled_images: int
    """Such images that it has seen without using labels, some of the labelled ones perhaps among them; 0 where all
    images have labels that it has learnt from."""
    seconds: float
    """Of training, and of what is made without: the arm's own, and those of arms that it needs in addition; per seed,
    mean over the seeds. NaN where a summary is missing."""


@dataclass(frozen=True)
class Remedy:
    """An arm that does more than another one does, against a gap that this other one has."""

    arm: str
    gap: Gap
    """That of the arm without the remedy, `gap.other`, to the arm that was trained there, `gap.home`."""
    regained: Gap
    """This arm minus the arm without the remedy on the domain of the gap, AP points: its mean, seeds and interval."""
    share: Estimate
    """Of the gap: 1 closes it. Undefined where the gap is no loss; its interval is over paired draws of the images."""
    elsewhere: Mapping[str, Gap]
    """The same difference on the domains that the arm without the remedy was trained on: what is lost there."""
    cost: RemedyCost

    @property
    def points_per_labelled_image(self) -> float:
        """AP points regained per labelled image of the domain; infinite without any, NaN where nothing is regained."""
        images = self.cost.labelled_images
        return _per(self.regained.mean, math.nan if images is None else images)

    @property
    def points_per_minute(self) -> float:
        """AP points regained per minute of training."""
        return _per(self.regained.mean, self.cost.seconds / 60)

    @property
    def is_gain(self) -> bool:
        """Whether something is regained that neither other images nor another of the seeds would turn around."""
        return self.regained.is_loss  # of a difference the other way round


def _per(points: float, cost: float) -> float:
    if not points > 0 or math.isnan(cost):
        return math.nan
    return points / cost if cost else math.inf


def find_remedies(results: Results, scores: HeadlineScores, gaps: Sequence[Gap]) -> list[Remedy]:
    """Every arm that is a remedy for a gap, gap by gap, the one that regains most first."""
    found = []
    for gap in gaps:
        of_gap = [
            remedy
            for arm in results.arms
            if baseline_of(results.experiment, results.arms, arm, gap.domain) == gap.other and arm != gap.home
            if (remedy := _remedy(results, scores, gap, arm)) is not None
        ]
        found += sorted(of_gap, key=lambda remedy: -remedy.regained.mean)
    return found


def _remedy(results: Results, scores: HeadlineScores, gap: Gap, arm: str) -> Remedy | None:
    regained = gap_between(results, scores, gap.domain, arm, gap.other)
    if regained is None:
        return None
    homes = [domain for domain in labelled_domains(results.experiment, gap.other) if domain in results.test_domains]
    changes = {domain: gap_between(results, scores, domain, arm, gap.other) for domain in homes}
    elsewhere = {domain: change for domain, change in changes.items() if change is not None}
    return Remedy(arm, gap, regained, share_closed(results, gap, arm), elsewhere, _cost(results, gap, arm))


def share_closed(results: Results, gap: Gap, arm: str) -> Estimate:
    """(arm - other) / (home - other), each a mean over the seeds of one draw of images, as all three have it."""
    mine, home, other = (mean_draws(results, name, gap) for name in (arm, gap.home, gap.other))
    value = (mine[0] - other[0]) / (home[0] - other[0]) if gap.is_loss else math.nan
    if math.isnan(value):
        return UNKNOWN
    if mine[1] is None or home[1] is None or other[1] is None or len({len(mine[1]), len(home[1]), len(other[1])}) > 1:
        return Estimate(value)
    lost = np.where(home[1] > other[1], home[1] - other[1], np.nan)  # a share of no loss is none
    return Estimate(value, *(interval((mine[1] - other[1]) / lost, value) or ()))


def mean_draws(results: Results, arm: str, gap: Gap) -> tuple[float, Array | None]:
    """An arm's mean over the gap's seeds, and of its draws."""
    runs = [run for run in results.runs(arm) if run.seed in gap.seeds]
    mean = fmean(headline_map50(results, run, gap.domain) for run in runs)
    draws = [one for run in runs if (one := headline_draws(results, run, gap.domain)) is not None]
    same = len(draws) == len(runs) and len({len(one) for one in draws}) == 1
    return mean, np.mean(draws, axis=0) if same else None


def _cost(results: Results, gap: Gap, arm: str) -> RemedyCost:
    experiment = results.experiment
    own = [arm, *all_before(experiment, arm)]
    shared = {gap.other, *all_before(experiment, gap.other)}
    labelled = labelled_images(results, gap.domain, own) if gap.domain in labelled_domains(experiment, arm) else 0
    unlabelled = _images_without_labels(results, gap.domain, own, labelled)
    return RemedyCost(labelled, unlabelled, sum(_seconds(results, name) for name in own if name not in shared))


def labelled_images(results: Results, domain: str, arms: Sequence[str]) -> int | None:
    """The most training images of a domain that any of these arms was trained on; None where nothing says how many."""
    trained = [arm for arm in arms if domain in results.experiment.arms[arm].domains]
    found = [one.images[domain] for arm in trained for one in results.summaries_of(arm) if domain in one.images]
    if found:
        return max(found)
    return results.summaries[domain].images["train"] if domain in results.summaries else None


def _images_without_labels(results: Results, domain: str, arms: Sequence[str], labelled: int | None) -> int:
    """The most images of a domain that any of these arms has seen without labels; 0 where all have theirs anyway."""
    whole = results.summaries[domain].images["train"] if domain in results.summaries else math.inf
    if labelled is None or labelled >= whole:
        return 0
    return max((one.unlabelled_images.get(domain, 0) for arm in arms for one in results.summaries_of(arm)), default=0)


def _seconds(results: Results, arm: str) -> float:
    """Mean over the seeds; NaN where one is not finished."""
    found = [one.seconds for one in results.summaries_of(arm)]
    return sum(found) / len(found) if len(found) == len(results.seeds) else math.nan
