"""Procrustes and other distances: how far apart are two layers as shapes, when one may be turned onto the other?"""

import numpy as np
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.similarity.components import principal_components
from gapscope.similarity.gram import Array
from gapscope.similarity.layer_view import LayerView


def configuration(view: LayerView) -> Array:
    """A layer's images as points (n, r) with its Gram matrix, up to size: centred, their squares sum to 1.

    Directions that hold nothing but rounding are left out: of a variance of 1e-8 the points would keep the root, and a
    layer of few directions would stand 1e-4 away from the same layer with its channels in another order.
    """
    values, vectors = principal_components(view.gram)
    return vectors * np.sqrt(values / values.sum())


def overlap(x: Array, y: Array) -> float:
    """|X^T Y|_*, the largest inner product that a rotation of Y can reach with X: 1 for the same shape, at least 0."""
    return min(float(np.linalg.svd(x.T @ y, compute_uv=False).sum()), 1.0)


def procrustes_distance(x: Array, y: Array) -> float:
    """min over rotations Q of |X - Y Q| = sqrt(2 - 2 |X^T Y|_*) for centred X and Y of norm 1: 0 to sqrt 2.

    Source:
        Schönemann 1966; Ding, Denain and Steinhardt 2021, arXiv:2108.01661, who use its square; Williams et al. 2021.
    """
    return float(np.sqrt(2 - 2 * overlap(x, y)))


def angular_shape_distance(x: Array, y: Array) -> float:
    """arccos |X^T Y|_* for centred X and Y of norm 1: the angle between two shapes, 0 to pi / 2.

    Source:
        Williams et al. 2021, arXiv:2110.14739.
    """
    return float(np.arccos(overlap(x, y)))


def raw_features(view: LayerView) -> Array:
    """The features themselves (n, p).

    Raises:
        InputError: If they were not kept; a recording never holds them.
    """
    if view.features is None:
        raise InputError(
            "Euclidean distance needs the activations of both networks side by side, and a recording holds Gram "
            "matrices only. Give features to measure_layers('euclidean', x, y), or choose procrustes."
        )
    return view.features


def euclidean_distance(x: ArrayLike, y: ArrayLike) -> float:
    """sqrt(mean (x - y)^2) over all values: the Euclidean distance of two activations (n, p) by the root of n p.

    In the unit of the activations. It is small only if the networks hold the same number in the same place, so it
    suits networks that started from the same weights.

    Raises:
        InputError: If the shapes differ.
    """
    one, other = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if one.shape != other.shape:
        raise InputError(f"activations have shapes {one.shape} and {other.shape}. Euclidean distance needs equal ones.")
    return float(np.sqrt(np.square(one - other).mean()))
