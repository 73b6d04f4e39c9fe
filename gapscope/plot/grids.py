"""Which numbers of a grid does a figure show, and on which scale of colours? Refuses what a grid does not hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.errors import InputError
from gapscope.plot.layer_axis import Labels
from gapscope.plot.maps import Scale
from gapscope.plot.style import HEATMAP
from gapscope.similarity.measures import MEASURES, find_measure
from gapscope.similarity.summary import diagonal_values

SHORT = {"cka_debiased": "CKA (debiased)", "cka_biased": "CKA (biased, as the paper)"}


@dataclass(frozen=True)
class GridCurve:
    """The diagonal of a grid; every array is (layers,), NaN where there is no number."""

    label: str
    layers: NDArray[Any]
    value: NDArray[np.float64]
    interval_low: NDArray[np.float64]
    interval_high: NDArray[np.float64]
    floor_low: NDArray[np.float64]
    floor_high: NDArray[np.float64]


def measure_title(measure: str) -> str:
    """As at an axis; a distance is called one."""
    chosen = find_measure(measure)
    kind = "" if chosen.larger_is_more_similar else " (distance: smaller is more alike)"
    return SHORT.get(measure, chosen.title) + kind


def grid_curve(grid: xr.Dataset, measure: str, label: str | None = None) -> GridCurve:
    """Each layer with its counterpart.

    Raises:
        InputError: If the networks have different layers, or the grid does not hold the measure.
    """
    check_measure(grid, measure)
    if "layer" not in grid.coords:
        raise InputError(
            f"{names_of(grid)} have different layers, so no layer has a counterpart. "
            "Draw all cells with gapscope.plot.heatmap."
        )
    of_measure = grid.sel(measure=measure)
    value = np.array(diagonal_values(grid, measure), dtype=np.float64)

    def column(name: str) -> NDArray[np.float64]:
        found = of_measure[name].to_numpy() if name in of_measure else np.full(len(value), np.nan)
        return np.asarray(found, dtype=np.float64)

    names = ("interval_low", "interval_high", "floor_low", "floor_high")
    columns = {name: column(name) for name in names}
    return GridCurve(label or names_of(grid, " vs "), grid["layer"].to_numpy(), value, **columns)


def cells(grid: xr.Dataset, measure: str) -> tuple[NDArray[np.float64], Labels, Labels]:
    """All cells of a grid, and the layers of its rows and columns.

    Raises:
        InputError: If the grid holds its diagonal only, or not the measure.
    """
    check_measure(grid, measure)
    if "layer_a" not in grid["value"].dims:
        raise InputError("this grid holds its diagonal only. Compare with cells='all', or draw gapscope.plot.curve.")
    value = np.asarray(grid["value"].sel(measure=measure).to_numpy(), dtype=np.float64)
    return value, grid["layer_a"].to_numpy().tolist(), grid["layer_b"].to_numpy().tolist()


def check_measure(grid: xr.Dataset, measure: str) -> None:
    """Refuse what is no grid, and a measure that it does not hold."""
    if not isinstance(grid, xr.Dataset) or "value" not in grid or "measure" not in grid.coords:
        raise InputError(f"a {type(grid).__name__} is no grid. Give what gapscope.compare returned.")
    held = [str(name) for name in grid["measure"].to_numpy()]
    if measure not in held:
        known = "" if measure in MEASURES else f" There is no measure {measure!r}."
        raise InputError(
            f"this grid holds {', '.join(held)}, not {measure!r}.{known} Choose one of them, or compare again with "
            f"measures=[...]."
        )


def measure_scale(values: NDArray[np.float64], measure: str) -> Scale:
    """0 to 1 for what is bounded so, else up to the largest value; of distances the small ones are bright."""
    chosen = find_measure(measure)
    high = 1.0 if chosen.larger_is_more_similar else float(np.nanmax(values, initial=0.0)) or 1.0
    return Scale(measure_title(measure), 0.0, high, HEATMAP if chosen.larger_is_more_similar else f"{HEATMAP}_r")


def names_of(grid: xr.Dataset, between: str = " and ") -> str:
    """The names of the two networks."""
    return f"{grid.attrs.get('a', 'network a')}{between}{grid.attrs.get('b', 'network b')}"


def labelled(items: Any, names: Any) -> list[tuple[str | None, Any]]:
    """One item, a list of them or a mapping from label to item, as pairs; labels that are not given are None.

    Raises:
        InputError: If there is nothing.
    """
    if isinstance(items, Mapping) and not isinstance(items, xr.Dataset):
        pairs = list(items.items())
    elif isinstance(items, Sequence):
        pairs = [(None, item) for item in items]
    else:
        pairs = [(None, items)]
    if not pairs:
        raise InputError(f"there is nothing to draw. Give one or more {names}.")
    return pairs


def check_same(layers: Sequence[NDArray[Any]], what: str) -> None:
    """Refuse to draw different layers along one axis."""
    for other in layers[1:]:
        if other.tolist() != layers[0].tolist():
            raise InputError(f"these {what} are of different layers. Draw them one by one.")
