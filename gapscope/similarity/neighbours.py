"""RSA and nearest neighbours: do two layers rank pairs of images alike, and has each image the same neighbours?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.similarity.gram import Array, squared_distances
from gapscope.similarity.layer_view import LayerView, UndefinedError, check_finite

NEIGHBOURS = 10

DIGITS = 7
"""Distances are told apart to this many digits of the largest: Gram matrices are summed from float32 products."""


def ranked_dissimilarities(view: LayerView) -> Array:
    """Ranks of the distances of all pairs of images: symmetric (n, n), of mean 0 and norm 1 off the diagonal.

    The sum of products of two of them is Spearman's correlation of the dissimilarities: representational similarity
    analysis. Ties share their mean rank.

    With groups, of the pairs of images of different groups.

    Raises:
        UndefinedError: If all pairs are equally far apart.

    Source:
        Kriegeskorte, Mur and Bandettini 2008, Frontiers in Systems Neuroscience 2:4.
    """
    check_finite(view)
    apart = np.ones(view.gram.shape, dtype=bool) if view.groups is None else view.groups.apart
    rows, columns = np.nonzero(np.triu(apart, 1))
    distances = squared_distances(view.gram / np.abs(view.gram).max())[rows, columns]
    ranks = mean_ranks(np.round(distances / max(distances.max(), np.finfo(float).tiny), DIGITS))
    ranks -= ranks.mean()
    norm = np.linalg.norm(ranks)
    if norm == 0:
        raise UndefinedError("finds all images equally far apart")
    matrix = np.zeros_like(view.gram)
    matrix[rows, columns] = matrix[columns, rows] = ranks / (norm * np.sqrt(2))
    return matrix


def mean_ranks(values: Array) -> Array:
    """Ranks (n,) from 1 on, of which ties share the mean, as `scipy.stats.rankdata` gives them.

    That takes a second to import, and experiment files are checked against the table of measures.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[place]


@dataclass(frozen=True)
class Neighbours:
    """Which images are among the nearest of which."""

    mask: NDArray[np.bool_]
    """(n, n); row i marks the neighbours of image i."""

    def __getitem__(self, order: NDArray[np.intp]) -> "Neighbours":
        """The same layer with its images in another order."""
        return Neighbours(self.mask[np.ix_(order, order)])


def nearest_neighbours(view: LayerView, count: int = NEIGHBOURS) -> Neighbours:
    """The `count` images nearest to each image by Euclidean distance, itself left out; of ties, the first images.

    With groups, of the images of other groups.

    Raises:
        UndefinedError: If an image has fewer than `count` images of other groups.
    """
    check_finite(view)
    distances = squared_distances(view.gram / np.abs(view.gram).max())
    distances[np.eye(len(distances), dtype=bool) if view.groups is None else ~view.groups.apart] = np.inf
    if np.isfinite(distances).sum(1).min() < count:
        raise UndefinedError(f"has images with fewer than {count} images of other groups")
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :count]
    mask = np.zeros(distances.shape, dtype=bool)
    np.put_along_axis(mask, nearest, True, axis=1)
    return Neighbours(mask)


def shared_neighbours(x: Neighbours, y: Neighbours) -> float:
    """The share of each image's neighbours that both layers agree on, averaged; unrelated layers share k / (n - 1).

    Source:
        Mutual k-nearest neighbours as in Huh et al. 2024, arXiv:2405.07987, with Euclidean distances.
    """
    return float((x.mask & y.mask).sum() / x.mask.sum())
