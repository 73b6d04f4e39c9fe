"""What closes a gap: every remedy with its interval, and how good a detector is with so many labelled images."""

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from gapscope.errors import InputError
from gapscope.plot.style import COLORS, DASHES, TWO_COLUMNS, Plot, fitted, legend_below, style_of

POINTS = ("remedy", "regained", "regained_low", "regained_high")
PATH = ("share", "domain", "seed", "map50")
APART, WITHIN = 0.01, 0.04
"""Of the axis of labels, between neighbouring curves; and from the first to the last of them at most."""
CURVES = ("way", "adapted", "labels", "map50", "low", "high")


def remedies(found: pd.DataFrame, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """AP points that each remedy regains, the best on top, with its 95 % interval; the dashed line is the whole gap,
    where the table says which share of it each closes.

    Args:
        found: `tables/table8.csv` of a run, read by pandas: `remedy`, `regained`, `regained_low`, `regained_high`, and
            if it is there `share`. Of one gap.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: Columns are missing, or there is no row.
    """
    rows = _checked(found, POINTS, "remedies", "table8.csv").sort_values("regained", kind="stable")
    places = np.arange(len(rows))
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, 0.75 + 0.26 * len(rows))
        axes = figure.add_subplot()
        for place, row in zip(places, rows.to_dict("records"), strict=True):
            color = COLORS[0] if row["regained"] > 0 else COLORS[1]
            axes.barh(place, row["regained"], height=0.6, color=color, alpha=0.4)
            if math.isfinite(row["regained_low"]) and math.isfinite(row["regained_high"]):
                axes.hlines(place, row["regained_low"], row["regained_high"], color=color, linewidth=1.4)
        names = [fitted(str(name), mpl.rcParams["font.size"], 0.32 * width, 1) for name in rows["remedy"]]
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", length=0)
        axes.axvline(0, color="black", linewidth=0.7)
        whole = _whole_gap(rows)
        if math.isfinite(whole):
            axes.axvline(whole, color="black", linewidth=0.9, linestyle="--", label="the whole gap")
            legend_below(figure, *axes.get_legend_handles_labels())
        axes.set_xlabel("AP points regained")
        _titled(axes, title, width)
    return figure


def budgets(found: pd.DataFrame, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """mAP@0.5 against the number of labelled images, on a logarithmic axis: a line for every way to use them, with 95 %
    intervals over test images. Lines of one colour differ in adaptation alone: with it they are dashed.

    Args:
        found: `tables/table9.csv` of a run, read by pandas: `way`, `adapted`, `labels`, `map50`, `low`, `high`. Of one
            domain.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: Columns are missing, or there is no row.
    """
    rows = _checked(found, CURVES, "budgets", "table9.csv")
    ways, counts = list(dict.fromkeys(rows["way"])), sorted(set(rows["labels"]))
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, 2.4 if width < 5 else 3.2)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        curves = list(rows.groupby(["way", "adapted"], sort=False))
        for place, ((way, adapted), some) in enumerate(curves):
            apart = min(APART, WITHIN / max(1, len(curves) - 1))
            beside = (max(counts) / min(counts)) ** (apart * (place - (len(curves) - 1) / 2))
            _draw_curve(axes, some.sort_values("labels"), beside, ways.index(way), bool(adapted))
        axes.xaxis.set_major_locator(FixedLocator(counts))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set_ylim(bottom=0)
        axes.set(xlabel="labelled images", ylabel="mAP@0.5")
        _titled(axes, title, width)
        legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def shares(found: pd.DataFrame, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """What the average of two arms' weights finds, by the share of the second: a line for every domain, the mean over
    the seeds, and a mark for every seed.

    Args:
        found: A row for every share that was tried: `share` (0 to 1), `domain`, `seed`, `map50`.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: Columns are missing, or there is no row.
    """
    rows = _checked(found, PATH, "shares", "")
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, 2.2 if width < 5 else 2.8)
        axes = figure.add_subplot()
        for number, (domain, some) in enumerate(rows.groupby("domain", sort=False)):
            color, mean = COLORS[number % len(COLORS)], some.groupby("share")["map50"].mean()
            dashes = DASHES[number % len(DASHES)]
            axes.plot(mean.index, mean, color=color, linestyle=dashes, label=f"validation images of {domain}")
            axes.plot(some["share"], some["map50"], "o", color=color, markersize=3, markerfacecolor="white")
        axes.set_xticks(sorted(set(rows["share"])))
        axes.set_ylim(bottom=0)
        axes.set(xlabel="share of the second arm", ylabel="mAP@0.5")
        _titled(axes, title, width)
        legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def _draw_curve(axes: Axes, rows: pd.DataFrame, beside: float, number: int, adapted: bool) -> None:
    """A line with intervals, drawn at `beside` times the number of labels, so that no interval hides another."""
    color = COLORS[number % len(COLORS)]
    style: Any = {"marker": "os^vDP"[number % 6], "markersize": 3.5, "color": color}
    name = f"{rows['way'].iloc[0]}{', adapted' if adapted else ''}"
    at = rows["labels"] * beside
    axes.plot(at, rows["map50"], linestyle=DASHES[1 if adapted else 0], label=name, **style)
    axes.vlines(at, rows["low"].astype(float), rows["high"].astype(float), color=color, linewidth=0.8)


def _whole_gap(rows: pd.DataFrame) -> float:
    """AP points, from what one remedy regains and the share that this is; NaN where no share is known."""
    if "share" not in rows:
        return math.nan
    known = rows[(rows["share"].astype(float).abs() > 0.01)]
    return float((known["regained"] / known["share"]).iloc[-1]) if len(known) else math.nan


def _checked(found: Any, columns: tuple[str, ...], what: str, file: str) -> pd.DataFrame:
    if not isinstance(found, pd.DataFrame) or not set(columns) <= set(found.columns):
        wanted = f"tables/{file} of a run, read by pandas" if file else f"a table with {', '.join(columns)}"
        raise InputError(f"a {type(found).__name__} holds no {what}. Give {wanted}.")
    if not len(found):
        raise InputError(f"the table of {what} has no row. Give one of a run that has tried some.")
    return found


def _titled(axes: Axes, title: str, width: float) -> None:
    if title:
        axes.set_title(fitted(title, mpl.rcParams["axes.titlesize"], width - 0.6))
