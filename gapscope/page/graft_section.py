"""What the page says of grafts: for every host and donor three curves, an answer, and the numbers part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gapscope.findings.findings import Findings
from gapscope.findings.graft_tables import STATISTICS
from gapscope.findings.results import Results
from gapscope.findings.three_curves import ThreeCurves, rank_words
from gapscope.grafting.verdicts import VERDICTS
from gapscope.paper.domain_figures import as_data_uri
from gapscope.paper.graft_figures import graft_figure

MOST_FIGURES = 6
"""On the page; the others are in the run folder's figures/."""


@dataclass(frozen=True)
class GraftedHost:
    """One donor in one host."""

    title: str
    answer: str
    sentences: Sequence[str]
    """What the three curves say of each other."""
    figure: str
    """As a data URI; empty beyond the first few."""
    alt: str


@dataclass(frozen=True)
class GraftSection:
    """All that the section shows."""

    hosts: Sequence[GraftedHost]
    left_out: int
    """Of these without a figure."""
    verdicts: Mapping[str, str]
    """Those that occur, and what they mean."""
    reasons: Sequence[str]
    """Why parts cannot be told, each once."""


def graft_section(findings: Findings) -> GraftSection:
    """From the findings of a run."""
    curves, results = findings.three_curves, findings.results
    parts = [part for pair in findings.grafts.pairs for part in pair.parts]
    there = {part.verdict for part in parts}
    return GraftSection(
        hosts=[_host(results, one, at < MOST_FIGURES) for at, one in enumerate(curves)],
        left_out=max(0, len(curves) - MOST_FIGURES),
        verdicts={word: meaning for word, meaning in VERDICTS.items() if word in there},
        reasons=list(dict.fromkeys(part.why for part in parts if part.why)),
    )


def _host(results: Results, one: ThreeCurves, drawn: bool) -> GraftedHost:
    pair = one.pair
    host, donor = results.arm_title(pair.host.arm), results.arm_title(pair.donor.arm)
    gap = f"{100 * pair.host_map50:.1f} AP points, with all parts {100 * pair.all_grafted:.1f}"
    return GraftedHost(
        title=f"{donor} into {host}, seed {pair.host.seed}, {STATISTICS[pair.statistics]} statistics ({gap})",
        answer=one.answer,
        sentences=[words for names in one.ranks if (words := rank_words(one, names))],
        figure=as_data_uri(graft_figure(one, 7.0)) if drawn else "",
        alt=f"Layer by layer how alike {host} and {donor} are, how well {host} tells the domains apart, and what each "
        "part of the donor changes alone; the numbers are in the table below",
    )
