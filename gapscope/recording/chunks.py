"""One pass over a layer's features in chunks that stay in the processor's cache: Gram matrix, extremes, median."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor

from gapscope.recording.median import WIDTH, MedianCount, count_block

CHUNK = 8192
"""Features per product. Fixed: results must not depend on the memory or the threads at hand."""
BLOCK_VALUES = 2**18
"""Values of a block, over all images, that is read seven times: a megabyte, which stays in a core's own cache."""

T = TypeVar("T")
R = TypeVar("R")


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
        """The values at these places of the table, counted row by row."""
        rows, features = np.divmod(places, self.shape[1])
        found, first = np.empty(len(places), np.float32), 0
        for part in self.parts:
            here = (rows >= first) & (rows < first + len(part))
            found[here] = part[rows[here] - first, features[here]]
            first += len(part)
        return found

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
class _Part:
    gram: NDArray[np.floating] | None
    low: float
    high: float
    counted: MedianCount | None


def block_of(num_images: int) -> int:
    """Features that are centred and counted at a time."""
    return min(max(BLOCK_VALUES // num_images // 16 * 16, 16), CHUNK)


def pass_over(
    features: Tensor | Rows,
    dtype: type[np.floating],
    chunk: int = CHUNK,
    bracket: tuple[float, float] | None = None,
    *,
    extremes: bool = True,
) -> Sums:
    """Read each chunk of the features (n, p) on the CPU once, as many at a time as torch has threads.

    A chunk is centred and multiplied in `dtype`; only half of the symmetric product is computed (BLAS `syrk`). The
    products are added in float64 in the order of the chunks. The first image is subtracted before the mean: a feature
    that is the same for all images becomes exactly zero, and a large common offset costs no digits.

    Args:
        features: float32 (n, p); rows may lie apart in memory, and in several tensors.
        dtype: numpy's float32 or float64.
        chunk: Features per product.
        bracket: Two values between which values are gathered for the median; none are if left out.
        extremes: Find the smallest and the largest value too; otherwise they are infinite.
    """
    rows = features if isinstance(features, Rows) else Rows([features])
    n, p = rows.shape
    sums = Sums(np.zeros((n, n)), np.empty(p), np.inf, -np.inf, MedianCount(*bracket) if bracket else None)
    average = np.full((1, n), 1 / n, dtype=dtype)
    room = threading.local()  # fresh memory for every chunk would cost more than the arithmetic
    step = block_of(n)

    def prepare(start: int, target: NDArray[np.floating]) -> _Part:
        """Centre one block of features, into `target`, and find the rest of what is asked for."""
        in_place = target.dtype == np.float32 and target.flags.c_contiguous
        if getattr(room, "masks", np.empty((2, 0))).shape[1:] != target.shape:
            room.masks = np.empty((2, *target.shape), np.bool_)
        if not in_place and getattr(room, "copied", np.empty(0)).shape != target.shape:
            room.copied = np.empty(target.shape, np.float32)
        copied = target if in_place else room.copied
        rows.copy_features(start, copied)  # read from memory once, and again from the cache
        with np.errstate(all="ignore"):  # what is not finite shows in low and high
            low, high = (float(copied.min()), float(copied.max())) if extremes else (np.inf, -np.inf)
            counted = count_block(copied, *bracket, room.masks) if bracket else None
            first = copied[0].copy()
            np.subtract(copied, first, out=target)
            mean = average @ target
            target -= mean
            sums.means[start : start + target.shape[1]] = first.astype(np.float64) + mean[0]
        return _Part(None, low, high, counted)

    def product(centered: NDArray[np.floating]) -> NDArray[np.floating]:
        with np.errstate(all="ignore"):
            return centered @ centered.T

    def one(start: int) -> list[_Part]:
        """All blocks of a chunk, and their product."""
        shape = n, min(chunk, p - start)
        if getattr(room, "centered", np.empty(0)).shape != shape:
            room.centered = np.empty(shape, dtype)
        parts = [prepare(start + at, room.centered[:, at : at + step]) for at in range(0, shape[1], step)]
        parts[-1].gram = product(room.centered)
        return parts

    threads = torch.get_num_threads()
    if p <= chunk and threads > 1:  # a single product: its blocks are shared out
        centered = np.empty((n, p), dtype)
        blocks = [(at, centered[:, at : at + step]) for at in range(0, p, step)]
        parts = list(in_order(lambda block: prepare(*block), blocks, threads if len(blocks) > 1 else 1))
        parts[-1].gram = product(centered)
        found: Iterator[list[_Part]] = iter([parts])
    else:
        found = in_order(one, range(0, p, chunk), threads)
    for part in chain.from_iterable(found):
        if part.gram is not None:
            sums.gram += part.gram
        sums.low, sums.high = np.minimum(sums.low, part.low), np.maximum(sums.high, part.high)  # NaN stays NaN
        if sums.counted is not None and part.counted is not None:
            sums.counted.add(part.counted)
    return sums


def pass_bytes(num_images: int, num_features: int) -> int:
    """Bytes that a pass over a layer's features (n, p), and what is made of it, take beside the features."""
    threads = torch.get_num_threads()
    chunk, block = min(num_features, CHUNK), min(num_features, block_of(num_images))
    chunks = num_images * (4 * chunk + (2 if block == chunk else 6) * block) * threads
    products = num_images**2 * (4 * (2 * threads + 1) + 4 * 8)  # those that wait, and the sum on its way to the result
    means = 3 * 8 * num_features
    gathered = 2 * 4 * int(2 * WIDTH * num_images * num_features)  # chunk by chunk, and together
    return chunks + products + means + gathered


def in_order(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Results in the order of the items, with a few items ahead in work; BLAS keeps to one thread per item."""
    if threads == 1:
        yield from map(work, items)
        return
    ahead: deque[Future[R]] = deque()
    pool = _pool(threads, os.getpid())
    try:
        with _blas().limit(limits=1, user_api="blas"):
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) > 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
    finally:  # after an error nothing may go on reading features that are about to be written over
        wait(ahead)


def beside(work: Callable[[], R]) -> Callable[[], R]:
    """Have something done beside a pass, by the same threads; call what is returned for the result."""
    threads = torch.get_num_threads()
    return work if threads == 1 else _pool(threads, os.getpid()).submit(work).result


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """The same threads for all layers: making them anew takes as long as a small layer. A fork has none of them."""
    return ThreadPoolExecutor(threads)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()
