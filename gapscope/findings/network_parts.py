"""How alike are two arms in each named part of the network, between what chance gives and what two seeds share?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from gapscope.detector.network_map import LayerMap
from gapscope.findings.layer_curves import PairCurve
from gapscope.findings.layer_findings import ArmPair, LayerFindings
from gapscope.findings.results import Results

MOST_PARTS = 9
"""Layers that are not those of the arm's network are cut into so many parts at most, of equally many layers each."""


@dataclass(frozen=True)
class PartLikeness:
    """One part of the network; every number is a mean over those of its layers where it is defined."""

    name: str
    first: int
    last: int
    floor: float
    """What shuffled images give; NaN where no layer has it."""
    ceiling: float
    """What two seeds of one arm share, mean over both arms; NaN without a second seed, or where none is trained."""
    by_seed: tuple[float, ...]
    """Debiased CKA of the two arms at the main size, a number per seed."""
    other_sizes: Mapping[int, tuple[float, ...]]
    """The same by further image sizes."""

    @property
    def mean(self) -> float:
        return fmean(self.by_seed)

    @property
    def shortfall(self) -> float:
        """How much less alike the arms are than two seeds of one; NaN without a ceiling."""
        return self.ceiling - self.mean

    def mean_at(self, size: int) -> float:
        """Mean over the seeds at another image size; NaN where it was not compared."""
        return fmean(self.other_sizes[size]) if self.other_sizes.get(size) else float("nan")


def named_parts(network: LayerMap, num_layers: int) -> list[tuple[str, int, int]]:
    """(name, first layer, last layer) of the parts of a network: its own, else parts of equally many layers."""
    if num_layers == network.num_recorded:
        return [(one.name, one.first, one.last) for one in network.blocks if one.first < num_layers]
    cuts = np.linspace(0, num_layers, min(MOST_PARTS, num_layers) + 1).astype(int).tolist()
    return [(f"{a}-{b - 1}" if b - a > 1 else f"{a}", a, b - 1) for a, b in pairwise(cuts)]


def network_parts(found: LayerFindings, pair: ArmPair) -> list[PartLikeness]:
    """Every part where the two arms were compared, in the network's order; none where they were not."""
    curves = list(found.by_seed(pair).values())
    if not curves:
        return []
    ceilings = found.ceilings_of(pair)
    further = {size: list(found.by_seed(pair, size).values()) for size in found.seen.sizes[1:]}
    parts = []
    for name, first, last in named_parts(found.seen.layer_map(pair[0]), len(curves[0].layers)):
        by_seed = _means(curves, "value", first, last)
        if by_seed:
            floors = [*_means(curves, "floor_low", first, last), *_means(curves, "floor_high", first, last)]
            tops = _means(ceilings, "value", first, last)
            others = {size: _means(of_size, "value", first, last) for size, of_size in further.items()}
            parts.append(PartLikeness(name, first, last, _mean(floors), _mean(tops), by_seed, others))
    return parts


def parts_told_apart(results: Results, arm: str, parts: Sequence[PartLikeness]) -> dict[str, list[float]]:
    """How well each part of an arm's networks tells the probe's domain from another one, by that other domain.

    Share of the images whose nearest other image, in that layer, is of their own domain; mean over layers and seeds.
    """
    told: dict[str, list[float]] = {}
    for other in dict.fromkeys(domain for run, domain in results.separabilities if run.arm == arm):
        files = [file for (run, domain), file in results.separabilities.items() if (run.arm, domain) == (arm, other)]
        values = [file.accuracy.value[part.first : part.last + 1] for part in parts for file in files]
        means = [float(one[np.isfinite(one)].mean()) if np.isfinite(one).any() else float("nan") for one in values]
        told[other] = [_mean(means[i : i + len(files)]) for i in range(0, len(means), len(files))]
    return told


def least_alike(parts: Sequence[PartLikeness]) -> PartLikeness | None:
    """The part that falls furthest below two seeds; without a ceiling, the one of the lowest similarity."""
    known = [part for part in parts if np.isfinite(part.shortfall)]
    if known:
        return max(known, key=lambda part: part.shortfall)
    return min(parts, key=lambda part: part.mean, default=None)


def least_alike_at(parts: Sequence[PartLikeness], size: int) -> PartLikeness | None:
    """The part of the lowest similarity at another image size; None where none was compared."""
    known = [part for part in parts if np.isfinite(part.mean_at(size))]
    return min(known, key=lambda part: part.mean_at(size), default=None)


def _means(curves: Sequence[PairCurve], name: str, first: int, last: int) -> tuple[float, ...]:
    """One per curve that is defined somewhere in the part."""
    values: list[NDArray[np.float64]] = [getattr(one, name)[first : last + 1] for one in curves]
    return tuple(float(part[np.isfinite(part)].mean()) for part in values if np.isfinite(part).any())


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else float("nan")
