"""What may be said of a block? In one word, and only where another seed's block in its place does not do as much."""

from gapscope.evaluation.bootstrap import interval
from gapscope.evaluation.columns import Array
from gapscope.grafting.scoring import Score

GAINS, LOSES, NO_CHANGE, CANNOT_BE_TOLD = "gains", "loses", "no change", "cannot be told"
VERDICTS = {
    GAINS: "the donor's block alone makes the host better, surely and by more than another seed's block changes it",
    LOSES: "it makes the host worse, surely and by more than another seed's block does",
    NO_CHANGE: "neither the donor's block nor another seed's surely changes the host",
    CANNOT_BE_TOLD: "another seed's block changes the host about as much, so nothing follows for the donor's; or "
    "there is no other seed to hold it against",
}


def verdict(alone: Score, host: Score, control: Score | None) -> str:
    """The word for a block that is grafted alone; without a control a change needs only to be sure.

    A change is told apart if the interval of |alone - host| - |control - host| lies above 0, both over the same draws
    of images.
    """
    change, changed = alone.map50 - host.map50, sure(alone, host)
    if control is None:
        return NO_CHANGE if not changed else GAINS if change > 0 else LOSES
    if changed and larger(change, alone.draws - host.draws, control.map50 - host.map50, control.draws - host.draws):
        return GAINS if change > 0 else LOSES
    return CANNOT_BE_TOLD if changed or sure(control, host) else NO_CHANGE


def sure(one: Score, other: Score) -> bool:
    """Whether the interval of the difference excludes 0."""
    found = interval(one.draws - other.draws, one.map50 - other.map50)
    return found is not None and (found[0] > 0 or found[1] < 0)


def larger(value: float, draws: Array, other: float, other_draws: Array) -> bool:
    """Whether a change is surely larger than another, whatever their signs: over draws, with the sign of its value."""
    sign = 1.0 if value > 0 else -1.0
    found = interval(sign * draws - abs(other_draws), abs(value) - abs(other))
    return found is not None and found[0] > 0
