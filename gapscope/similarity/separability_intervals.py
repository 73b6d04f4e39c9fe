"""How far would other images move a layer's separability? Random halves of each set, whole groups together."""

import numpy as np
from numpy.typing import NDArray

from gapscope.similarity.cka import unit_kernel
from gapscope.similarity.gram import Array, squared_distances
from gapscope.similarity.intervals import bootstrap_cka, subsampled_interval

FEWEST = 4
"""Images (or groups) of each set below which there is no interval: each half needs two."""
NEAREST = 24
"""Neighbours of an image that are looked through before all others are: in a half, one of these is nearly always."""


class Halves:
    """Random halves of both sets, the same for all layers.

    Args:
        signs: Of each image (n,) its set, +1 or -1.
        groups: Of each image (n,) a number of what it was taken with; None: each stands alone.
        draws: How many halves.
        rng: Where they come from.
    """

    def __init__(self, signs: Array, groups: NDArray[np.int64] | None, draws: int, rng: np.random.Generator) -> None:
        units = np.arange(len(signs)) if groups is None else groups
        members = [np.unique(units[signs == sign]) for sign in (1, -1)]
        self.units, self.num_units = units, sum(map(len, members))
        self.enough = draws > 0 and min(map(len, members)) >= FEWEST
        self.drawn_units = sum(len(some) // 2 for some in members)
        self.counts = np.zeros((draws if self.enough else 0, len(signs)))
        for row in self.counts:
            taken = np.concatenate([rng.permutation(some)[: len(some) // 2] for some in members])
            row[:] = np.isin(units, taken)
        self.signs = signs

    def around(self, value: float, drawn: Array) -> tuple[float, float]:
        """The central 95 % around a value, from those of the halves; NaN where there are none."""
        if not self.enough:
            return np.nan, np.nan
        low, high = subsampled_interval(np.asarray(value), drawn, self.drawn_units / self.num_units)
        return float(low), float(high)

    def cka(self, gram: Array) -> Array:
        """(draws,) debiased CKA with the labels over each half."""
        kernel, labels = unit_kernel(gram, True), np.outer(self.signs, self.signs)
        return bootstrap_cka([kernel], [labels], self.counts, True)[:, 0]

    def mmd(self, gram: Array) -> Array:
        """(draws,) `mmd_squared` over each half, in parts of the variance of its images."""
        other = (self.units[:, None] != self.units[None, :]).astype(float)
        apart, total = gram * other, np.zeros(len(self.counts))
        sides = [self.counts * (self.signs == sign) for sign in (1, -1)]
        for mine in sides:
            total = total + _form(mine, apart, mine) / _form(mine, other, mine)
        sizes = [side.sum(1) for side in sides]
        total = total - 2 * _form(sides[0], gram, sides[1]) / (sizes[0] * sizes[1])
        n = self.counts.sum(1)
        spread = (self.counts @ np.diagonal(gram) - _form(self.counts, gram, self.counts) / n) / (n - 1)
        return np.asarray(total / spread)

    def accuracy(self, gram: Array) -> Array:
        """(draws,) share of a half's images whose nearest other image in it, of another group, is of their set."""
        distances = squared_distances(gram)
        distances[self.units[:, None] == self.units[None, :]] = np.inf
        order = np.argsort(distances, axis=1, kind="stable")
        order = np.where(np.isfinite(np.take_along_axis(distances, order, 1)), order, -1)  # -1: of the own group
        found = np.empty(len(self.counts))
        for at, counts in enumerate(self.counts):
            rows = np.flatnonzero(counts)
            nearest = _first(order[rows, :NEAREST], counts)
            lost = nearest < 0
            nearest[lost] = _first(order[rows[lost]], counts)
            found[at] = (self.signs[nearest] == self.signs[rows]).mean()
        return found


def _first(order: NDArray[np.intp], counts: Array) -> NDArray[np.intp]:
    """Of each row the first image that was drawn; -1 where none of them was."""
    drawn = (order >= 0) & (counts[order] > 0)
    place = drawn.argmax(1)
    return np.where(drawn.any(1), order[np.arange(len(order)), place], -1)


def _form(left: Array, matrix: Array, right: Array) -> Array:
    return np.asarray(np.einsum("sn,sn->s", left @ matrix, right))
