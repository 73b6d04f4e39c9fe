"""Where do the arms differ, in words and tables? The page's text beside its curves and maps."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from gapscope.detector.network_map import BLOCKS, Block
from gapscope.findings.curves import Curve, ceilings_of, pair_curve, ranges, untrained_by_all
from gapscope.findings.differences import RULES, above_floor, difference
from gapscope.findings.results import Results
from gapscope.page.block_tables import block_rows, in_words, without_blocks
from gapscope.run_folder import RunName
from gapscope.similarity.blocks import PAPER_BLOCKS, YOLOV3_BLOCKS


def where_tables(results: Results) -> dict[str, Any]:
    """What the section "Where" prints besides its charts: the main probe at the first size, debiased CKA."""
    seeds = seed_rows(results)
    return {
        "blocks": BLOCKS,
        "parts": part_rows(results),
        "seeds": seeds,
        "rules": [text for rule, text in RULES.items() if rule in {row.rule for row in seeds}],
        "untrained": untrained(results),
        "found": block_rows(results),
        "without_blocks": without_blocks(results),
        "stages": in_words(YOLOV3_BLOCKS),
        "paper": in_words(PAPER_BLOCKS),
    }


def untrained(results: Results) -> list[tuple[str, str]]:
    """(pair of arms, layers) that neither arm trained: alike by construction, and without a ceiling."""
    found = [(pair, untrained_by_all(results, pair)) for pair in results.pairs]
    return [(" vs ".join(map(results.arm_title, pair)), ranges(layers)) for pair, layers in found if len(layers)]


@dataclass(frozen=True)
class PartRow:
    """One pair of arms, part by part of the network: means over seeds and defined layers; None where none is."""

    pair: str
    cells: list[tuple[float | None, float | None]]
    """(similarity, ceiling) per block of `BLOCKS`."""


@dataclass(frozen=True)
class SeedRow:
    """One pair of arms with one seed."""

    pair: str
    seed: int
    beyond: str
    """Layers that differ by more than a change of seed, as ranges; empty where there are none or no ceiling."""
    count: int | None
    """How many; None without a ceiling."""
    looked: int
    above_floor: int | None
    """Layers that share more than shuffled images do (q below 0.05); None in runs of before, which hold no q."""
    defined: int
    rule: str


def part_rows(results: Results) -> list[PartRow]:
    """The main probe at the first size, debiased CKA."""
    rows = []
    for a, b in results.pairs:
        found = [pair_curve(results, RunName(a, s), RunName(b, s), results.sizes[0]) for s in results.seeds]
        curves = [one for one in found if one is not None]
        ceilings = ceilings_of(results, (a, b), results.sizes[0])
        if curves:
            cells = [(_mean(curves, part), _mean(ceilings, part)) for part in BLOCKS]
            rows.append(PartRow(curves[0].label, cells))
    return rows


def _mean(curves: list[Curve], part: Block) -> float | None:
    parts = [one.value[(one.layers >= part.first) & (one.layers <= part.last)] for one in curves]
    means = [float(part[np.isfinite(part)].mean()) for part in parts if np.isfinite(part).any()]
    return fmean(means) if means else None


def seed_rows(results: Results) -> list[SeedRow]:
    """Likewise, one row per pair and seed."""
    return list(_seed_rows(results))


def _seed_rows(results: Results) -> Iterator[SeedRow]:
    size = results.sizes[0]
    for one, other in results.pairs:
        for seed in results.seeds:
            a, b = RunName(one, seed), RunName(other, seed)
            curve, found = pair_curve(results, a, b, size), difference(results, a, b, size)
            if curve is None:
                continue
            yield SeedRow(
                pair=curve.label,
                seed=seed,
                beyond=ranges(found.layers) if found else "",
                count=len(found.layers) if found else None,
                looked=found.looked if found else 0,
                above_floor=above_floor(results, a, b, size),
                defined=int(np.isfinite(curve.value).sum()),
                rule=found.rule if found else "",
            )
