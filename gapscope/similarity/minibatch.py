"""CKA of more images than fit into one Gram matrix: batch by batch, without a bias from the batches' size."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.similarity.gram import Array, check_num_images, features_gram, flatten, u_center

Batch = tuple[Sequence[ArrayLike], Sequence[ArrayLike]]
"""Of one batch of images: a table per layer of network a, and a table per layer of network b."""


def minibatch_cka(batches: Iterable[Batch]) -> Array:
    """Debiased linear CKA of all layers of a (rows) with all layers of b, from batches of features (n, p).

    As `minibatch_cka_from_grams`, from features.
    """
    return minibatch_cka_from_grams(
        ([features_gram(x) for x in layers_a], [features_gram(y) for y in layers_b]) for layers_a, layers_b in batches
    )


def minibatch_cka_from_grams(batches: Iterable[Batch]) -> Array:
    """Debiased linear CKA of all layers of a (rows) with all layers of b, from batches of Gram matrices (n, n).

    HSIC is estimated without bias in each batch and averaged over the batches, before the ratio is taken:

        CKA = mean_b HSIC_b(K, L) / sqrt(mean_b HSIC_b(K, K) mean_b HSIC_b(L, L))

    Its expectation does not depend on the batches' size, and one batch of all images gives debiased CKA itself. It is
    not the average of the batches' CKAs. Batches may differ in size; each counts by its number of images. For
    recordings over parts of a probe: `minibatch_cka_from_grams((a.gram, b.gram) for a, b in parts)`.

    Args:
        batches: For each batch a sequence of Grams of network a's layers and one of network b's, over the same
            images; only one batch is held at a time.

    Returns:
        (layers of a, layers of b). NaN where the averaged HSIC of a layer with itself is not positive.

    Raises:
        InputError: If there is no batch, a batch has fewer than 4 images, or batches differ in their layers.

    Source:
        Nguyen, Raghu and Kornblith 2021, arXiv:2010.15327, eq. 3. Song et al. 2012, JMLR 13, eq. 5.
    """
    cross, own_a, own_b = np.zeros((0, 0)), np.zeros(0), np.zeros(0)
    seen = 0
    for number, (layers_a, layers_b) in enumerate(batches):
        a, b = _hsic_vectors(layers_a, number), _hsic_vectors(layers_b, number)
        if a.shape[1] != b.shape[1]:
            raise InputError(f"batch {number} holds different images for a and b. Pair the same images.")
        if number == 0:
            cross, own_a, own_b = np.zeros((len(a), len(b))), np.zeros(len(a)), np.zeros(len(b))
        if cross.shape != (len(a), len(b)):
            raise InputError(
                f"batch {number} has {len(a)} and {len(b)} layers, the first had {len(own_a)} and {len(own_b)}."
            )
        n = len(layers_a[0])  # type: ignore[arg-type]
        cross += n * (a @ b.T)
        own_a += n * np.square(a).sum(1)
        own_b += n * np.square(b).sum(1)
        seen += n
    if not seen:
        raise InputError("there is no batch. Give at least one, of 4 images or more.")
    norms = np.outer(own_a, own_b)
    return np.where(norms > 0, cross / np.sqrt(np.where(norms > 0, norms, 1)), np.nan)


def _hsic_vectors(grams: Sequence[ArrayLike], number: int) -> Array:
    """(layers, pairs); the inner product of two rows is the unbiased HSIC of two layers in this batch."""
    stack = np.stack([np.asarray(gram, dtype=np.float64) for gram in grams])
    n = stack.shape[-1]
    if stack.ndim != 3 or stack.shape[1] != n:
        raise InputError(f"batch {number} holds Gram matrices of shape {stack.shape[1:]}, but they must be square.")
    check_num_images(n)
    return flatten(u_center(stack)) / np.sqrt(n * (n - 3))
