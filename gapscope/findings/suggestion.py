"""One thing to do next: what, why, whether this run has tried it, and the lines of an experiment file that try it."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gapscope.config import Arm
from gapscope.findings.gap_sentences import interval_words
from gapscope.findings.gaps import Gap, gap_between
from gapscope.findings.run_numbers import RunNumbers
from gapscope.words import capitalized, duration

NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Suggestion:
    """What a rule says."""

    do: str
    because: str
    tried: str = NOT_TRIED
    """What an arm of this run that did it regained, and what it cost."""
    snippet: str = ""
    """Lines of an experiment file (TOML) that try it; empty where no line does."""
    regained: float = math.nan
    """AP points that the best arm that did it surely regained, 0 where none did; NaN where it was not tried."""


Found = Iterator[Suggestion]


def arm_lines(name: str, *, domains: list[str], start: str, freeze: str = "") -> str:
    """A table of an arm as an experiment file has it.

    >>> print(arm_lines("mixed", domains=["real", "synthetic"], start="scratch"))
    [arms.mixed]
    domains = ["real", "synthetic"]
    start = "scratch"
    """
    lines = [f"[arms.{toml_key(name)}]", f"domains = {json.dumps(domains, ensure_ascii=False)}"]
    lines.append(f"start = {json.dumps(start, ensure_ascii=False)}")
    return "\n".join([*lines, *([f'freeze = "{freeze}"'] if freeze else [])])


def sentence(text: str) -> str:
    """With a capital letter and a full stop.

    >>> sentence("not tried")
    'Not tried.'
    """
    return f"{capitalized(text)}."


def toml_key(name: str) -> str:
    """A name as a key of TOML.

    >>> toml_key("u-real"), toml_key("real photos")
    ('u-real', '"real photos"')
    """
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def tried_by(numbers: RunNumbers, gap: Gap, fits: Callable[[Arm], bool]) -> str:
    """What the arms of this run that fit have regained of a gap, beside the arm that loses."""
    results, arms = numbers.results, numbers.results.experiment.arms
    said = []
    for name in (one for one in results.arms if one not in (gap.home, gap.other) and fits(arms[one])):
        regained = gap_between(results, numbers.scores, gap.domain, name, gap.other)
        if regained is not None:
            cost = _cost(numbers, name)
            points = f"{regained.mean:+z.1f} AP points, {interval_words(regained)}"
            said.append(f"tried: {results.arm_title(name)} {points}{cost}")
    return "; ".join(said) or NOT_TRIED


def _cost(numbers: RunNumbers, arm: str) -> str:
    """Images and time of an arm's trainings; empty where none is finished."""
    found = [one.summary for run, one in numbers.results.trainings.items() if run.arm == arm and one.summary]
    if not found:
        return ""
    return f"; cost {found[0].train_images} training images, {duration(max(one.seconds for one in found))} a seed"
