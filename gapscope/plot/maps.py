"""Heatmaps: layers against layers, and images against layers, as maps of colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gapscope.detector.layers import is_yolov3
from gapscope.detector.network_map import BLOCKS
from gapscope.plot.layer_axis import Labels, names_room, readable_name, set_layer_ticks
from gapscope.plot.lines import LayerCurve
from gapscope.plot.style import BANDS, COLORS, HEATMAP, SMALLEST_TEXT, Plot, fitted, style_of, text_width

Values = NDArray[np.float64]
Starts = Sequence[float]
"""Where blocks begin, the first one left out; half a layer before their first layer."""


@dataclass(frozen=True)
class Scale:
    """How values become colours."""

    title: str
    low: float = 0.0
    high: float = 1.0
    colors: str = HEATMAP
    undefined: str = "white"
    lines: str = "white"
    """Outlines of blocks."""

    def ticks(self) -> tuple[list[float], list[str]]:
        """Round values along the colour bar, and how they are written."""
        found = [round(float(value), 12) for value in MaxNLocator(6).tick_values(self.low, self.high)]
        inside = [value for value in found if self.low <= value <= self.high]
        digits = max((len(f"{value:g}".partition(".")[2]) for value in inside), default=0)
        return inside, [f"{value:.{digits}f}".replace("-", "\u2212") for value in inside]


@dataclass(frozen=True)
class LayerMap:
    """One map: rows are the layers of one network, columns those of another."""

    values: Values
    """(layers of rows, layers of columns)"""
    rows: str
    columns: str
    row_labels: Labels
    column_labels: Labels
    title: str = ""
    row_starts: Starts = ()
    column_starts: Starts = ()


def architecture(labels: Labels) -> list[float]:
    """Where the blocks of YOLOv3 begin; nothing for other networks."""
    return [block.first - 0.5 for block in BLOCKS[1:]] if is_yolov3(labels) else []


def draw_map(axes: Axes, one: LayerMap, scale: Scale, inches: float) -> AxesImage:
    """Draw one map of so many inches; lines outline the blocks."""
    axes.set_facecolor(scale.undefined)
    image = axes.imshow(
        one.values, cmap=scale.colors, vmin=scale.low, vmax=scale.high, origin="lower", interpolation="nearest"
    )
    axes.set_aspect(one.values.shape[1] / one.values.shape[0])
    for start in one.row_starts:
        axes.axhline(start, color=scale.lines, linewidth=0.45, alpha=0.8)
    for start in one.column_starts:
        axes.axvline(start, color=scale.lines, linewidth=0.45, alpha=0.8)
    set_layer_ticks(axes, one.column_labels, "x", inches)
    set_layer_ticks(axes, one.row_labels, "y", inches)
    points = mpl.rcParams["font.size"]
    axes.set(xlabel=fitted(one.columns, points, inches), ylabel=fitted(one.rows, points, inches))
    return image


def name_blocks(axes: Axes, inches: float) -> None:
    """Names of YOLOv3's blocks along the top, where they fit."""
    top = axes.secondary_xaxis("top")
    named = [(block, readable_name(block, inches)) for block in BLOCKS]
    places = [((block.first + block.last) / 2, name) for block, name in named if name]
    top.set_xticks([place for place, _ in places], [name for _, name in places], fontsize=SMALLEST_TEXT)
    top.tick_params(length=0, pad=1)


def layer_map(one: LayerMap, scale: Scale, *, width: float, beside: LayerCurve | None = None) -> Plot:
    """One map in a figure of its own.

    Args:
        one: What is drawn.
        scale: Its colours.
        width: Inches.
        beside: The same networks layer by layer, drawn at the right along the rows, where the figure is wide enough.
    """
    share = SHARE if beside is not None and width > 5 else 0.0
    place = _place(one, scale, width, share)
    settings: Any = {"axes.spines.top": True, "axes.spines.right": True}
    with mpl.rc_context({**style_of(width), **settings}):
        figure = Plot(width, place.height, **settings)
        figure.set_layout_engine("none")  # places are known, and a square map stays square

        def add(left: float, below: float, wide: float, high: float) -> Axes:
            return figure.add_axes((left / width, below / place.height, wide / width, high / place.height))

        inches = place.inches
        axes = add(place.left, place.below, inches, inches)
        image = draw_map(axes, one, scale, inches)
        if is_yolov3(one.column_labels):
            name_blocks(axes, inches)
        if one.title:
            axes.set_title(fitted(one.title, mpl.rcParams["axes.titlesize"], inches + 0.4))
        right = place.left + inches + 0.08
        if beside is not None and share:
            _draw_beside(add(right, place.below, share * inches - 0.08, inches), beside, one, inches)
        bar = add(right + share * inches, place.below + 0.05 * inches, 0.03 * inches + 0.03, 0.9 * inches)
        colors = figure.colorbar(image, cax=bar, label=fitted(scale.title, mpl.rcParams["font.size"], inches, 1))
        _set_bar_ticks(colors, scale)
        return figure


def _set_bar_ticks(bar: Colorbar, scale: Scale) -> None:
    ticks, labels = scale.ticks()
    bar.set_ticks(ticks, labels=labels)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]


SHARE = 0.27
"""Width of what stands beside a map, as a share of the map's."""


@dataclass(frozen=True)
class _Place:
    """Where a map lies in its figure, in inches."""

    left: float
    below: float
    inches: float
    height: float
    """Of the figure."""


def _place(one: LayerMap, scale: Scale, width: float, share: float) -> _Place:
    style = style_of(width)
    line, ticks = 1.25 * style["font.size"] / 72, style.get("ytick.labelsize", style["font.size"])
    left = 0.2 + 2 * line + names_room(one.row_labels, ticks)
    right = 0.26 + line + max(text_width(text, ticks) for text in scale.ticks()[1])
    inches = (width - left - right) / (1.03 + share)
    below = 0.16 + 2 * line + (names_room(one.column_labels, ticks) if _named(one) else line)
    titled = fitted(one.title, style["axes.titlesize"], inches + 0.4).count("\n") + 1 if one.title else 0
    above = 0.06 + (0.15 if is_yolov3(one.column_labels) else 0) + titled * (1.4 * style["axes.titlesize"] / 72 + 0.02)
    above += 0.06 if one.title else 0
    left -= line if text_width(one.rows, style["font.size"]) <= inches else 0  # one line of name, not two
    below -= line if text_width(one.columns, style["font.size"]) <= inches else 0
    return _Place(left, below, inches, below + inches + above)


def _draw_beside(axes: Axes, curve: LayerCurve, one: LayerMap, inches: float) -> None:
    """The map's diagonal, upright: its value, interval and floor for each layer."""
    places = np.arange(len(curve.value))
    axes.fill_betweenx(places, curve.floor_low, curve.floor_high, color=BANDS["floor"], alpha=0.45, linewidth=0)
    axes.fill_betweenx(places, curve.interval_low, curve.interval_high, color=COLORS[0], alpha=0.25, linewidth=0)
    axes.plot(curve.value, places, color=COLORS[0], linewidth=1)
    for start in one.row_starts:
        axes.axhline(start, color="#888888", linewidth=0.4)
    low = min(0.0, float(np.nanmin(curve.floor_low, initial=0.0)))
    axes.set(ylim=(-0.5, len(places) - 0.5), xlim=(low - 0.02, 1.02), xticks=[0, 0.5, 1], xlabel="diagonal")
    set_layer_ticks(axes, one.row_labels, "y", inches)
    axes.tick_params(axis="y", labelleft=False)


def map_panels(maps: Sequence[LayerMap], scale: Scale, *, width: float) -> Plot:
    """Several maps with one scale below them, each with its own title: three beside each other, or two if narrow."""
    across = min(len(maps), 2 if width < 5 else 3)
    down = -(-len(maps) // across)
    points = PANEL_TEXT["font.size"]
    line, room = 1.25 * points / 72, max(names_room(one.row_labels, SMALLEST_TEXT) for one in maps)
    left, inches = 0.16 + line + room, width / across - 0.24 - line - room
    turned = max(names_room(one.column_labels, SMALLEST_TEXT) if _named(one) else 0.09 for one in maps)
    two_lines = any(text_width(name, points) > inches for one in maps for name in (one.rows, one.columns))
    if two_lines:
        left, inches = left + line, inches - line
    below, above, bar = 0.12 + turned + line * (1 + two_lines), 0.08 + line, 0.5
    settings: Any = {"axes.spines.top": True, "axes.spines.right": True, **PANEL_TEXT}
    with mpl.rc_context({**style_of(width), **settings}):
        high = down * (above + inches + below) + bar
        figure = Plot(width, high, **settings)
        figure.set_layout_engine("none")
        for place, one in enumerate(maps):
            x, y = width / across * (place % across) + left, high - (place // across + 1) * (above + inches + below)
            axes = figure.add_axes((x / width, (y + below) / high, inches / width, inches / high))
            image = draw_map(axes, one, scale, inches)
            axes.set_title(fitted(one.title, points, inches, 1), loc="left", pad=2)
        cax = figure.add_axes((0.2, 0.36 / high, 0.6, 0.08 / high))
        colors = figure.colorbar(image, cax=cax, orientation="horizontal", label=fitted(scale.title, points, width, 1))
        _set_bar_ticks(colors, scale)
        cax.tick_params(length=2, pad=1)
        return figure


def _named(one: LayerMap) -> bool:
    """Whether the columns have names, which stand upright below them, and not numbers."""
    return any(isinstance(label, str) for label in one.column_labels)


PANEL_TEXT: Any = {
    "font.size": 6.5,
    "axes.titlesize": 6.5,
    "axes.labelsize": 6.5,
    "xtick.labelsize": SMALLEST_TEXT,
    "ytick.labelsize": SMALLEST_TEXT,
}
