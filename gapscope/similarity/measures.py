"""The table of measures: what each is, what it claims, where it comes from. A new measure is a new row here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.similarity import neighbours, shapes, subspaces
from gapscope.similarity.cka import deconfounded_kernel, gaussian_kernel, linear_kernel, unit_kernel
from gapscope.similarity.gram import AT_LEAST, Array
from gapscope.similarity.layer_view import LayerView, UndefinedError, view_of_features
from gapscope.similarity.rows import Rows, as_rows
from gapscope.words import did_you_mean

CHANGES = ("shift", "scale", "permutation", "rotation", "invertible map", "unrelated features")
"""What may happen to a layer's features: a constant added to each; all times one number; another order; an orthogonal
map; any invertible linear map; features with nothing to do with them put beside them."""


@dataclass(frozen=True)
class Measure:
    """How two layers are compared, and what that claims. Every claim is tested."""

    title: str
    prepare: Callable[[LayerView], Any]
    """What of one layer enters, once per layer, or UndefinedError. The result can be indexed by an order of images."""
    source: str
    pair: Callable[[Any, Any], float] | None = None
    """Compares two prepared layers. None: the sum of products of prepared (n, n) matrices, all cells in one product."""
    finish: Callable[[Array], Array] | None = None
    """Applied to that sum of products."""
    kernel: Callable[[LayerView], Array] | None = None
    """For CKA: the matrix (n, n) whose CKA is taken, so that images can be given weights."""
    debiased: bool = False
    larger_is_more_similar: bool = True
    bounds: tuple[float, float] = (0, 1)
    itself: float = 1
    """A layer compared with itself."""
    symmetric: bool = True
    metric: bool = False
    """A distance that obeys the triangle inequality."""
    needs: str = "grams"
    """grams, channel means, input or features; a recording has no features."""
    least_images: int = AT_LEAST
    moves_with_n: bool = False
    """Whether it is biased: the same layers have another value, on average, over more images of the same kind."""
    invariant_to: tuple[str, ...] = ("shift", "scale", "permutation", "rotation")
    """Changes to one layer's features that leave the value alone; those not named here change it."""


def _cka(title: str, kernel: Callable[[LayerView], Array], debiased: bool, source: str, **claims: Any) -> Measure:
    def prepare(view: LayerView) -> Array:
        return unit_kernel(kernel(view), debiased)

    bounds = (-1, 1) if debiased else (0, 1)
    more: dict[str, Any] = {"bounds": bounds, "moves_with_n": not debiased} | claims
    return Measure(title, prepare, source, kernel=kernel, debiased=debiased, **more)


def _angle(cosine: Array) -> Array:
    return np.arccos(np.clip(cosine, -1, 1))


_KORNBLITH = "Kornblith et al. 2019, arXiv:1905.00414"
_SONG = "the unbiased HSIC of Song et al. 2012, JMLR 13, eq. 5"
_WILLIAMS = "Williams et al. 2021, arXiv:2110.14739"
_LINEAR = ("shift", "scale", "permutation", "rotation", "invertible map")

MEASURES: dict[str, Measure] = {
    "cka_debiased": _cka("debiased linear CKA", linear_kernel, True, f"{_KORNBLITH}, with {_SONG}"),
    "cka_biased": _cka(
        "linear CKA as in the paper (biased)",
        linear_kernel,
        False,
        f"{_KORNBLITH}, eq. 3 in its Gram form; Ljungqvist et al. 2022, eq. 2",
    ),
    "cka_rbf_debiased": _cka("debiased CKA, Gaussian kernel", gaussian_kernel, True, f"{_KORNBLITH}, with {_SONG}"),
    "cka_rbf_biased": _cka("CKA, Gaussian kernel (biased)", gaussian_kernel, False, _KORNBLITH),
    "cka_deconfounded": _cka(
        "debiased linear CKA without the images' own likeness",
        deconfounded_kernel,
        True,
        "Cui et al. 2022, arXiv:2202.00095; Szekely and Rizzo 2014, arXiv:1310.2926",
        needs="input",
    ),
    "cka_angle": _cka(
        "angle whose cosine is biased CKA",
        linear_kernel,
        False,
        _WILLIAMS,
        finish=_angle,
        larger_is_more_similar=False,
        bounds=(0, np.pi / 2),
        itself=0,
        metric=True,
    ),
    "rsa": Measure(
        "representational similarity (Spearman)",
        neighbours.ranked_dissimilarities,
        "Kriegeskorte et al. 2008, Frontiers in Systems Neuroscience 2:4",
        bounds=(-1, 1),
    ),
    "mutual_knn": Measure(
        f"shared {neighbours.NEIGHBOURS} nearest neighbours",
        neighbours.nearest_neighbours,
        "Huh et al. 2024, arXiv:2405.07987",
        pair=neighbours.shared_neighbours,
        least_images=neighbours.NEIGHBOURS + 2,
        moves_with_n=True,
    ),
    "cca_mean": Measure(
        "mean canonical correlation",
        subspaces.subspace,
        f"{_KORNBLITH}, table 1",
        pair=subspaces.mean_correlation,
        invariant_to=_LINEAR,
        moves_with_n=True,
    ),
    "cca_squared": Measure(
        "mean squared canonical correlation",
        subspaces.subspace,
        f"{_KORNBLITH}, table 1",
        pair=subspaces.mean_squared_correlation,
        invariant_to=_LINEAR,
        moves_with_n=True,
    ),
    "svcca": Measure(
        "mean canonical correlation of the directions that hold 99 % of the variance",
        subspaces.main_subspace,
        "Raghu et al. 2017, arXiv:1706.05806",
        pair=subspaces.mean_correlation,
        moves_with_n=True,
    ),
    "svcca_20": Measure(
        f"mean canonical correlation of the {subspaces.TOP} largest principal components",
        subspaces.top_subspace,
        "Raghu et al. 2017, arXiv:1706.05806, with a fixed number of components",
        pair=subspaces.mean_correlation,
        least_images=2 * subspaces.TOP + 1,
        moves_with_n=True,
    ),
    "pwcca_pooled": Measure(
        "projection-weighted CCA of the channel means, after SVCCA's cut",
        subspaces.pooled_subspace,
        "Morcos et al. 2018, arXiv:1806.05759",
        pair=subspaces.weighted_correlation,
        symmetric=False,
        needs="channel means",
        invariant_to=("shift", "scale", "permutation"),
        moves_with_n=True,
    ),
    "procrustes": Measure(
        "orthogonal Procrustes distance",
        shapes.configuration,
        f"Schönemann 1966; {_WILLIAMS}",
        pair=shapes.procrustes_distance,
        larger_is_more_similar=False,
        bounds=(0, np.sqrt(2)),
        itself=0,
        metric=True,
        moves_with_n=True,
    ),
    "shape_angle": Measure(
        "angular shape distance",
        shapes.configuration,
        _WILLIAMS,
        pair=shapes.angular_shape_distance,
        larger_is_more_similar=False,
        bounds=(0, np.pi / 2),
        itself=0,
        metric=True,
        moves_with_n=True,
    ),
    "euclidean": Measure(
        "root mean squared difference of the activations",
        shapes.raw_features,
        "the definition",
        pair=shapes.euclidean_distance,
        larger_is_more_similar=False,
        bounds=(0, np.inf),
        itself=0,
        metric=True,
        needs="features",
        invariant_to=(),
    ),
}


def find_measure(name: str) -> Measure:
    """The measure of this name.

    Raises:
        InputError: If there is none; names the known ones.
    """
    if name not in MEASURES:
        raise InputError(f"there is no measure {name!r}.{did_you_mean(name, MEASURES, also_known=True)}")
    return MEASURES[name]


def measure_layers(
    name: str,
    x: ArrayLike,
    y: ArrayLike,
    *,
    inputs: ArrayLike | None = None,
    rows: Rows = "images",
    channels_last: bool = False,
) -> float:
    """Any measure of the table between the features of two layers.

    Args:
        name: From `MEASURES`.
        x: Features of one layer (n, p) or (n, ...): an array, a list, or a tensor.
        y: Features of the other layer (n, q) or (n, ...).
        inputs: What both networks saw (n, ...), for measures that need it; one for each row.
        rows: "tokens" compares tokens (n, t, c), or places of maps (n, c, h, w), in place of images.
        channels_last: Maps are (n, h, w, c); of tokens alone.

    Raises:
        InputError: If the measure is unknown or has no value for these layers; says why.
    """
    measure = find_measure(name)
    views = [view_of_features(as_rows(one, rows, channels_last=channels_last), inputs) for one in (x, y)]
    counts = [len(view.gram) for view in views]
    if counts[0] != counts[1]:
        raise InputError(
            f"x holds {counts[0]} images and y holds {counts[1]}, but both must hold the same in one order."
        )
    check_enough_images(name, counts[0])
    prepared = []
    for which, view in zip("xy", views, strict=True):
        try:
            prepared.append(measure.prepare(view))
        except UndefinedError as reason:
            raise InputError(f"{name} has no value here: {which} {reason}. Leave that layer out.") from reason
    if measure.pair:
        return measure.pair(*prepared)
    cosine = (prepared[0] * prepared[1]).sum()
    return float(measure.finish(cosine) if measure.finish else cosine)


def check_enough_images(name: str, n: int) -> None:
    """Refuse fewer images than a measure is defined for."""
    least = MEASURES[name].least_images
    if n < least:
        raise InputError(f"{n} images are too few: {name} needs at least {least}, better 100 or more. Use more images.")
