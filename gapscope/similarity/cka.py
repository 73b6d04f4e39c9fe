"""CKA: do two layers find the same images alike?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.similarity.gram import Array, center, check_num_images, features_gram, u_center

NOTHING_LEFT = 1e-7
"""A centred Gram this small beside the plain one is rounding: nothing is left to compare."""


@dataclass(frozen=True)
class Measure:
    """What a similarity claims. Every claim is tested."""

    title: str
    center: Callable[[Array], Array]
    """How Gram matrices are centred before their cosine is taken."""
    debiased: bool
    larger_is_more_similar: bool
    invariant_to: tuple[str, ...]
    """Changes to one layer's features that leave the value alone."""
    varies_with: tuple[str, ...]
    """Changes that one might think harmless and that are not."""
    source: str


MEASURES = {
    "cka_debiased": Measure(
        title="debiased linear CKA",
        center=u_center,
        debiased=True,
        larger_is_more_similar=True,
        invariant_to=("shift", "scale", "rotation"),
        varies_with=("invertible map", "unrelated features"),
        source="Kornblith et al. 2019, arXiv:1905.00414, with the unbiased HSIC of Song et al. 2012, JMLR 13, eq. 5",
    ),
    "cka_biased": Measure(
        title="linear CKA as in the paper (biased)",
        center=center,
        debiased=False,
        larger_is_more_similar=True,
        invariant_to=("shift", "scale", "rotation"),
        varies_with=("invertible map", "unrelated features"),
        source="Kornblith et al. 2019, arXiv:1905.00414, eq. 3 in its Gram form; Ljungqvist et al. 2022, eq. 2",
    ),
}


def linear_cka(x: ArrayLike, y: ArrayLike, *, debiased: bool = True) -> float:
    """Linear centred kernel alignment between two layers.

    Row i of both arguments describes image i. With K and L the centred Gram matrices of x and y, and <K, L> the sum
    of their elementwise product,

        CKA = <K, L> / sqrt(<K, K> <L, L>)

    Args:
        x: Features of one layer (n, p), in any unit: CKA ignores scale, shift and rotation.
        y: Features of the other layer (n, q).
        debiased: Use the unbiased estimator. The plain one climbs towards 1 as p and q outgrow n, so that unrelated
            wide layers look alike.

    Returns:
        Similarity, without unit. 1 means the same up to scale, shift and rotation. Unrelated layers are about 0 when
        debiased (chance may take them just below), and above 0 when not.

    Raises:
        InputError: If x and y differ in n, n < 4, or a layer tells no images apart.

    Source:
        Kornblith et al. 2019, arXiv:1905.00414 (CKA).
        Song et al. 2012, JMLR 13, eq. 5 (unbiased HSIC).
    """
    return cka_from_grams(features_gram(x), features_gram(y), debiased=debiased)


def cka_from_grams(k: ArrayLike, l: ArrayLike, *, debiased: bool = True) -> float:
    """CKA of two Gram matrices (n, n), centred or not; otherwise as `linear_cka`."""
    grams = [np.asarray(gram, dtype=np.float64) for gram in (k, l)]
    for gram in grams:
        if gram.ndim != 2 or gram.shape[0] != gram.shape[1]:
            raise InputError(f"a Gram matrix has shape {gram.shape}, but must be square: one row and column per image.")
    if len(grams[0]) != len(grams[1]):
        raise InputError(
            f"x holds {len(grams[0])} images and y holds {len(grams[1])}, but both must hold the same images in the "
            "same order. Record both layers with one probe set."
        )
    check_num_images(len(grams[0]))
    measure = MEASURES["cka_debiased" if debiased else "cka_biased"]
    units = []
    for name, gram in zip("xy", grams, strict=True):
        unit, reason = normalized(gram, measure)
        if reason:
            raise InputError(f"there is nothing to compare: {name} {reason}. Leave that layer out.")
        units.append(unit)
    return float((units[0] * units[1]).sum())


def normalized(gram: Array, measure: Measure) -> tuple[Array, str]:
    """A Gram matrix (n, n) centred as the measure wants and scaled to norm 1; or all NaN, and the reason why.

    CKA is then a plain sum of products. Dividing before multiplying keeps layers of any unit within float64.
    """
    undefined = np.full_like(gram, np.nan)
    if not np.isfinite(gram).all():
        return undefined, "holds values that are not finite"
    largest = np.abs(gram).max()
    if largest == 0:
        return undefined, "tells no images apart: its values are the same for all of them"
    scaled = gram / largest
    centered = measure.center(scaled)
    norm = np.linalg.norm(centered)
    if norm <= NOTHING_LEFT * np.linalg.norm(scaled):
        return undefined, "tells no images apart: after centring only rounding is left of its Gram matrix"
    return centered / norm, ""
