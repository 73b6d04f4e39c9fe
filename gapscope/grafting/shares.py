"""How much of the gap is a block's? Shapley values: what grafting it adds, on average over the orders of the blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.columns import Array

ALL_ORDERS_UP_TO = 6
"""Blocks up to which all orders count: 2^6 = 64 grafts. Of more blocks, orders are drawn."""
Coalition = frozenset[int]
"""The blocks that are grafted."""


@dataclass(frozen=True)
class Shares:
    """Shapley values, in the unit of what was given; their sum is the whole gap."""

    values: Array
    """(blocks, ...)"""
    errors: Array
    """(blocks, ...) standard error over the orders that were drawn; 0 where all count"""
    orders: int
    """How many were drawn; 0 where all count."""


def sampled_orders(blocks: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Orders (count, blocks) in which blocks are grafted; none of few blocks, of which all orders count."""
    if blocks <= ALL_ORDERS_UP_TO:
        return np.zeros((0, blocks), np.int64)
    return np.array([rng.permutation(blocks) for _ in range(count)], np.int64).reshape(-1, blocks)


def coalitions(blocks: int, orders: NDArray[np.int64]) -> set[Coalition]:
    """Every set of blocks whose graft must be scored; without orders, all sets."""
    if not len(orders):
        return {frozenset(some) for size in range(blocks + 1) for some in combinations(range(blocks), size)}
    return {frozenset(order[:end].tolist()) for order in orders for end in range(blocks + 1)}


def shapley(blocks: int, orders: NDArray[np.int64], value: Callable[[Coalition], Array]) -> Shares:
    """The mean over orders of what a block adds to those before it.

        share_b = sum over S without b of |S|! (k - |S| - 1)! / k! (value(S with b) - value(S))

    which is the mean over all k! orders; with orders given, the mean over these. Either way, the shares of each order
    add up to value(all) - value(none), and so do their means.

    Args:
        blocks: k, at least 1.
        orders: What `sampled_orders` gave.
        value: Of each of `coalitions`: a number or an array of one shape.

    Source:
        Shapley 1953; sampled orders: Castro, Gomez and Tejada 2009, Computers & Operations Research 36.
    """
    if len(orders):
        added = np.array([[_added(value, order.tolist(), block) for block in range(blocks)] for order in orders])
        count = len(orders)
        errors = added.std(0, ddof=1) / np.sqrt(count) if count > 1 else np.full(added.shape[1:], np.nan)
        return Shares(added.mean(0), errors, count)
    values = np.array([_exact(value, blocks, block) for block in range(blocks)])
    return Shares(values, np.zeros_like(values), 0)


def _added(value: Callable[[Coalition], Array], order: Sequence[int], block: int) -> Array:
    before = frozenset(order[: order.index(block)])
    return np.asarray(value(before | {block})) - np.asarray(value(before))


def _exact(value: Callable[[Coalition], Array], blocks: int, block: int) -> Array:
    total = np.zeros(())
    others = [one for one in range(blocks) if one != block]
    for size in range(blocks):
        weight = factorial(size) * factorial(blocks - size - 1) / factorial(blocks)
        for some in combinations(others, size):
            before = frozenset(some)
            total = total + weight * (np.asarray(value(before | {block})) - np.asarray(value(before)))
    return total
