"""How alike, how domain-bound, how costly: three curves below each other on one axis of layers."""

from collections.abc import Sequence
from typing import Any, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gapscope.plot.lines import (
    FlooredCurve,
    LayerCurve,
    along_layers,
    draw_curve,
    draw_references,
    lone_points,
    lower_limit,
)
from gapscope.plot.style import BANDS, COLORS, HATCHES, SMALLEST_TEXT, TWO_COLUMNS, Plot, fitted, legend_below, style_of


class Change(Protocol):
    """A number with its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Part(Protocol):
    """What layers that were grafted together changed."""

    @property
    def layers(self) -> tuple[int, ...]: ...
    @property
    def alone(self) -> Change: ...
    @property
    def told(self) -> bool: ...


class Pair(Protocol):
    """One network's parts in another."""

    @property
    def parts(self) -> Sequence[Part]: ...
    @property
    def gap(self) -> Change: ...


class Curves(Protocol):
    """What `gapscope.findings` holds of a host and a donor: an entry of `find(...).three_curves`."""

    @property
    def different(self) -> NDArray[np.float64]: ...
    @property
    def alike(self) -> LayerCurve | None: ...
    @property
    def ceilings(self) -> Sequence[LayerCurve]: ...
    @property
    def bound(self) -> FlooredCurve | None: ...
    @property
    def pair(self) -> Pair: ...


def three_curves(curves: Curves, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """Similarity between floor and ceiling, separability above its floor, and what every part changes, by layer.

    A curve that is not there has no panel. In the last one a bar is as wide as a part has layers, with its 95 %
    interval over the images; one without colour cannot be told from what any foreign part does. The dashed line is the
    gap.

    Args:
        curves: An entry of `gapscope.findings.find(results).three_curves`.
        title: Above the figure.
        width: Inches.
    """
    panels = 1 + (curves.alike is not None) + (curves.bound is not None)
    high = 1.25 if width < 5 else 1.5
    figure, drawn, _ = along_layers(list(range(len(curves.different))), width, 1.2 + high * panels, panels=panels)
    rest = list(drawn)
    with mpl.rc_context(style_of(width)):
        if curves.alike is not None:
            _draw_alike(rest.pop(0), curves.alike, curves.ceilings)
        if curves.bound is not None:
            _draw_bound(rest.pop(0), curves.bound)
        _draw_costs(rest.pop(0), curves.pair)
        if title:
            drawn[0].set_title(fitted(title, mpl.rcParams["axes.titlesize"], width - 0.6))
        figure.align_ylabels(drawn)
        found = [axes.get_legend_handles_labels() for axes in drawn]
        named = {name: handle for handles, names in found for handle, name in zip(handles, names, strict=True)}
        legend_below(figure, list(named.values()), list(named))
    return figure


def _draw_alike(axes: Axes, alike: LayerCurve, ceilings: Sequence[LayerCurve]) -> None:
    draw_curve(axes, alike, 0, "similarity")
    draw_references(axes, [alike], ceilings)
    axes.set(ylim=(lower_limit([alike]), 1.04), ylabel="how alike")
    _say(axes, "CKA of same-index layers (debiased)", high=0.3)  # early layers are the most alike


def _draw_bound(axes: Axes, bound: FlooredCurve) -> None:
    places = np.arange(len(bound.value))
    axes.fill_between(places, bound.floor_low, bound.floor_high, color=BANDS["floor"], alpha=0.45, linewidth=0)
    axes.fill_between(places, bound.interval_low, bound.interval_high, color=COLORS[1], alpha=0.18, linewidth=0)
    axes.plot(places, bound.value, color=COLORS[1], label="separability of the host", **lone_points(bound.value))
    top = float(np.nanmax(np.append(bound.interval_high, bound.value), initial=0.1))
    axes.set(ylim=(min(-0.02, float(np.nanmin(bound.floor_low, initial=0.0))), 1.25 * top), ylabel="how domain-bound")
    _say(axes, "CKA with the domain labels; grey: shuffled labels")


def _draw_costs(axes: Axes, pair: Pair) -> None:
    color = COLORS[2]
    for part in pair.parts:
        first, last = part.layers[0], part.layers[-1]
        look: Any = {"facecolor": color if part.told else "white", "edgecolor": "white" if part.told else color}
        place, room = (first + last) / 2, (last - first + 1) * 0.94
        axes.bar(place, 100 * part.alone.value, room, hatch=HATCHES[0], linewidth=0.6, **look)
        axes.plot([place, place], [100 * part.alone.low, 100 * part.alone.high], color="black", linewidth=0.8)
    axes.bar(0, 0, 0, color=color, label="the donor's part alone")
    axes.bar(0, 0, 0, facecolor="white", edgecolor=color, linewidth=0.6, label="cannot be told")
    axes.axhline(0, color="black", linewidth=0.7)
    axes.axhline(100 * pair.gap.value, color="#555555", linewidth=0.9, linestyle="--", label="the whole gap")
    low, high = axes.get_ylim()
    axes.set(ylim=(low - 0.03 * (high - low), high + 0.16 * (high - low)), ylabel="how costly")
    _say(axes, "change of the host's mAP@0.5, AP points")


def _say(axes: Axes, text: str, high: float = 0.97) -> None:
    field: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4}
    place: Any = {"transform": axes.transAxes, "ha": "left", "va": "top", "bbox": field}
    axes.text(0.01, high, text, fontsize=SMALLEST_TEXT, color="#333333", **place)
