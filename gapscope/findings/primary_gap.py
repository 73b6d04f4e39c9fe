"""Which gap is a run about? One is the primary one: the unfrozen synthetic arm on images that play the real part."""

from gapscope.findings.gaps import Gap
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers


def ordered_gaps(numbers: RunNumbers) -> list[Gap]:
    """Every gap, the primary one first.

    It is about a domain that plays the real part, and an arm that was trained on none such and has nothing frozen; of
    several the first in the experiment's order. Where a run has none like that, the nearest there is.
    """
    return sorted(numbers.gaps, key=lambda gap: _strays(numbers.results, gap))


def primary_gap(numbers: RunNumbers) -> Gap | None:
    """The first of them; None where a run has no gap (yet)."""
    return next(iter(ordered_gaps(numbers)), None)


def _strays(results: Results, gap: Gap) -> tuple[bool, ...]:
    """What speaks against a gap as the primary one, gravest first."""
    arm, domains = results.experiment.arms[gap.other], results.experiment.domains
    roles = [domains[name].role for name in arm.domains]
    return domains[gap.domain].role != "real", "real" in roles, bool(arm.freeze), set(roles) != {"synthetic"}
