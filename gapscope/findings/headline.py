"""The headline number: mAP@0.5 over the headline classes of every arm on every domain, and how sure it is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gapscope.evaluation.average_precision import RULES
from gapscope.evaluation.columns import Array
from gapscope.findings.estimates import Estimate, mean_estimate, mean_over
from gapscope.findings.evaluation_file import RuleScores
from gapscope.findings.results import Results
from gapscope.run_folder import RunName


@dataclass(frozen=True)
class ArmScore:
    """An arm's headline mAP@0.5 on one domain by one rule."""

    seeds: tuple[Estimate, ...]
    """One per seed of the study, with the interval over test images that its evaluation file holds."""
    mean: Estimate
    """Over the seeds, with a 95 % interval over the test images; undefined where a seed has no number.

    Every draw takes the same images for all seeds, and their mean is one draw of the mean. The interval does not hold
    what other seeds would change."""

    @property
    def values(self) -> tuple[float, ...]:
        """One per seed; NaN where undefined or not evaluated."""
        return tuple(one.value for one in self.seeds)

    @property
    def known_mean(self) -> float:
        """Over the seeds that have a number; NaN if none has."""
        return mean_over(self.values)

    @property
    def spread(self) -> float:
        """Largest minus smallest over the seeds, AP points; NaN with one."""
        values = [value for value in self.values if math.isfinite(value)]
        return 100 * (max(values) - min(values)) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class HeadlineScores:
    """The headline numbers of a whole run."""

    rule: str
    """The one that the study leads with."""
    found: Mapping[tuple[str, str, str], ArmScore]
    """By reported arm, test domain and rule."""

    def of(self, arm: str, domain: str, rule: str | None = None) -> ArmScore:
        """An arm on a domain, by the study's own rule unless another is named."""
        return self.found[arm, domain, rule or self.rule]

    def most_between_rules(self, arms: Sequence[str], domains: Sequence[str]) -> float:
        """How far the rules' numbers of one training lie apart at most, AP points; 0 where none has both."""
        first, second = RULES
        pairs = [
            (one, other)
            for arm in arms
            for domain in domains
            for one, other in zip(self.of(arm, domain, first).values, self.of(arm, domain, second).values, strict=True)
        ]
        return 100 * max((abs(a - b) for a, b in pairs if math.isfinite(a - b)), default=0.0)


def scores_of(results: Results) -> HeadlineScores:
    """The headline numbers of every reported arm on every test domain by every rule."""
    found = {
        (arm, domain, rule): _arm_score(results, arm, domain, rule)
        for arm in results.arms
        for domain in results.test_domains
        for rule in RULES
    }
    return HeadlineScores(results.experiment.evaluate.rule, found)


def _arm_score(results: Results, arm: str, domain: str, rule: str) -> ArmScore:
    found = [rule_scores(results, run, domain, rule) for run in results.runs(arm)]
    mean = mean_estimate([one.headline.value for one in found], [one.headline_draws for one in found])
    return ArmScore(tuple(one.headline for one in found), mean)


def headline_classes(results: Results) -> list[str]:
    """The classes whose mean is the headline number."""
    return results.experiment.headline_classes


def rule_scores(results: Results, run: RunName, domain: str, rule: str | None = None) -> RuleScores:
    """What an evaluation file holds under one rule, the study's own unless named; empty where not evaluated."""
    evaluation = results.evaluations.get((run, domain))
    nothing = RuleScores()
    return evaluation.rules.get(rule or results.experiment.evaluate.rule, nothing) if evaluation else nothing


def headline_map50(results: Results, run: RunName, domain: str) -> float:
    """mAP@0.5 over the headline classes on a domain's test images; NaN where it is undefined or not evaluated."""
    return rule_scores(results, run, domain).headline.value


def headline_draws(results: Results, run: RunName, domain: str) -> Array | None:
    """Its draws; None in evaluation files of before there were any."""
    return rule_scores(results, run, domain).headline_draws
