"""Where do dots and intervals of many rows stand on one axis? In percent of its width, so that HTML can draw them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gapscope.findings.estimates import Estimate

MOST_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """A range of numbers that holds zero, with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Percent from the left end."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True)
class Dots:
    """One row: a mean, its interval, and single seeds."""

    mean: float
    low: float | None
    width: float | None
    """Where the interval begins and how wide it is; None without one."""
    seeds: tuple[float, ...]


def axis_of(values: Iterable[float]) -> Axis:
    """From the smallest to the largest defined value and zero, widened to whole ticks."""
    known = [0.0, *(value for value in values if math.isfinite(value))]
    low, high = min(known), max(known)
    if low == high:
        high = 1.0
    step = _round_step((high - low) / (MOST_TICKS - 1))
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple(round(step * at, 10) for at in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, ... (and their tenths) that is not below `least`."""
    power = 10 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def dots(axis: Axis, mean: Estimate, seeds: Sequence[float] = ()) -> Dots:
    """A row's places on an axis."""
    low = width = None
    if mean.has_interval:
        low = axis.place(mean.low)
        width = round(axis.place(mean.high) - low, 2)
    return Dots(axis.place(mean.value), low, width, tuple(axis.place(seed) for seed in seeds))
