"""What the page says of remedies: a ranking in pictures and numbers, and what few labelled images are worth."""

from collections.abc import Sequence
from dataclasses import dataclass

from gapscope.findings.findings import Findings
from gapscope.paper.domain_figures import as_data_uri
from gapscope.paper.remedy_figures import remedy_figures

INCHES = 7.0


@dataclass(frozen=True)
class RemedySection:
    """All that the section shows besides tables and sentences."""

    figures: Sequence[tuple[str, str]]
    """(data URI, what it shows), the ranking of every gap first, then its budgets."""


def remedy_section(findings: Findings) -> RemedySection:
    """From the findings of a run."""
    return RemedySection([(as_data_uri(one.draw(INCHES)), one.caption) for one in remedy_figures(findings.numbers)])
