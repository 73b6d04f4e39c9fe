"""Networks with different layers: which layer of b is each layer of a most like, and is that more than chance?

The best of many layers is high by chance too. So the floor of a best match is the best match of shuffled images, found
anew in each order, and not the floor of the cell in which it lies.
"""

import numpy as np

from gapscope.progress import Progress
from gapscope.similarity.floors import p_values, permutation_floor_of_best
from gapscope.similarity.gram import Array
from gapscope.similarity.groups import FEW_UNITS, units
from gapscope.similarity.intervals import COVERED, DrawnLayers, cka_of_drawn, draw_units, drawn_layers
from gapscope.similarity.many_layers import p_over_all
from gapscope.similarity.measures import Measure
from gapscope.similarity.prepared import Prepared, Views, finished

Columns = dict[str, tuple[tuple[str, ...], np.ndarray]]
ROWS = ("layer_a",)
FLOOR = ("mean", "low", "high", "p", "p_all")


def best_of(cells: Array, measure: Measure) -> tuple[np.ndarray, Array]:
    """The place among b's layers of each layer's best match (layers of a,), -1 where undefined, and its value."""
    towards = cells if measure.larger_is_more_similar else -cells
    known = np.flatnonzero(~np.isnan(cells).all(1))
    place, value = np.full(len(cells), -1), np.full(len(cells), np.nan)
    place[known] = np.nanargmax(towards[known], axis=1)
    value[known] = cells[known, place[known]]
    return place, value


def match_columns(cells: Array, measure: Measure) -> Columns:
    """`best` (place among b's layers) and `best_value` of each layer of a."""
    place, value = best_of(cells, measure)
    return {"best": (ROWS, place), "best_value": (ROWS, value)}


def match_floors(
    cells: Array, prepared: tuple[Prepared, Prepared], permutations: int, seed: int, progress: Progress
) -> Columns:
    """What the best match reaches with b's images shuffled; NaN for measures that take each cell by itself."""
    measure, value = prepared[0].measure, best_of(cells, prepared[0].measure)[1]
    columns = {name: np.full_like(value, np.nan) for name in FLOOR}
    if measure.pair is None:
        floor = permutation_floor_of_best(*prepared, permutations, np.random.default_rng([seed, 1]), progress)
        low, high = np.quantile(floor, COVERED, axis=0)
        columns = {"mean": floor.mean(0), "low": low, "high": high}
        columns |= {"p": p_values(value, floor, measure), "p_all": p_over_all(value, floor, measure)}
    return {f"best_floor_{name}": (ROWS, column) for name, column in columns.items()}


def match_intervals(cells: Array, views: tuple[Views, Views], measure: Measure, bootstraps: int, seed: int) -> Columns:
    """The central 95 % of each layer's similarity to what is its best match over these images, on images drawn anew.

    NaN for measures other than CKA, and over fewer than 8 independent images.
    """
    place, _ = best_of(cells, measure)
    low, high = np.full((2, len(place)), np.nan)
    n, groups = views[0].n, views[0].groups
    if measure.kernel and units(n, groups) >= FEW_UNITS:
        counts = draw_units(n, groups, bootstraps, np.random.default_rng([seed, 2]))
        a, b = (drawn_layers(one, measure, counts) for one in views)
        blank = np.full(bootstraps, np.nan)
        matched = [(None, blank) if at < 0 else (b.layers[at], b.squares[at]) for at in place]
        drawn = finished(measure, cka_of_drawn(a, DrawnLayers(*zip(*matched, strict=True))))
        low, high = np.quantile(drawn, COVERED, axis=0)
    return {"best_interval_low": (ROWS, low), "best_interval_high": (ROWS, high)}


def not_taken(measure: Measure, permutations: int, bootstraps: int) -> str:
    """What of this is missing for a measure, and what gives it; empty if nothing is."""
    missing = ["floor"] * bool(permutations and measure.pair) + ["interval"] * bool(bootstraps and not measure.kernel)
    if not missing:
        return ""
    what = " and ".join(missing)
    return f"no {what} beside best matches by {measure.title}: each draw would take all cells anew"
