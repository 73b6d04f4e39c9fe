"""A recording's statistics, the images that matter, and blocks of layers, as figures."""

from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.ticker import MaxNLocator

from gapscope.errors import InputError
from gapscope.lettering import legible
from gapscope.plot.comparisons import diverging_scale
from gapscope.plot.grids import cells, measure_scale, names_of
from gapscope.plot.layer_axis import mark_places
from gapscope.plot.lines import layer_statistics
from gapscope.plot.maps import LayerMap, layer_map
from gapscope.plot.style import COLORS, HATCHES, TWO_COLUMNS, Plot, fitted, style_of
from gapscope.recording.recording import Recording
from gapscope.similarity.blocks import Blocks, find_blocks
from gapscope.similarity.influence import extreme_images
from gapscope.similarity.measures import find_measure
from gapscope.words import number_of, percent


def statistics(recording: Recording | xr.Dataset, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """Activations along the layers: mean, median and standard deviation above, minimum and maximum below.

    Args:
        recording: A recording, or the numbers of one as a run folder gives them (`results.statistics`).
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If something else is given.
    """
    numbers = recording.to_dataset() if isinstance(recording, Recording) else recording
    if not isinstance(numbers, xr.Dataset) or not {"mean", "median", "std", "min", "max"} <= set(numbers.data_vars):
        raise InputError(f"a {type(recording).__name__} holds no statistics. Give what gapscope.record returned.")
    return layer_statistics(numbers, title=title, width=width)


def influence(
    left_out: xr.Dataset,
    layer: int | str | None = None,
    *,
    count: int = 8,
    title: str = "",
    width: float = TWO_COLUMNS,
) -> Plot:
    """Which images make two networks look alike, and which different: at all layers, or at one with their names.

    Args:
        left_out: What `gapscope.leave_one_out` returned, or a grid of a run folder that holds `influence`.
        layer: One layer: the strongest images by name; None: all layers, images in the order of their mean.
        count: Images of each kind.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If the influence is not there, or not defined at this layer.
    """
    if not isinstance(left_out, xr.Dataset) or "influence" not in left_out:
        kind = type(left_out).__name__
        raise InputError(f"this {kind} holds no influence. Give what gapscope.leave_one_out returned.")
    if layer is None:
        return _influence_map(left_out, title, width)
    return _influence_bars(left_out, layer, count, title, width)


LEAST_REACH = 0.001
"""An influence this small is no colour: of a network and itself nothing but rounding is left."""


def _influence_map(left_out: xr.Dataset, title: str, width: float) -> Plot:
    table = left_out["influence"].transpose("layer", "image")
    values = np.asarray(table.to_numpy(), dtype=np.float64)
    defined = np.isfinite(values)
    means = np.where(defined, values, 0).sum(0) / np.maximum(1, defined.sum(0))
    similar = find_measure(str(left_out.attrs.get("measure", "cka_debiased"))).larger_is_more_similar
    order = np.argsort(-means if similar else means, kind="stable")
    values, labels = values[:, order], table["layer"].to_numpy().tolist()
    reach = float(np.quantile(np.abs(values[defined]), 0.995)) if defined.any() else 1.0
    scale = diverging_scale("influence", max(reach, LEAST_REACH))
    images = "image (left: makes the networks alike)"
    one = LayerMap(values, "layer", images, labels, list(range(values.shape[1])), title)
    return layer_map(one, scale, width=width)


def _influence_bars(left_out: xr.Dataset, layer: int | str, count: int, title: str, width: float) -> Plot:
    alike, different = extreme_images(left_out.assign_attrs({"measure": "cka_debiased"} | left_out.attrs), layer, count)
    names = list(dict.fromkeys([*alike, *different[::-1]]))
    values = left_out["influence"].sel(layer=layer).sel(image=names).to_numpy()
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, 0.8 + 0.16 * len(names))
        axes = figure.subplots()
        places = np.arange(len(names))[::-1]
        colors = [COLORS[0] if value >= 0 else COLORS[1] for value in values]
        bars = axes.barh(places, values, color=colors, height=0.75)
        for bar, value in zip(bars, values, strict=True):
            bar.set_hatch(HATCHES[0] if value >= 0 else HATCHES[1])
            bar.set_edgecolor("white")
        axes.axvline(0, color="black", linewidth=0.6)
        axes.set_yticks(
            places, [name if len(name) <= 24 else f"...{name[-21:]}" for name in map(legible, map(str, names))]
        )
        axes.xaxis.set_major_locator(MaxNLocator(4))
        text = f"influence at layer {layer}: what similarity loses without the image"
        axes.set(xlabel=fitted(text, mpl.rcParams["font.size"], width - 1.6), title=title)
        return figure


def blocks(
    grid: xr.Dataset,
    measure: str = "cka_debiased",
    *,
    found: Blocks | None = None,
    network: Literal["a", "b"] = "a",
    title: str = "",
    width: float = TWO_COLUMNS,
) -> Plot:
    """A grid with the blocks of one network's layers outlined.

    Args:
        grid: What `gapscope.compare` returned for all cells.
        measure: One that the grid holds.
        found: What `gapscope.find_blocks` returned for the grid; None looks for them.
        network: Whose layers are cut: rows are a's, columns b's.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If the grid holds its diagonal only, not the measure, or too few layers, or blocks of other layers.
    """
    values, rows, columns = cells(grid, measure)
    found = found or find_blocks(grid, measure, network=network)
    labels = rows if network == "a" else columns
    if found.layers.tolist() != labels:
        raise InputError(f"these blocks are not of network {network} of {names_of(grid)}. Find them in this grid.")
    starts = [labels.index(first) - 0.5 for first, _ in found.ranges[1:]]
    names = [f"{grid.attrs.get(key, f'network {key}')}: layer" for key in ("a", "b")]
    at: Any = {"row_starts": starts} if network == "a" else {"column_starts": starts}
    one = LayerMap(values, names[0], names[1], rows, columns, title or _block_title(found), **at)
    figure = layer_map(one, measure_scale(values, measure), width=width)
    inches = figure.get_size_inches()[0] - 1.5
    with mpl.rc_context(style_of(width)):
        mark_places(figure.axes[0], labels, [0, *(round(start + 0.5) for start in starts)], AXES[network], inches)
    return figure


AXES: dict[str, Literal["x", "y"]] = {"a": "y", "b": "x"}


def _block_title(found: Blocks) -> str:
    return f"{number_of(len(found.ranges), 'block')}, {percent(found.explained)} of the variance between them"
