"""Where in the network is it, in every run? Curves on one axis, means of parts, and what holds of the paper's words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gapscope.detector.network_map import LayerMap
from gapscope.findings.estimates import Estimate
from gapscope.findings.layer_curves import DEBIASED, PARTS, PairCurve, average, part_mask
from gapscope.findings.layer_findings import ArmPair
from gapscope.run_folder import RunName
from gapscope.several.recorded_networks import Recorded
from gapscope.several.runs import Run
from gapscope.several.statements import Answer, Array, Statement, certainty, defined_mean, in_all
from gapscope.several.statements_by_parts import statements_of


@dataclass(frozen=True, eq=False)
class RunCurve:
    """Same-index layers of two arms of one run, averaged over its seeds."""

    run: Run
    arms: ArmPair
    size: int
    layers: tuple[int, ...]
    seeds: tuple[int, ...]
    value: Array
    """(layers,) mean over the seeds; NaN where it is undefined with one of them."""
    low: Array
    high: Array
    """(layers,) means of the ends of the seeds' 95 % intervals over probe images."""
    ceiling: Array | None
    """(layers,) between two seeds of one arm, mean over the arms that train the layer; None with one seed."""

    @property
    def map(self) -> LayerMap:
        """Of both arms' network."""
        return self.run.results.layer_map(self.run.own(self.arms[0]) or self.arms[0])

    @property
    def architecture(self) -> tuple[str, tuple[int, ...]]:
        """Equal for curves whose layers are counterparts: of networks that are called alike, and as many."""
        return self.map.network, self.layers

    @property
    def depth(self) -> Array:
        """(layers,) from 0, the first layer, to 1, the last."""
        return np.linspace(0, 1, len(self.layers))


def arm_pairs(runs: Sequence[Run]) -> dict[ArmPair, list[Run]]:
    """Every pair of reported arms, by the names that line them up, with the runs that have both, in the order of the
    first run that has them."""
    found: dict[ArmPair, list[Run]] = {}
    for run in runs:
        for a, b in ((run.called(a), run.called(b)) for a, b in run.results.pairs):
            key = (b, a) if (b, a) in found else (a, b)
            found.setdefault(key, []).append(run)
    return found


def run_curve(run: Run, arms: ArmPair, size: int, estimator: str = DEBIASED) -> RunCurve | None:
    """The curve of one run, or None where nothing has been compared at this size."""
    layers, own = run.findings.numbers.layers, _own(run, arms)
    curves = {} if own is None else layers.by_seed(own, size, estimator)
    if not curves or own is None:
        return None
    first = next(iter(curves.values()))
    ceilings = layers.ceilings_of(own, size, estimator)
    return RunCurve(
        run,
        arms,
        size,
        tuple(map(int, first.layers)),
        tuple(curves),
        _mean(list(curves.values()), "value"),
        _mean(list(curves.values()), "interval_low"),
        _mean(list(curves.values()), "interval_high"),
        average(ceilings) if ceilings else None,
    )


def _own(run: Run, arms: ArmPair) -> ArmPair | None:
    """Two arms as their own run names and orders them; None where it has not both."""
    a, b = (run.own(arm) for arm in arms)
    if a is None or b is None:
        return None
    return (a, b) if (a, b) in run.results.pairs else (b, a)


def _mean(curves: Sequence[PairCurve], name: str) -> Array:
    return np.asarray(np.mean([getattr(curve, name) for curve in curves], axis=0))


def same_network(curves: Sequence[RunCurve]) -> bool:
    """Whether layers can be lined up by their index."""
    return len({curve.architecture for curve in curves}) == 1


def part_means(curve: RunCurve, found: Recorded | None) -> dict[str, Estimate]:
    """Mean over the layers of each part that has some, and the seeds.

    The interval is over draws of the probe images, the same for all layers and seeds; without recordings there is none.
    """
    drawn = None if found is None else _seed_draws(curve, found)
    means = {}
    for part in PARTS:
        mask = part_mask(np.array(curve.layers), part, curve.map.backbone_last)
        if not mask.any():
            continue
        value = float(defined_mean(curve.value[mask]))
        means[part] = Estimate(value)
        if drawn is not None:
            low, high = np.quantile(defined_mean(np.mean(drawn, axis=0)[:, mask]), (0.025, 0.975))
            means[part] = Estimate(value, float(low), float(high))
    return means


def _seed_draws(curve: RunCurve, found: Recorded) -> list[Array]:
    """(draws, layers) of every seed of a curve."""
    a, b = _own(curve.run, curve.arms) or curve.arms
    return [found.draws[RunName(a, seed), RunName(b, seed)] for seed in curve.seeds]


@dataclass(frozen=True, eq=False)
class Held:
    """What becomes of one of the paper's statements in one run: the first arm against each other one, seed by seed."""

    statement: Statement
    run: Run
    comparisons: int
    answer: Answer | None
    """Over all comparisons; None without recordings, which the intervals are drawn from."""
    sure: int
    """Comparisons in which it surely holds."""
    contrast: Estimate
    """Mean over the comparisons, positive where the statement holds; debiased CKA."""


def held(run: Run, size: int, found: Recorded | None) -> list[Held]:
    """Each of the paper's statements that can be asked of a run's network; none where nothing is compared."""
    if not run.results.recorded_arms:
        return []
    first, *others = map(run.called, run.results.recorded_arms)
    curves = [curve for other in others if (curve := run_curve(run, (first, other), size)) is not None]
    if not curves:
        return []
    return [_held(statement, run, curves, found) for statement in statements_of(curves[0].map, len(curves[0].layers))]


def _held(statement: Statement, run: Run, curves: Sequence[RunCurve], found: Recorded | None) -> Held:
    count = sum(len(curve.seeds) for curve in curves)
    if found is None:
        value = float(np.mean([statement.contrast(curve.value) for curve in curves]))
        return Held(statement, run, count, None, 0, Estimate(value))
    values = [one for curve in curves for one in _seed_values(curve)]
    drawn = [statement.contrast(draws) for curve in curves for draws in _seed_draws(curve, found)]
    answers = [certainty(one) for one in drawn]
    low, high = np.quantile(np.mean(drawn, axis=0), (0.025, 0.975))
    mean = float(np.mean([statement.contrast(value) for value in values]))
    return Held(statement, run, count, in_all(answers), answers.count("yes"), Estimate(mean, float(low), float(high)))


def _seed_values(curve: RunCurve) -> list[Array]:
    layers, own = curve.run.findings.numbers.layers, _own(curve.run, curve.arms) or curve.arms
    return [one.value for one in layers.by_seed(own, curve.size).values()]
