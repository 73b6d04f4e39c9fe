"""What may a measure look at? One layer of one network, over n images."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError
from gapscope.similarity.gram import Array, center, features_gram
from gapscope.similarity.groups import Groups
from gapscope.similarity.rows import as_rows


class UndefinedError(Exception):
    """A measure has no value for this layer; the text says why, as in "x tells no images apart"."""


@dataclass(frozen=True)
class LayerView:
    """One layer, as far as it is known. A recording keeps Gram matrices and channel means, no features."""

    gram: Array
    """(n, n) X X^T of the layer's features, centred over the images."""
    pooled: Array | None = None
    """(n, c) the mean of each channel over its map; features themselves where they are no maps."""
    features: Array | None = None
    """(n, p)"""
    input_gram: Array | None = None
    """(n, n) of the pixels that the network saw, centred over the images."""
    groups: Groups | None = None
    """Which images belong together; None where all are independent."""

    def select(self, rows: NDArray[np.intp]) -> "LayerView":
        """The same layer over some of the images, centred anew."""

        def gram_of(gram: Array | None) -> Array | None:
            return None if gram is None else center(gram[np.ix_(rows, rows)])

        def rows_of(table: Array | None) -> Array | None:
            return None if table is None else table[rows]

        return replace(
            self,
            gram=center(self.gram[np.ix_(rows, rows)]),
            pooled=rows_of(self.pooled),
            features=rows_of(self.features),
            input_gram=gram_of(self.input_gram),
            groups=self.groups and self.groups.select(rows),
        )


def view_of_features(x: ArrayLike, inputs: ArrayLike | None = None, groups: Groups | None = None) -> LayerView:
    """A layer given as features (n, ...), with the network's inputs (n, anything) if a measure asks for them.

    Raises:
        InputError: If a table is not of n >= 4 rows of finite numbers, or the inputs are of other images.
    """
    features = as_rows(x)
    gram = features_gram(features)
    if inputs is None:
        return LayerView(gram, features, features, groups=groups)
    flat = as_rows(inputs)
    if len(flat) != len(gram):
        raise InputError(
            f"there are {len(flat)} inputs for {len(gram)} images. Give the images that the rows stand for."
        )
    return LayerView(gram, features, features, features_gram(flat), groups)


def check_finite(view: LayerView) -> None:
    """Refuse a layer that holds no numbers, or the same ones for all images.

    Raises:
        UndefinedError: If the Gram matrix is not finite or zero.
    """
    if not np.isfinite(view.gram).all():
        raise UndefinedError("holds values that are not finite")
    if not view.gram.any():
        raise UndefinedError("tells no images apart: its values are the same for all of them")
