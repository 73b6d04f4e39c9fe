"""CCA, SVCCA, PWCCA: do two layers span the same directions, whatever the axes and lengths?

With n images and r_x and r_y directions, two subspaces share r_x + r_y - (n - 1) directions even if they have nothing
to do with each other. So a layer takes part only if it has at most (n - 1) / 2 directions: then no sharing is forced.
Wide layers have more, and are undefined for plain CCA. SVCCA and PWCCA keep the directions that hold 99 % of the
variance, and are undefined where these are too many as well; more images help. `svcca_20` keeps the 20 largest.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError
from gapscope.similarity.components import principal_components
from gapscope.similarity.gram import Array, features_gram
from gapscope.similarity.layer_view import LayerView, UndefinedError, view_of_features
from gapscope.words import percent

KEPT_VARIANCE = 0.99
"""What SVCCA keeps, as in Raghu et al. 2017."""

TOP = 20
"""Principal components that are few enough for any layer of 41 images or more."""


@dataclass(frozen=True)
class Subspace:
    """The directions of image space that a layer spans."""

    basis: Array
    """(n, r) orthonormal, centred."""
    loadings: Array | None = None
    """(r, c) what each channel holds of each direction."""

    def __getitem__(self, order: NDArray[np.intp]) -> "Subspace":
        """The same layer with its images in another order."""
        return replace(self, basis=self.basis[order])


def canonical_correlations(x: ArrayLike, y: ArrayLike, *, variance: float = 1.0) -> Array:
    """Canonical correlations (min(r_x, r_y),), falling, between the features of two layers.

    Args:
        x: Features of one layer (n, p).
        y: Features of the other layer (n, q).
        variance: Share of each layer's variance whose principal directions are kept: 1 is CCA, 0.99 SVCCA.

    Raises:
        InputError: If a layer spans more than (n - 1) / 2 directions; see the top of this module.

    Source:
        Hotelling 1936; computed as Bjorck and Golub 1973: the singular values of Q_x^T Q_y.
    """
    try:
        one, other = (subspace(view_of_features(table), variance) for table in (x, y))
    except UndefinedError as reason:
        raise InputError(f"CCA has no value here: a layer {reason}.") from reason
    if len(one.basis) != len(other.basis):
        raise InputError(
            f"x holds {len(one.basis)} images and y holds {len(other.basis)}, but both must hold the same."
        )
    return correlations(one, other)


def subspace(view: LayerView, variance: float = 1.0) -> Subspace:
    """The fewest principal directions that hold a share of a layer's variance; 1 for all.

    Raises:
        UndefinedError: If they are more than (n - 1) / 2.
    """
    values, vectors = principal_components(view.gram)
    shares = np.cumsum(values) / values.sum()
    r = len(values) if variance >= 1 else int(np.searchsorted(shares, variance)) + 1
    n = len(view.gram)
    if r > (n - 1) / 2:
        what = "spans" if variance >= 1 else f"needs, for {percent(variance)} of its variance,"
        raise UndefinedError(
            f"{what} {r} directions over {n} images: beyond {(n - 1) // 2}, unrelated layers share some by force"
        )
    return Subspace(vectors[:, :r])


def main_subspace(view: LayerView) -> Subspace:
    """The directions that hold 99 % of the variance, as SVCCA takes them."""
    return subspace(view, KEPT_VARIANCE)


def top_subspace(view: LayerView) -> Subspace:
    """The 20 principal directions with the largest variance, or all if a layer has fewer."""
    values, vectors = principal_components(view.gram)
    return Subspace(vectors[:, : min(TOP, len(values))])


def pooled_subspace(view: LayerView) -> Subspace:
    """The main directions of a layer's channel means, and what each channel holds of them."""
    if view.pooled is None:
        raise InputError("PWCCA needs the channel means, and none are given. Record the networks again.")
    channels = view.pooled - view.pooled.mean(0)
    main = main_subspace(LayerView(features_gram(channels)))
    return replace(main, loadings=main.basis.T @ channels)


def correlations(x: Subspace, y: Subspace) -> Array:
    """Singular values of the product of two orthonormal bases, falling; rounding above 1 is taken off."""
    return np.minimum(np.linalg.svd(x.basis.T @ y.basis, compute_uv=False), 1)


def mean_correlation(x: Subspace, y: Subspace) -> float:
    """sum_i rho_i / min(r_x, r_y). Kornblith et al. 2019, table 1."""
    return float(correlations(x, y).mean())


def mean_squared_correlation(x: Subspace, y: Subspace) -> float:
    """sum_i rho_i^2 / min(r_x, r_y) = |Q_y^T Q_x|^2 / min(r_x, r_y). Kornblith et al. 2019, table 1."""
    product = x.basis.T @ y.basis
    return float((product**2).sum() / min(product.shape))


def weighted_correlation(x: Subspace, y: Subspace) -> float:
    """Correlations weighted by how much of x's channels each canonical direction h_i of x accounts for.

        sum_i a_i rho_i / sum_i a_i,   a_i = sum_j |h_i . x_j|

    Source:
        Morcos, Raghu and Bengio 2018, arXiv:1806.05759.
    """
    assert x.loadings is not None
    turns, rho, _ = np.linalg.svd(x.basis.T @ y.basis, full_matrices=False)
    weights = np.abs(turns.T @ x.loadings).sum(1)
    return float((weights * np.minimum(rho, 1)).sum() / weights.sum())
