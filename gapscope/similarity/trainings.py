"""Do two arms differ beyond their trainings? What may be said of trainings takes trainings, not images.

An interval over images says what other images would show of *these* networks. Whether another training of the same arms
would show it too is asked of the seeds: under the null hypothesis that the arms train the same kind of network, which
of the 2 S networks is called which arm is arbitrary. Exchanging the names gives every other split of the networks into
two halves, and the share of splits that set the halves as far apart is an exact p, whatever the networks are like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from gapscope.errors import InputError
from gapscope.similarity.gram import Array

MOST_SPLITS = 10_000
"""Beyond, so many splits are drawn at random."""


@dataclass(frozen=True)
class ArmTest:
    """Two arms against all other splits of their networks."""

    difference: Array
    """(parts,) how much more alike networks of one arm are than networks of two: mean within minus mean between."""
    p: float
    """Of the mean over all parts."""
    p_parts: Array
    """(parts,) of each part, corrected for all of them: splits whose *largest* difference is as large."""
    least_p: float
    """The smallest p that so many seeds allow: 1 / splits."""


def smallest_p(seeds: int, other: int | None = None) -> float:
    """The smallest p that exchanging the names of two arms allows: 1/3 for two seeds of each, 1/35 for four.

    >>> [round(1 / smallest_p(seeds)) for seeds in (1, 2, 3, 4)]
    [1, 3, 10, 35]
    """
    second = seeds if other is None else other
    splits = comb(seeds + second, seeds)
    return 1 / (splits // 2 if seeds == second else splits)


def exchange_arms(similarity: Array, first: Sequence[int], *, seed: int = 0) -> ArmTest:
    """Exact p of two arms by exchanging the names of their networks.

    Networks with one seed may share their random start. That can only make networks of *two* arms more alike, as the
    names stand, so that p errs on the careful side.

    Args:
        similarity: (networks, networks, parts) similarity of every two networks, such as means over layers of a part;
            a part with NaN is left out. Of distances, their negative.
        first: Rows of the networks of one arm; the others are of the other.
        seed: Of the splits, where there are too many to try all.

    Raises:
        InputError: If an arm has fewer than two networks.

    Source:
        Fisher 1935; corrected p as Westfall and Young 1993.
    """
    total, own = len(similarity), sorted(first)
    if min(len(own), total - len(own)) < 2:
        raise InputError(
            f"{len(own)} and {total - len(own)} networks - expected two or more of each arm, which takes two seeds."
        )
    known = np.asarray(np.isfinite(similarity).all((0, 1)))
    splits = _splits(total, own, np.random.default_rng(seed))
    found = _within_minus_between(similarity[..., known], splits, total)
    best, mean = found.max(1), found.mean(1)
    difference, p_parts = np.full(len(known), np.nan), np.full(len(known), np.nan)
    difference[known], p_parts[known] = found[0], (best[:, None] >= found[0] - 1e-12).mean(0)
    return ArmTest(difference, float((mean >= mean[0] - 1e-12).mean()), p_parts, 1 / len(splits))


def _splits(total: int, own: Sequence[int], rng: np.random.Generator) -> list[tuple[int, ...]]:
    """The true split first, then all others, each once: of two equal halves either names the split."""
    size, halves = len(own), 2 * len(own) == total
    if comb(total, size) > 2 * MOST_SPLITS:
        drawn = [tuple(sorted(rng.permutation(total)[:size].tolist())) for _ in range(MOST_SPLITS)]
        return [tuple(own), *drawn]
    mirrored = tuple(one for one in range(total) if one not in own)
    others = [one for one in combinations(range(total), size) if one not in (tuple(own), mirrored if halves else ())]
    return [tuple(own), *(one for one in others if not halves or 0 in one)]


def _within_minus_between(similarity: Array, splits: Sequence[tuple[int, ...]], total: int) -> Array:
    """(splits, parts) the mean over pairs of networks of one half minus that over pairs of two halves."""
    own = np.zeros((len(splits), total))
    own[np.arange(len(splits))[:, None], np.array(splits)] = 1
    off = similarity * ~np.eye(total, dtype=bool)[..., None]
    sums = [
        np.einsum("si,ijp,sj->sp", a, off, b, optimize=True)
        for a, b in ((own, own), (1 - own, 1 - own), (own, 1 - own))
    ]
    size = len(splits[0])
    other = total - size
    within = (sums[0] + sums[1]) / (size * (size - 1) + other * (other - 1))
    difference: Array = within - sums[2] / (size * other)
    return difference
