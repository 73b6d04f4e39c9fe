"""How do precision and recall trade off as the least confidence falls?"""

from dataclasses import dataclass

import numpy as np

from gapscope.evaluation.average_precision import RECALLS, Counts, counted, precision_at_recalls
from gapscope.evaluation.columns import Array
from gapscope.evaluation.matching import Matches


@dataclass(frozen=True)
class OperatingPoint:
    """Precision and recall if every detection from a confidence on is believed."""

    confidence: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / (self.precision + self.recall)


@dataclass(frozen=True)
class PrecisionRecall:
    """The precision-recall curve of one class at the lowest IoU threshold, as its rule reads it."""

    recall: Array
    """(101,) the grid RECALLS"""
    precision: Array
    """(101,) the highest precision at this recall or a higher one; 0 where it is not reached"""
    confidence: Array
    """(101,) least confidence that reaches this recall; NaN where none does"""
    best: OperatingPoint | None
    """Where F1 is highest (of equals the most confident); None without a right detection."""


def precision_recall_curve(rule: str, matches: Matches, label: int) -> PrecisionRecall | None:
    """The curve of one class; None for a class without targets."""
    counts = next(counted(matches, label, np.ones((1, len(matches.num_targets)))))
    if not counts.targets[0]:
        return None
    recall = counts.right[0] / counts.targets[0]
    place = np.searchsorted(recall, RECALLS, "left")
    confidence = np.append(counts.confidence, np.nan)[place]
    return PrecisionRecall(RECALLS, precision_at_recalls(rule, counts)[0], confidence, _best(counts, recall))


def _best(counts: Counts, recall: Array) -> OperatingPoint | None:
    """The right detection at which F1 is highest; F1 can only fall between two of them."""
    if not len(recall):
        return None
    precision = counts.precision[0]
    k = int(np.argmax(2 * precision * recall / (precision + recall)))
    return OperatingPoint(float(counts.confidence[k]), float(precision[k]), float(recall[k]))
