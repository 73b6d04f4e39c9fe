"""What is kept of one layer: its Gram matrix over the images, and five numbers about its values."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.errors import InputError
from gapscope.recording.chunks import CHUNK, Pass, Rows, Sums, pass_over
from gapscope.recording.crew import Crew, crew, torch_threads
from gapscope.recording.device_chunks import pass_over_on_device
from gapscope.recording.median import guess_bracket, median_of_all, sampled_median

__all__ = ["CHUNK", "LayerNumbers", "centered_gram", "exact_median", "layer_numbers", "start_numbers"]

Statistics = Literal["exact", "sampled"] | None
"""How median and extremes are found: exactly; the median from 65,536 values that are drawn; or not at all."""

NAN = float("nan")
SMALL = 2**20
"""Values up to which the median is taken from one copy of all of them."""


@dataclass(frozen=True)
class LayerNumbers:
    """Over all n * p values of a layer, in the unit of the activations; `std` divides by n * p.

    Median, min and max are NaN where they were not asked for.
    """

    gram: NDArray[np.float64]
    mean: float
    std: float
    min: float
    max: float
    median: float


def check_statistics(statistics: str | None) -> None:
    """Refuse another word for how statistics are found.

    Raises:
        InputError: Naming those that there are.
    """
    if statistics not in ("exact", "sampled", None):
        raise InputError(f"statistics = {statistics!r} is unknown - expected 'exact', 'sampled' or None.")


def stated(statistics: Statistics) -> dict[str, str]:
    """What a recording says of statistics that are not exact."""
    return {} if statistics == "exact" else {"statistics": statistics or "none"}


def layer_numbers(features: Tensor | Rows, statistics: Statistics = "exact") -> LayerNumbers:
    """The numbers of one layer from its features (n, p), float32, any device, or in several tensors on the CPU.

    The statistics are those of numpy over all values at once; the median is exact, or that of drawn values, or left out
    with the extremes. All are NaN where a value is not finite. The standard deviation comes for free from the Gram's
    trace: the spread of each feature over the images plus the spread of the features' means.
    """
    with crew() as hands, torch_threads(1):
        return start_numbers(features, hands, statistics, parts=hands.number)()


def start_numbers(
    features: Tensor | Rows, hands: Crew, statistics: Statistics = "exact", *, parts: int = 1
) -> Callable[[], LayerNumbers]:
    """The same, fetched by calling the result: other work may be given to the crew, or to an NVIDIA GPU, meanwhile.

    The features must stay as they are until then. `parts`: into how many jobs to cut them, if nothing else is to be
    done beside.
    """
    if isinstance(features, Rows) or features.device.type == "cpu":
        return _start_on_cpu(features, hands, statistics, parts)
    if not _has_kernels(features.device):
        numbers = _numbers_on_device(features, statistics)
        return lambda: numbers
    from gapscope.recording.gpu_pass import start_pass

    fetch = start_pass(features)

    def finish() -> LayerNumbers:
        sums = fetch()
        if not 1e-12 < sums.high - sums.low < 1e12 or not np.isfinite(sums.mean):
            return _numbers_on_device(features)
        n, p = features.shape
        gram = sums.gram.numpy()
        median = exact_median(features) if sums.median is None else sums.median
        std = float(np.sqrt(np.trace(gram) / (n * p) + sums.spread))
        return LayerNumbers(gram, sums.mean, std, sums.low, sums.high, median)

    return finish


@cache
def _has_kernels(device: torch.device) -> bool:
    """Whether Triton's kernels run there: NVIDIA GPUs with bfloat16 tensor cores."""
    if device.type != "cuda" or torch.version.cuda is None or torch.cuda.get_device_capability(device) < (8, 0):
        return False
    return find_spec("triton") is not None


def _start_on_cpu(
    features: Tensor | Rows, hands: Crew, statistics: Statistics, parts: int
) -> Callable[[], LayerNumbers]:
    median = _start_median(features, hands, statistics)

    def begin(dtype: type[np.floating], extremes: bool, parts: int) -> tuple[Pass, list[Future[None]]]:
        bracket = guess_bracket(features) if median is None and statistics == "exact" else None
        one = Pass(features, dtype, CHUNK, bracket, extremes=extremes, room=hands.room, parts=parts)
        return one, [hands.start(job) for job in one.jobs()]

    def sums_of(begun: Future[tuple[Pass, list[Future[None]]]]) -> Sums:
        one, jobs = hands.result(begun)
        for job in jobs:
            hands.result(job)
        return one.sums

    begun = hands.start(partial(begin, np.float32, statistics is not None, parts))

    def finish() -> LayerNumbers:
        sums, num_values = sums_of(begun), features.shape[0] * features.shape[1]
        if statistics is None and 1e-24 < np.trace(sums.gram) / num_values < 1e24:  # False with NaN
            return LayerNumbers(*_summed_up(sums, num_values), min=NAN, max=NAN, median=NAN)
        if statistics is None:
            sums = sums_of(hands.start(partial(begin, np.float32, True, hands.number)))
        wide = np.isfinite([sums.low, sums.high]).all() and not 1e-12 < sums.high - sums.low < 1e12
        if wide:  # squares do not fit float32
            sums = sums_of(hands.start(partial(begin, np.float64, True, hands.number)))
        return _numbers(features, sums, statistics, median)

    return finish


def _numbers_on_device(features: Tensor, statistics: Statistics = "exact") -> LayerNumbers:
    bracket = guess_bracket(features) if statistics == "exact" and features.numel() > SMALL else None
    sums = pass_over_on_device(features, np.float32, CHUNK, bracket)
    if np.isfinite([sums.low, sums.high]).all() and not 1e-12 < sums.high - sums.low < 1e12:
        sums = pass_over_on_device(features, np.float64, CHUNK, bracket)
    with crew() as hands:
        return _numbers(features, sums, statistics, _start_median(features, hands, statistics))


def _numbers(
    features: Tensor | Rows, sums: Sums, statistics: Statistics, median: Callable[[], float] | None
) -> LayerNumbers:
    n, p = features.shape
    if not np.isfinite([sums.low, sums.high]).all():
        return LayerNumbers(np.full((n, n), NAN), NAN, NAN, NAN, NAN, NAN)
    found = _summed_up(sums, n * p)
    if statistics is None:
        return LayerNumbers(*found, min=NAN, max=NAN, median=NAN)
    middle = _median(features, sums) if median is None else median()
    return LayerNumbers(*found, min=sums.low, max=sums.high, median=middle)


def _start_median(features: Tensor | Rows, hands: Crew, statistics: Statistics) -> Callable[[], float] | None:
    """The median of a layer that is small, or of drawn values; None if it is counted while the features are read."""
    few = features.shape[0] * features.shape[1] <= SMALL
    if statistics is None or (statistics == "exact" and not few):
        return None
    way = sampled_median if statistics == "sampled" else lambda values: median_of_all(_all_values(values))
    return partial(hands.result, hands.start(partial(way, features)))


def _summed_up(sums: Sums, num_values: int) -> tuple[NDArray[np.float64], float, float]:
    """Gram matrix, mean and standard deviation."""
    gram, mean = _centered(sums.gram), sums.means.mean()
    variance = np.trace(gram) / num_values + np.square(sums.means - mean).mean()
    return gram, float(mean), float(np.sqrt(variance))


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


def _sums(features: Tensor | Rows, dtype: type[np.floating], chunk: int, bracket: tuple[float, float] | None) -> Sums:
    if isinstance(features, Rows) or features.device.type == "cpu":
        return pass_over(features, dtype, chunk, bracket)
    return pass_over_on_device(features, dtype, chunk, bracket)


def _centered(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    gram = gram - gram.mean(0) - gram.mean(1, keepdims=True) + gram.mean()
    return (gram + gram.T) / 2


def _median(features: Tensor | Rows, sums: Sums) -> float:
    """From what was counted; from a copy of all values if they are few, or if the sample misled."""
    found = sums.counted.median(features.numel()) if sums.counted is not None else None
    return median_of_all(_all_values(features)) if found is None else found


def _all_values(features: Tensor | Rows) -> NDArray[np.float32]:
    return features.all() if isinstance(features, Rows) else features.cpu().numpy()
