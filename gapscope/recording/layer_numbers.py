"""What is kept of one layer: its Gram matrix over the images, and five numbers about its values."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CHUNK = 8192
"""Features per product. Fixed: results must not depend on the memory at hand."""

SMALL = 2**20
"""Values up to which the median is taken from one copy of all of them."""

BLOCK = 2**18
"""Values looked at together otherwise: few enough for the processor's cache."""

SAMPLE = 2**16
"""Values drawn to guess between which two values the median lies."""


@dataclass(frozen=True)
class LayerNumbers:
    """Over all n * p values of a layer, in the unit of the activations; `std` divides by n * p."""

    gram: NDArray[np.float64]
    mean: float
    median: float
    std: float
    min: float
    max: float


def layer_numbers(features: Tensor) -> LayerNumbers:
    """The numbers of one layer from its features (n, p), float32, any device.

    The statistics are those of numpy over all values at once; the median is exact. All are NaN where a value is not
    finite. The standard deviation comes for free from the Gram's trace: the spread of each feature over the images
    plus the spread of the features' means.
    """
    n, p = features.shape
    low, high = (float(bound) for bound in torch.aminmax(features))
    if not np.isfinite([low, high]).all():
        nan = float("nan")
        return LayerNumbers(np.full((n, n), nan), nan, nan, nan, nan, nan)
    dtype = torch.float32 if 1e-12 < high - low < 1e12 else torch.float64  # beyond, squares do not fit float32
    gram, feature_means = centered_gram(features, dtype)
    mean = feature_means.mean()
    variance = np.trace(gram) / (n * p) + np.square(feature_means - mean).mean()
    return LayerNumbers(gram, float(mean), exact_median(features), float(np.sqrt(variance)), low, high)


def centered_gram(
    features: Tensor, dtype: torch.dtype = torch.float32, chunk: int = CHUNK
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """X X^T of the column-centred features X (n, p), and the column means (p,).

    A Gram matrix is a sum over features, so it is taken chunk by chunk: each chunk is centred and
    multiplied in `dtype` and added in float64. The first image is subtracted before the mean: a feature that is
    the same for all images becomes exactly zero, and a large common offset costs no digits. What rounding
    leaves of the mean is removed from the sum in float64.
    """
    n, p = features.shape
    gram = torch.zeros(n, n, dtype=torch.float64, device=features.device)
    means = torch.empty(p, dtype=torch.float64, device=features.device)
    for start in range(0, p, chunk):
        part = features[:, start : start + chunk].to(dtype)
        centered = part - part[0]
        mean = centered.mean(0)
        means[start : start + chunk] = part[0].double() + mean.double()
        centered -= mean
        gram += (centered @ centered.T).double()
    gram = gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()
    return ((gram + gram.T) / 2).cpu().numpy(), means.cpu().numpy()


def exact_median(features: Tensor) -> float:
    """The median of all values, as numpy defines it: the mean of the two middle ones if their number is even.

    Many values are never copied at once: a sample says between which two values the median must lie, one pass
    counts those below and gathers the few inside. If the sample misled, a wider bracket is tried.
    """
    values = features.reshape(-1)
    if len(values) <= SMALL:
        return _mean_of_ranks(values.cpu().numpy(), (len(values) - 1) // 2, len(values) // 2)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(values), (SAMPLE,), generator=generator)
    sample = np.sort(values[drawn.to(values.device)].cpu().numpy())
    for width in (0.01, 0.1, 0.5):  # the quantile of a sample of 2^16 has a standard error of 0.002
        first, last = int((0.5 - width) * SAMPLE), min(int((0.5 + width) * SAMPLE), SAMPLE - 1)
        low, high = (-np.inf, np.inf) if width == 0.5 else (sample[first], sample[last])
        middle = _middle_between(values, low, high)
        if middle is not None:
            break
    assert middle is not None  # the last bracket holds everything
    return middle


def _middle_between(values: Tensor, low: float, high: float) -> float | None:
    """The median, or None if it does not lie in [low, high]. Ties at the bounds are counted, not gathered."""
    below = at_low = at_high = 0
    inside = []
    for part in values.split(BLOCK):
        block = part.cpu().numpy()
        below += int(np.count_nonzero(block < low))
        at_low += int(np.count_nonzero(block == low))
        at_high += int(np.count_nonzero(block == high)) if high != low else 0
        inside.append(block[(block > low) & (block < high)])
    gathered = np.concatenate(inside)
    ends = np.cumsum([below, at_low, len(gathered), at_high])

    ranks = ((len(values) - 1) // 2, len(values) // 2)
    if ranks[0] < ends[0] or ranks[1] >= ends[3]:
        return None
    if ends[1] <= ranks[0] and ranks[1] < ends[2]:
        return _mean_of_ranks(gathered, ranks[0] - ends[1], ranks[1] - ends[1])

    def at(rank: int) -> float:
        if rank < ends[1]:
            return float(low)
        return float(high) if rank >= ends[2] else float(np.partition(gathered, rank - ends[1])[rank - ends[1]])

    return (at(ranks[0]) + at(ranks[1])) / 2


def _mean_of_ranks(values: NDArray[np.float32], lower: int, upper: int) -> float:
    """The mean of the values of two equal or neighbouring ranks; numpy is many times faster at finding one than two."""
    parted = np.partition(values, upper)
    other = parted[upper] if lower == upper else parted[:upper].max()
    return (float(parted[upper]) + float(other)) / 2
