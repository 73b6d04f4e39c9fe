"""Numbers along the layers of a network: similarity between floor and ceiling, effects, statistics."""

from collections.abc import Sequence
from typing import Any, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gapscope.detector.layers import is_yolov3
from gapscope.plot.layer_axis import Labels, draw_network_map, mark_layers, name_layer_axis
from gapscope.plot.style import BANDS, COLORS, DASHES, SMALLEST_TEXT, Plot, fitted, legend_below, style_of

Values = NDArray[np.float64]

FLOOR = "floor: shuffled images"


class FlooredCurve(Protocol):
    """A number per layer with its interval and floor; every array is (layers,), NaN where undefined."""

    @property
    def value(self) -> Values: ...
    @property
    def interval_low(self) -> Values: ...
    @property
    def interval_high(self) -> Values: ...
    @property
    def floor_low(self) -> Values: ...
    @property
    def floor_high(self) -> Values: ...


class LayerCurve(FlooredCurve, Protocol):
    """Similarity of same-index layers of two networks."""

    @property
    def label(self) -> str: ...
    @property
    def layers(self) -> NDArray[Any]: ...


def along_layers(labels: Labels, width: float, height: float, panels: int = 1) -> tuple[Plot, list[Axes], float]:
    """A figure with panels below each other that share the layers, over YOLOv3's map where it is YOLOv3.

    Returns:
        The figure, its panels, and the inches that the layers take.
    """
    inches = width - (0.55 if width < 5 else 0.65)
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, height)
        if not is_yolov3(labels):
            axes = list(np.atleast_1d(figure.subplots(panels, 1, sharex=True)))
            name_layer_axis(axes[-1], labels, inches)
            return figure, axes, inches
        strip = 0.3 / (height - 1.1) * panels
        rows = figure.subplots(
            panels + 1, 1, sharex=True, height_ratios=(*[1] * panels, strip), gridspec_kw={"hspace": 0}
        )
        draw_network_map(rows[-1], inches)
        name_layer_axis(rows[-1], labels, inches)
        for axes in rows[:-1]:
            mark_layers(axes)
            axes.tick_params(axis="x", bottom=False)
        return figure, list(rows[:-1]), inches


def layer_curves(
    curves: Sequence[LayerCurve],
    ceilings: Sequence[LayerCurve] = (),
    *,
    title: str,
    estimator: str,
    width: float,
    bounded: bool = True,
    floor: str = FLOOR,
) -> Plot:
    """Similarity of same-index layers, every pair one line with its 95 % interval.

    The floor (what shuffled images give, 2.5 to 97.5 %, over all pairs) is the grey band at the bottom, the ceiling
    (the same arm, another seed) the grey line and band at the top.

    Args:
        curves: At least one; all of the same layers.
        ceilings: One per arm.
        title: Above the figure.
        estimator: What the y axis measures.
        width: Inches.
        bounded: Whether the measure lies between 0 and 1, and the y axis with it.
        floor: What the floor is, in the legend.
    """
    labels = curves[0].layers.tolist()
    figure, (axes,), _ = along_layers(labels, width, 3.0 if width < 5 else 4.0)
    with mpl.rc_context(style_of(width)):
        for i, curve in enumerate(curves):
            draw_curve(axes, curve, i)
        draw_references(axes, curves, ceilings, floor)
        if bounded:
            axes.set_ylim(lower_limit(curves), 1.02)
        axes.set(ylabel=fitted(estimator, mpl.rcParams["font.size"], 2.2))
        if title:
            axes.set_title(fitted(title, 9, width - 0.6))
        legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def lower_limit(curves: Sequence[LayerCurve]) -> float:
    """Where the y axis begins: at 0, or a little below the lowest floor."""
    lowest = min([0.0, *(float(np.nanmin(curve.floor_low, initial=0.0)) for curve in curves)])
    return max(-0.3, lowest - 0.02)


def draw_references(
    axes: Axes, curves: Sequence[LayerCurve], ceilings: Sequence[LayerCurve], floor: str = FLOOR
) -> None:
    """Floor and ceiling, where there are any."""
    values = np.array([ceiling.value for ceiling in ceilings])
    if np.isfinite(values).any():
        places = np.arange(values.shape[1])
        low, high = np.fmin.reduce(values), np.fmax.reduce(values)
        axes.fill_between(places, low, high, color=BANDS["ceiling"], alpha=0.25, linewidth=0)
        mean = np.ma.masked_invalid(values).mean(0).filled(np.nan)
        axes.plot(places, mean, color="#555555", linewidth=0.9, label="ceiling: another seed", zorder=1.5)
    low, high = (np.array([getattr(curve, side) for curve in curves]) for side in ("floor_low", "floor_high"))
    if np.isfinite(low).any():
        band: Any = {"color": BANDS["floor"], "alpha": 0.45, "linewidth": 0, "label": floor}
        axes.fill_between(np.arange(low.shape[1]), np.fmin.reduce(low), np.fmax.reduce(high), **band)


def draw_curve(axes: Axes, curve: LayerCurve, number: int, label: str | None = None) -> None:
    """A line in the number's colour and dash, with its interval."""
    color, dashes = COLORS[number % len(COLORS)], DASHES[number % len(DASHES)]
    places = np.arange(len(curve.value))
    axes.fill_between(places, curve.interval_low, curve.interval_high, color=color, alpha=0.18, linewidth=0)
    style: Any = {"color": color, "linestyle": dashes, "label": label or curve.label}
    axes.plot(places, curve.value, **style, **lone_points(curve.value))


def lone_points(values: Values) -> dict[str, Any]:
    """Dots for values whose neighbours are undefined, which a line alone would not show."""
    known = np.isfinite(np.concatenate([[np.nan], values, [np.nan]]))
    alone = np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:])
    return {"marker": ".", "markevery": alone.tolist(), "markersize": 3} if len(alone) else {}


def layer_effects(
    panels: Sequence[tuple[str, Sequence[tuple[str, Any]]]], *, width: float, measure: str = "CKA (debiased)"
) -> Plot:
    """Where each layer's similarity lies between floor (0) and ceiling (1), with 95 % intervals.

    Layers without an effect, since two seeds share nothing there or were given the same frozen layers, stay empty.

    Args:
        panels: Title, and per line its label and what `gapscope.layer_summary` returned; all of the same layers.
        width: Inches.
        measure: Named at the y axis.
    """
    labels = panels[0][1][0][1]["layer"].to_numpy().tolist()
    high = 1.7 if width < 5 else 2.3
    figure, drawn, _ = along_layers(labels, width, 1.1 + high * len(panels), panels=len(panels))
    with mpl.rc_context(style_of(width)):
        for axes, (title, effects) in zip(drawn, panels, strict=True):
            for i, (label, summary) in enumerate(effects):
                _draw_effect(axes, summary, i, label)
            _mark_floor_and_ceiling(axes, [summary["effect"].to_numpy() for _, summary in effects])
            axes.set_ylabel("effect" if len(panels) > 1 else fitted(f"effect, {measure}", mpl.rcParams["font.size"], 2))
            if title:
                axes.set_title(fitted(title, mpl.rcParams["axes.titlesize"], width - 0.6))
        legend_below(figure, *drawn[0].get_legend_handles_labels())
    return figure


def _draw_effect(axes: Axes, summary: Any, number: int, label: str) -> None:
    value, low, high = (summary[name].to_numpy() for name in ("effect", "effect_low", "effect_high"))
    color, dashes, places = COLORS[number % len(COLORS)], DASHES[number % len(DASHES)], np.arange(len(value))
    axes.fill_between(places, low, high, color=color, alpha=0.18, linewidth=0)
    axes.plot(places, value, color=color, linestyle=dashes, label=label, **lone_points(value))


def _mark_floor_and_ceiling(axes: Axes, values: Sequence[Values]) -> None:
    """Lines at 0 and 1 with what they mean, and limits that hold all values but extreme ones."""
    for level, x, side, meaning in (
        (0, 0.01, "left", "floor: as shuffled images"),
        (1, 1.0, "right", "ceiling: as two seeds"),
    ):
        axes.axhline(level, color="black", linewidth=0.7)
        field: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4}
        place: Any = {"ha": side, "va": "bottom", "fontsize": SMALLEST_TEXT, "color": "#333333", "bbox": field}
        axes.text(x, level + 0.03, meaning, transform=axes.get_yaxis_transform(), **place)
    least = min(float(np.nanmin(value, initial=0.0)) for value in values)
    most = max(float(np.nanmax(value, initial=1.0)) for value in values)
    axes.set_ylim(max(-1.0, least - 0.08), min(2.0, most + 0.22))


def layer_statistics(numbers: Any, *, title: str, width: float) -> Plot:
    """Activations along the layers: mean, median and standard deviation above, minimum and maximum below.

    Args:
        numbers: Per layer `mean`, `median`, `std`, `min`, `max`, with the coordinate `layer`.
        title: Above the figure.
        width: Inches.
    """
    labels = numbers["layer"].to_numpy().tolist()
    figure, (upper, lower), _ = along_layers(labels, width, 3.8 if width < 5 else 4.2, panels=2)
    places = np.arange(len(labels))
    mean, median, std, least, most = (
        np.asarray(numbers[name].to_numpy(), dtype=float) for name in ("mean", "median", "std", "min", "max")
    )
    with mpl.rc_context(style_of(width)):
        band: Any = {"color": COLORS[0], "alpha": 0.18, "linewidth": 0, "label": "mean ± std"}
        upper.fill_between(places, mean - std, mean + std, **band)
        upper.plot(places, mean, color=COLORS[0], label="mean")
        upper.plot(places, median, color=COLORS[1], linestyle="--", label="median")
        lower.plot(places, most, color=COLORS[2], linestyle="-.", label="maximum")
        lower.plot(places, least, color=COLORS[3], linestyle=":", label="minimum")
        for axes, name in ((upper, "activation"), (lower, "extremes")):
            axes.axhline(0, color="#888888", linewidth=0.5)
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.set_ylabel(name)
        figure.align_ylabels([upper, lower])
        if title:
            upper.set_title(fitted(title, 9, width - 0.6))
        (handles, names), (more, other_names) = (axes.get_legend_handles_labels() for axes in (upper, lower))
        legend_below(figure, [*handles, *more], [*names, *other_names])
    return figure
