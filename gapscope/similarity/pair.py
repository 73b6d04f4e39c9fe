"""Two networks under one measure -> the columns of a grid."""

import numpy as np

from gapscope.progress import Progress
from gapscope.similarity.best_match import match_columns, match_floors, match_intervals
from gapscope.similarity.cell_intervals import bootstrap_cka_of_cells
from gapscope.similarity.floors import p_values, permutation_floor, permutation_floor_of_cells, q_values, z_values
from gapscope.similarity.gram import Array
from gapscope.similarity.groups import FEW_UNITS, units
from gapscope.similarity.intervals import (
    COVERED,
    draw_units,
    draws_of,
    halves,
    subsampled_interval,
    values_on_subsets,
)
from gapscope.similarity.many_layers import band, calibrated, p_over_all
from gapscope.similarity.measures import Measure
from gapscope.similarity.prepared import Views, all_cells, diagonal, finished, kernels, prepare

Columns = dict[str, tuple[tuple[str, ...], np.ndarray]]
"""Name -> dimensions and values, as xarray takes them."""

CELLS, LAYERS = ("layer_a", "layer_b"), ("layer",)


class Pair:
    """Two networks under one measure. Each method gives some columns of the grid.

    Args:
        measure: How layers are compared.
        views: The layers of both networks.
        everywhere: Compare each layer with each; otherwise with its counterpart only.
        paired: Whether both networks have the same layers, so that there are counterparts.
        seed: Of all draws.
        progress: Told of what takes long.
    """

    def __init__(
        self,
        measure: Measure,
        views: tuple[Views, Views],
        everywhere: bool,
        paired: bool,
        seed: int,
        progress: Progress,
    ) -> None:
        self.measure, self.views, self.n, self.seed, self.progress = measure, views, views[0].n, seed, progress
        self.prepared = prepare(views[0], measure), prepare(views[1], measure)
        self.of_cells = all_cells(*self.prepared, progress) if everywhere else None
        self.of_layers = diagonal(*self.prepared) if self.of_cells is None else None
        if self.of_cells is not None and paired:
            self.of_layers = np.diagonal(self.of_cells)

    def values(self) -> Columns:
        """The measure itself, and why layers have none."""
        reasons = [np.array(one.reasons, dtype=object) for one in self.prepared]
        value = (LAYERS, self.of_layers) if self.of_cells is None else (CELLS, self.of_cells)
        columns: Columns = {"value": value}  # type: ignore[dict-item]
        if self.of_cells is not None and self.of_layers is None:
            columns |= match_columns(self.of_cells, self.measure)
        return columns | {"reason_a": (CELLS[:1], reasons[0]), "reason_b": (CELLS[1:], reasons[1])}

    def floors(self, where: str, permutations: int) -> Columns:
        """The same with b's images shuffled, of each layer with its counterpart and, if asked for, of all cells.

        Beside each p its correction for all of them, and mean and maximum over all, calibrated. Where layers have no
        counterparts, of each with its best match.
        """
        if not permutations:
            return {}
        rng = np.random.default_rng([self.seed, 1])
        columns: Columns = {}
        if where == "cells" and self.of_cells is not None:
            floor = permutation_floor_of_cells(*self.prepared, permutations, rng, self.progress)
            columns = self._floor_columns("cell_floor", CELLS, self.of_cells, floor)
            floor = np.diagonal(floor, axis1=1, axis2=2) if self.of_layers is not None else floor
        elif self.of_layers is not None:
            floor = permutation_floor(*self.prepared, permutations, rng, self.progress)
        if self.of_layers is not None:
            columns |= self._floor_columns("floor", LAYERS, self.of_layers, floor)
        elif self.of_cells is not None:
            columns |= match_floors(self.of_cells, self.prepared, permutations, self.seed, self.progress)
        return columns

    def _floor_columns(self, name: str, dims: tuple[str, ...], value: Array, floor: Array) -> Columns:
        prefix = "" if dims == LAYERS else "cells_"
        low, high = np.quantile(floor, COVERED, axis=0)
        p = p_values(value, floor, self.measure)
        columns = {"mean": floor.mean(0), "low": low, "high": high, "p": p, "q": q_values(p)}
        columns["p_all"] = p_over_all(value, floor, self.measure)
        if len(floor) > 1:
            columns["z"] = z_values(value, floor, self.measure)
        whole = {
            f"{prefix}{kind}_{key}": ((), np.array(number))
            for kind, found in calibrated(value, floor, self.measure).items()
            for key, number in vars(found).items()
        }
        return whole | {f"{name}_{key}": (dims, column) for key, column in columns.items()}

    def intervals(self, where: str, bootstraps: int) -> Columns:
        """The central 95 % of the values on images drawn anew, likewise, and a band of all layers together."""
        if not bootstraps:
            return {}
        columns: Columns = {}
        rng = np.random.default_rng([self.seed, 2])
        if where == "cells" and self.of_cells is not None:
            low, high = self._of_cells(self.of_cells, bootstraps, rng)
            columns = {"cell_interval_low": (CELLS, low), "cell_interval_high": (CELLS, high)}
        if self.of_layers is not None:
            rng = np.random.default_rng([self.seed, 2])
            drawn = draws_of([self.views], self.measure, self.of_layers[None], bootstraps, rng, self.progress)[0]
            low, high = np.quantile(drawn, COVERED, axis=0)
            columns |= {"interval_low": (LAYERS, low), "interval_high": (LAYERS, high)}
            columns |= {f"band_{end}": (LAYERS, bound) for end, bound in zip(("low", "high"), band(drawn), strict=True)}
        elif self.of_cells is not None:
            columns |= match_intervals(self.of_cells, self.views, self.measure, bootstraps, self.seed)
        return columns

    def _of_cells(self, value: Array, bootstraps: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """By the bootstrap for CKA, by halves of the images otherwise; NaN where the value is or images are too few."""
        measure, groups = self.measure, self.views[0].groups
        if units(self.n, groups) < FEW_UNITS:
            return np.full_like(value, np.nan), np.full_like(value, np.nan)
        if measure.kernel:
            k, l = (kernels(views, one) for views, one in zip(self.views, self.prepared, strict=True))
            counts = draw_units(self.n, groups, bootstraps, rng)
            drawn = bootstrap_cka_of_cells(k, l, counts, measure.debiased, self.progress)
            low, high = np.quantile(finished(measure, drawn), COVERED, axis=0)
            return low, high
        parts, share = halves(self.n, groups, measure, bootstraps, rng)
        if not parts:
            return np.full_like(value, np.nan), np.full_like(value, np.nan)
        drawn = values_on_subsets(*self.views, measure, parts, cells=True, progress=self.progress)
        return subsampled_interval(value, drawn, share)
