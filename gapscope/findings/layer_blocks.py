"""Which blocks of layers were found in the maps, and are they the architecture's or the paper's?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from gapscope.findings.layer_curves import ranges
from gapscope.findings.results import Results
from gapscope.run_folder import RunName
from gapscope.similarity.blocks import PAPER_BLOCKS, Agreement, Blocks, agreement

RANDOM_CUTS = 500
"""Behind each p, which is therefore 1/501 at the least."""


@dataclass(frozen=True)
class BlockRow:
    """The blocks of one network's layers, by their similarity to all layers of another."""

    network: str
    against: str
    seed: int
    blocks: str
    count: int
    stages: Agreement
    paper: Agreement | None
    """With the blocks that the paper saw; None of other networks than YOLOv3."""


def block_rows(results: Results) -> list[BlockRow]:
    """Both networks of every pair of arms and seed, on the main probe at the first size; empty if none were found."""
    return list(_block_rows(results))


def without_blocks(results: Results) -> list[tuple[str, str]]:
    """(networks, reason) of the pairs that could not be cut into blocks."""
    keys = [(*both[at], results.sizes[0]) for at in range(len(results.seeds)) for both in _compared(results)]
    found = [(key, results.grids[key].attrs.get("no_blocks")) for key in keys if key in results.grids]
    return [(f"{results.run_title(a)} vs {results.run_title(b)}", str(why)) for (a, b, _), why in found if why]


def _compared(results: Results) -> list[list[tuple[RunName, RunName]]]:
    """Every pair of arms, seed by seed."""
    return [results.run_pairs(*pair) for pair in results.pairs]


def _block_rows(results: Results) -> Iterator[BlockRow]:
    for a, b in (both[at] for at in range(len(results.seeds)) for both in _compared(results)):
        grid = results.grids.get((a, b, results.sizes[0]))
        if grid is None or "block_a" not in grid:
            continue
        for own, other, side in ((a, b, "a"), (b, a, "b")):
            found, is_yolov3 = _blocks(grid, side), results.layer_map(own.arm).is_yolov3
            yield BlockRow(
                network=results.arm_title(own.arm),
                against=results.arm_title(other.arm),
                seed=own.seed,
                blocks=in_words(found.ranges),
                count=len(found.ranges),
                stages=agreement(found, stages_of(results, own.arm), draws=RANDOM_CUTS),
                paper=agreement(found, PAPER_BLOCKS, draws=RANDOM_CUTS) if is_yolov3 else None,
            )


def stages_of(results: Results, arm: str) -> tuple[tuple[int, int], ...]:
    """First and last layer of the blocks of an arm's network."""
    return tuple((block.first, block.last) for block in results.layer_map(arm).blocks)


def _blocks(grid: xr.Dataset, side: str) -> Blocks:
    member = np.asarray(grid[f"block_{side}"].values, dtype=np.int64)
    return Blocks(np.asarray(grid[f"layer_{side}"].values), member, explained=float("nan"))


def in_words(blocks: Sequence[tuple[int | str, int | str]]) -> str:
    """Blocks as ranges: `0-4, 5-12, 13`."""
    return ", ".join(ranges(range(int(first), int(last) + 1)) for first, last in blocks)
