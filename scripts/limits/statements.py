"""Which of the paper's statements survive on a run? The rules that judge their contrasts."""

from collections.abc import Sequence

from gapscope.several.statements import STATEMENTS, Answer

MOSTLY = 0.5
"""A floor's share above which a statement is called mostly the estimator's floor."""


def verdict(biased: Answer, debiased: Answer, floor_share: float) -> str:
    """What becomes of a statement at one image size.

    Args:
        biased: Whether it holds with the paper's estimator, in all comparisons.
        debiased: Whether it holds with the estimator whose floor is 0.
        floor_share: The biased contrast of shuffled images over that of the networks.
    """
    if debiased == "yes":
        if biased != "yes":
            return "survives, and only the debiased estimator is sure of it"
        return "survives but is mostly the estimator's floor" if floor_share > MOSTLY else "survives"
    if debiased == "open":
        return "cannot be told"
    return "is the estimator's floor" if biased == "yes" else "does not show here"


def beyond_seeds(excess: Answer) -> str:
    """Whether a statement is about training data, from its contrast minus that between two seeds of one arm."""
    return {
        "yes": "more than between two seeds",
        "no": "in some comparison less than between two seeds",
        "open": "not told apart from two seeds",
    }[excess]


def size_verdict(small: Sequence[Answer], large: Sequence[Answer], moved: float, moved_by_seed: float) -> str:
    """Does one image size stand for another?

    Args:
        small: Whether each statement holds at the small size, debiased, in the order of `STATEMENTS`.
        large: Whether it holds at the large one.
        moved: Mean over layers of |similarity at the small size - at the large one|.
        moved_by_seed: The same between two seeds at the large size: what is little for a curve.
    """
    pairs = list(zip((one.letter for one in STATEMENTS), small, large, strict=True))
    turned = [letter for letter, one, other in pairs if {one, other} == {"yes", "no"}]
    unsure = [letter for letter, one, other in pairs if one != other and "open" in (one, other)]
    if turned:
        return f"does not show here: holds at one of the two sizes and fails at the other: ({'), ('.join(turned)})"
    if unsure:
        return f"cannot be told: sure at one of the two sizes only: ({'), ('.join(unsure)})"
    return "survives for the pattern, not for the numbers" if moved > moved_by_seed else "survives"
