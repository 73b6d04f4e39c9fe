"""CKA: do two layers find the same images alike?

Every variant here is the cosine of two centred kernel matrices. They differ in the kernel (linear, Gaussian, linear
with the images' own likeness taken out) and in the centring (debiased or not).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.similarity.between_groups import hsic, unit_pair
from gapscope.similarity.gram import Array, center, check_num_images, squared_distances, u_center
from gapscope.similarity.groups import Groups, groups_of
from gapscope.similarity.layer_view import LayerView, UndefinedError, check_finite, view_of_features
from gapscope.similarity.rows import Activations, Rows, as_rows, groups_of_rows

NOTHING_LEFT = 1e-7
"""A centred Gram this small beside the plain one is rounding: nothing is left to compare."""

BANDWIDTH = 0.5
"""Of the Gaussian kernel, in units of the root of the median squared distance."""


MANY_ROWS = 2000
"""Rows above which linear CKA is taken from products of features: a Gram matrix of 40,000 tokens takes 12 GiB."""


def linear_cka(
    x: Activations,
    y: Activations,
    *,
    debiased: bool = True,
    groups: Sequence[str] | ArrayLike | None = None,
    rows: Rows = "images",
    channels_last: bool = False,
) -> float:
    """Linear centred kernel alignment between two layers.

    Row i of both arguments describes image i. With K and L the centred Gram matrices of x and y, and <K, L> the sum
    of their elementwise product,

        CKA = <K, L> / sqrt(<K, K> <L, L>)

    Args:
        x: Features of one layer (n, p) or (n, ...), in any unit: CKA ignores scale, shift and rotation. An array, a
            list, or a tensor.
        y: Features of the other layer (n, q) or (n, ...).
        debiased: Use the unbiased estimator. The plain one climbs towards 1 as p and q outgrow n, so that unrelated
            wide layers look alike.
        groups: Of each image, what it was taken with, such as its scene. Images of one group are alike for that reason,
            so the unbiased estimator leaves out their pairs (`gapscope.similarity.between_groups`).
        rows: "tokens" compares tokens (n, t, c), or places of maps (n, c, h, w), in place of images. Those of one image
            are not independent: `groups=range(n)` leaves out their pairs.
        channels_last: Maps are (n, h, w, c); of tokens alone.

    Returns:
        Similarity, without unit. 1 means the same up to scale, shift and rotation. Unrelated layers are about 0 when
        debiased (chance may take them just below), and above 0 when not.

    Raises:
        InputError: If x and y differ in n, n < 4, a layer tells no images apart, groups are given to the biased
            estimator or are fewer than 4.

    Source:
        Kornblith et al. 2019, arXiv:1905.00414 (CKA).
        Song et al. 2012, JMLR 13, eq. 5 (unbiased HSIC).

    A layer is compared with itself, turned, stretched and moved, and with one that has nothing to do with it:

    >>> draw = np.random.default_rng(0)
    >>> layer, unrelated = draw.normal(size=(20, 50)), draw.normal(size=(20, 400))
    >>> turn, _ = np.linalg.qr(draw.normal(size=(50, 50)))
    >>> round(linear_cka(layer, 3 * layer @ turn + 1), 6)
    1.0
    >>> abs(linear_cka(layer, unrelated)) < 0.2 < 0.7 < linear_cka(layer, unrelated, debiased=False)
    True
    """
    tables = [as_rows(one, rows, channels_last=channels_last) for one in (x, y)]
    n = len(tables[0])
    if n > MANY_ROWS and groups is None and n == len(tables[1]):
        return _cka_of_many_rows(tables[0], tables[1], debiased)
    k, l = (linear_kernel(view_of_features(table)) for table in tables)
    return _cosine(k, l, debiased, _checked(groups_of_rows(groups, len(x), n), len(k), debiased))


def _cka_of_many_rows(x: Array, y: Array, debiased: bool) -> float:
    """The same from |X^T Y|^2 and the rows' squared lengths, without an (n, n) matrix.

    With d and e the diagonals of K and L, whose rows sum to zero since X and Y are centred, Song's estimator is

        n (n - 3) HSIC = |X^T Y|^2 - d . e - 2 d . e / (n - 2) + sum(d) sum(e) / ((n - 1) (n - 2))
    """
    tables = [_centred_table(name, table) for name, table in zip("xy", (x, y), strict=True)]
    n = len(x)

    def product(a: Array, b: Array) -> float:
        whole = float(np.square(a.T @ b).sum())
        if not debiased:
            return whole
        d, e = (np.square(table).sum(1) for table in (a, b))
        return whole - float(d @ e) * n / (n - 2) + float(d.sum() * e.sum()) / ((n - 1) * (n - 2))

    cross, *own = (product(*pair) for pair in ((tables[0], tables[1]), (tables[0],) * 2, (tables[1],) * 2))
    return float(cross / np.sqrt(own[0] * own[1]))


def _centred_table(name: str, table: Array) -> Array:
    """Features (n, p) minus their means, scaled to norm 1."""
    if not np.isfinite(table).all():
        raise InputError(f"{name} holds values that are not finite (NaN or infinity). Leave that layer out.")
    centred = table - table[0]  # a constant feature becomes exactly zero
    centred -= centred.mean(0)
    norm = np.linalg.norm(centred)
    if norm == 0:
        raise InputError(f"there is nothing to compare: {name} tells no rows apart. Leave that layer out.")
    return centred / norm


def cka_from_grams(
    k: ArrayLike, l: ArrayLike, *, debiased: bool = True, groups: Sequence[str] | ArrayLike | None = None
) -> float:
    """CKA of two Gram matrices (n, n), centred or not; otherwise as `linear_cka`."""
    grams = [np.asarray(gram, dtype=np.float64) for gram in (k, l)]
    for gram in grams:
        if gram.ndim != 2 or gram.shape[0] != gram.shape[1]:
            raise InputError(f"a Gram matrix has shape {gram.shape}, but must be square: one row and column per image.")
    check_num_images(len(grams[0]))
    return _cosine(grams[0], grams[1], debiased, _checked(groups, len(grams[0]), debiased))


def rbf_cka(x: ArrayLike, y: ArrayLike, *, bandwidth: float = BANDWIDTH, debiased: bool = True) -> float:
    """CKA with Gaussian kernels, which look at near neighbours more than at far ones; otherwise as `linear_cka`.

    Args:
        x: Features of one layer (n, p).
        y: Features of the other layer (n, q).
        bandwidth: In units of the root of each layer's median squared distance. The larger, the closer to linear CKA.
        debiased: Use the unbiased estimator.

    Source:
        Kornblith et al. 2019, section 3, and their notebook for the bandwidth.
    """
    if not bandwidth > 0:
        raise InputError(f"bandwidth = {bandwidth} is not a positive number. 0.5 is usual.")
    try:
        k, l = (gaussian_kernel(view_of_features(one), bandwidth) for one in (x, y))
    except UndefinedError as reason:
        raise InputError(f"there is nothing to compare: a layer {reason}. Leave that layer out.") from reason
    return _cosine(k, l, debiased)


def deconfounded_cka(x: ArrayLike, y: ArrayLike, inputs: ArrayLike) -> float:
    """Debiased CKA of what is left of both layers when the likeness of the images' own pixels is taken out.

    Networks that have learnt nothing still find images alike whose pixels are alike. `deconfounded_kernel` says how
    that part is taken out.

    Args:
        x: Features of one layer (n, p).
        y: Features of the other layer (n, q).
        inputs: What both networks saw (n, ...), such as pixels.
    """
    try:
        k, l = (deconfounded_kernel(view_of_features(one, inputs)) for one in (x, y))
    except UndefinedError as reason:
        raise InputError(f"there is nothing to compare: a layer {reason}. Leave that layer out.") from reason
    return _cosine(k, l, True)


def linear_kernel(view: LayerView) -> Array:
    """The layer's Gram matrix (n, n)."""
    return view.gram


def gaussian_kernel(view: LayerView, bandwidth: float = BANDWIDTH) -> Array:
    """exp(-d_ij / (2 s^2)) for squared distances d, with s = bandwidth * sqrt(median d), over all n^2 entries of d.

    Raises:
        UndefinedError: If half of all distances are 0: then there is no bandwidth.

    Source:
        The notebook of Kornblith et al. 2019 (google-research, representation_similarity).
    """
    check_finite(view)
    distances = squared_distances(view.gram / np.abs(view.gram).max())
    median = np.median(distances)
    if median == 0:
        raise UndefinedError("finds most images exactly alike: there is no typical distance to set a bandwidth by")
    return np.exp(-distances / (2 * bandwidth**2 * median))


def deconfounded_kernel(view: LayerView) -> Array:
    """K - beta C: the layer's Gram matrix without what a line through the input's Gram matrix C explains of it.

    beta is the least-squares slope of the U-centred K over the U-centred C, so that the debiased CKA of the rest is
    a partial correlation. Cui et al. regress plain matrices with an intercept and then drop negative eigenvalues; in
    U-centred space neither is needed.

    With groups, pairs of images of one group count in neither.

    Raises:
        UndefinedError: If the layer holds nothing but a multiple of the input's Gram matrix.

    Source:
        Cui et al. 2022, arXiv:2202.00095. Szekely and Rizzo 2014, arXiv:1310.2926 (partial distance correlation).
    """
    if view.input_gram is None:
        raise InputError(
            "deconfounded CKA needs the Gram matrix of the images themselves, and none is given. Record the networks "
            "again, or give input_gram."
        )
    check_finite(view)
    own, given = view.gram / np.abs(view.gram).max(), view.input_gram
    given = given / max(np.abs(given).max(), np.finfo(float).tiny)
    if view.groups is not None:
        if hsic(given, given, view.groups) <= 0:
            raise InputError("the images of different groups are all the same: their pixels explain nothing.")
        return own - hsic(own, given, view.groups) / hsic(given, given, view.groups) * given
    k, c = u_center(own), u_center(given)
    if np.linalg.norm(c) <= NOTHING_LEFT * np.linalg.norm(given):
        raise InputError("the images are all the same, or all equally far apart: their pixels explain nothing.")
    rest = own - (k * c).sum() / (c * c).sum() * given
    if np.linalg.norm(u_center(rest)) <= NOTHING_LEFT * np.linalg.norm(k):
        raise UndefinedError("finds images exactly as alike as their pixels: nothing is left to compare")
    return rest


def unit_kernel(kernel: Array, debiased: bool) -> Array:
    """A kernel matrix (n, n), centred and scaled to norm 1: CKA is the plain sum of products of two of them.

    Dividing before multiplying keeps layers of any unit within float64.

    Raises:
        UndefinedError: If nothing but rounding is left.
    """
    check_finite(LayerView(kernel))
    scaled = kernel / np.abs(kernel).max()
    centered = u_center(scaled) if debiased else center(scaled)
    norm = np.linalg.norm(centered)
    if norm <= NOTHING_LEFT * np.linalg.norm(scaled):
        raise UndefinedError("tells no images apart: after centring only rounding is left of its Gram matrix")
    return centered / norm


def _checked(groups: Sequence[str] | ArrayLike | None, n: int, debiased: bool) -> Groups | None:
    if groups is not None and not debiased:
        raise InputError("groups are given to the biased estimator, which has no pairs to leave out. Use debiased CKA.")
    return groups_of(groups, n)


def _cosine(k: Array, l: Array, debiased: bool, groups: Groups | None = None) -> float:
    if len(k) != len(l):
        raise InputError(
            f"x holds {len(k)} images and y holds {len(l)}, but both must hold the same images in the "
            "same order. Record both layers with one probe set."
        )
    units = []
    for name, kernel in zip("xy", (k, l), strict=True):
        try:
            units.append((unit_kernel(kernel, debiased),) * 2 if groups is None else unit_pair(kernel, groups))
        except UndefinedError as reason:
            raise InputError(f"there is nothing to compare: {name} {reason}. Leave that layer out.") from reason
    return float((units[0][1] * units[1][0]).sum())
