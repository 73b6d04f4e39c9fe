"""A layer's numbers on an NVIDIA GPU: all work is handed to the device at once, and the results are fetched later."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import triton
from torch import Tensor

from gapscope.recording.chunks import CHUNK
from gapscope.recording.gpu_kernels import gram_kernel, values_kernel

REGIONS = 1024
"""Places where values inside the bracket are gathered, so that not all programs queue at one counter."""
SAMPLE, WIDTH = 2**19, 0.0035
"""Values drawn to bracket the median, and its reach in ranks: five standard errors of a sample this large."""
SHARE = 0.015
"""Of all values, for which there is room inside the bracket: twice what is expected."""
PARTIAL_BYTES = 2**28
"""Products of single chunks that are kept until they are added."""


@dataclass(frozen=True)
class GpuSums:
    """What the device gives back of one layer."""

    gram: Tensor
    """(n, n) float64, double-centred."""
    mean: float
    """Of all values."""
    spread: float
    """Mean square of the features' means about `mean`."""
    low: float
    high: float
    median: float | None
    """None if the sample misled or there were too many values inside its bracket."""


def start_pass(features: Tensor) -> Callable[[], GpuSums]:
    """Hand a layer's features (n, p), float32 with contiguous rows, to the device; the result waits for its answer.

    The Gram matrix is exact to about 1e-7 of its scale: chunks of `CHUNK` features are centred and multiplied by tensor
    cores as sums of shorter numbers (three products of bfloat16 pairs for wide layers, of TF32 pairs for others), and
    added in float64.
    """
    n, p = features.shape
    bracket = _bracket(features)
    mean, extremes, counts, inside, num_inside = _values(features, bracket)
    gram = _gram(features, mean)
    means = features[0].double() + mean.double()
    average = means.mean()
    numbers = torch.stack(
        [
            average,
            (means - average).square().mean(),
            extremes[:, 0].min().double(),
            extremes[:, 1].max().double(),
            *_median(n * p, bracket, counts.sum(0), inside, num_inside),
        ]
    )
    sent = [torch.empty(value.shape, dtype=value.dtype, pin_memory=True) for value in (gram, numbers)]
    for here, there in zip(sent, (gram, numbers), strict=True):
        here.copy_(there, non_blocking=True)
    done = torch.cuda.Event()
    done.record()

    def fetch() -> GpuSums:
        done.synchronize()
        average, spread, low, high, median, found = sent[1].tolist()
        return GpuSums(sent[0], average, spread, low, high, median if found else None)

    return fetch


def _bracket(features: Tensor) -> Tensor:
    """Two values between which the median most likely lies: quantiles of values drawn at the same places each time."""
    total = features.numel()
    count = min(SAMPLE, total)
    generator = torch.Generator(features.device).manual_seed(0)
    places = torch.randint(total, (count,), device=features.device, generator=generator)
    drawn = features.reshape(-1)[places].sort().values
    return torch.stack([drawn[int((0.5 - WIDTH) * count)], drawn[min(int((0.5 + WIDTH) * count), count - 1)]])


def _values(features: Tensor, bracket: Tensor) -> tuple[Tensor, ...]:
    n, p = features.shape
    images, columns = 4, 512
    programs = triton.cdiv(p, columns)
    new = features.new_empty
    mean, extremes = new(p), new(programs, 2)
    counts = new(programs, 3, dtype=torch.int32)
    room = max(int(n * p * SHARE) // REGIONS, min(n * columns, 4096))
    inside = torch.full((REGIONS, room), float("inf"), device=features.device)
    num_inside = torch.zeros(REGIONS, dtype=torch.int32, device=features.device)
    values_kernel[(programs,)](
        features, bracket, mean, extremes, counts, inside, num_inside, room, n, p, features.stride(0),
        IMAGES=images, FEATURES=columns, REGIONS=REGIONS, num_warps=4,
    )  # fmt: skip
    return mean, extremes, counts, inside, num_inside


def _gram(features: Tensor, mean: Tensor) -> Tensor:
    n, p = features.shape
    precision, tile, step, warps = ("bf16x3", 128, 64, 8) if p >= 2**16 and n > 64 else ("tf32x3", 64, 32, 4)
    rows, columns = _pairs(triton.cdiv(n, tile), features.device)
    chunks = triton.cdiv(p, CHUNK)
    at_once = max(min(PARTIAL_BYTES // (4 * n * n), chunks), 1)
    gram = torch.zeros(n, n, dtype=torch.float64, device=features.device)
    for first in range(0, chunks, at_once):
        part = features.new_zeros(min(at_once, chunks - first), n, n)
        gram_kernel[(len(rows), len(part))](
            features, mean, rows, columns, part, first, n, p, features.stride(0),
            CHUNK=CHUNK, TILE=tile, STEP=step, PRECISION=precision, num_warps=warps, num_stages=3,
        )  # fmt: skip
        gram += part.sum(0, dtype=torch.float64)
    gram = gram.tril() + gram.tril(-1).T
    return gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()


@cache
def _pairs(tiles: int, device: torch.device) -> Tensor:
    """Row and column of each tile on or below the diagonal (2, pairs); kept, since sending them would wait."""
    pairs = [(i, j) for i in range(tiles) for j in range(i + 1)]
    return torch.tensor(pairs, dtype=torch.int32, device=device).T.contiguous()


def _median(total: int, bracket: Tensor, counts: Tensor, inside: Tensor, num_inside: Tensor) -> tuple[Tensor, Tensor]:
    """The median and whether it is certain, without waiting for the device: 0-dimensional float64 tensors."""
    low, high = bracket.double()
    below, at_low, at_high = counts.long()
    at_high = torch.where(low == high, 0, at_high)
    within = num_inside.sum()
    values = inside.reshape(-1).sort().values
    found, middle = (num_inside <= inside.shape[1]).all(), low.new_zeros(())
    for rank in ((total - 1) // 2, total // 2):
        place = rank - below - at_low
        gathered = values.take(place.clamp(0, len(values) - 1))  # indexing would wait for the place
        value = torch.where(place < 0, low, gathered.double())
        middle = middle + torch.where(place >= within, high, value) / 2
        found = found & (rank >= below) & (place < within + at_high)
    return middle, found.double()
