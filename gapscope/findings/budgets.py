"""How good is a detector with so many labelled images, and from how many on do synthetic images no longer help?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gapscope.arms import frozen_layers, frozen_ranges, labelled_domains, models_before
from gapscope.detector.layers import layer_ranges
from gapscope.evaluation.columns import Array
from gapscope.findings.estimates import Estimate, mean_estimate
from gapscope.findings.gaps import Gap
from gapscope.findings.headline import headline_map50
from gapscope.findings.remedies import labelled_images, mean_draws
from gapscope.findings.results import Results

ALONE, MIXED, TUNED = "labelled images alone", "mixed", "fine-tuned"


@dataclass(frozen=True)
class BudgetPoint:
    """An arm that has learnt from so many labelled images of the domain."""

    arm: str
    labels: int
    map50s: tuple[float, ...]
    """One per seed of the gap."""
    map50: Estimate
    """Their mean, with its interval over test images."""
    draws: Array | None
    """Of the mean (draws,); None where there are none."""


@dataclass(frozen=True)
class BudgetCurve:
    """Arms that differ in nothing but the number of labelled images."""

    way: str
    """`labelled images alone`, `mixed`, `fine-tuned`, `fine-tuned, head alone`, `fine-tuned, layers 62-74`."""
    adapted: bool
    """Whether they have seen further images of the domain without labels, too."""
    points: tuple[BudgetPoint, ...]
    """From the fewest labels on."""

    @property
    def name(self) -> str:
        return f"{self.way}, adapted" if self.adapted else self.way


@dataclass(frozen=True)
class HelpEnds:
    """From how many labelled images on a way that uses synthetic images is no better than the labelled ones alone."""

    curve: BudgetCurve
    counts: tuple[int, ...]
    """Of labelled images, with which both were tried."""
    gains: tuple[float, ...]
    """AP points more than the labelled images alone, by count."""
    at: Estimate
    """Where that ends: between the last count with a gain and the next, on a logarithmic axis. 0 if it is below the
    fewest that were tried, infinite if it is beyond the most; its interval is over paired draws of the test images."""
    by_seed: tuple[float, ...]

    @property
    def is_told(self) -> bool:
        """Whether other test images leave anything of it."""
        return not math.isnan(self.at.low) and not (self.at.low == 0 and math.isinf(self.at.high))


@dataclass(frozen=True)
class Budgets:
    """All that was tried against one gap with few labelled images."""

    gap: Gap
    curves: tuple[BudgetCurve, ...]
    ends: tuple[HelpEnds, ...]

    @property
    def uses_synthetic(self) -> bool:
        """Whether its arm's images have been used together with labelled ones in any way."""
        return any(curve.way != ALONE for curve in self.curves)


def find_budgets(results: Results, gaps: Sequence[Gap]) -> list[Budgets]:
    """Of every gap against which at least two numbers of labelled images have been tried in one way.

    Where nobody used its synthetic images with labelled ones, there are only labelled ones alone: they stand with
    another gap on the same domain, if there is one.
    """
    found = []
    for gap in gaps:
        curves = tuple(_curves(results, gap))
        if any(len(curve.points) > 1 for curve in curves):
            found.append(Budgets(gap, curves, tuple(_ends(curves))))
    first = dict[str, Budgets]()
    for one in sorted(found, key=lambda one: not one.uses_synthetic):
        first.setdefault(one.gap.domain, one)
    return [one for one in found if one.uses_synthetic or one is first[one.gap.domain]]


def _curves(results: Results, gap: Gap) -> Iterator[BudgetCurve]:
    points: dict[tuple[str, bool], dict[int, BudgetPoint]] = {}
    for arm in results.arms:
        way = way_of(results, gap, arm)
        count = labelled_images(results, gap.domain, [arm, *models_before(results.experiment, arm)]) if way else None
        runs = [run for run in results.runs(arm) if run.seed in gap.seeds and (run, gap.domain) in results.evaluations]
        if way is None or count is None or len(runs) < len(gap.seeds):
            continue
        map50s = tuple(headline_map50(results, run, gap.domain) for run in runs)
        mean, draws = mean_draws(results, arm, gap)
        estimate = mean_estimate([mean], [draws])
        points.setdefault(way, {}).setdefault(count, BudgetPoint(arm, count, map50s, estimate, draws))
    order = {ALONE: 0, MIXED: 1}
    for key in sorted(points, key=lambda one: (order.get(one[0], 2), one)):
        yield BudgetCurve(*key, tuple(one for _, one in sorted(points[key].items())))


def way_of(results: Results, gap: Gap, arm: str) -> tuple[str, bool] | None:
    """In which way an arm uses labelled images of the gap's domain, and whether it has adapted to further ones; None
    for one that uses none, or does something else besides."""
    experiment, chosen = results.experiment, results.experiment.arms[arm]
    if not chosen.is_trained:
        whole = chosen.adapt.domains == [gap.domain] and not (
            chosen.average or chosen.adapt.layers or chosen.adapt.keep
        )
        before = way_of(results, gap, chosen.start) if whole and chosen.start in experiment.arms else None
        return (before[0], True) if before else None
    others = [one for one in chosen.domains if one != gap.domain]
    if gap.domain not in chosen.domains or chosen.restyle:
        return None
    adapted, before_it = chosen.adapt.taught == gap.domain, models_before(experiment, arm)
    if not before_it:
        same = frozen_ranges(experiment, arm) == frozen_ranges(experiment, gap.other if others else gap.home)
        return (MIXED if others else ALONE, adapted) if same else None
    if others or before_it[0] != gap.other or gap.domain in labelled_domains(experiment, gap.other):
        return None
    learns = ~frozen_layers(experiment, arm)
    if learns.all():
        return TUNED, adapted
    network = results.layer_map(arm)
    head = np.arange(len(learns)) > network.backbone_last
    part = "head alone" if (learns == head).all() else f"layers {layer_ranges(np.flatnonzero(learns).tolist())} alone"
    return f"{TUNED}, {part}", adapted


def _ends(curves: Sequence[BudgetCurve]) -> Iterator[HelpEnds]:
    alone = {curve.adapted: curve for curve in curves if curve.way == ALONE}
    for curve in curves:
        if curve.way == ALONE or curve.adapted not in alone:
            continue
        theirs = {point.labels: point for point in alone[curve.adapted].points}
        both = [(point, theirs[point.labels]) for point in curve.points if point.labels in theirs]
        if both:
            yield _end(curve, both)


def _end(curve: BudgetCurve, both: Sequence[tuple[BudgetPoint, BudgetPoint]]) -> HelpEnds:
    counts = tuple(mine.labels for mine, _ in both)
    gains = np.array([mine.map50.value - alone.map50.value for mine, alone in both])
    seeds = zip(*(np.subtract(mine.map50s, alone.map50s) for mine, alone in both), strict=True)
    at = ends_at(counts, gains)
    draws = [one.draws for pair in both for one in pair]
    known = [one for one in draws if one is not None]
    low = high = math.nan
    if len(known) == len(draws) and len({len(one) for one in known}) == 1:
        paired = np.stack(known[0::2], axis=1) - np.stack(known[1::2], axis=1)
        each = np.array([ends_at(counts, one) for one in paired[~np.isnan(paired).any(1)]])
        low, high = np.quantile(each, [0.025, 0.975], method="inverted_cdf").tolist() if len(each) else (low, high)
    by_seed = tuple(ends_at(counts, np.array(one)) for one in seeds)
    return HelpEnds(curve, counts, tuple((100 * gains).tolist()), Estimate(at, low, high), by_seed)


def ends_at(counts: Sequence[int], gains: Array) -> float:
    """The number of labelled images from which on nothing is gained any more.

    That is where the straight line between the last gain above 0 and the next one crosses 0, over the logarithm of the
    counts; 0 where no gain is above 0, infinite where the last one is.

    Args:
        counts: Rising (k,).
        gains: What is gained with each (k,), in any unit.
    """
    above = np.flatnonzero(gains > 0)
    if not len(above):
        return 0.0
    last = int(above[-1])
    if last == len(counts) - 1:
        return math.inf
    share = float(gains[last] / (gains[last] - gains[last + 1]))
    return float(np.exp(np.log(counts[last]) * (1 - share) + np.log(counts[last + 1]) * share))


def ends_sentence(results: Results, budgets: Budgets, end: HelpEnds) -> str:
    """Where the help of synthetic images ends, in words, or that it cannot be told."""
    synthetic = results.arm_title(budgets.gap.other)
    what = f"{end.curve.name[0].upper()}{end.curve.name[1:]} (synthetic images as in {synthetic})"
    few, most, at = end.counts[0], end.counts[-1], end.at
    tried = f"{few} labelled images" if len(end.counts) == 1 else f"{few} to {most} labelled images"
    gains = ", ".join(f"{gain:+z.1f} with {count}" for count, gain in zip(end.counts, end.gains, strict=True))
    start = f"{what} against {'adapted ' if end.curve.adapted else ''}labelled images alone, AP points: {gains}."
    if math.isnan(at.low):
        return f"{start} Where synthetic images stop helping cannot be told: there are no draws of the test images."
    if not end.is_told:
        return f"{start} Where synthetic images stop helping cannot be told with {tried} and these test images."
    if math.isinf(at.low):
        return f"{start} Synthetic images still help with {most}, the most that were tried{_seeds(end)}."
    if at.high == 0:
        return f"{start} Synthetic images do not help, not even with {few}, the fewest that were tried{_seeds(end)}."
    interval = f"95 % interval {_count(at.low, few, most)} to {_count(at.high, few, most)}"
    ends = _count(at.value, few, most)
    return f"{start} Synthetic images stop helping at {ends} labelled images ({interval}{_seeds(end)})."


def _seeds(end: HelpEnds) -> str:
    """`; by seed 120, more than 300`; empty with one seed."""
    if len(end.by_seed) < 2:
        return ""
    few, most = end.counts[0], end.counts[-1]
    return f"; by seed {', '.join(_count(one, few, most) for one in end.by_seed)}"


def _count(value: float, few: int, most: int) -> str:
    if value == 0:
        return f"fewer than {few}"
    return f"more than {most}" if math.isinf(value) else f"about {value:.0f}"
