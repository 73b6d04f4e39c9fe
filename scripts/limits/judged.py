"""Curves of all networks at one size -> what becomes of each statement there, with every number behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from limits.numbers import DrawnCurve
from limits.statements import verdict

from gapscope.findings.layer_curves import BIASED, DEBIASED
from gapscope.several.statements import STATEMENTS, Answer, Array, Statement, certainty, in_all

ByEstimator = dict[str, DrawnCurve]


@dataclass(frozen=True)
class Compared:
    """Two networks, with the pairs of seeds that are their ceiling."""

    arms: tuple[str, str]
    curve: ByEstimator
    ceilings: Sequence[ByEstimator]

    def contrast(self, statement: Statement, estimator: str) -> Array:
        """(draws,)"""
        return statement.contrast(self.curve[estimator].draws)

    def excess(self, statement: Statement) -> Array:
        """The debiased contrast minus the mean of the ceilings', on the same draws of images (draws,)."""
        ceilings = [statement.contrast(one[DEBIASED].draws) for one in self.ceilings]
        return self.contrast(statement, DEBIASED) - np.mean(ceilings, axis=0)

    def effect(self, statement: Statement) -> float:
        """Mean over the statement's layers, debiased: 0 at the floor, 1 at the ceiling."""
        own = self.curve[DEBIASED]
        ceiling = np.mean([statement.inside(one[DEBIASED].value) for one in self.ceilings])
        floor = statement.inside(own.floor)
        return float((statement.inside(own.value) - floor) / (ceiling - floor))


@dataclass(frozen=True)
class Judged:
    """A statement at one size."""

    statement: Statement
    biased: Answer
    debiased: Answer
    excess: Answer
    sure: int
    """Comparisons in which it holds surely, debiased."""
    comparisons: int
    floor_share: float
    verdict: str


def judge(statement: Statement, compared: Sequence[Compared]) -> Judged:
    """By the rules of both modules of statements, over all pairs of networks at one size."""
    answers = {
        estimator: [certainty(one.contrast(statement, estimator)) for one in compared]
        for estimator in (BIASED, DEBIASED)
    }
    biased, debiased = in_all(answers[BIASED]), in_all(answers[DEBIASED])
    of_floor = np.mean([statement.contrast(one.curve[BIASED].floor) for one in compared])
    of_networks = np.mean([statement.contrast(one.curve[BIASED].value) for one in compared])
    share = float(of_floor / of_networks) if of_networks > 0 else float("nan")
    return Judged(
        statement,
        biased,
        debiased,
        in_all([certainty(one.excess(statement)) for one in compared]),
        answers[DEBIASED].count("yes"),
        len(compared),
        share,
        verdict(biased, debiased, share),
    )


def judge_all(compared: Sequence[Compared]) -> list[Judged]:
    """Every statement, in order."""
    return [judge(statement, compared) for statement in STATEMENTS]


def both(compared: Sequence[Compared], arms: tuple[str, str]) -> list[Compared]:
    """The comparisons of two arms, one per seed."""
    return [one for one in compared if one.arms == arms]


def with_interval(values: Sequence[Array], draws: Sequence[Array]) -> tuple[float, float, float]:
    """Mean over seeds, with the 95 % interval over images of that mean."""
    low, high = np.quantile(np.mean(draws, axis=0), (0.025, 0.975))
    return float(np.mean(values)), float(low), float(high)
