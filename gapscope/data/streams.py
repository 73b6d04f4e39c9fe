"""Streams: how many images of each pool stand in every batch, however large the pools are, epoch after epoch.

A pool is gone through again and again, each time in an order of its own, without regard to where epochs end. So every
image is seen as often as any other of its pool, give or take one, and an epoch has as many batches as one likes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_STREAM = 6  # tells these draws from those of the order in batches.py


Ints = NDArray[np.int64]


class Pool(NamedTuple):
    """Images that are drawn from alike."""

    positions: NDArray[np.int64]
    """Of the samples."""
    per_batch: int
    """How many of them stand in every batch."""


def stream(pools: Sequence[Pool], num_batches: int, seed: int, epoch: int) -> tuple[Ints, Ints]:
    """Which samples an epoch serves, batch after batch, and how often each has been gone through before.

    Both are functions of the arguments alone. Within a batch the pools are mixed.

    Returns:
        Positions and rounds, both (num_batches * sum of per_batch,); the round takes the place of the epoch in what
        varies an image, since the same image may come twice in an epoch.
    """
    drawn = [_drawn(pool, number, num_batches, seed, epoch) for number, pool in enumerate(pools)]
    positions = np.concatenate([one for one, _ in drawn], axis=1)
    rounds = np.concatenate([one for _, one in drawn], axis=1)
    places = np.broadcast_to(np.arange(positions.shape[1]), positions.shape)
    mixed = np.random.default_rng([_STREAM, seed, epoch]).permuted(places, axis=1)
    return np.take_along_axis(positions, mixed, axis=1).ravel(), np.take_along_axis(rounds, mixed, axis=1).ravel()


def _drawn(pool: Pool, number: int, num_batches: int, seed: int, epoch: int) -> tuple[Ints, Ints]:
    """Positions and rounds (batches, per_batch) that one pool gives to an epoch."""
    size, count = len(pool.positions), num_batches * pool.per_batch
    places = epoch * count + np.arange(count)
    positions, rounds = np.empty(count, dtype=np.int64), places // size
    for one in np.unique(rounds).tolist():
        here = rounds == one
        order = np.random.default_rng([_STREAM, seed, number, one]).permutation(size)
        positions[here] = pool.positions[order[places[here] % size]]
    return positions.reshape(num_batches, -1), rounds.reshape(num_batches, -1)
