"""Along which directions do images differ most? Principal components of a layer, from its Gram matrix."""

from dataclasses import replace

import numpy as np

from gapscope.errors import InputError
from gapscope.similarity.gram import Array
from gapscope.similarity.layer_view import LayerView, UndefinedError, check_finite

RANK = 1e-7
"""Variances this small beside the largest are rounding: Gram matrices are summed from float32 products."""


def principal_components(gram: Array) -> tuple[Array, Array]:
    """Variances (r,), falling, and the images' orthonormal coordinates (n, r) along the r directions that have any.

    Args:
        gram: Centred Gram matrix (n, n).

    Raises:
        UndefinedError: If it is zero or not finite.
    """
    check_finite(LayerView(gram))
    values, vectors = np.linalg.eigh(gram / np.abs(gram).max())
    kept = values > RANK * values[-1]
    return values[kept][::-1] * np.abs(gram).max(), vectors[:, kept][:, ::-1]


def explained_variance(gram: Array) -> Array:
    """The share (r,) of the variance over images that each principal component holds, falling; they sum to 1."""
    values, _ = principal_components(gram)
    return values / values.sum()


def remove_top(view: LayerView, count: int) -> tuple[LayerView, float]:
    """A layer without its `count` largest principal components, and the share of the variance that they held.

    One dominant component, often carried by few images, can alone make many layers look alike (the block structure
    of wide or deep networks). Whether a similarity outlives its removal says what it rests on.

    Raises:
        InputError: If count is negative, or leaves fewer than 3 of n - 1 directions.
        UndefinedError: If nothing is left of the layer.

    Source:
        Nguyen, Raghu and Kornblith 2021, arXiv:2010.15327.
    """
    n = len(view.gram)
    if not 0 <= count <= n - 4:
        raise InputError(
            f"remove_top = {count}: {n} images span at most {n - 1} directions, and at least 3 must be left. "
            f"Give 0 to {n - 4}."
        )
    values, vectors = principal_components(view.gram)
    share = float(values[:count].sum() / values.sum())
    if len(values) <= count:
        raise UndefinedError(f"has only {len(values)} principal components, and {count} were taken away")
    top = vectors[:, :count]

    def without(table: Array | None) -> Array | None:
        return None if table is None else table - top @ (top.T @ table)

    rest = view.gram - (top * values[:count]) @ top.T
    return replace(view, gram=(rest + rest.T) / 2, pooled=without(view.pooled), features=without(view.features)), share
