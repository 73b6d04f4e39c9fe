"""Which images does a layer find alike? Gram matrices of images, centred in CKA's two ways: biased and debiased."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError

Array = NDArray[np.float64]

AT_LEAST = 4
"""Images below which the unbiased estimator does not exist: it divides by n (n - 3)."""


def features_gram(x: ArrayLike) -> Array:
    """X X^T of features (n, p), centred over the images, in float64.

    Raises:
        InputError: If x is not a table of n >= 4 rows of finite numbers.
    """
    features = np.asarray(x, dtype=np.float64)
    if features.ndim != 2 or features.shape[1] == 0:
        raise InputError(f"features have shape {features.shape}, but need (n, p): one row per image. Flatten the maps.")
    check_num_images(len(features))
    if not np.isfinite(features).all():
        raise InputError("features hold values that are not finite (NaN or infinity). Leave that layer out.")
    features = features - features[0]  # a constant feature becomes exactly zero
    features -= features.mean(0)
    return center(features @ features.T)


def check_num_images(n: int) -> None:
    """Refuse fewer images than CKA is defined for."""
    if n < AT_LEAST:
        raise InputError(f"{n} images are too few: CKA needs at least {AT_LEAST}, better 100 or more. Use more images.")


def center(k: Array) -> Array:
    """H K H with H = I - 1/n: remove row and column means. Works on (n, n) and on stacks (..., n, n)."""
    return k - k.mean(-1, keepdims=True) - k.mean(-2, keepdims=True) + k.mean((-2, -1), keepdims=True)


def squared_distances(k: Array) -> Array:
    """|x_i - x_j|^2 of each pair of images (n, n), from their Gram matrix, centred or not."""
    rows = np.diagonal(k)
    distances = np.maximum(rows[:, None] + rows[None, :] - 2 * k, 0)  # rounding may take equal images below 0
    np.fill_diagonal(distances, 0)
    return distances


def u_center(k: Array) -> Array:
    """U-centring: a zero diagonal, and off it rows and columns that sum to zero. (n, n) or (..., n, n), symmetric.

    Off the diagonal this subtracts the best additive fit a_i + a_j; products of U-centred matrices estimate HSIC
    without bias.

    Source:
        Szekely and Rizzo 2014, arXiv:1310.2926, definition 2.
    """
    n = k.shape[-1]
    diagonal = ..., np.arange(n), np.arange(n)
    found = k.copy()  # in place from here on: of a thousand images each further matrix costs as long as the sums
    found[diagonal] = 0
    row = found.sum(-1) / (n - 2)
    row -= row.sum(-1, keepdims=True) / (2 * (n - 1))
    found -= row[..., :, None]
    found -= row[..., None, :]
    found[diagonal] = 0
    return found


def flatten(k: Array, out: Array | None = None) -> Array:
    """Symmetric matrices (..., n, n) as vectors (..., n (n + 1) / 2) with the same inner products, into `out` if given.

    First the entries above the diagonal, row by row, times sqrt 2 (they stand for two), then the diagonal.
    """
    rows, columns, _ = _pairs(k.shape[-1])
    found = np.empty((*k.shape[:-2], len(rows) + k.shape[-1])) if out is None else out
    np.multiply(np.sqrt(2), k[..., rows, columns], out=found[..., : len(rows)])
    found[..., len(rows) :] = np.diagonal(k, axis1=-2, axis2=-1)
    return found


def shuffled_positions(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each entry of `flatten(k[order][:, order])` stands in `flatten(k)`; of several orders (..., n) each."""
    n = order.shape[-1]
    rows, columns, place = _pairs(n)
    return np.concatenate([place[order[..., rows], order[..., columns]], n * (n - 1) // 2 + order], axis=-1)


@lru_cache(maxsize=4)
def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns above the diagonal of (n, n), and which of them each entry of the matrix is, either way."""
    rows, columns = np.triu_indices(n, 1)
    place = np.zeros((n, n), dtype=np.intp)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return rows, columns, place
