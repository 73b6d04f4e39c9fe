"""Into which blocks of layers does a grid fall, and are they the ones that the architecture has?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.detector.network_map import BLOCKS
from gapscope.errors import InputError
from gapscope.showing import html_table
from gapscope.similarity.gram import Array
from gapscope.similarity.measures import find_measure
from gapscope.words import number_of, percent

Ranges = Sequence[tuple[int, int]]
"""First and last layer of each block, both included, rising; layers may lie in none."""

PAPER_BLOCKS: Ranges = ((0, 12), (14, 37), (42, 61), (62, 74), (75, 82), (83, 94), (95, 106))
"""What Ljungqvist et al. 2022 see in their Figures 3-6; layers 13 and 38-41 lie in none."""

YOLOV3_BLOCKS: Ranges = tuple((block.first, block.last) for block in BLOCKS)
"""Those of the architecture: `detector/network_map.py` says which."""

SMALLEST = 2
"""Layers in a block that is found."""


@dataclass(frozen=True)
class Blocks:
    """Neighbouring layers that belong together."""

    layers: NDArray[np.int64]
    """(L,) the layers' labels."""
    member: NDArray[np.int64]
    """(L,) the number of each layer's block, from 0 on."""
    explained: float
    """Share of the profiles' variance that lies between blocks: 0 for one block, 1 if layers within are all alike."""

    def __repr__(self) -> str:
        ranges = ", ".join(f"{first}-{last}" for first, last in self.ranges)
        return (
            f"<{number_of(len(self.ranges), 'block')} of {number_of(len(self.layers), 'layer')}: {ranges}; "
            f"{percent(self.explained)} of the variance lies between them>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        counts = np.bincount(self.member)
        rows = [
            (str(block), str(first), str(last), str(count))
            for block, ((first, last), count) in enumerate(zip(self.ranges, counts, strict=True))
        ]
        caption = f"{number_of(len(rows), 'block')}; {percent(self.explained)} of the variance lies between them"
        return html_table(caption, rows, ("block", "first layer", "last layer", "layers"))

    @property
    def ranges(self) -> list[tuple[int | str, int | str]]:
        """First and last layer of each block."""
        layers = self.layers.tolist()
        starts = np.flatnonzero(np.diff(self.member, prepend=-1))
        return [(layers[start], layers[end - 1]) for start, end in zip(starts, [*starts[1:], len(layers)], strict=True)]


def find_blocks(
    grid: xr.Dataset,
    measure: str = "cka_debiased",
    *,
    network: Literal["a", "b"] = "a",
    count: int | None = None,
    penalty: float | None = None,
) -> Blocks:
    """Blocks of one network's layers whose similarities to all layers of the other network are alike.

    A layer's profile is its row of the grid (its column, for network b). Layers are cut into blocks so that the squared
    distances of profiles to their block's mean, plus a penalty per cut, are smallest: exact, by dynamic programming.

    Smooth change is cut too, since a few steps describe it better than none; `agreement` says whether the cuts lie
    where an architecture has its own more often than equally regular ones.

    Args:
        grid: What `compare` returned for all cells.
        measure: One of its measures.
        network: Whose layers are cut.
        count: How many blocks; None lets the penalty decide.
        penalty: Share of the profiles' variance that one more block must explain. By default 2 / L: twice what a cut
            explains on average where the L profiles are noise.

    Returns:
        The blocks. Layers without a value belong to the block before them.

    Raises:
        InputError: If the grid has too few layers, the count does not fit, or the penalty is no share.

    Source:
        Killick, Fearnhead and Eckley 2012, arXiv:1101.1438, as in the package ruptures.
    """
    find_measure(measure)
    table = grid["value"].sel(measure=measure)
    if table.ndim != 2:
        raise InputError("this grid holds its diagonal only. Blocks need all cells: compare with cells='all'.")
    layers = grid[f"layer_{network}"].to_numpy()
    profiles = table.to_numpy() if network == "a" else table.to_numpy().T
    known = ~np.isnan(profiles).all(1)
    profiles = profiles[known][:, ~np.isnan(profiles).all(0)]
    most = len(profiles) // SMALLEST
    if not most or not np.isfinite(profiles).all():
        raise InputError(f"network {network} has {known.sum()} layers with values, too few to be cut into blocks.")
    if count is not None and not 1 <= count <= most:
        raise InputError(f"count = {count}: {len(profiles)} layers make 1 to {most} blocks of {SMALLEST} or more.")
    share = 2 / len(profiles) if penalty is None else penalty
    if not 0 < share <= 1:
        raise InputError(f"penalty = {penalty} is not a share of the variance. Give a number above 0 and up to 1.")
    member, explained = _cut(profiles, count, share)
    return Blocks(layers, member[np.maximum(np.cumsum(known) - 1, 0)], explained)


def _cut(profiles: Array, count: int | None, penalty: float) -> tuple[NDArray[np.int64], float]:
    """The number of each profile's block, and the share of the variance that lies between blocks."""
    total = float(np.square(profiles - profiles.mean(0)).sum())
    ends = [len(profiles)]
    if count != 1 and total > 0 and len(profiles) >= 2 * SMALLEST:
        search = _change_points().KernelCPD(kernel="linear", min_size=SMALLEST).fit(profiles)
        ends = search.predict(n_bkps=count - 1) if count else search.predict(pen=penalty * total)
    member = np.repeat(np.arange(len(ends)), np.diff([0, *ends]))
    within = sum(float(np.square(part - part.mean(0)).sum()) for part in np.split(profiles, ends[:-1]))
    return member, 1 - within / total if total > 0 else 0.0


def _change_points():  # type: ignore[no-untyped-def]
    try:
        import ruptures
    except ImportError as error:
        raise InputError(
            "finding blocks needs the package ruptures, which is not installed (it has no release for this Python "
            "yet). Use Python 3.11 to 3.13."
        ) from error
    return ruptures


@dataclass(frozen=True)
class Agreement:
    """How well blocks that were found match blocks that were expected."""

    adjusted_rand: float
    """Over pairs of layers that lie in expected blocks: 1 for the same blocks, about 0 for scattered labels."""
    chance_rand: float
    """The mean of the same over equally regular cuts: the found blocks in another order. Neighbours stay together, so
    it is well above 0."""
    p: float
    """The share of these, the found one counted in, that match at least as well."""
    boundary_f1: float
    """Harmonic mean of the shares of found and of expected boundaries that have a partner within the margin."""


def agreement(found: Blocks, expected: Ranges, *, margin: int = 1, draws: int = 1000, seed: int = 0) -> Agreement:
    """Compare found blocks with expected ones, and with what equally regular cuts would give.

    Cuts at random places leave some blocks of one layer and some of fifty, which match regular stages badly: against
    them nearly any regular cut looks good. So chance has the found blocks' own sizes, in random order.

    Args:
        found: Of a network whose layers are numbers.
        expected: Such as `PAPER_BLOCKS` or `YOLOV3_BLOCKS`; layers in none of them do not count.
        margin: Layers that a boundary may be off.
        draws: Random orders of the found blocks.
        seed: Of the orders.

    Raises:
        InputError: If no layer lies in an expected block.

    Source:
        Hubert and Arabie 1985, Journal of Classification 2:193 (adjusted Rand index).
    """
    wanted = np.full(len(found.layers), -1)
    if np.issubdtype(found.layers.dtype, np.integer):
        for number, (first, last) in enumerate(expected):
            wanted[(found.layers >= first) & (found.layers <= last)] = number
    counted = wanted >= 0
    if not counted.any():
        raise InputError("none of the layers lies in an expected block. Give blocks of this network's layers.")
    value = adjusted_rand(found.member[counted], wanted[counted])
    rng, sizes = np.random.default_rng([seed, 5]), np.bincount(found.member)
    random = [adjusted_rand(_in_random_order(sizes, rng)[counted], wanted[counted]) for _ in range(draws)]
    p = (1 + sum(one >= value for one in random)) / (1 + draws)
    return Agreement(value, float(np.mean(random)), p, _boundary_f1(found, expected, margin))


def adjusted_rand(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Agreement of two labellings (n,) in the pairs they put together: 1 for the same, 0 on average for shuffled ones.

    Two labellings that put everything into one block agree perfectly.
    """
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)

    def pairs(counts: Array) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, in_a, in_b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    by_chance = in_a * in_b / pairs(np.array([len(a)])) if len(a) > 1 else 0.0
    best = (in_a + in_b) / 2
    return 1.0 if best == by_chance else (both - by_chance) / (best - by_chance)


def _in_random_order(sizes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The number of each layer's block, of blocks of these sizes in another order."""
    return np.repeat(np.arange(len(sizes)), rng.permutation(sizes))


def _boundary_f1(found: Blocks, expected: Ranges, margin: int) -> float:
    """An expected boundary lies anywhere between the last layer of one block and the first of the next."""
    own = [int(first) for first, _ in found.ranges[1:]]
    low, high = int(found.layers.min()), int(found.layers.max())
    wanted = [(before + 1, first) for (_, before), (first, _) in pairwise(expected) if low < first <= high]
    if not own and not wanted:
        return 1.0
    left, matched = list(own), 0
    for start, end in wanted:
        partner = next((cut for cut in left if start - margin <= cut <= end + margin), None)
        if partner is not None:
            left.remove(partner)
            matched += 1
    return 2 * matched / (len(own) + len(wanted))
