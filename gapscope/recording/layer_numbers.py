"""What is kept of one layer: its Gram matrix over the images, and five numbers about its values."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.recording.chunks import CHUNK, Sums, pass_over
from gapscope.recording.device_chunks import pass_over_on_device
from gapscope.recording.median import guess_bracket, median_of_all

__all__ = ["CHUNK", "LayerNumbers", "centered_gram", "exact_median", "layer_numbers", "start_numbers"]

SMALL = 2**20
"""Values up to which the median is taken from one copy of all of them."""


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
    return start_numbers(features)()


def start_numbers(features: Tensor) -> Callable[[], LayerNumbers]:
    """The same, fetched by calling the result: on an NVIDIA GPU other work may be handed to the device meanwhile.

    The features must stay as they are until then.
    """
    if not _has_kernels(features.device):
        numbers = _numbers(features)
        return lambda: numbers
    from gapscope.recording.gpu_pass import start_pass

    fetch = start_pass(features)

    def finish() -> LayerNumbers:
        sums = fetch()
        if not 1e-12 < sums.high - sums.low < 1e12 or not np.isfinite(sums.mean):
            return _numbers(features)
        n, p = features.shape
        gram = sums.gram.numpy()
        median = exact_median(features) if sums.median is None else sums.median
        return LayerNumbers(
            gram, sums.mean, median, float(np.sqrt(np.trace(gram) / (n * p) + sums.spread)), sums.low, sums.high
        )

    return finish


@cache
def _has_kernels(device: torch.device) -> bool:
    """Whether Triton's kernels run there: NVIDIA GPUs with bfloat16 tensor cores."""
    if device.type != "cuda" or torch.version.cuda is None or torch.cuda.get_device_capability(device) < (8, 0):
        return False
    return find_spec("triton") is not None


def _numbers(features: Tensor) -> LayerNumbers:
    n, p = features.shape
    bracket = guess_bracket(features) if n * p > SMALL else None
    sums = _sums(features, np.float32, CHUNK, bracket)
    if not np.isfinite([sums.low, sums.high]).all():
        nan = float("nan")
        return LayerNumbers(np.full((n, n), nan), nan, nan, nan, nan, nan)
    if not 1e-12 < sums.high - sums.low < 1e12:  # beyond, squares do not fit float32
        sums = _sums(features, np.float64, CHUNK, bracket)
    gram = _centered(sums.gram)
    mean = sums.means.mean()
    variance = np.trace(gram) / (n * p) + np.square(sums.means - mean).mean()
    return LayerNumbers(gram, float(mean), _median(features, sums), float(np.sqrt(variance)), sums.low, sums.high)


def centered_gram(
    features: Tensor, dtype: type[np.floating] = np.float32, chunk: int = CHUNK
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """X X^T of the column-centred features X (n, p), and the column means (p,).

    A Gram matrix is a sum over features, so it is taken chunk by chunk, each centred before its product. What rounding
    leaves of the mean is removed from the sum in float64.
    """
    sums = _sums(features, dtype, chunk, None)
    return _centered(sums.gram), sums.means


def exact_median(features: Tensor) -> float:
    """The median of all values, as numpy defines it: the mean of the two middle ones if their number is even."""
    if features.numel() <= SMALL:
        return median_of_all(features.cpu().numpy())
    rows = features.reshape(1, -1) if features.ndim == 1 else features
    return _median(features, _sums(rows, np.float32, CHUNK, guess_bracket(features)))


def _sums(features: Tensor, dtype: type[np.floating], chunk: int, bracket: tuple[float, float] | None) -> Sums:
    one_pass = pass_over if features.device.type == "cpu" else pass_over_on_device
    return one_pass(features, dtype, chunk, bracket)


def _centered(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    gram = gram - gram.mean(0) - gram.mean(1, keepdims=True) + gram.mean()
    return (gram + gram.T) / 2


def _median(features: Tensor, sums: Sums) -> float:
    """From what was counted; from a copy of all values if they are few, or if the sample misled."""
    found = sums.counted.median(features.numel()) if sums.counted is not None else None
    return median_of_all(features.cpu().numpy()) if found is None else found
