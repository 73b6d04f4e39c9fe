"""What does an evaluation file hold? `evaluation/<run>--<domain>.json` as values with names.

Files of older versions lack intervals, draws, sizes, curves, confusion, calibration or errors; these parts are None or
empty then.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gapscope.evaluation.columns import Array
from gapscope.findings.estimates import UNKNOWN, Estimate

METRICS = ("headline_map50", "map50", "map50_95")
"""The means over classes that a file holds under each rule."""


@dataclass(frozen=True)
class SizeScore:
    """The boxes of one size, as COCO bounds them."""

    targets: int
    map50: float


@dataclass(frozen=True, eq=False)
class RuleScores:
    """Scores of one network on one domain by one rule."""

    means: Mapping[str, Estimate] = field(default_factory=dict)
    """By those of `METRICS` that are there."""
    ap50: Mapping[str, Estimate] = field(default_factory=dict)
    """By class."""
    headline_draws: Array | None = None
    """(draws,) the headline mAP@0.5 over images drawn anew; NaN in draws where it is undefined. Draw i takes the same
    images for every network on a domain."""
    by_size: Mapping[str, SizeScore] = field(default_factory=dict)

    @property
    def headline(self) -> Estimate:
        """mAP@0.5 over the headline classes."""
        return self.means.get("headline_map50", UNKNOWN)


@dataclass(frozen=True)
class BestF1:
    """Where F1 of a class is highest."""

    confidence: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassCurve:
    """Precision against recall of one class, at evenly spaced recalls; None where undefined."""

    precision: tuple[float | None, ...]
    confidence: tuple[float | None, ...]
    """Of the coco rule only."""
    best: BestF1 | None


@dataclass(frozen=True)
class ConfusionCounts:
    """What labelled boxes are taken for at one confidence; `background` is no box."""

    confidence: float
    counts: Mapping[str, Mapping[str, int]]
    """By true class, then by detected class."""


@dataclass(frozen=True)
class ConfidenceBin:
    """Detections of about one confidence."""

    count: int
    confidence: float | None
    precision: float | None


@dataclass(frozen=True)
class CalibrationErrors:
    """How far confidence lies from precision."""

    bins: tuple[ConfidenceBin, ...]
    error: float
    """Expected calibration error of all detections; NaN where undefined."""
    from_confidence: float
    error_from: float
    """The same of detections from that confidence on."""


@dataclass(frozen=True)
class KindCost:
    """One kind of mistake."""

    count: int
    delta_map50: float
    """What mending all of them would add to mAP@0.5; NaN where undefined."""


@dataclass(frozen=True)
class ErrorCosts:
    """The kinds of mistakes at one IoU."""

    iou: float
    kinds: Mapping[str, KindCost]


@dataclass(frozen=True, eq=False)
class EvaluationFile:
    """One network on one domain's test images."""

    num_images: int
    targets: Mapping[str, int]
    """Labelled boxes that count, by class."""
    rules: Mapping[str, RuleScores]
    curves: Mapping[str, Mapping[str, ClassCurve]] | None = None
    """By rule and class."""
    confusion: ConfusionCounts | None = None
    calibration: CalibrationErrors | None = None
    errors: ErrorCosts | None = None
    weights_sha256: str | None = None


def parse_evaluation(found: Mapping[str, Any]) -> EvaluationFile:
    """The JSON of an evaluation file.

    Raises:
        KeyError, TypeError, ValueError: If a part that every version has is missing, or one is not what it should be.
    """
    return EvaluationFile(
        num_images=int(found["num_images"]),
        targets=_counts(found["targets"]),
        rules={rule: _rule_scores(scores) for rule, scores in found["rules"].items()},
        curves=_curves(found["curves"]) if "curves" in found else None,
        confusion=_confusion(found["confusion"]) if "confusion" in found else None,
        calibration=_calibration(found["calibration"]) if "calibration" in found else None,
        errors=_errors(found["errors"]) if "errors" in found else None,
        weights_sha256=None if found.get("weights_sha256") is None else str(found["weights_sha256"]),
    )


def number(value: float | None) -> float:
    """As evaluation files hold it, null where undefined."""
    return math.nan if value is None else float(value)


def _known(value: float | None) -> float | None:
    return None if value is None else float(value)


def _counts(found: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(count) for name, count in found.items()}


def _rule_scores(found: Mapping[str, Any]) -> RuleScores:
    intervals = found.get("interval", {})
    of_classes, draws = intervals.get("ap50", {}), found.get("headline_draws")
    return RuleScores(
        means={name: _estimate(found[name], intervals.get(name)) for name in METRICS if name in found},
        ap50={name: _estimate(value, of_classes.get(name)) for name, value in found["ap50"].items()},
        headline_draws=np.array([number(value) for value in draws]) if draws else None,
        by_size={
            size: SizeScore(int(one["targets"]), number(one.get("map50")))
            for size, one in found.get("by_size", {}).items()
        },
    )


def _estimate(value: float | None, interval: list[float] | None) -> Estimate:
    return Estimate(number(value), *(map(float, interval) if interval else ()))


def _curves(found: Mapping[str, Any]) -> dict[str, dict[str, ClassCurve]]:
    return {
        rule: {name: _class_curve(curve) for name, curve in found[rule].items()} for rule in found if rule != "recall"
    }


def _class_curve(found: Mapping[str, Any]) -> ClassCurve:
    best = found.get("best")
    return ClassCurve(
        tuple(map(_known, found["precision"])),
        tuple(map(_known, found.get("confidence", ()))),
        _best_f1(best) if best is not None else None,
    )


def _best_f1(found: Mapping[str, float]) -> BestF1:
    return BestF1(*(float(found[name]) for name in ("confidence", "precision", "recall", "f1")))


def _confusion(found: Mapping[str, Any]) -> ConfusionCounts:
    return ConfusionCounts(float(found["confidence"]), {true: _counts(row) for true, row in found["counts"].items()})


def _calibration(found: Mapping[str, Any]) -> CalibrationErrors:
    bins = tuple(
        ConfidenceBin(int(one["count"]), _known(one["confidence"]), _known(one["precision"])) for one in found["bins"]
    )
    return CalibrationErrors(bins, number(found["error"]), float(found["from_confidence"]), number(found["error_from"]))


def _errors(found: Mapping[str, Any]) -> ErrorCosts:
    kinds = {kind: KindCost(int(one["count"]), number(one["delta_map50"])) for kind, one in found["kinds"].items()}
    return ErrorCosts(float(found.get("iou", 0.5)), kinds)
