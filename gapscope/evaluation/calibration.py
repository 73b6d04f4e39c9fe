"""Is a detection of confidence 0.8 right in 80 % of the cases?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.columns import Array
from gapscope.evaluation.matching import IGNORED, RIGHT, Matches

NUM_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Confidence against precision, in bins of equal width: bin i holds confidences from i / bins, the last one also 1.

    Precision is that of detections (Kueppers et al. 2020, arXiv:2004.13546, without box position): an object that is
    not detected does not count.
    """

    count: NDArray[np.int64]
    """(bins,) detections"""
    confidence: Array
    """(bins,) their mean confidence; NaN for an empty bin"""
    precision: Array
    """(bins,) the share of them that is right; NaN for an empty bin"""

    @property
    def error(self) -> float | None:
        """Expected calibration error: the mean of |confidence - precision| over the bins, weighted by their counts.

        Source:
            Naeini et al. 2015, AAAI, section "Experimental results". None without detections.
        """
        held = self.count > 0
        if not held.any():
            return None
        return float(np.average(np.abs(self.confidence - self.precision)[held], weights=self.count[held]))


def calibration(matches: Matches, at_least: float = 0.0, num_bins: int = NUM_BINS) -> Calibration:
    """How sure the detections of all classes are, and how often they are right at the lowest IoU threshold.

    Args:
        at_least: Detections that are less confident are left out. A detector is asked for everything down to a tiny
            confidence, and the many boxes at the bottom, which are rightly hardly believed, outweigh all others.
    """
    status, confidence = matches.status[0], matches.detections.confidence
    counts = (status != IGNORED) & (confidence >= at_least)
    right, confidence = (status == RIGHT)[counts], confidence[counts]
    place = np.minimum((confidence * num_bins).astype(np.int64), num_bins - 1)
    count = np.bincount(place, minlength=num_bins)
    sums = [np.bincount(place, weights=values, minlength=num_bins) for values in (confidence, right * 1.0)]
    means = [np.divide(one, count, out=np.full(num_bins, np.nan), where=count > 0) for one in sums]
    return Calibration(count, *means)
