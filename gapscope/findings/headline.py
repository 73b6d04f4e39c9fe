"""The headline number: mAP@0.5 over the headline classes of one training on one domain, and how sure it is."""

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from gapscope.evaluation.bootstrap import interval
from gapscope.evaluation.columns import Array
from gapscope.findings.results import Results
from gapscope.run_folder import RunName


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN where one is not known."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    def times(self, factor: float) -> "Estimate":
        """The same in another unit, such as AP points."""
        return Estimate(factor * self.value, factor * self.low, factor * self.high)


def headline_classes(results: Results) -> list[str]:
    """The classes whose mean is the headline number."""
    return results.experiment.headline_classes


def rule_scores(results: Results, run: RunName, domain: str, rule: str | None = None) -> dict[str, Any]:
    """What an evaluation file holds under one rule, the study's own unless named; empty where not evaluated."""
    evaluation = results.evaluations.get((run, domain))
    found: dict[str, Any] = evaluation["rules"].get(rule or results.experiment.evaluate.rule, {}) if evaluation else {}
    return found


def headline_map50(results: Results, run: RunName, domain: str, rule: str | None = None) -> float:
    """mAP@0.5 over the headline classes on a domain's test images; NaN where it is undefined or not evaluated."""
    return number(rule_scores(results, run, domain, rule).get("headline_map50"))


def map50s(results: Results, arm: str, domain: str, rule: str | None = None) -> list[float]:
    """An arm's headline mAP@0.5 on a domain, one per seed; NaN where undefined."""
    return [headline_map50(results, RunName(arm, seed), domain, rule) for seed in results.seeds]


def headline_estimate(results: Results, run: RunName, domain: str, rule: str | None = None) -> Estimate:
    """The headline mAP@0.5 of one training, with the interval over test images that its evaluation file holds."""
    found = rule_scores(results, run, domain, rule)
    return estimate(found.get("headline_map50"), found.get("interval", {}).get("headline_map50"))


def estimate(value: float | None, interval_of_it: list[float] | None) -> Estimate:
    """As evaluation files hold them: null where undefined."""
    return Estimate(number(value), *(map(float, interval_of_it) if interval_of_it else ()))


def number(value: float | None) -> float:
    """As evaluation files hold it, null where undefined."""
    return math.nan if value is None else float(value)


def headline_draws(results: Results, run: RunName, domain: str, rule: str | None = None) -> Array | None:
    """(draws,) the headline mAP@0.5 over images drawn anew; NaN in draws where it is undefined.

    Draw i takes the same images for every network on a domain. None in evaluation files of before there were draws.
    """
    draws = rule_scores(results, run, domain, rule).get("headline_draws")
    return np.array([math.nan if value is None else value for value in draws]) if draws else None


def seed_mean(results: Results, arm: str, domain: str, rule: str | None = None) -> Estimate:
    """An arm's mean over the seeds, with a 95 % interval over the test images; undefined where a seed has no number.

    Every draw takes the same images for all seeds, and their mean is one draw of the mean. The interval does not hold
    what other seeds would change.
    """
    values = map50s(results, arm, domain, rule)
    draws = [headline_draws(results, RunName(arm, seed), domain, rule) for seed in results.seeds]
    return mean_estimate(values, draws)


def mean_estimate(values: list[float], draws: list[Array | None]) -> Estimate:
    """The mean of values with the bias-corrected interval of the mean of their draws."""
    mean = fmean(values)
    known = [one for one in draws if one is not None]
    if math.isnan(mean) or len(known) < len(values) or len({len(one) for one in known}) > 1:
        return Estimate(mean)
    return Estimate(mean, *(interval(np.mean(known, axis=0), mean) or ()))
