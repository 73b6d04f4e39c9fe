"""Which arms stand in the charts of the first screens, where a study has too many for all of them?"""

from gapscope.findings.findings import Findings
from gapscope.findings.remedies import Remedy

MOST_ARMS = 8
"""With more, the charts show the arms of the gaps and the remedies that regain most of the first of them."""


def arms_shown(findings: Findings) -> list[str]:
    """The arms that are drawn there, in the order of the file; the section Performance has all."""
    arms = findings.results.arms
    if len(arms) <= MOST_ARMS:
        return list(arms)
    wanted = [arm for gap, _ in findings.gaps for arm in (gap.home, gap.other)]
    first = findings.gaps[0][0] if findings.gaps else None

    def rank(one: Remedy) -> tuple[bool, float]:
        return first is None or (one.gap.domain, one.gap.other) != (first.domain, first.other), -one.regained.mean

    wanted += [one.arm for one in sorted(findings.numbers.remedies, key=rank)]
    chosen = list(dict.fromkeys([*wanted, *arms]))[:MOST_ARMS]
    return [arm for arm in arms if arm in chosen]
