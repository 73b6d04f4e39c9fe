"""Every number of a run that words, tables and looks rest on, computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gapscope.errors import InputError
from gapscope.findings.arm_numbers import ArmNumbers, arm_numbers
from gapscope.findings.budgets import Budgets, find_budgets
from gapscope.findings.controls import Controls, find_controls
from gapscope.findings.gaps import Gap, find_gaps
from gapscope.findings.headline import HeadlineScores, scores_of
from gapscope.findings.layer_findings import LayerFindings, layer_findings
from gapscope.findings.remedies import Remedy, find_remedies
from gapscope.findings.results import Results


@dataclass(frozen=True, eq=False)
class RunNumbers:
    """How well every arm does where, what it loses, and where in the network the arms differ."""

    results: Results
    scores: HeadlineScores
    arms: Mapping[tuple[str, str], ArmNumbers]
    """By arm and domain, those that have been evaluated."""
    gaps: Sequence[Gap]
    remedies: Sequence[Remedy]
    """What has been tried against them, gap by gap, what regains most first."""
    budgets: Sequence[Budgets]
    """What was tried with few labelled images, gap by gap."""
    controls: Sequence[Controls]
    """What of gaps is looks, content, or there between any two sets, where arms tell."""
    by_probe: Mapping[str, LayerFindings]
    """By domain whose test images the networks looked at, the one that the run is about first."""

    @property
    def layers(self) -> LayerFindings:
        """Of the probe that the run is about."""
        return self.by_probe[self.results.probe]

    @property
    def losses(self) -> list[Gap]:
        """Gaps to explain: those on domains that play the real part, if something is lost there at all."""
        found = [gap for gap in self.gaps if gap.is_loss]
        return [gap for gap in found if self.results.experiment.domains[gap.domain].role == "real"] or found

    def evaluated_arms(self, domain: str) -> list[str]:
        """Reported arms that have been evaluated on a domain."""
        return [arm for arm in self.results.arms if (arm, domain) in self.arms]


def run_numbers(results: Results) -> RunNumbers:
    """Compute them.

    Raises:
        InputError: If a grid holds a measure that nobody knows, or the study has several networks, whose layers have
            nothing in common.
    """
    if len(results.networks) > 1:
        first = results.networks[0]
        raise InputError(
            f"{results.title} has {len(results.networks)} networks ({', '.join(results.networks)}), whose findings "
            f"stand apart. Take those of one: results.of_network('{first}')."
        )
    scores = scores_of(results)
    by_probe = {domain: layer_findings(results.seen_at(domain)) for domain in results.probes}
    gaps = find_gaps(results, scores)
    remedies = find_remedies(results, scores, gaps)
    budgets = find_budgets(results, gaps)
    controls = find_controls(results, scores, gaps, by_probe[results.probe])
    return RunNumbers(results, scores, arm_numbers(results), gaps, remedies, budgets, controls, by_probe)
