"""What may be said from the numbers?

Sentences are written from files of the run folder and claim no more than intervals, floor, ceiling and seeds allow.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from gapscope.reporting.curves import Curve, ceiling_curve, layers_below, pair_curve, ranges
from gapscope.reporting.results import Results, RunName
from gapscope.reporting.tables import headline_map50


@dataclass(frozen=True)
class Gap:
    """How much an arm loses on a domain it never saw, against the arm that was trained there."""

    domain: str
    home: str
    other: str
    points: tuple[float, ...]
    """AP points (100 times mAP@0.5 of `home` minus that of `other`), one per seed that both have."""
    spread: float
    """The largest difference between two seeds of one of the two arms on this domain, AP points; NaN with one seed."""

    @property
    def mean(self) -> float:
        return fmean(self.points)


def generated_note(results: Results) -> str:
    """Says which domains are rendered by gapscope itself; empty where none is."""
    domains = results.experiment.domains
    rendered = [results.domain_title(name) for name, domain in domains.items() if domain.generate]
    if len(rendered) == len(domains):
        return "All images are generated; this shows the method, it is no finding about photographs."
    return f"Rendered by gapscope, so no photographs: {', '.join(rendered)}." if rendered else ""


def gaps(results: Results) -> list[Gap]:
    """For every test domain that a reported arm was trained on: the gap of every arm that was not."""
    found = []
    for domain in results.test_domains:
        home = [arm for arm in results.arms if domain in results.experiment.arms[arm].domains]
        for other in (arm for arm in results.arms if arm not in home):
            points = _points(results, home[0], other, domain) if home else ()
            if points:
                spreads = [_seed_spread(results, arm, domain) for arm in (home[0], other)]
                spread = max((value for value in spreads if math.isfinite(value)), default=math.nan)
                found.append(Gap(domain, home[0], other, points, spread))
    return found


def _points(results: Results, home: str, other: str, domain: str) -> tuple[float, ...]:
    both = (map50s(results, home, domain), map50s(results, other, domain))
    return tuple(100 * (a - b) for a, b in zip(*both, strict=True) if math.isfinite(a - b))


def map50s(results: Results, arm: str, domain: str) -> list[float]:
    """An arm's headline mAP@0.5 on a domain, one per seed; NaN where undefined."""
    return [headline_map50(results, RunName(arm, seed), domain) for seed in results.seeds]


def _seed_spread(results: Results, arm: str, domain: str) -> float:
    values = [value for value in map50s(results, arm, domain) if math.isfinite(value)]
    return 100 * (max(values) - min(values)) if len(values) > 1 else math.nan


def verdict(results: Results) -> dict[str, list[str]]:
    """A few sentences under each question that can be answered so far."""
    answers = {
        "How big is the gap?": [_gap_sentence(results, gap) for gap in gaps(results)],
        "Where in the network is it?": list(_where(results)),
        "Did frozen layers stay frozen?": list(_frozen(results)),
    }
    return {question: sentences for question, sentences in answers.items() if sentences}


def _gap_sentence(results: Results, gap: Gap) -> str:
    home, other = results.arm_title(gap.home), results.arm_title(gap.other)
    values = [_by_seed(map50s(results, arm, gap.domain), "{:.3f}") for arm in (gap.home, gap.other)]
    start = (
        f"On {results.domain_title(gap.domain)}, {home} (trained there) reaches mAP {values[0]} and {other} (trained "
        f"elsewhere) {values[1]}: a gap of {gap.mean:z.1f} AP points"
    )
    return f"{start}{_how_sure(gap)}"


def _how_sure(gap: Gap) -> str:
    if len(gap.points) < 2:
        return ", from one seed only, so how much of it another seed would change is unknown."
    by_seed = ", ".join(f"{points:z.1f}" for points in gap.points)
    if min(gap.points) < 0 < max(gap.points):
        return f", but the seeds disagree about its sign ({by_seed})."
    if abs(gap.mean) <= gap.spread:
        return f" ({by_seed}), no larger than what a change of seed does to one arm ({gap.spread:.1f})."
    return f" ({by_seed}), larger than what a change of seed does to either arm ({gap.spread:.1f} at most)."


def _by_seed(values: Sequence[float], form: str) -> str:
    """`0.43` or, with several seeds, `0.43 (0.42, 0.44)`."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "an undefined value"
    mean = form.format(fmean(known))
    return mean if len(known) == 1 else f"{mean} ({', '.join(form.format(value) for value in known)})"


def _where(results: Results) -> Iterator[str]:
    size = results.sizes[0]
    for a, b in results.pairs:
        curves = pair_curves(results, a, b)
        if not curves:
            continue
        means = {part: _by_seed([curve.mean(part) for curve in curves], "{:.2f}") for part in ("backbone", "head")}
        ceilings = [c for c in (ceiling_curve(results, arm, size) for arm in (a, b)) if c is not None]
        start = (
            f"{curves[0].label}: mean similarity (debiased CKA, {size} x {size} pixels) is {means['backbone']} in the "
            f"backbone and {means['head']} in the head."
        )
        yield f"{start} {_against_ceiling(curves, ceilings)}"


def pair_curves(results: Results, a: str, b: str) -> list[Curve]:
    """The curves of a pair of arms at the first size, one per seed."""
    found = (pair_curve(results, RunName(a, seed), RunName(b, seed), results.sizes[0]) for seed in results.seeds)
    return [curve for curve in found if curve is not None]


def _against_ceiling(curves: Sequence[Curve], ceilings: Sequence[Curve]) -> str:
    if len(ceilings) < 2:
        return "There is no second seed to compare with, so this cannot be told from what a change of seed would do."
    reach = [min(ceiling.mean(part) for ceiling in ceilings) for part in ("backbone", "head")]
    start = f"Two seeds of one of these arms reach {reach[0]:.2f} and {reach[1]:.2f} at least."
    beyond, total = layers_below(curves, ceilings), len(curves[0].layers)
    if not len(beyond):
        return f"{start} At no layer are the intervals apart, so this cannot be told from a change of seed."
    return (
        f"{start} At {len(beyond)} of {total} layers the arms differ by more than a change of seed does "
        f"(95 % intervals apart at every seed): layers {ranges(beyond)}."
    )


def _frozen(results: Results) -> Iterator[str]:
    for arm in results.arms:
        layers = results.experiment.arms[arm].freeze
        hashes = [
            (training.summary["frozen_hash_before"], training.summary["frozen_hash_after"])
            for run, training in results.trainings.items()
            if run.arm == arm and training.summary.get("frozen_hash_before")
        ]
        if layers and hashes and all(before == after for before, after in hashes):
            yield f"Layers {layers} of {results.arm_title(arm)} have the same hash before and after training."
