"""What the back of one network makes of another's front, cut by cut: how activations match, and what is detected."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from gapscope.errors import InputError
from gapscope.grafting.stitch_result import NOISE, UNTRAINED, StitchResult
from gapscope.plot.lines import along_layers
from gapscope.plot.style import COLORS, DASHES, TWO_COLUMNS, Plot, fitted, legend_below, style_of

CONTROLS = {UNTRAINED: "a front that has learnt nothing", NOISE: "the front shown noise"}


def stitch(result: StitchResult, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """Above, R^2 of every tensor that is stitched; below, mAP@0.5 of every stitched network, its change against the
    back as whiskers (95 % over images); lines without marks are the controls, dashed across are front and back alone.

    Args:
        result: What `gapscope.score_stitches` returned, or `gapscope.read_stitches` read.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If something else is given.
    """
    if not isinstance(result, StitchResult):
        raise InputError(f"a {type(result).__name__} holds no stitches. Give what gapscope.score_stitches returned.")
    labels = list(range(result.about["num_layers"]))
    figure, panels, _ = along_layers(labels, width, 4.4 if width < 5 else 5.2, panels=2)
    with mpl.rc_context(style_of(width)):
        _draw_matches(panels[0], result)
        _draw_scores(panels[1], result)
        if title:
            panels[0].set_title(fitted(title, mpl.rcParams["axes.titlesize"], width - 0.6))
        legend_below(figure, *panels[1].get_legend_handles_labels())
    return figure


def _draw_matches(axes: Axes, result: StitchResult) -> None:
    at = [one.layer for one in result.tensors]
    low, high = (np.array([one.interval[end] for one in result.tensors]) for end in (0, 1))
    _line(axes, at, [one.r2 for one in result.tensors], 0, "stitched", marker="o")
    axes.vlines(at, np.maximum(low, -0.2), np.maximum(high, -0.2), color=COLORS[0], linewidth=0.8)
    for number, (name, meaning) in enumerate(CONTROLS.items(), start=1):
        if all(name in one.controls for one in result.tensors):
            _line(axes, at, [one.controls[name] for one in result.tensors], number, meaning)
    axes.axhline(0, color="black", linewidth=0.7)
    axes.set_ylim(-0.2, 1.05)
    axes.set_ylabel("R² of activations")


def _draw_scores(axes: Axes, result: StitchResult) -> None:
    at = [one.cut for one in result.cuts]
    _line(axes, at, [one.stitched.map50 for one in result.cuts], 0, "stitched", marker="o")
    for one in result.cuts:
        if one.stitched.interval is not None:
            ends = [result.back + end for end in one.stitched.interval]
            axes.plot([one.cut, one.cut], ends, color=COLORS[0], linewidth=0.8)
    for number, (name, meaning) in enumerate(CONTROLS.items(), start=1):
        if all(name in one.controls for one in result.cuts):
            _line(axes, at, [one.controls[name].map50 for one in result.cuts], number, meaning)
    axes.axhline(result.back, color="#555555", linewidth=0.9, linestyle="--", label="the back's network as it is")
    axes.axhline(result.front, color="#555555", linewidth=0.9, linestyle=":", label="the front's network as it is")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("mAP@0.5")


def _line(axes: Axes, at: Sequence[int], values: Sequence[float], number: int, label: str, marker: str = "") -> None:
    axes.plot(
        at,
        np.maximum(values, -0.2),
        color=COLORS[number],
        linestyle=DASHES[number % len(DASHES)],
        marker=marker,
        markersize=3,
        linewidth=1.1,
        label=label,
    )
