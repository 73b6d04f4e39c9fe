"""The bootstrap of `intervals` for every cell of a grid: one product per draw for all cells together."""

import numpy as np

from gapscope.progress import Progress, silent
from gapscope.similarity.gram import Array
from gapscope.similarity.intervals import Drawn, Kernels

DRAWS_AT_ONCE = 100
"""Draws whose row sums are held at a time: 70 MB for 107 layers and 200 images."""


def bootstrap_cka_of_cells(k: Kernels, l: Kernels, counts: Array, debiased: bool, progress: Progress = silent) -> Array:
    """`bootstrap_cka` for each layer of a with each layer of b.

    Args:
        k: Kernel matrices (n, n), one per layer of a; None for a layer that is undefined.
        l: Those of b.
        counts: How often each image is drawn (draws, n).
        debiased: Which estimator.
        progress: Told after each draw.

    Returns:
        (draws, layers of a, layers of b). NaN where undefined, or where a draw leaves no norm.
    """
    known_a, known_b = ([at for at, one in enumerate(kernels) if one is not None] for kernels in (k, l))
    results = np.full((len(counts), len(k), len(l)), np.nan)
    if not known_a or not known_b:
        return results
    given_a, given_b = ([one for one in kernels if one is not None] for kernels in (k, l))
    pairs_a, pairs_b = _pairs(given_a), _pairs(given_b)
    for start in range(0, len(counts), DRAWS_AT_ONCE):
        some = counts[start : start + DRAWS_AT_ONCE]
        a, b = _Stack(given_a, some, debiased), _Stack(given_b, some, debiased)
        for draw, w in enumerate(some):
            products = _inner(pairs_a, pairs_b, w) + a.corrections(b, draw)
            norms = np.outer(a.squared_norms[draw], b.squared_norms[draw])
            usable = norms > 0
            values = np.where(usable, products / np.sqrt(np.where(usable, norms, 1)), np.nan)
            results[start + draw][np.ix_(known_a, known_b)] = values
            progress("images drawn again, all cells", start + draw + 1, len(counts))
    return results


def _pairs(kernels: list[Array]) -> Array:
    """(n (n - 1) / 2, layers): what lies above the diagonals, the layers of one pair of images side by side."""
    above = np.triu_indices(len(kernels[0]), 1)
    return np.stack([(one / np.abs(one).max())[above] for one in kernels], axis=1)


def _inner(a: Array, b: Array, w: Array) -> Array:
    """sum_{i != j} w_i w_j K_ij L_ij of each layer of a with each of b.

    A draw leaves out 37 % of the images and with them 60 % of the pairs, so gathering those that are left costs less
    than weighting all.
    """
    n, drawn = len(w), np.flatnonzero(w)
    rows, columns = (drawn[index] for index in np.triu_indices(len(drawn), 1))
    place = rows * (2 * n - rows - 1) // 2 + columns - rows - 1
    return (a[place] * (2 * w[rows] * w[columns])[:, None]).T @ b[place]


class _Stack:
    """All layers of one network under some draws, without the pairs: arrays are (draws, n, layers)."""

    def __init__(self, kernels: list[Array], counts: Array, debiased: bool) -> None:
        layers = [Drawn(one, counts, debiased) for one in kernels]
        self.counts = counts
        self.squared_norms = np.stack([one.inner(one) for one in layers], axis=-1)
        self.shift = np.stack([one.shift for one in layers], axis=-1)
        self.hollow_rows = np.stack([one.hollow_rows() for one in layers], axis=-1)
        self.diagonal = np.stack([one.diagonal for one in layers], axis=-1)
        self.diagonal_weights = np.zeros_like(counts) if debiased else counts

    def corrections(self, other: "_Stack", draw: int) -> Array:
        """<K, L>_w of `Drawn.inner` without its first sum, for each layer with each of the other network."""
        w, d = self.counts[draw][:, None], self.diagonal_weights[draw][:, None]
        a, b = self.shift[draw], other.shift[draw]
        wa = w * a
        crossed = wa.T @ other.hollow_rows[draw] + (w * self.hollow_rows[draw]).T @ b
        squares = (wa * (w.sum() - 2 * w)).T @ b + np.outer(wa.sum(0), (w * b).sum(0))
        diagonal = (d * (self.diagonal - 2 * a)).T @ (other.diagonal - 2 * b)
        return 2 * (squares - crossed) + diagonal
