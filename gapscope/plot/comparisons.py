"""What `gapscope.compare` and `gapscope.layer_summary` found, as figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from gapscope.errors import InputError
from gapscope.plot.grids import cells, check_same, grid_curve, labelled, measure_scale, measure_title, names_of
from gapscope.plot.lines import layer_curves, layer_effects
from gapscope.plot.maps import LayerMap, Scale, architecture, layer_map
from gapscope.plot.style import TWO_COLUMNS, Plot
from gapscope.similarity.measures import find_measure

Datasets = xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset]
"""One, several, or several by label."""


def curve(
    grids: Datasets,
    measure: str = "cka_debiased",
    *,
    ceilings: Datasets = (),
    title: str = "",
    width: float = TWO_COLUMNS,
) -> Plot:
    """Similarity of each layer with its counterpart, a line per grid, with interval, floor and ceiling.

    Args:
        grids: What `gapscope.compare` returned: one, a list, or a dictionary from label to grid.
        measure: One that the grids hold.
        ceilings: Grids of one arm with two seeds; without them there is none.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If the networks have different layers, or a grid does not hold the measure.
    """
    curves = [grid_curve(grid, measure, label) for label, grid in labelled(grids, "grids")]
    above = [grid_curve(grid, measure, label) for label, grid in labelled(ceilings, "grids")] if len(ceilings) else []
    check_same([one.layers for one in [*curves, *above]], "grids")
    return layer_curves(
        curves,
        above,
        title=title,
        estimator=measure_title(measure),
        width=width,
        bounded=find_measure(measure).larger_is_more_similar,
    )


def heatmap(grid: xr.Dataset, measure: str = "cka_debiased", *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """Similarity of every layer of one network (rows) with every layer of another (columns).

    The scale is 0 to 1 for similarities; a value below 0, which the debiased estimator can give, has the colour of 0,
    an undefined one is white. In a wide figure the diagonal stands at the right with its interval and floor.

    Args:
        grid: What `gapscope.compare` returned for all cells; the networks may have different layers.
        measure: One that the grid holds.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If the grid holds its diagonal only, or not the measure.
    """
    values, rows, columns = cells(grid, measure)
    starts = architecture(rows), architecture(columns)
    names = [f"{grid.attrs.get(key, f'network {key}')}: layer" for key in ("a", "b")]
    one = LayerMap(values, names[0], names[1], rows, columns, title, *starts)
    similar = find_measure(measure).larger_is_more_similar
    beside = grid_curve(grid, measure) if "layer" in grid.coords and similar else None
    return layer_map(one, measure_scale(values, measure), width=width, beside=beside)


def difference(
    grid: xr.Dataset,
    other: xr.Dataset,
    measure: str = "cka_debiased",
    *,
    title: str = "",
    width: float = TWO_COLUMNS,
) -> Plot:
    """One grid minus another, cell by cell: red where the first is larger, grey where one is undefined.

    Args:
        grid: What `gapscope.compare` returned for all cells.
        other: Another grid of the same layers, such as one between two seeds.
        measure: One that both hold.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If the grids are of different layers, hold their diagonal only, or not the measure.
    """
    (values, rows, columns), (base, *labels) = cells(grid, measure), cells(other, measure)
    if labels != [rows, columns]:
        raise InputError(f"the grids of {names_of(grid)} and of {names_of(other)} are of different layers.")
    names = [f"{grid.attrs.get(key, f'network {key}')}: layer" for key in ("a", "b")]
    one = LayerMap(values - base, names[0], names[1], rows, columns, title, architecture(rows), architecture(columns))
    return layer_map(one, difference_scale([one.values], f"difference, {measure_title(measure)}"), width=width)


def difference_scale(values: Sequence[np.ndarray], title: str) -> Scale:
    """Blue below 0, red above, as far below as above; rounded up to a tenth."""
    most = max((float(np.nanmax(np.abs(one), initial=0.0)) for one in values), default=0.0)
    reach = max(0.1, float(np.ceil(10 * most - 1e-9) / 10))
    return diverging_scale(title, reach)


def diverging_scale(title: str, reach: float) -> Scale:
    """White is 0; undefined is grey."""
    return Scale(title, -reach, reach, "RdBu_r", undefined="#b5b5b5", lines="#999999")


def effect(summaries: Datasets, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """How much of what two seeds share two networks share: 0 is the floor, 1 the ceiling.

    Args:
        summaries: What `gapscope.layer_summary` returned: one, a list, or a dictionary from label to summary.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If something else is given, or the summaries are of different layers or measures.
    """
    pairs = labelled(summaries, "summaries")
    for _, summary in pairs:
        if not isinstance(summary, xr.Dataset) or "effect" not in summary:
            raise InputError(f"this {type(summary).__name__} has no effect. Give what gapscope.layer_summary returned.")
    check_same([summary["layer"].to_numpy() for _, summary in pairs], "summaries")
    measures = {str(summary.attrs["measure"]) for _, summary in pairs}
    if len(measures) > 1:
        raise InputError(f"these summaries are of {' and '.join(sorted(measures))}. Draw one measure at a time.")
    shown = [(label or names_of(summary, " vs "), summary) for label, summary in pairs]
    return layer_effects([(title, shown)], width=width, measure=measure_title(measures.pop()))
