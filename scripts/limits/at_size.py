"""All that the page says of one image size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from limits.judged import Compared, Judged, judge_all
from limits.numbers import (
    ESTIMATORS,
    Enough,
    Pair,
    Recordings,
    across_arms,
    across_seeds,
    ceiling_pairs,
    curves_of,
    effective_dimension,
    grid_of,
    how_many_images,
    summary_of,
)

from gapscope.config import Experiment
from gapscope.findings.layer_curves import DEBIASED
from gapscope.run_folder import RunName
from gapscope.several.statements import Array
from gapscope.similarity.blocks import PAPER_BLOCKS, Agreement, Blocks, agreement, find_blocks


@dataclass(frozen=True)
class FoundBlocks:
    """The blocks of one grid's rows, as many as the paper sees, and how well they match."""

    pair: Pair
    found: Blocks
    match: Agreement


@dataclass(frozen=True)
class AtSize:
    """Numbers of one image size."""

    size: int
    images: int
    device: str
    """That recorded."""
    compared: Sequence[Compared]
    """The first arm against each other one, seed after seed."""
    judged: Sequence[Judged]
    summaries: Sequence[tuple[Pair, xr.Dataset]]
    dimension: Array
    """Effective dimension of every layer of every network (networks, layers)."""
    bound: Array
    """(layers,) biased CKA of unrelated layers if all p features were independent: p / (n - 1 + p)."""
    blocks: Sequence[FoundBlocks]
    enough: Sequence[Enough]
    grids: dict[tuple[RunName, RunName, int], xr.Dataset]


def numbers_at(size: int, recordings: Recordings, experiment: Experiment, folder: Path) -> AtSize:
    """Compare, judge and count, or read what was kept."""
    pairs = [pair for pair in across_arms(experiment) if pair[0].arm == experiment.reported_arms[0]]

    def compared(pair: Pair) -> Compared:
        arms = pair[0].arm, pair[1].arm
        curves = [curves_of(recordings, one, folder) for one in [pair, *ceiling_pairs(experiment, arms)]]
        return Compared(arms, curves[0], curves[1:])

    def summary(pair: Pair) -> xr.Dataset:
        return summary_of(recordings, pair, ceiling_pairs(experiment, [name.arm for name in pair]), folder)

    found = [compared(pair) for pair in pairs]
    itself = (pairs[0][0], pairs[0][0])
    seeds = [pair for arm in experiment.reported_arms for pair in across_seeds(experiment, arm)]
    shown = [itself, *across_arms(experiment), *seeds]
    grids = {(*pair, size): grid_of(recordings, pair, folder) for pair in shown}
    first = recordings[pairs[0][0]]
    n = len(first.images)
    return AtSize(
        size,
        n,
        first.device,
        found,
        judge_all(found),
        [(pair, summary(pair)) for pair in pairs],
        np.array([effective_dimension(one) for one in recordings.values()]),
        first.p / (n - 1 + first.p),
        [_blocks(grids, pair, size) for pair in (itself, pairs[0])],
        [how_many_images(first, recordings[pairs[0][1]], estimator) for estimator in ESTIMATORS],
        grids,
    )


def _blocks(grids: dict[tuple[RunName, RunName, int], xr.Dataset], pair: Pair, size: int) -> FoundBlocks:
    found = find_blocks(grids[*pair, size], DEBIASED, count=len(PAPER_BLOCKS))
    return FoundBlocks(pair, found, agreement(found, PAPER_BLOCKS))
