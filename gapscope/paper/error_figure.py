"""Of which mistakes is a gap made? What each kind costs beyond what it costs the arm that was trained there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gapscope.evaluation.error_kinds import KINDS
from gapscope.findings.estimates import Estimate
from gapscope.findings.gaps import Gap
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.paper.captions import seed_words
from gapscope.paper.planned import Planned
from gapscope.plot.style import COLORS, HATCHES, Plot, fitted, legend_below, style_of

WHOLE = "mAP lost"
"""The row above the kinds."""


def error_figures(numbers: RunNumbers) -> Iterator[Planned]:
    """One figure, where there are gaps whose mistakes were told apart."""
    found = [gap for gap in numbers.gaps if gap.parts.kinds]
    if found:
        caption = _caption(numbers.results, found)
        yield Planned("errors", _figure, _shown(numbers.results, found), caption)


def _caption(results: Results, found: Sequence[Gap]) -> str:
    files = (one.errors for one in results.evaluations_of(found[0].other, found[0].domain))
    iou = next(errors.iou for errors in files if errors is not None)
    kinds = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    return (
        "What kinds of mistakes cost beyond what they cost the arm that was trained there (AP points that mending all "
        f"of a kind would add to mAP@0.5, all classes, rule coco; mean over {seed_words(results.seeds)}). Strokes: "
        f"single seeds. Above: the headline mAP lost, 95 % interval over test images. Kinds do not add up to it. After "
        f"TIDE (Bolya et al., 2020), IoU {iou}. {kinds[0].upper()}{kinds[1:]}."
    )


@dataclass(frozen=True)
class ErrorBars:
    """What is shown of one gap."""

    arm: int
    """The place of the arm that was not trained there, which decides its look."""
    title: str
    estimate: Estimate
    changes: tuple[tuple[float, ...], ...]
    """Per kind one number per seed; NaN where none is known."""


def _shown(results: Results, found: Sequence[Gap]) -> tuple[Any, ...]:
    """Per domain its title and its gaps, and what the rows below mAP are called."""
    panels: dict[str, tuple[str, list[ErrorBars]]] = {}
    for gap in found:
        home = f"on {results.domain_title(gap.domain)}, beside {results.arm_title(gap.home)}"
        kinds = {part.name: part for part in gap.parts.kinds}
        changes = tuple(tuple(kinds[kind].changes) if kind in kinds else (float("nan"),) for kind in KINDS)
        bars = ErrorBars(results.arms.index(gap.other), results.arm_title(gap.other), gap.estimate, changes)
        panels.setdefault(gap.domain, (home, []))[1].append(bars)
    return list(panels.values()), list(KINDS)


def _figure(found: Sequence[tuple[str, Sequence[ErrorBars]]], kinds: Sequence[str], width: float) -> Plot:
    """A panel per domain: for mAP and every kind a bar per arm that was not trained there."""
    across = min(len(found), 1 if width < 5 else 3)
    down = -(-len(found) // across)
    most = max(len(bars) for _, bars in found)
    high = down * ((0.11 * most + 0.1) * (len(kinds) + 1) + 0.5) + 0.3
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, high)
        panels = figure.subplots(down, across, squeeze=False, sharey=True, sharex=True).ravel()
        for axes in panels[len(found) :]:
            axes.set_axis_off()
        for axes, (home, bars) in zip(panels, found, strict=False):
            _draw(axes, bars, kinds)
            axes.set_title(
                fitted(home, mpl.rcParams["font.size"], width / across - 0.7), fontsize=mpl.rcParams["font.size"]
            )
            axes.set_xlabel("AP points more than at home")
            axes.tick_params(labelbottom=True)
        titles = {one.arm: one.title for _, bars in found for one in bars}
        arms = sorted(titles)
        legend_below(figure, [Patch(**_look(arm)) for arm in arms], [titles[arm] for arm in arms])
        return figure


def _look(place: int) -> dict[str, Any]:
    return {"facecolor": COLORS[place % len(COLORS)], "hatch": HATCHES[place % len(HATCHES)], "edgecolor": "white"}


def _draw(axes: Axes, found: Sequence[ErrorBars], kinds: Sequence[str]) -> None:
    """Bars of every gap of one domain, mAP above the kinds."""
    places, thick = np.arange(len(kinds) + 1)[::-1], 0.8 / len(found)
    for i, gap in enumerate(found):
        at = places + 0.4 - thick * (i + 0.5)
        means = [gap.estimate.value, *(float(np.mean(values)) for values in gap.changes)]
        axes.barh(at, means, height=thick, linewidth=0.3, **_look(gap.arm))
        if gap.estimate.has_interval:
            axes.hlines(at[0], gap.estimate.low, gap.estimate.high, color="black", linewidth=0.8)
        for place, values in zip(at[1:], gap.changes, strict=True):
            for value in values if len(values) > 1 else ():
                axes.vlines(value, place - 0.3 * thick, place + 0.3 * thick, color="black", linewidth=0.8)
    axes.set_yticks(places, [WHOLE, *kinds])
    axes.set_ylim(-0.6, len(places) - 0.4)
    axes.axhline(len(places) - 1.5, color="#888888", linewidth=0.5)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
