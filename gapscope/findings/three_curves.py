"""Is the layer that differs most the layer that costs most? How alike, how domain-bound, how costly, on one axis.

All of one host and one donor of one seed, on the test images of the main probe's domain:

different   ceiling minus similarity of same-index layers (debiased CKA at the main size); 1 minus similarity without a
            second seed
bound       how well each layer of the host tells the domain from another one: debiased CKA with the labels
cost        what the part of a layer, put alone into the worse of the two networks, gives back of the gap
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.findings.grafts import GraftedPair, GraftedPart, GraftFindings
from gapscope.findings.layer_curves import PairCurve, Values, average
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.results import Results
from gapscope.findings.separability_file import SeparabilityCurve
from gapscope.grafting.verdicts import GAINS, LOSES
from gapscope.similarity.curve_ranks import Rank, rank

DIFFERENT, BOUND, COST = "different", "bound", "cost"
WORDS = {DIFFERENT: "how different", BOUND: "how domain-bound", COST: "how costly"}
FEWEST_TOLD = 3
"""Parts of which something can be told, without which nothing is said of what costs."""
SURE, LEAST_RHO = 0.05, 0.3
"""p, and how strong a rank correlation must be, for a sentence that says that curves go together."""


@dataclass(frozen=True, eq=False)
class ThreeCurves:
    """One host and one donor; every array is (layers,), NaN where undefined."""

    pair: GraftedPair
    alike: PairCurve | None
    """With floor and intervals; None where the two were not compared."""
    ceilings: Sequence[PairCurve]
    different: Values
    bound: SeparabilityCurve | None
    """Of the host; None where it was not asked for."""
    other_domain: str
    """From which the host's layers tell the domain apart; empty without `bound`."""
    cost: Values
    """One value for all layers of a part; NaN where it cannot be told from what any foreign part does."""
    cost_low: Values
    cost_high: Values
    ranks: Mapping[tuple[str, str], Rank]
    """Of each two of `different`, `bound` and `cost` that are there, over the layers that both define."""
    least_alike: str
    """The part that differs most, by the mean over its layers; empty where nothing was compared."""
    costliest: str
    """The part that gives back most, of those that surely give something back; empty where none does."""
    answer: str
    """Whether that part is also the one that costs, in words."""

    @property
    def domain(self) -> str:
        return self.pair.domain


def three_curves(results: Results, layers: LayerFindings, grafts: GraftFindings) -> list[ThreeCurves]:
    """Of every host and donor that were grafted on the main probe's domain, with each kind of batch statistics."""
    return list(_each(results, layers, grafts))


def _each(results: Results, layers: LayerFindings, grafts: GraftFindings) -> Iterator[ThreeCurves]:
    for pair in grafts.pairs:
        if pair.domain != results.probe:
            continue
        alike = layers.curve(pair.host, pair.donor) or layers.curve(pair.donor, pair.host)
        ceilings = layers.ceilings_of((pair.host.arm, pair.donor.arm))
        num_layers = results.layer_map(pair.host.arm).num_recorded
        different = np.full(num_layers, np.nan)
        if alike is not None:
            top = average(ceilings) if ceilings else np.ones(num_layers)
            different = top - alike.value
        other = next((name for run, name in results.separabilities if run == pair.host), "")
        bound = results.separabilities[pair.host, other].cka if other else None
        cost, low, high = cost_of_layers(pair, num_layers)
        curves = {DIFFERENT: different, BOUND: None if bound is None else bound.value, COST: cost}
        most_different = _most(pair.parts, [_mean(different, part) for part in pair.parts])
        known = pair.with_verdict(GAINS, LOSES)  # whatever else is largest may be so by chance
        costliest = _most(known, [_given_back(pair, part) for part in known]) if gap_is_sure(pair) else None
        costliest = costliest if costliest and _given_back(pair, costliest) > 0 else None
        yield ThreeCurves(
            pair=pair,
            alike=alike,
            ceilings=ceilings,
            different=different,
            bound=bound,
            other_domain=other,
            cost=cost,
            cost_low=low,
            cost_high=high,
            ranks=_ranks({name: values for name, values in curves.items() if values is not None}),
            least_alike=most_different.name if most_different else "",
            costliest=costliest.name if costliest else "",
            answer=_answer(pair, most_different, costliest),
        )


def cost_of_layers(pair: GraftedPair, num_layers: int) -> tuple[Values, Values, Values]:
    """(layers,) what a layer's part alone gives back, and its interval; NaN where nothing can be told of it.

    Where the donor is the better network, what its part adds to the host; where it is the worse one, what its part
    takes away. Where it is not sure which is better, all is NaN: nothing is lost that could sit anywhere. Layers from
    `num_layers` on, which are grafted but not recorded, have no place on the axis.
    """
    found = np.full((3, num_layers), np.nan)
    if gap_is_sure(pair):
        sign = math.copysign(1.0, pair.gap.value)
        for part in pair.parts:
            if part.told:
                ends = sorted((sign * part.alone.low, sign * part.alone.high))
                found[:, _shown(part, num_layers)] = np.array([[sign * part.alone.value], *([end] for end in ends)])
    return found[0], found[1], found[2]


def gap_is_sure(pair: GraftedPair) -> bool:
    """Whether one of the two networks is surely the better one."""
    return pair.gap.has_interval and (pair.gap.low > 0 or pair.gap.high < 0)


def _given_back(pair: GraftedPair, part: GraftedPart) -> float:
    return math.copysign(1.0, pair.gap.value) * part.alone.value


def _shown(part: GraftedPart, num_layers: int) -> list[int]:
    return [layer for layer in part.layers if layer < num_layers]


def _mean(values: Values, part: GraftedPart) -> float:
    mine = values[_shown(part, len(values))]
    return float(mine[np.isfinite(mine)].mean()) if np.isfinite(mine).any() else math.nan


def _most(parts: Sequence[GraftedPart], values: Sequence[float]) -> GraftedPart | None:
    known = [(value, -at) for at, value in enumerate(values) if math.isfinite(value)]
    return parts[-max(known)[1]] if known else None


def _ranks(curves: Mapping[str, Values]) -> dict[tuple[str, str], Rank]:
    pairs = [(DIFFERENT, COST), (BOUND, COST), (DIFFERENT, BOUND)]
    return {(a, b): rank(curves[a], curves[b]) for a, b in pairs if a in curves and b in curves}


def rank_words(curves: ThreeCurves, names: tuple[str, str]) -> str:
    """What a rank correlation says, as a sentence; empty where one of the two curves is not there."""
    found = curves.ranks.get(names)
    if found is None:
        return ""
    one, other = (WORDS[name] for name in names)
    told = [part for part in curves.pair.parts if part.told]
    if COST in names and (len(told) < FEWEST_TOLD or not gap_is_sure(curves.pair)):
        why = f"of {len(told)} of {len(curves.pair.parts)} parts something can be told"
        why = why if gap_is_sure(curves.pair) else "it is not sure that one of the two networks is the better one"
        return f"Whether {one} says {other} cannot be told: {why}."
    if not math.isfinite(found.rho):
        return f"Whether {one} says {other} cannot be told: {found.layers} layers have both."
    sure = found.p_either <= SURE and abs(found.rho) >= LEAST_RHO
    verb = ("goes with" if found.rho > 0 else "goes against") if sure else "does not surely go with"
    return (
        f"{one.capitalize()} a layer is {verb} {other} it is: rank correlation {found.rho:+.2f}, p = "
        f"{found.p_either:.2f} by circular shifts, {found.layers} layers."
    )


def _answer(pair: GraftedPair, different: GraftedPart | None, costliest: GraftedPart | None) -> str:
    if not gap_is_sure(pair):
        return "Cannot be told: it is not sure that one of the two networks is the better one here."
    if not any(part.told for part in pair.parts):
        return "Cannot be told: of no part does more follow than from another seed's in its place."
    if costliest is None:
        return "No part alone surely gives anything back."
    if different is None:
        return "The two networks were not compared layer by layer."
    most = _given_back(pair, costliest)
    if costliest.name == different.name:
        return f"Yes: {costliest.name} is least alike and gives back most, {100 * most:.1f} AP points alone."
    same = f"{100 * _given_back(pair, different):.1f} AP points"
    if different.verdict not in (GAINS, LOSES):
        same = "nothing that is sure" if different.told else "what cannot be told"
    return (
        f"No: {different.name} is least alike and gives back {same} alone; {costliest.name} gives back most, "
        f"{100 * most:.1f} AP points."
    )


def layers_told(curves: ThreeCurves) -> NDArray[np.bool_]:
    """(layers,) those of whose part something can be told."""
    return np.isfinite(curves.cost)
