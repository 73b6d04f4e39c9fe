"""How far would other images of the same kind move a similarity? Images drawn again, and images left out."""

from collections.abc import Sequence

import numpy as np

from gapscope.progress import Progress, silent
from gapscope.similarity.cka import linear_kernel
from gapscope.similarity.gram import AT_LEAST, Array
from gapscope.similarity.measures import Measure
from gapscope.similarity.prepared import Views, all_cells, diagonal, finished, kernels, prepare

COVERED = (0.025, 0.975)
"""The quantiles that bound floors and intervals: 95 % lie between them."""

Kernels = Sequence[Array | None]
"""One (n, n) matrix per layer; None where the measure is undefined."""


def draw_images(n: int, bootstraps: int, rng: np.random.Generator) -> Array:
    """How often each image is drawn (bootstraps, n), when n are drawn with replacement.

    Draws with fewer than 4 different images, or with one image in half of the places, are drawn again: they leave
    the unbiased estimator undefined. That matters for a handful of images only. With 4 images all that
    is left is the sample itself.
    """
    drawn = np.empty((0, n))
    while len(drawn) < bootstraps:
        counts = rng.multinomial(n, np.full(n, 1 / n), size=bootstraps).astype(np.float64)
        # an image in half of the places leaves it no partner but itself: then W - 2 w_i of `Drawn` is 0
        usable = ((counts > 0).sum(1) >= AT_LEAST) & (counts.max(1) * 2 < n)
        drawn = np.concatenate([drawn, counts[usable]])
    return drawn[:bootstraps]


def bootstrap_cka(k: Kernels, l: Kernels, counts: Array, debiased: bool) -> Array:
    """CKA of each layer pair on images drawn with replacement, without the pairs of an image with its own copy.

    Such pairs look perfectly alike in any layer; kept, they would lift every draw above the sample's value. With
    w_i the times image i was drawn, the draw's inner product of two kernel matrices is

        <K, L>_w = sum_{i != j} w_i w_j (K_ij - a_i - a_j) (L_ij - b_i - b_j)
                   [+ sum_i w_i (K_ii - 2 a_i) (L_ii - 2 b_i)      for the biased estimator only]

    and CKA_w = <K, L>_w / sqrt(<K, K>_w <L, L>_w). The a, and b likewise, centre anew on the draw: for the debiased
    estimator they make the weighted rows off the diagonal sum to zero (with all w_i = 1 that is U-centring), for
    the biased one they subtract the weighted mean image (with all w_i = 1 that is double centring). Weights of 0 and
    1 give the CKA of the images that are left. What a kernel took from all images (bandwidth, slope) stays.

    In simulations with 30 to 100 images the central 95 % of the draws held the population's debiased value 90 to 95
    times in 100, and nearly always where the value is close to 0.

    Args:
        k: Kernel matrices (n, n), one per layer, centred or not; None for a layer that is undefined.
        l: Those of the other network, paired layer by layer.
        counts: w (draws, n), as from `draw_images`.
        debiased: Which estimator.

    Returns:
        (draws, layers). NaN where undefined, or where a draw leaves no norm.
    """
    results = np.full((len(counts), len(k)), np.nan)
    for layer, (one, other) in enumerate(zip(k, l, strict=True)):
        if one is None or other is None:
            continue
        a, b = Drawn(one, counts, debiased), Drawn(other, counts, debiased)
        norms = a.inner(a) * b.inner(b)
        usable = norms > 0
        results[:, layer] = np.where(usable, a.inner(b) / np.sqrt(np.where(usable, norms, 1)), np.nan)
    return results


class Drawn:
    """One layer's kernel matrix under every draw: what `bootstrap_cka` calls K and a, for all w at once."""

    def __init__(self, gram: Array, counts: Array, debiased: bool) -> None:
        scale = np.abs(gram).max()
        self.gram = gram / scale if scale else gram
        self.diagonal = np.diagonal(self.gram)
        self.counts = counts
        self.hollow_rows = counts @ self.gram - counts * self.diagonal  # sum over j != i of w_j K_ij
        self.shift = self._debiased_shift() if debiased else self._biased_shift()
        self.diagonal_weights = np.zeros_like(counts) if debiased else counts

    def _debiased_shift(self) -> Array:
        """Solves sum_{j != i} w_j (K_ij - a_i - a_j) = 0 for all i.

        With W = sum_j w_j and t = sum_j w_j a_j that is a_i (W - 2 w_i) = sum_{j != i} w_j K_ij - t; put into t, the
        a give t itself.
        """
        others = self.counts.sum(1, keepdims=True) - 2 * self.counts
        share = self.counts / others
        total = (share * self.hollow_rows).sum(1, keepdims=True) / (1 + share.sum(1, keepdims=True))
        return (self.hollow_rows - total) / others

    def _biased_shift(self) -> Array:
        """K_ij - a_i - a_j is the Gram matrix of the images minus their weighted mean."""
        n = self.counts.sum(1, keepdims=True)
        rows = self.counts @ self.gram / n
        return rows - (self.counts * rows).sum(1, keepdims=True) / (2 * n)

    def inner(self, other: "Drawn") -> Array:
        """<K, L>_w for every draw (draws,): the product under the sum, multiplied out."""
        w, d, a, b = self.counts, self.diagonal_weights, self.shift, other.shift
        off = self.gram * other.gram
        np.fill_diagonal(off, 0)
        # sum_{i != j} w_i w_j of K L, of -(a_i + a_j) L - (b_i + b_j) K, and of (a_i + a_j)(b_i + b_j); then i = j
        plain = ((w @ off) * w).sum(1)
        crossed = -2 * (w * (a * other.hollow_rows + b * self.hollow_rows)).sum(1)
        wa, wb = (w * a).sum(1), (w * b).sum(1)
        squares = 2 * ((w * a * b).sum(1) * w.sum(1) + wa * wb - 2 * (w * w * a * b).sum(1))
        diagonal = (d * (self.diagonal - 2 * a) * (other.diagonal - 2 * b)).sum(1)
        return plain + crossed + squares + diagonal


def values_on_subsets(
    a: Views,
    b: Views,
    measure: Measure,
    subsets: Sequence[np.ndarray],
    *,
    cells: bool = False,
    progress: Progress = silent,
) -> Array:
    """Any measure over parts of the images: (subsets, layers), or (subsets, layers of a, layers of b) for all cells.

    For linear CKA of layers with their counterparts this takes one product per layer. Otherwise everything is prepared
    anew for each part, so one part costs as much as a comparison.

    Args:
        a: One network's layers.
        b: The other's.
        measure: Any.
        subsets: Rows of the images of each part, each image at most once.
        cells: All cells instead of each layer with its counterpart.
        progress: Told after each part.
    """
    if measure.kernel is linear_kernel and not cells:
        counts = np.zeros((len(subsets), a.n))
        for row, rows in zip(counts, subsets, strict=True):
            row[rows] = 1
        k, l = (kernels(views, prepare(views, measure)) for views in (a, b))
        return finished(measure, bootstrap_cka(k, l, counts, measure.debiased))
    values = []
    for done, rows in enumerate(subsets, start=1):
        one, other = (prepare(views.select(rows), measure) for views in (a, b))
        values.append(all_cells(one, other) if cells else diagonal(one, other))
        progress(f"{measure.title}, parts of the images", done, len(subsets))
    return np.stack(values)


def subsampled_interval(value: Array, drawn: Array, drawn_images: int, n: int) -> tuple[Array, Array]:
    """The central 95 % around a value, from values over random parts of m of the n images (the delete-d jackknife).

    Parts are smaller than the sample, so their deviations from their own mean are scaled by sqrt(m / (n - m)): by 1
    for halves. NaN where a part was undefined.

    Args:
        value: Over all images (...).
        drawn: Over the parts (draws, ...).
        drawn_images: m.
        n: Of all images.

    Source:
        Shao and Wu 1989, Annals of Statistics 17:1176.
    """
    deviations = (drawn - drawn.mean(0)) * np.sqrt(drawn_images / (n - drawn_images))
    low, high = np.quantile(deviations, COVERED, axis=0)
    return value + low, value + high
