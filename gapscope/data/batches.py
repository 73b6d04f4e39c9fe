"""Batches: the images of an epoch in an order that only the seed and the epoch decide."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor

from gapscope.data.augment import Augmentation, augmented
from gapscope.data.letterbox import letterbox, letterbox_boxes, unletterbox
from gapscope.data.samples import Sample, Samples
from gapscope.errors import InputError

__all__ = ["Batch", "Views", "batches", "collate", "epoch_order", "letterbox", "letterbox_boxes", "unletterbox"]

_STREAM = 1  # tells the draws of the order from those of the images in augment.py
_AHEAD = 2  # batches made ahead per worker


@dataclass(frozen=True, eq=False)
class Views:
    """A batch of images without labels, twice: what lies at a pixel of one lies at the same pixel of the other."""

    weak: Tensor
    """uint8 (b, 3, s, s) RGB: mirrored, zoomed and shifted, in their own colours."""
    strong: Tensor
    """uint8 (b, 3, s, s) RGB: the same from the same place in other colours, through a worse camera, with patches that
    hide something."""

    def __len__(self) -> int:
        return len(self.weak)


@dataclass(frozen=True, eq=False)
class Batch:
    """Images of one size and all their boxes in one list."""

    images: Tensor
    """uint8 (b, 3, s, s) RGB, dense in memory; `channels_last` unless colours were changed"""
    boxes: Tensor
    """float32 (m, 4) `xyxy` in network pixels"""
    classes: Tensor
    """int64 (m,); -1 for an ignore region of every class"""
    ignore: Tensor
    """bool (m,)"""
    image_index: Tensor
    """int64 (m,): which image of this batch a box belongs to"""
    indices: Tensor
    """int64 (b,): which image of the table each image is"""
    views: Views | None = None
    """Images without labels that come with it, where a teacher teaches."""

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str) -> Self:
        """The batch on another device, without views."""
        columns = {name: value.to(device) for name, value in vars(self).items() if name != "views"}
        return replace(self, views=None, **columns)


def batches(
    samples: Samples,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    augment: Augmentation | None = None,
    shuffle: bool = False,
    workers: int = 0,
    drop_last: bool = False,
    start: int = 0,
    share: tuple[int, int] = (0, 1),
    order: np.ndarray | None = None,
    rounds: np.ndarray | None = None,
    restyle: Callable[[Samples, int], Samples] | None = None,
) -> Iterator[Batch]:
    """Go once through the samples.

    The order is a function of (seed, epoch), each image's variation one of (seed, epoch, image index): any number of
    workers gives the same batches.

    Args:
        samples: Where images come from.
        batch_size: Images per batch; the last one may be smaller.
        seed: Of the run; 0 or more.
        epoch: Counted from 0 or 1, as you like.
        augment: Variations; None serves the letterboxed images as they are.
        shuffle: Draw a new order each epoch; otherwise the order of the samples.
        workers: Threads that make batches ahead; 0 makes each batch when it is asked for. Threads share the cache, and
            decoding and resizing run outside Python's lock.
        drop_last: Leave out a last batch that is smaller than the others.
        start: Batches to skip, without making them: where an interrupted epoch goes on.
        share: (i, k): of every batch, only the images i, i + k, ..., so that k processes divide it among them. A last
            batch of fewer than k images is left out.
        order: Positions of the samples, to serve these alone and in this order; takes the place of `shuffle`.
        restyle: What the samples are when they are gone through for the so-manieth time; as they are if None.
        rounds: With `order`: for each of its places what takes the place of the epoch in the image's variation.
    """
    if batch_size < 1:
        raise InputError(f"batch_size = {batch_size} - expected at least 1 image.")
    if order is None:
        order = epoch_order(len(samples), seed, epoch) if shuffle else np.arange(len(samples))
    number = num_batches(len(order), batch_size, batch_size if drop_last else share[1])
    rounds = np.full(len(order), epoch) if rounds is None else rounds
    both = np.stack([order, rounds], axis=1)
    parts = [both[i * batch_size : (i + 1) * batch_size][share[0] :: share[1]] for i in range(start, number)]
    pick = partial(_pick, samples, augment, seed, restyle)
    return _ahead(pick, parts, workers) if workers else (_make(pick, part) for part in parts)


def num_batches(n: int, batch_size: int, least: int = 1) -> int:
    """How many batches n samples make; a last one of fewer than `least` images does not count."""
    return n // batch_size + (n % batch_size >= max(least, 1))


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order of n samples in one epoch: a permutation that depends on nothing else."""
    return np.random.default_rng([_STREAM, seed, epoch]).permutation(n)


def collate(samples: Sequence[Sample]) -> Batch:
    """Put samples of one size together."""
    return Batch(
        images=_stacked([sample.image for sample in samples]),
        boxes=torch.cat([sample.boxes for sample in samples]),
        classes=torch.cat([sample.classes for sample in samples]),
        ignore=torch.cat([sample.ignore for sample in samples]),
        image_index=torch.repeat_interleave(torch.tensor([len(sample.boxes) for sample in samples])),
        indices=torch.tensor([sample.index for sample in samples]),
    )


def _stacked(images: list[Tensor]) -> Tensor:
    """One tensor (b, 3, s, s) in the memory order of the images, which is much quicker than changing it."""
    rows = [image.permute(1, 2, 0) for image in images]
    if all(row.is_contiguous() for row in rows):
        return torch.stack(rows).permute(0, 3, 1, 2)
    return torch.stack(images)


def _pick(
    samples: Samples,
    augment: Augmentation | None,
    seed: int,
    restyle: Callable[[Samples, int], Samples] | None,
    position: int,
    turn: int,
) -> Sample:
    seen = samples if restyle is None else restyle(samples, turn)
    return seen[position] if augment is None else augmented(seen, position, augment, seed, turn)


def _make(pick: Callable[[int, int], Sample], part: np.ndarray) -> Batch:
    return collate([pick(position, turn) for position, turn in part.tolist()])


def _ahead(pick: Callable[[int, int], Sample], parts: list[np.ndarray], workers: int) -> Iterator[Batch]:
    """Make batches in threads, a few ahead, and hand them out in order."""
    waiting: deque[Future[Batch]] = deque()
    todo = iter(parts)
    with ThreadPoolExecutor(workers) as pool:
        try:
            for _ in parts:
                while len(waiting) < _AHEAD * workers and (ahead := next(todo, None)) is not None:
                    waiting.append(pool.submit(_make, pick, ahead))
                yield waiting.popleft().result()
        finally:  # the caller may stop early, or a file may be broken
            for future in waiting:
                future.cancel()
