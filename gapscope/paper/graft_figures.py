"""The three curves of every host and donor as figures: how alike, how domain-bound, how costly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gapscope.findings.estimates import Estimate
from gapscope.findings.findings import Findings
from gapscope.findings.graft_tables import STATISTICS
from gapscope.findings.layer_curves import PairCurve, Values
from gapscope.findings.results import Results
from gapscope.findings.separability_file import SeparabilityCurve
from gapscope.findings.three_curves import ThreeCurves
from gapscope.paper.captions import ESTIMATOR_WORDS, map_words
from gapscope.paper.planned import Planned
from gapscope.plot.style import Plot
from gapscope.plot.three_curves import three_curves


def graft_figures(findings: Findings) -> Iterator[Planned]:
    """One for every host and donor that were grafted on the main probe's domain."""
    for one in findings.three_curves:
        yield Planned(name_of(one), _draw, (_shown(one),), _caption(findings.results, one))


def name_of(one: ThreeCurves) -> str:
    """`grafts-u-synthetic-seed0--u-real-seed0`; those with statistics estimated anew say so."""
    end = "" if one.pair.statistics == "own" else f"-{one.pair.statistics}"
    return f"grafts-{one.pair.host}--{one.pair.donor}{end}"


@dataclass(frozen=True)
class ShownPart:
    """What is drawn of a part."""

    layers: tuple[int, ...]
    alone: Estimate
    told: bool


@dataclass(frozen=True)
class ShownPair:
    """What is drawn of host and donor."""

    parts: tuple[ShownPart, ...]
    gap: Estimate


@dataclass(frozen=True)
class ShownCurves:
    """What is drawn of three curves, and no more."""

    different: Values
    alike: PairCurve | None
    ceilings: Sequence[PairCurve]
    bound: SeparabilityCurve | None
    pair: ShownPair


def _shown(one: ThreeCurves) -> ShownCurves:
    parts = tuple(ShownPart(part.layers, part.alone, part.told) for part in one.pair.parts)
    return ShownCurves(one.different, one.alike, one.ceilings, one.bound, ShownPair(parts, one.pair.gap))


def _draw(one: ShownCurves, width: float) -> Plot:
    return three_curves(one, width=width)


def graft_figure(one: ThreeCurves, width: float) -> Plot:
    """At a width in inches."""
    return _draw(_shown(one), width)


def _caption(results: Results, one: ThreeCurves) -> str:
    pair = one.pair
    host, donor = results.run_title(pair.host), results.run_title(pair.donor)
    alike = bound = ""
    if one.alike is not None:
        alike = f"how alike they are ({ESTIMATOR_WORDS['cka_debiased']}; floor: shuffled images; ceiling: two seeds), "
    if one.bound is not None:
        other = results.domain_title(one.other_domain)
        bound = (
            f"how well the host's layers tell {results.domain_title(one.domain)} from {other} (debiased CKA with the "
            "labels), "
        )
    return (
        f"Layers of {donor} put into {host}: {alike}{bound}and what each part alone changes of the host's mAP@0.5 on "
        f"{pair.num_images} test images of {results.domain_title(one.domain)}, with {STATISTICS[pair.statistics]} "
        "batch statistics. Whiskers: 95 % intervals over the images, paired. A part without colour cannot be told from "
        f"what any foreign part does; dashed: the gap. {map_words(results)}"
    )
