"""Which images belong together, such as the frames of one scene? They are drawn, shuffled and left out together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError
from gapscope.similarity.gram import AT_LEAST, Array

FEW_UNITS = 8
"""Independent images, or groups, below which draws say nothing about other images: intervals are NaN."""


@dataclass(frozen=True)
class Groups:
    """A partition of n images; images of different groups are independent, those of one group need not be."""

    number: NDArray[np.int64]
    """(n,) the group of each image, from 0 on."""

    def __len__(self) -> int:
        return int(self.number.max()) + 1

    @property
    def n(self) -> int:
        return len(self.number)

    @cached_property
    def member(self) -> Array:
        """(n, groups) 1 where an image is of a group."""
        return np.eye(len(self))[self.number]

    @cached_property
    def apart(self) -> NDArray[np.bool_]:
        """(n, n) whether two images are of different groups."""
        return self.number[:, None] != self.number[None, :]

    def select(self, rows: NDArray[np.intp]) -> "Groups":
        """The groups of some of the images."""
        return Groups(np.unique(self.number[rows], return_inverse=True)[1].astype(np.int64))


def groups_of(names: Sequence[str] | ArrayLike | None, n: int) -> Groups | None:
    """Groups from a name per image; an empty name is a group of its own. None where no two images share one.

    Raises:
        InputError: If there is not one name per image, or fewer than 4 groups.
    """
    if names is None:
        return None
    given = np.asarray(names)
    if given.shape != (n,):
        raise InputError(f"groups have shape {given.shape}, but there are {n} images. Give one of each image.")
    own = [str(name) or f"\0{at}" for at, name in enumerate(given.tolist())]
    number = np.unique(own, return_inverse=True)[1].astype(np.int64)
    found = Groups(number)
    if len(found) == n:
        return None
    if len(found) < AT_LEAST:
        raise InputError(
            f"the {n} images are of {len(found)} groups, but pairs within groups are left out, which needs at least "
            f"{AT_LEAST}. Give images of more groups, or compare without groups."
        )
    return found


def units(n: int, groups: Groups | None) -> int:
    """How many independent draws n images are."""
    return n if groups is None else len(groups)


def shuffled_order(n: int, groups: Groups | None, rng: np.random.Generator) -> NDArray[np.intp]:
    """An order of the images (n,): any, or one that keeps groups together.

    Groups of one size change places whole. Where sizes differ, they are laid end to end in another order, so that some
    places of one group get images of two.
    """
    if groups is None:
        return rng.permutation(n)
    places = np.argsort(groups.number, kind="stable")
    rank = rng.permutation(len(groups))[groups.number]
    order = np.empty(n, dtype=np.intp)
    order[places] = np.argsort(rank, kind="stable")
    return order


def drawn_parts(
    n: int, groups: Groups | None, count: int, draws: int, rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Rows of the images of `count` images, or of `count` whole groups, drawn at random without replacement."""
    if groups is None:
        return [rng.permutation(n)[:count] for _ in range(draws)]
    picked = (rng.permutation(len(groups))[:count] for _ in range(draws))
    return [np.flatnonzero(np.isin(groups.number, chosen)) for chosen in picked]
