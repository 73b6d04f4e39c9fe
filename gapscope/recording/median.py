"""The exact median of more values than one likes to sort: a sample brackets it, one pass counts and gathers."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = NDArray[np.float32]

SAMPLE = 2**16
"""Values drawn to guess between which two values the median lies."""

WIDTH = 0.01
"""How far, in ranks, the bracket reaches to either side: the quantile of 2^16 drawn values has an error of 0.002."""


class Table(Protocol):
    """Values of which some can be looked at, wherever they lie."""

    def numel(self) -> int:
        """How many there are."""
        ...

    def at(self, places: NDArray[np.int64]) -> Values:
        """The values at these places, which are in ascending order."""
        ...

    def all(self) -> Values:
        """All of them."""
        ...


def guess_bracket(values: Tensor | Table) -> tuple[float, float]:
    """Two values between which the median of all values most likely lies.

    The places that are looked at depend on the number of values alone.
    """
    sample = np.sort(_drawn(values))
    return float(sample[int((0.5 - WIDTH) * SAMPLE)]), float(sample[int((0.5 + WIDTH) * SAMPLE)])


def sampled_median(values: Tensor | Table) -> float:
    """The median of `SAMPLE` drawn values; of fewer values that of all."""
    if values.numel() > SAMPLE:
        return median_of_all(_drawn(values))
    return median_of_all(values.cpu().numpy() if isinstance(values, Tensor) else values.all())


def _drawn(values: Tensor | Table) -> Values:
    places = _places(values.numel(), SAMPLE)
    if not isinstance(values, Tensor):
        return values.at(places)
    flat = values.reshape(-1)
    if values.device.type == "cpu":
        return flat.numpy()[places]
    drawn: Values = flat[torch.from_numpy(places).to(flat.device)].cpu().numpy()
    return drawn


@lru_cache(maxsize=16)
def _places(num_values: int, count: int) -> NDArray[np.int64]:
    """Places that are drawn, in ascending order; the same for all layers of one size."""
    return np.sort(np.random.default_rng(0).integers(num_values, size=count))


@dataclass
class MedianCount:
    """How many values lie below a bracket, on its ends, and which ones inside. Ends may count as inside, too."""

    low: float
    high: float
    below: int = 0
    at_low: int = 0
    at_high: int = 0
    inside: list[Values] = field(default_factory=list)

    def add(self, other: "MedianCount") -> None:
        """Take in what was counted of other values with the same bracket."""
        self.below += other.below
        self.at_low += other.at_low
        self.at_high += other.at_high
        self.inside += other.inside

    def median(self, total: int) -> float | None:
        """The median as numpy defines it (the mean of the two middle ones of an even number), None if it is outside."""
        ranks = ((total - 1) // 2, total // 2)
        gathered = np.concatenate([*self.inside, np.empty(0, np.float32)])
        # sorted, all values are: those below, those equal to low, those gathered, those equal to high, the rest
        ends = np.cumsum([self.below, self.at_low, len(gathered), self.at_high])
        if ranks[0] < ends[0] or ranks[1] >= ends[3]:
            return None
        if ends[1] <= ranks[0] and ranks[1] < ends[2]:
            return mean_of_ranks(gathered, ranks[0] - ends[1], ranks[1] - ends[1])

        def at(rank: int) -> float:
            if rank < ends[1]:
                return self.low
            return self.high if rank >= ends[2] else float(np.partition(gathered, rank - ends[1])[rank - ends[1]])

        return (at(ranks[0]) + at(ranks[1])) / 2


def count_block(block: Values, low: float, high: float, masks: NDArray[np.bool_] | None = None) -> MedianCount:
    """Count the values of one block. Many ties with an end of the bracket are counted instead of gathered.

    `masks` (2, *block.shape) is room to work in; without it memory is taken anew.
    """
    low32, high32 = np.float32(low), np.float32(high)
    below, chosen = np.empty((2, *block.shape), np.bool_) if masks is None else masks
    np.less(block, low32, out=below)
    np.less_equal(block, high32, out=chosen)
    num_below = int(np.count_nonzero(below))
    between = int(np.count_nonzero(chosen)) - num_below
    if low == high:
        return MedianCount(low, high, num_below, between)
    if between <= block.size // 8:
        chosen ^= below  # up to high, without those below low
        return MedianCount(low, high, num_below, inside=[_few(block, chosen)])
    at_low, at_high = (int(np.count_nonzero(block == end)) for end in (low32, high32))
    return MedianCount(low, high, num_below, at_low, at_high, [block[(block > low32) & (block < high32)]])


def _few(block: Values, chosen: NDArray[np.bool_]) -> Values:
    """`block[chosen]`, where few are chosen; eight flags are one word, and most words are zero."""
    images, features = block.shape
    if features % 8:
        return block[chosen]
    words = chosen.reshape(-1).view(np.uint64)
    where = np.flatnonzero(words != 0)
    eights = block.reshape(images, features // 8, 8)[np.divmod(where, features // 8)]
    return np.compress(words[where].view(np.bool_), eights.reshape(-1))


def median_of_all(values: Values) -> float:
    """The median of a copy of all values."""
    flat = values.flatten()
    return mean_of_ranks(flat, (len(flat) - 1) // 2, len(flat) // 2)


def mean_of_ranks(values: Values, lower: int, upper: int) -> float:
    """The mean of the values of two equal or neighbouring ranks; the values are put into another order on the way.

    numpy is many times faster at finding one rank than two.
    """
    values.partition(upper)
    other = values[upper] if lower == upper else values[:upper].max()
    return (float(values[upper]) + float(other)) / 2
