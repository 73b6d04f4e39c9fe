"""One pass over a layer's features in chunks that stay in the processor's cache: Gram matrix, extremes, median."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.recording.crew import crew, torch_threads
from gapscope.recording.median import WIDTH, MedianCount, count_block

CHUNK = 8192
"""Features per product. Fixed: results must not depend on the memory or the threads at hand."""
BLOCK_VALUES = 2**19
"""Values of a block, over all images, that is read seven times: two megabytes, about what a core's own cache holds."""


class Rows:
    """Features (n, p) on the CPU that lie in several tensors, the images of each behind those of the one before.

    Args:
        parts: float32 (k, p) each; rows may lie apart in memory.
    """

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self.parts = [part.numpy() for part in parts]
        self.shape = sum(map(len, self.parts)), self.parts[0].shape[1]
        self.device = torch.device("cpu")

    def numel(self) -> int:
        """How many values there are."""
        return self.shape[0] * self.shape[1]

    def copy_features(self, start: int, target: NDArray[np.float32]) -> None:
        """The features from `start` on, as many as `target` (n, ...) has."""
        at = 0
        for part in self.parts:
            np.copyto(target[at : at + len(part)], part[:, start : start + target.shape[1]])
            at += len(part)

    def at(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """The values at these places of the table, counted row by row; places in ascending order."""
        found, first = [], 0
        for part in self.parts:
            start, end = np.searchsorted(places, (first, first + part.size))
            here = places[start:end] - first
            found.append(part.reshape(-1)[here] if part.flags.c_contiguous else part[np.divmod(here, part.shape[1])])
            first += part.size
        return np.concatenate(found)

    def all(self) -> NDArray[np.float32]:
        """A copy of the table."""
        return np.concatenate(self.parts)


@dataclass
class Sums:
    """What a pass over all chunks gathers."""

    gram: NDArray[np.float64]
    """(n, n) sum over the chunks, not yet centred as a whole."""
    means: NDArray[np.float64]
    """(p,) mean of each feature over the images."""
    low: float
    high: float
    counted: MedianCount | None


@dataclass
class _Chunk:
    """Neighbouring features, of which one product is made when all their blocks have been centred."""

    start: int
    size: int
    waiting: int
    """Blocks that are not centred yet."""
    centered: NDArray[np.floating] | None = None
    gram: NDArray[np.floating] | None = None
    blocks: dict[int, tuple[float, float, MedianCount | None]] = field(default_factory=dict)
    """By place: the extremes, and what was counted."""


def block_of(num_images: int) -> int:
    """Features that are centred and counted at a time."""
    return min(max(BLOCK_VALUES // num_images // 16 * 16, 16), CHUNK)


class Pass:
    """Reads each value of the features (n, p) on the CPU once, in jobs that may run in any order, several at a time.

    A chunk is centred and multiplied in `dtype`; only half of the symmetric product is computed (BLAS `syrk`). The
    products are added in float64 in the order of the chunks. The first image is subtracted before the mean: a feature
    that is the same for all images becomes exactly zero, and a large common offset costs no digits.

    Args:
        features: float32 (n, p); rows may lie apart in memory, and in several tensors.
        dtype: numpy's float32 or float64.
        chunk: Features per product.
        bracket: Two values between which values are gathered for the median; none are if left out.
        extremes: Find the smallest and the largest value too; otherwise they are infinite.
        room: Where each thread keeps memory from one job to the next.
        parts: Jobs to make at least, if there is as much to do: then the blocks of one chunk are jobs of their own.
    """

    def __init__(
        self,
        features: Tensor | Rows,
        dtype: type[np.floating],
        chunk: int = CHUNK,
        bracket: tuple[float, float] | None = None,
        *,
        extremes: bool = True,
        room: threading.local | None = None,
        parts: int = 1,
    ) -> None:
        self.rows = features if isinstance(features, Rows) else Rows([features])
        self.dtype, self.bracket, self.extremes = dtype, bracket, extremes
        self.room = threading.local() if room is None else room
        n, p = self.rows.shape
        self.sums = Sums(np.zeros((n, n)), np.empty(p), np.inf, -np.inf, MedianCount(*bracket) if bracket else None)
        """What has been gathered; complete when all jobs are done."""
        self.average = np.full((1, n), 1 / n, dtype=dtype)
        self.step = block_of(n)
        starts = range(0, p, chunk)
        self._chunks = [_Chunk(at, min(chunk, p - at), -(-min(chunk, p - at) // self.step)) for at in starts]
        self._added, self._lock = 0, threading.Lock()
        self.parts = parts

    def jobs(self) -> list[Callable[[], None]]:
        """What is to be done, each once."""
        if len(self._chunks) >= self.parts:
            return [partial(self._whole, one) for one in self._chunks]
        for one in self._chunks:
            one.centered = np.empty((self.rows.shape[0], one.size), self.dtype)
        return [partial(self._block, one, at) for one in self._chunks for at in range(0, one.size, self.step)]

    def _whole(self, chunk: _Chunk) -> None:
        """All blocks of a chunk, in memory of this thread."""
        chunk.centered = self._memory("centered", (self.rows.shape[0], chunk.size), np.dtype(self.dtype))
        for at in range(0, chunk.size, self.step):
            self._block(chunk, at)

    def _block(self, chunk: _Chunk, at: int) -> None:
        """One block of a chunk; the last one makes the product."""
        assert chunk.centered is not None
        found = self._centre(chunk.start + at, chunk.centered[:, at : at + self.step])
        with self._lock:
            chunk.blocks[at] = found
            chunk.waiting -= 1
            if chunk.waiting:
                return
        with np.errstate(all="ignore"):
            gram = chunk.centered @ chunk.centered.T
        chunk.centered = None
        with self._lock:
            chunk.gram = gram
            while self._added < len(self._chunks) and self._chunks[self._added].gram is not None:
                self._add(self._chunks[self._added])
                self._added += 1

    def _centre(self, start: int, target: NDArray[np.floating]) -> tuple[float, float, MedianCount | None]:
        """Centre one block of features, into `target`, and find the rest of what is asked for."""
        block = self._block_at(start, target.shape)
        # torch is several times quicker than numpy at subtracting a row from rows that lie apart in memory
        centered = torch.from_numpy(target)
        with np.errstate(all="ignore"):  # what is not finite shows in low and high
            low, high = (float(block.min()), float(block.max())) if self.extremes else (np.inf, -np.inf)
            counted = None
            if self.bracket:
                counted = count_block(block, *self.bracket, self._memory("masks", (2, *target.shape), np.dtype(bool)))
            first = block[0].copy()
            torch.sub(torch.from_numpy(block), torch.from_numpy(first), out=centered)
            mean = self.average @ target
            centered.sub_(torch.from_numpy(mean))
            self.sums.means[start : start + target.shape[1]] = first.astype(np.float64) + mean[0]
        return low, high, counted

    def _block_at(self, start: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Some features of all images, side by side if they are read more than once; in memory of this thread."""
        if len(self.rows.parts) == 1 and not self.extremes and not self.bracket:
            return self.rows.parts[0][:, start : start + shape[1]]
        copied = self._memory("copied", shape, np.dtype(np.float32))
        self.rows.copy_features(start, copied)  # read from memory once, and again from the cache
        return copied

    def _add(self, chunk: _Chunk) -> None:
        sums = self.sums
        assert chunk.gram is not None
        sums.gram += chunk.gram
        for at in sorted(chunk.blocks):
            low, high, counted = chunk.blocks[at]
            sums.low, sums.high = np.minimum(sums.low, low), np.maximum(sums.high, high)  # NaN stays NaN
            if sums.counted is not None and counted is not None:
                sums.counted.add(counted)
        chunk.gram = np.empty(0)
        chunk.blocks.clear()

    def _memory(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Memory of this thread, in this shape."""
        size = math.prod(shape) * dtype.itemsize
        held = getattr(self.room, name, None)
        if held is None or len(held) < size:
            held = np.empty(size, np.uint8)
            setattr(self.room, name, held)
        return held[:size].view(dtype).reshape(shape)


def pass_over(
    features: Tensor | Rows,
    dtype: type[np.floating],
    chunk: int = CHUNK,
    bracket: tuple[float, float] | None = None,
    *,
    extremes: bool = True,
) -> Sums:
    """All of a `Pass`, with as many jobs at a time as torch has threads."""
    with crew() as hands:
        one = Pass(features, dtype, chunk, bracket, extremes=extremes, room=hands.room, parts=hands.number)
        with torch_threads(1):
            hands.compute(one.jobs())
    return one.sums


def pass_bytes(num_images: int, num_features: int) -> int:
    """Bytes that a pass over a layer's features (n, p), and what is made of it, take beside the features."""
    threads = torch.get_num_threads()
    chunk, block = min(num_features, CHUNK), min(num_features, block_of(num_images))
    chunks = num_images * (4 * chunk + (2 if block == chunk else 6) * block) * threads
    products = num_images**2 * (4 * (2 * threads + 1) + 4 * 8)  # those that wait, and the sum on its way to the result
    means = 3 * 8 * num_features
    gathered = 2 * 4 * int(2 * WIDTH * num_images * num_features)  # chunk by chunk, and together
    return chunks + products + means + gathered
