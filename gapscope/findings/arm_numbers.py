"""What does each arm get right and wrong on each domain? Classes, sizes, mistakes, confidence: typed, seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from gapscope.evaluation.error_kinds import KINDS, SPECIAL
from gapscope.evaluation.matching import SIZES
from gapscope.findings.estimates import BySeed, Estimate, mean_over
from gapscope.findings.evaluation_file import EvaluationFile
from gapscope.findings.gap_parts import class_estimate
from gapscope.findings.headline import headline_classes, rule_scores
from gapscope.findings.outcomes import OUTCOMES, confusion_shares, outcome_of
from gapscope.findings.results import Results


@dataclass(frozen=True)
class KindNumbers:
    """One kind of mistake."""

    cost: float
    """AP points that mending all of the kind, and no other, would add to mAP@0.5; mean over seeds."""
    count: float
    """How many there are; mean over seeds."""


@dataclass(frozen=True)
class BestConfidences:
    """Where F1 of a class is highest."""

    f1: float
    """Mean over the seeds."""
    confidences: tuple[float, ...]
    """The least confidence that gives it, seed by seed."""


@dataclass(frozen=True)
class CalibrationNumbers:
    """Expected calibration errors."""

    from_confidence: tuple[float, ...]
    """What the files count detections from."""
    sure: BySeed
    """Of these detections."""
    every: BySeed
    """Of all detections."""


@dataclass(frozen=True)
class ArmNumbers:
    """One arm on one domain's test images; what its evaluation files do not hold is empty or None."""

    num_images: frozenset[int]
    classes: Mapping[str, Estimate]
    """AP@0.5 by class: mean over seeds, and how far the seeds' 95 % intervals reach together."""
    sizes: Mapping[str, BySeed]
    """mAP@0.5 by box size (rule coco)."""
    size_targets: Mapping[str, frozenset[int]]
    """Labelled boxes by size, of the files that have any."""
    best: Mapping[str, BestConfidences]
    """By class."""
    outcomes: Mapping[str, BySeed]
    """By those of `OUTCOMES`."""
    kinds: Mapping[str, KindNumbers]
    """By kind of mistake."""
    confusions: Mapping[tuple[str, str], float]
    """See `confusion_shares`."""
    calibration: CalibrationNumbers | None
    best_confidence: float
    """With the highest F1, mean over headline classes and seeds; NaN where it is not known."""
    has_curves: bool
    has_confusion: bool


def arm_numbers(results: Results) -> dict[tuple[str, str], ArmNumbers]:
    """By reported arm and test domain, those that have been evaluated."""
    return {
        (arm, domain): _numbers(results, arm, domain, found)
        for arm in results.arms
        for domain in results.test_domains
        if (found := results.evaluations_of(arm, domain))
    }


def _numbers(results: Results, arm: str, domain: str, found: Sequence[EvaluationFile]) -> ArmNumbers:
    by_size = [rule_scores(results, run, domain, "coco").by_size for run in results.runs(arm)]
    return ArmNumbers(
        num_images=frozenset(one.num_images for one in found),
        classes={name: _class(results, arm, domain, name) for name in results.experiment.data.classes},
        sizes={
            size: BySeed(tuple(one[size].map50 if size in one else float("nan") for one in by_size)) for size in SIZES
        },
        size_targets={
            size: frozenset(one[size].targets for one in by_size if size in one and one[size].targets) for size in SIZES
        },
        best=_best(results, found),
        outcomes=_outcomes(found),
        kinds=_kinds(found),
        confusions=confusion_shares(results, arm, domain),
        calibration=_calibration(found),
        best_confidence=_best_confidence(results, found),
        has_curves=any(one.curves is not None for one in found),
        has_confusion=any(one.confusion is not None for one in found),
    )


def _class(results: Results, arm: str, domain: str, name: str) -> Estimate:
    found = [class_estimate(results, run, domain, name) for run in results.runs(arm)]
    mean, known = mean_over([one.value for one in found]), [one for one in found if one.has_interval]
    return Estimate(mean, min(one.low for one in known), max(one.high for one in known)) if known else Estimate(mean)


def _best(results: Results, found: Sequence[EvaluationFile]) -> dict[str, BestConfidences]:
    best = {}
    for name in results.experiment.data.classes:
        curves = [one.curves["coco"][name] for one in found if one.curves and name in one.curves["coco"]]
        known = [curve.best for curve in curves if curve.best is not None]
        if known:
            best[name] = BestConfidences(fmean(one.f1 for one in known), tuple(one.confidence for one in known))
    return best


def _best_confidence(results: Results, found: Sequence[EvaluationFile]) -> float:
    coco = [one.curves["coco"] for one in found if one.curves]
    best = [curves[name].best for curves in coco for name in headline_classes(results) if name in curves]
    known = [one.confidence for one in best if one is not None]
    return fmean(known) if known else float("nan")


def _outcomes(found: Sequence[EvaluationFile]) -> dict[str, BySeed]:
    outcomes = [outcome_of(one) for one in found]
    return {
        name: BySeed(tuple(number_of(one) if one else float("nan") for one in outcomes))
        for name, (_, number_of) in OUTCOMES.items()
    }


def _kinds(found: Sequence[EvaluationFile]) -> dict[str, KindNumbers]:
    files = [one.errors.kinds for one in found if one.errors is not None]
    return {
        kind: KindNumbers(
            mean_over([100 * kinds[kind].delta_map50 for kinds in files]), fmean(kinds[kind].count for kinds in files)
        )
        for kind in (KINDS | SPECIAL if files else ())
    }


def _calibration(found: Sequence[EvaluationFile]) -> CalibrationNumbers | None:
    files = [one.calibration for one in found if one.calibration is not None]
    if not files:
        return None
    begin = tuple(sorted({one.from_confidence for one in files}))
    return CalibrationNumbers(
        begin, BySeed(tuple(one.error_from for one in files)), BySeed(tuple(one.error for one in files))
    )
