"""Where do the arms differ, in rows? Likeness by part of the network, and layers that differ, pair by pair.

All of it is about one probe at the main size, by debiased CKA.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.detector.network_map import Block
from gapscope.findings.layer_curves import PairCurve, ranges
from gapscope.findings.layer_differences import above_floor
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.part_gaps import PartGap


@dataclass(frozen=True)
class PartRow:
    """One pair of arms, part by part of the network: means over seeds and defined layers; None where none is."""

    pair: str
    cells: tuple[tuple[float | None, float | None], ...]
    """(similarity, ceiling) per block of the network."""
    gaps: tuple[PartGap | None, ...] = ()
    """Ceiling minus similarity, over the layers that have a ceiling; empty in runs of before."""


@dataclass(frozen=True)
class SeedRow:
    """One pair of arms with one seed."""

    pair: str
    seed: int
    beyond: str
    """Layers that differ by more than a change of seed, as ranges; empty where there are none or no ceiling."""
    count: int | None
    """How many; None without a ceiling. Layers are not independent: a count of them is no measure of a difference."""
    looked: int
    above_floor: int | None
    """Layers that share more than shuffled images do, all layers accounted for; None in runs of before."""
    defined: int
    rule: str


@dataclass(frozen=True)
class UntrainedRow:
    """Layers that neither arm of a pair trained: alike by construction, and without a ceiling."""

    pair: str
    layers: str
    """As ranges."""


def untrained_rows(found: LayerFindings) -> list[UntrainedRow]:
    """The pairs that have such layers."""
    pairs = [(pair, found.untrained(pair)) for pair in found.seen.pairs]
    return [UntrainedRow(found.seen.pair_title(*pair), ranges(layers)) for pair, layers in pairs if len(layers)]


def part_rows(found: LayerFindings) -> list[PartRow]:
    """One row per pair of arms that was compared."""
    rows = []
    for pair in found.seen.pairs:
        curves, ceilings = list(found.by_seed(pair).values()), found.ceilings_of(pair)
        if curves:
            blocks = found.seen.layer_map(pair[0]).blocks
            cells = tuple((_mean(curves, part), _mean(ceilings, part)) for part in blocks)
            gaps = {gap.part: gap for gap in found.part_gaps.get((pair, found.main_size), ())}
            of_blocks = tuple(gaps.get(part.name) for part in blocks) if gaps else ()
            rows.append(PartRow(curves[0].label, cells, of_blocks))
    return rows


def _mean(curves: Sequence[PairCurve], part: Block) -> float | None:
    parts = [one.value[(one.layers >= part.first) & (one.layers <= part.last)] for one in curves]
    means = [float(part[np.isfinite(part)].mean()) for part in parts if np.isfinite(part).any()]
    return fmean(means) if means else None


def seed_rows(found: LayerFindings) -> list[SeedRow]:
    """One row per pair and seed."""
    return list(_seed_rows(found))


def _seed_rows(found: LayerFindings) -> Iterator[SeedRow]:
    for pair in found.seen.pairs:
        for a, b in found.seen.run_pairs(*pair):
            curve, grid, differs = found.curve(a, b), found.grid(a, b), found.difference(a, b)
            if curve is None or grid is None:
                continue
            yield SeedRow(
                pair=curve.label,
                seed=a.seed,
                beyond=ranges(differs.layers) if differs else "",
                count=len(differs.layers) if differs else None,
                looked=differs.looked if differs else 0,
                above_floor=above_floor(grid),
                defined=int(np.isfinite(curve.value).sum()),
                rule=differs.rule if differs else "",
            )
