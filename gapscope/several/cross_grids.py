"""All layers of one network against all of another: which layers of it are each one's best matches, and by chance?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.detector.network_map import LayerMap
from gapscope.findings.layer_curves import DEBIASED
from gapscope.findings.results import Results
from gapscope.run_folder import RunName
from gapscope.several.runs import Run

SURE = 0.05
"""Largest p, corrected for all layers, of a best match that is more than chance."""


@dataclass(frozen=True, eq=False)
class CrossGrid:
    """Two networks of one study that are alike but for their architecture."""

    a: Run
    b: Run
    names: tuple[RunName, RunName]
    size: int
    grid: xr.Dataset
    """One measure, debiased CKA: `value` (layer_a, layer_b) and the columns of best matches, see `compare`."""

    @property
    def value(self) -> NDArray[np.float64]:
        """(layers of a, layers of b)"""
        return np.asarray(self.grid["value"].to_numpy(), dtype=np.float64)

    @property
    def maps(self) -> tuple[LayerMap, LayerMap]:
        """What the layers of both are."""
        return self.a.results.layer_map(self.names[0].arm), self.b.results.layer_map(self.names[1].arm)


@dataclass(frozen=True)
class PartMatches:
    """The best matches of the layers of one part."""

    part: str
    layers: int
    """Those that have one."""
    similarity: float
    """Mean debiased CKA of the best matches."""
    floor: float
    """Mean of what the best match of shuffled images reaches; NaN where it was not computed."""
    sure: int | None
    """Layers whose best match is more than that, all layers of the network accounted for; None likewise."""
    in_backbone: int
    """Best matches that lie in the other network's backbone."""


def cross_grids(results: Results, runs: Sequence[Run]) -> list[CrossGrid]:
    """Those that a study of several networks has compared so far, at the first size on the main probe."""
    of_arm = {arm: run for run in runs for arm in run.results.experiment.arms}
    found = []
    for (a, b, size), grid in results.grids.items():
        if of_arm[a.arm] is not of_arm[b.arm] and DEBIASED in grid.measure:
            found.append(CrossGrid(of_arm[a.arm], of_arm[b.arm], (a, b), size, grid.sel(measure=DEBIASED)))
    return found


def matches_by_part(cross: CrossGrid) -> Iterator[PartMatches]:
    """Backbone and head of the first network, each with what its layers are most like in the second."""
    mine, theirs = cross.maps
    best, value = cross.grid["best"].to_numpy(), cross.grid["best_value"].to_numpy()
    floor, p = (cross.grid[name].to_numpy() if name in cross.grid else None for name in COLUMNS)
    layers, others = np.arange(len(best)), np.asarray(cross.grid["layer_b"].to_numpy(), dtype=int)
    for part in ("backbone", "head"):
        first, last = mine.ranges.get(part, (0, -1))
        inside = (layers >= first) & (layers <= last) & (best >= 0)
        if inside.any():
            yield PartMatches(
                part,
                int(inside.sum()),
                float(value[inside].mean()),
                float("nan") if floor is None else float(np.nanmean(floor[inside])),
                None if p is None else int((p[inside] <= SURE).sum()),
                int((others[best[inside]] <= theirs.backbone_last).sum()),
            )


COLUMNS = ("best_floor_mean", "best_floor_p_all")


def order_kept(cross: CrossGrid) -> float:
    """Spearman's rank correlation of a layer's place and that of its best match; NaN where too few have one."""
    best = cross.grid["best"].to_numpy()
    known = np.flatnonzero(best >= 0)
    if len(known) < 3 or len(set(best[known].tolist())) < 2:
        return float("nan")
    from scipy.stats import spearmanr  # late: it takes a second

    return float(spearmanr(known, best[known]).statistic)
