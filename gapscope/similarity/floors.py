"""How alike do unrelated layers look? Similarity with shuffled images: the floor, and z, p and q beside it."""

import numpy as np

from gapscope.progress import Progress, silent
from gapscope.similarity.gram import Array, shuffled_positions
from gapscope.similarity.groups import shuffled_order
from gapscope.similarity.measures import Measure
from gapscope.similarity.prepared import Prepared, all_cells, diagonal, finished

AT_ONCE = 2**17
"""Positions that are held at a time: a megabyte, which stays in a processor's cache for all layers."""


def permutation_floor(
    a: Prepared, b: Prepared, permutations: int, rng: np.random.Generator, progress: Progress = silent
) -> Array:
    """A measure of each layer pair when network b looks at the images in another order: what "unrelated" looks like.

    The widths p and the number of images stay as they are, so the floor holds the estimator's own bias. Images that
    belong together change places together.

    Args:
        a: One network's layers.
        b: The other's, paired layer by layer.
        permutations: How many orders are drawn; all layers share them.
        rng: Source of the orders.
        progress: Told after each order, for measures that take long.

    Returns:
        (permutations, layers). Undefined layers are NaN.
    """
    floor = np.empty((permutations, len(a)))
    orders = np.array([shuffled_order(a.n, a.groups, rng) for _ in range(permutations)], dtype=np.intp)
    if a.measure.pair is not None:
        for done, (row, order) in enumerate(zip(floor, orders, strict=True), start=1):
            row[:] = diagonal(a, b.shuffled(order))
            progress(f"{a.measure.title}, shuffled images", done, permutations)
        return floor
    step = max(AT_ONCE // a.vectors.shape[1], 1)
    for start in range(0, permutations, step):
        positions = shuffled_positions(orders[start : start + step])
        for layer, (one, other) in enumerate(zip(a.factors, b.vectors, strict=True)):
            floor[start : start + step, layer] = other.take(positions) @ one
    return finished(a.measure, floor)


def permutation_floor_of_cells(
    a: Prepared, b: Prepared, permutations: int, rng: np.random.Generator, progress: Progress = silent
) -> Array:
    """The same for each layer of a with each layer of b: (permutations, layers of a, layers of b).

    The orders are those of `permutation_floor` with the same generator, so both agree where they overlap.
    """
    floor = np.empty((permutations, len(a), len(b)))
    by_pair = np.ascontiguousarray(b.vectors.T) if b.measure.pair is None else np.empty(0)
    for done in range(permutations):
        order = shuffled_order(a.n, a.groups, rng)
        if a.measure.pair is None:
            floor[done] = finished(a.measure, a.factors @ by_pair[shuffled_positions(order)])
        else:
            floor[done] = all_cells(a, b.shuffled(order))
        progress(f"{a.measure.title}, shuffled images, all cells", done + 1, permutations)
    return floor


def permutation_floor_of_best(
    a: Prepared, b: Prepared, permutations: int, rng: np.random.Generator, progress: Progress = silent
) -> Array:
    """The same for each layer of a with that layer of b which it is most like in the order at hand (permutations, a).

    Only for measures that are sums of products.
    """
    by_pair, measure = np.ascontiguousarray(b.vectors[b.defined].T), a.measure
    floor = np.full((permutations, len(a)), np.nan)
    for done in range(permutations if by_pair.size else 0):
        positions = shuffled_positions(shuffled_order(a.n, a.groups, rng))
        products = finished(measure, a.factors @ by_pair[positions])
        floor[done] = products.max(1) if measure.larger_is_more_similar else products.min(1)
        progress(f"{measure.title}, shuffled images, best matches", done + 1, permutations)
    return floor


def z_values(value: Array, floor: Array, measure: Measure) -> Array:
    """How many standard deviations of the floor a value lies on the alike side of the floor's mean.

    Args:
        value: (...), floor: (permutations, ...); at least 2 permutations.
    """
    distance = value - floor.mean(0) if measure.larger_is_more_similar else floor.mean(0) - value
    spread = floor.std(0, ddof=1)
    return np.divide(distance, spread, out=np.full(np.shape(value), np.nan), where=spread > 0)


def p_values(value: Array, floor: Array, measure: Measure) -> Array:
    """The share of orders, the true one counted in, that make the layers at least as alike: (1 + k) / (1 + m).

    So p is never 0 and at best 1 / (1 + permutations). One-sided, valid for each cell by itself; among many cells use
    `q_values`. It speaks of these images in this order, and says nothing about how large a similarity is.

    Source:
        Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9:39.
    """
    at_least = floor >= value if measure.larger_is_more_similar else floor <= value
    p = (1 + at_least.sum(0)) / (1 + len(floor))
    return np.where(np.isnan(value), np.nan, p)


def q_values(p: Array) -> Array:
    """p adjusted for how many are looked at: of all cells with q <= 0.05, about 5 % or fewer are expected to be chance.

    Source:
        Benjamini and Hochberg 1995; holds for independent or positively dependent tests, as layers of one network are.
    """
    from scipy.stats import false_discovery_control  # late: it takes a second

    q = np.full_like(p, np.nan)
    known = ~np.isnan(p)
    if known.any():
        q[known] = false_discovery_control(p[known])
    return q
