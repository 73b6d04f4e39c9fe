"""Which of the training images does an arm with a small diet see? Those of a small one are among a larger one's."""

import numpy as np
from numpy.typing import NDArray

from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

_STREAM = 5  # tells these draws from others of the same seed


def nested_subset(table: AnnotationTable, count: int, seed: int) -> NDArray[np.int64]:
    """`count` images of a table, rising; with the same seed those of a smaller count are among them.

    Images are drawn one group after the other, one of each, then the next of each, so that few images come from as many
    rides as can be. First of all stand images that bring a class which those before them lack, rarest class first.

    Raises:
        InputError: The table has fewer images.
    """
    if count > len(table):
        raise InputError(f"{count} images are asked for - there are {len(table)} training images. Ask for fewer.")
    return np.sort(nested_order(table, seed)[:count])


def nested_order(table: AnnotationTable, seed: int) -> NDArray[np.int64]:
    """All images of a table in the order in which subsets take them."""
    drawn = np.random.default_rng([_STREAM, seed]).permutation(len(table))
    turn = _turns(np.asarray(table.groups)[drawn])
    order = drawn[np.argsort(turn, kind="stable")]
    return _every_class_first(table, order)


def _turns(groups: NDArray[np.str_]) -> NDArray[np.int64]:
    """For each image how many of its group stand before it; all 0 where an image has no group."""
    seen: dict[str, int] = {}
    turns = np.zeros(len(groups), dtype=np.int64)
    for place, group in enumerate(groups.tolist()):
        if group:
            turns[place] = seen.get(group, 0)
            seen[group] = seen.get(group, 0) + 1
    return turns


def _every_class_first(table: AnnotationTable, order: NDArray[np.int64]) -> NDArray[np.int64]:
    counted = ~table.ignore
    has = np.zeros((len(table), len(table.class_names)), dtype=bool)
    has[table.box_image[counted], table.box_class[counted]] = True
    first: list[int] = []
    for label in np.argsort(has.sum(0), kind="stable").tolist():
        if not has[first, label].any():
            first += [int(image) for image in order if has[image, label]][:1]
    rest = order[~np.isin(order, first)]
    return np.concatenate([np.array(first, dtype=np.int64), rest])


def half_of(table: AnnotationTable, *, first: bool) -> NDArray[np.int64]:
    """One of two halves of a table, rising; together they are all of it, and no image is in both.

    Groups stay whole, each in the half that is smaller so far, the largest first and otherwise in an order drawn once
    for all; images of no group are drawn one by one.
    """
    names = np.where(table.groups == "", np.char.add("image ", np.arange(len(table)).astype(str)), table.groups)
    _, of_group = np.unique(names, return_inverse=True)
    sizes = np.bincount(of_group)
    drawn = np.random.default_rng([_STREAM, 0]).permutation(len(sizes))
    counts, second = [0, 0], np.zeros(len(sizes), dtype=bool)
    for group in sorted(drawn.tolist(), key=lambda one: -sizes[one]):
        smaller = int(counts[1] < counts[0])
        second[group], counts[smaller] = bool(smaller), counts[smaller] + int(sizes[group])
    return np.flatnonzero(second[of_group] != first)
