"""A study of several networks -> one run for each, so that they stand side by side as runs do."""

import re
from collections.abc import Sequence

from gapscope.arms import shared_names
from gapscope.errors import InputError
from gapscope.findings.findings import find
from gapscope.findings.results import Results
from gapscope.several.runs import LETTERS, Run


def network_runs(results: Results) -> list[Run]:
    """What a run holds of each of its networks, arms lined up where they are alike but for these.

    Raises:
        InputError: A file of the run folder is broken, or there are more networks than fit on a page.
    """
    if len(results.networks) > len(LETTERS):
        raise InputError(f"{len(results.networks)} networks are more than fit on a page ({len(LETTERS)}).")
    names, titles = shared_names(results.experiment), shared_titles(results)
    return [
        Run(LETTERS[at], results.network_title(one.network), find(one), at, names, titles)
        for at, one in enumerate(results.by_network)
    ]


def shared_titles(results: Results) -> dict[str, str]:
    """By the name under which arms of several networks are lined up: what all of them are called.

    That is what their titles have in common, `U-Real` of `U-Real (tiny)` and `U-Real (FCOS)`; where that is nothing, or
    the same as of others, the first one's title.
    """
    lined_up: dict[str, list[str]] = {}
    for arm, name in shared_names(results.experiment).items():
        lined_up.setdefault(name, []).append(results.arm_title(arm))
    common = {name: _in_common(titles) for name, titles in lined_up.items()}
    told_apart = len(set(common.values())) == len(common) and all(common.values())
    return common if told_apart else {name: titles[0] for name, titles in lined_up.items()}


def _in_common(titles: Sequence[str]) -> str:
    """The words with which all titles begin, or else end."""
    words = [re.findall(r"[^\W_]+|[\W_]+", title) for title in titles]
    first, last = (_alike(side) for side in (words, [one[::-1] for one in words]))
    begin, end = "".join(first), "".join(last[::-1])
    return max(begin, end, key=len).strip(" \t,;:-_(/|+")


def _alike(words: Sequence[Sequence[str]]) -> list[str]:
    """The pieces that all lists begin with."""
    found = []
    for pieces in zip(*words, strict=False):
        if len(set(pieces)) > 1:
            break
        found.append(pieces[0])
    return found
