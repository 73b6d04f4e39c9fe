"""What may be said of each block? In one word, and only where another seed's block in its place does less."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.bands import band
from gapscope.evaluation.bootstrap import interval
from gapscope.evaluation.columns import Array

if TYPE_CHECKING:  # who reads verdicts needs no network for it
    from gapscope.grafting.scoring import Score

GAINS, LOSES, NO_CHANGE, CANNOT_BE_TOLD = "gains", "loses", "no change", "cannot be told"
VERDICTS = {
    GAINS: "the donor's block alone makes the host better, surely and by more than another seed's block changes it",
    LOSES: "it makes the host worse, surely and by more than another seed's block does",
    NO_CHANGE: "neither the donor's block nor another seed's surely changes the host",
    CANNOT_BE_TOLD: "another seed's block changes the host as much or more, or the change is not sure once all "
    "blocks are looked at together, so nothing follows for the donor's; or there is no other seed to hold it against",
}


def verdicts(alone: "Sequence[Score]", host: "Score", control: "Sequence[Score] | None") -> list[str]:
    """The word for every block that is grafted alone; without a control a change needs only to be sure.

    A change is told apart if |alone - host| - |control - host| is surely above 0, over the same draws of images. What
    is said to gain or lose holds for all blocks together: where no block does more than another seed's in its place,
    one study in 20 names one at most.

    Args:
        alone: The host with each of the donor's blocks.
        control: The same of another seed's blocks.
    """
    changes, drawn = _changes(alone, host)
    changed = above_0(np.abs(changes), np.sign(changes) * drawn)
    possibly = [sure(one, host) for one in alone]
    if control is not None:
        others, others_drawn = _changes(control, host)
        changed &= larger(changes, drawn, others, others_drawn)
        possibly = [mine or sure(other, host) for mine, other in zip(possibly, control, strict=True)]
    words = zip(changes, changed, possibly, strict=True)
    return [
        (GAINS if change > 0 else LOSES) if told else CANNOT_BE_TOLD if maybe else NO_CHANGE
        for change, told, maybe in words
    ]


def _changes(scores: "Sequence[Score]", host: "Score") -> tuple[Array, Array]:
    """(blocks,) and (draws, blocks)"""
    changes = np.array([one.map50 - host.map50 for one in scores])
    return changes, np.stack([one.draws - host.draws for one in scores], axis=1)


def sure(one: "Score", other: "Score") -> bool:
    """Whether the interval of the difference excludes 0."""
    found = interval(one.draws - other.draws, one.map50 - other.map50)
    return found is not None and (found[0] > 0 or found[1] < 0)


def larger(values: Array, draws: Array, others: Array, other_draws: Array) -> NDArray[np.bool_]:
    """(blocks,) which changes are surely larger than others, whatever their signs; all blocks looked at together.

    Args:
        values: (blocks,)
        draws: (draws, blocks) the same over images drawn anew.
        others: (blocks,) what they are held against.
        other_draws: (draws, blocks)
    """
    sign = np.where(values > 0, 1.0, -1.0)
    return above_0(np.abs(values) - np.abs(others), sign * draws - np.abs(other_draws))


def above_0(values: Array, draws: Array) -> NDArray[np.bool_]:
    """(blocks,) which numbers are surely above 0: by their own interval, and by the band of all of them together."""
    found = [interval(draws[:, at], float(value)) for at, value in enumerate(values)]
    alone = np.array([one is not None and one[0] > 0 for one in found], dtype=bool)
    defined = draws[~np.isnan(draws).any(1)]
    return alone & (band(defined)[0] > 0) if len(defined) else np.zeros(len(values), dtype=bool)
