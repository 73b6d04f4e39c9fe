"""Which test images are worth a look? Those that arms disagree about, some of each mistake and class, a fair few."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REASONS = DISPUTED, EXAMPLE, SAMPLE = "disputed", "example", "sample"


LOOKED_AT = 20
"""Times as many disputed images are looked at, at most, as are wanted: telling whether two are alike takes time."""


@dataclass(frozen=True)
class Choice:
    """One chosen image."""

    image: int
    reason: str
    """DISPUTED: the arms disagree most about it; EXAMPLE: it shows a class or mistake that the others do not show
    often enough; SAMPLE: evenly spaced along the list of test images, whatever is in them."""


Things = Mapping[str, NDArray[np.bool_]]
"""Name of a mistake or class -> (n,) which images hold it."""
Alike = Callable[[int, int], bool]
"""Whether two images show nearly the same."""


def choose(
    disagreement: NDArray[np.float64],
    wanted: Sequence[Things],
    at_hand: NDArray[np.bool_],
    count: int,
    alike: Alike = lambda one, other: False,
) -> list[Choice]:
    """Choose images: a third disputed, no two of them alike, then examples, the rest evenly spaced.

    Examples are added until each thing is in one of the chosen images, group after group, and then in a second one
    while a third of the places is free; each is the image that holds most of what is lacking, of equals the most
    disputed.

    Args:
        disagreement: (n,) per image, 0 or more.
        wanted: Things that the chosen images should hold, the most important group first.
        at_hand: (n,) images that can be shown.
        count: How many to choose.
        alike: Asked of disputed images, such as frames of one video.

    Returns:
        At most `count` images, the most disputed first.
    """
    shown = np.flatnonzero(at_hand)
    by_dispute = shown[np.argsort(-disagreement[shown], kind="stable")]
    chosen = {image: DISPUTED for image in _disputed(by_dispute, disagreement, count // 3, alike)}
    for times, room in ((1, count), (2, count - count // 3)):
        for things in wanted:
            _add_examples(chosen, things, by_dispute, times, room)
    rest = [int(image) for image in shown if image not in chosen]
    chosen |= {rest[i]: SAMPLE for i in evenly(len(rest), max(0, count - len(chosen)))}
    return [Choice(int(image), chosen[int(image)]) for image in by_dispute if int(image) in chosen]


def evenly(total: int, count: int) -> list[int]:
    """`count` of 0..total-1, evenly spaced; all of them if there are fewer."""
    return sorted({int(i) for i in np.linspace(0, total - 1, min(count, total))})


def uncovered(chosen: Sequence[Choice], wanted: Sequence[Things]) -> list[str]:
    """Things that occur in the images, but in none of the chosen ones."""
    images = [choice.image for choice in chosen]
    return [name for things in wanted for name, held in things.items() if held.any() and not held[images].any()]


def _disputed(by_dispute: NDArray[np.int64], disagreement: NDArray[np.float64], count: int, alike: Alike) -> list[int]:
    """The first images that are disputed at all and not like one before them; not many more are looked at."""
    chosen: list[int] = []
    for image in map(int, by_dispute[: LOOKED_AT * count]):
        if len(chosen) < count and disagreement[image] > 0 and not any(alike(image, other) for other in chosen):
            chosen.append(image)
    return chosen


def _add_examples(chosen: dict[int, str], things: Things, by_dispute: NDArray[np.int64], times: int, room: int) -> None:
    """Add images to `chosen` until so many of them hold each thing, or there are `room` of them."""
    while len(chosen) < room:
        here = list(chosen)
        lacking = [held for held in things.values() if held[here].sum() < times]
        left = np.array([image for image in by_dispute if int(image) not in chosen], np.int64)
        gain = sum((held[left].astype(int) for held in lacking), np.zeros(len(left), int))
        if not len(left) or not gain.max():
            return
        chosen[int(left[gain.argmax()])] = EXAMPLE
