"""What is a number worth? An estimate with its interval, and numbers seed by seed with their mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.evaluation.bootstrap import interval
from gapscope.evaluation.columns import Array


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN where one is not known."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    def times(self, factor: float) -> "Estimate":
        """The same in another unit, such as AP points."""
        return Estimate(factor * self.value, factor * self.low, factor * self.high)


UNKNOWN = Estimate(math.nan)
"""Where a number is undefined or not there."""


@dataclass(frozen=True)
class BySeed:
    """One number of an arm, seed by seed."""

    values: tuple[float, ...]
    """NaN where undefined."""

    @property
    def mean(self) -> float:
        """Over the seeds that have it; NaN if none has."""
        return mean_over(self.values)


def mean_over(values: Sequence[float]) -> float:
    """The mean of the defined values; NaN if none is."""
    known = [value for value in values if math.isfinite(value)]
    return fmean(known) if known else math.nan


def mean_estimate(values: Sequence[float], draws: Sequence[Array | None]) -> Estimate:
    """The mean of values with the bias-corrected interval of the mean of their draws."""
    mean = fmean(values)
    known = [one for one in draws if one is not None]
    if math.isnan(mean) or len(known) < len(values) or len({len(one) for one in known}) > 1:
        return Estimate(mean)
    return Estimate(mean, *(interval(np.mean(known, axis=0), mean) or ()))
