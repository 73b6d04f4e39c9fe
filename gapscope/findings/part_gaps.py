"""By how much do two arms fall short of two seeds, part by part, and what do their trainings allow to say?

A shortfall speaks of the networks that were compared: its interval is over images. Whether other trainings would
show it is asked of the seeds, by exchanging the names of the arms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.arms import trained_layers
from gapscope.findings.estimates import Estimate
from gapscope.findings.layer_curves import pair_curve, part_mask
from gapscope.findings.results import Results
from gapscope.similarity.trainings import ArmTest, exchange_arms

DECONFOUNDED = "cka_deconfounded"
HALVES = ("backbone", "head")


@dataclass(frozen=True)
class PartGap:
    """One part of the network in two arms: means over its layers that have a ceiling, and over seeds."""

    part: str
    similarity: float
    ceiling: float
    shortfall: Estimate
    """Ceiling minus similarity. Of the seeds' bands, each for all parts together, the outermost ends; NaN without."""

    @property
    def sure(self) -> bool:
        """Whether the networks are less alike than two seeds at every seed, all parts accounted for."""
        return self.shortfall.has_interval and self.shortfall.low > 0


def part_gaps(results: Results, a: str, b: str, size: int) -> list[PartGap]:
    """Of debiased CKA, backbone and head and then block by block; empty in effects of before.

    Parts that have no ceiling are left out.
    """
    effects = [results.effects.get((one, other, size)) for one, other in results.run_pairs(a, b)]
    known = [effect for effect in effects if effect is not None and "part_shortfall" in effect]
    found = []
    names = (*HALVES, *(block.name for block in results.layer_map(a).blocks))
    for part in names if known else ():
        rows = [effect.sel(part=part) for effect in known if part in effect["part"].values]
        values = {
            name: np.array([float(row[f"part_{name}"]) for row in rows])
            for name in ("similarity", "ceiling", "shortfall", "shortfall_band_low", "shortfall_band_high")
        }
        if rows and np.isfinite(values["shortfall"]).all():
            low, high = values["shortfall_band_low"].min(), values["shortfall_band_high"].max()
            gap = Estimate(float(values["shortfall"].mean()), float(low), float(high))
            found.append(PartGap(part, float(values["similarity"].mean()), float(values["ceiling"].mean()), gap))
    return found


@dataclass(frozen=True)
class TrainingsTest:
    """What the seeds allow to say of two arms."""

    seeds: int
    """Networks of each arm."""
    layers: int
    """Layers that both arms trained."""
    result: ArmTest
    """Its parts are those of `parts`."""
    parts: Sequence[str]


def trainings_test(results: Results, a: str, b: str) -> TrainingsTest | None:
    """By debiased CKA at the main size, over layers that both arms trained; None with one seed or effects of before."""
    found = [results.effects.get((one, other, results.sizes[0])) for one, other in results.run_pairs(a, b)]
    effect = next((one for one in found if one is not None and "networks" in one), None)
    if effect is None:
        return None
    names = [str(name) for name in effect["network"].values]
    first = [row for row, name in enumerate(names) if name.startswith(f"{a}-seed")]
    between, layers = effect["networks"].values, effect["layer"].values
    both = trained_layers(results.experiment, a)[layers] & trained_layers(results.experiment, b)[layers]
    both &= np.isfinite(between).all((0, 1))
    masks = {
        block.name: both & (layers >= block.first) & (layers <= block.last) for block in results.layer_map(a).blocks
    }
    parts = [name for name, mask in masks.items() if mask.any()]
    if not parts or min(len(first), len(names) - len(first)) < 2:
        return None
    similarity = np.stack([between[..., masks[name]].mean(-1) for name in parts], axis=-1)
    return TrainingsTest(len(first), int(both.sum()), exchange_arms(similarity, first), parts)


@dataclass(frozen=True)
class LowBars:
    """How alike two arms' networks are beside what is alike without any learning; means over layers and seeds."""

    half: str
    beyond_pixels: float
    """Similarity without what the images' own likeness explains (deconfounded CKA); NaN if it was not measured."""
    untrained: float
    """To networks of the same shape that were never trained; NaN if none were recorded."""


def low_bars(results: Results, a: str, b: str) -> list[LowBars]:
    """In backbone and head, at the main size; empty in effects of before."""
    size, pairs = results.sizes[0], results.run_pairs(a, b)
    effects = [results.effects.get((one, other, size)) for one, other in pairs]
    known = [effect for effect in effects if effect is not None and "part_shortfall" in effect]
    if not known:
        return []
    curves = [pair_curve(results, one, other, size, DECONFOUNDED) for one, other in pairs]
    found = []
    for half in HALVES:
        beyond = [curve.mean(half) for curve in curves if curve is not None]
        mask = part_mask(known[0]["layer"].values, half, results.layer_map(a).backbone_last)
        never = [float(np.nanmean(one["untrained"].values[mask])) for one in known if "untrained" in one]
        found.append(LowBars(half, *(fmean(values) if values else math.nan for values in (beyond, never))))
    return found


def turned_round(main: Sequence[PartGap], other: Sequence[PartGap]) -> bool:
    """Whether backbone and head change places at another size: which of them falls short by more."""
    one, two = ({gap.part: gap.shortfall.value for gap in gaps} for gaps in (main, other))
    if not all(half in of for half in HALVES for of in (one, two)):
        return False
    return (one["backbone"] - one["head"]) * (two["backbone"] - two["head"]) < 0
