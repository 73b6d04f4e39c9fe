"""The page's first three screens: the charts and cards beside the answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gapscope.findings.advice import Advice
from gapscope.findings.fates import fate_sentence
from gapscope.findings.findings import Findings
from gapscope.findings.gaps import Gap
from gapscope.findings.part_sentences import graft_pairs
from gapscope.findings.results import Results
from gapscope.page.arms_shown import arms_shown
from gapscope.page.chart_fates import fates_chart
from gapscope.page.chart_gap import gap_chart
from gapscope.page.chart_parts import parts_chart

MOST_CARDS = 3
"""Suggestions on the page's first screens; the others stand below what weakens the verdict."""
MOST_GAPS = 6
"""Gaps that the reader can switch between (templates/styles/answers.css has a line for each); Performance has all."""


@dataclass(frozen=True)
class FirstScreens:
    """What they show besides the findings' sentences."""

    gap_chart: Markup
    arms_left_out: int
    """Arms that the charts do not show."""
    parts_chart: Markup
    has_grafts: bool
    """Whether a row of it is of grafts."""
    fates_chart: Markup
    """Empty where their stage has not run."""
    fate_sentence: Sequence[str]
    gaps: Sequence[tuple[Gap, str]]
    cards: Sequence[Advice]
    further: Sequence[Advice]
    """Suggestions that have no card."""


def first_screens(findings: Findings) -> FirstScreens:
    """From the findings of a run."""
    cards = different_cards(findings.results, findings.advice)
    first = findings.gaps[0][0] if findings.gaps else None
    return FirstScreens(
        gap_chart=gap_chart(findings),
        arms_left_out=len(findings.results.arms) - len(arms_shown(findings)),
        parts_chart=parts_chart(findings),
        has_grafts=bool(graft_pairs(findings.results, first)),
        fates_chart=fates_chart(findings),
        fate_sentence=fate_sentence(findings.results, first, findings.fates),
        gaps=findings.gaps[:MOST_GAPS],
        cards=cards,
        further=[one for one in findings.advice if one not in cards],
    )


def different_cards(results: Results, advice: Sequence[Advice]) -> list[Advice]:
    """The first suggestions, of those that say the same of several arms only the first."""
    kinds: dict[str, Advice] = {}
    for one in advice:
        said = one.do
        for title in sorted(map(results.arm_title, results.arms), key=len, reverse=True):
            said = said.replace(title, "")
        kinds.setdefault(said, one)
    return list(kinds.values())[:MOST_CARDS]
