"""Of which mistakes is a gap made? What each kind costs beyond what it costs the arm that was trained there."""

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gapscope.evaluation.error_kinds import KINDS
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
        yield Planned("errors", lambda width: _figure(numbers.results, found, width), caption)


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


def _figure(results: Results, found: Sequence[Gap], width: float) -> Plot:
    """A panel per domain: for mAP and every kind a bar per arm that was not trained there."""
    domains = list(dict.fromkeys(gap.domain for gap in found))
    across = min(len(domains), 1 if width < 5 else 3)
    down = -(-len(domains) // across)
    most = max(sum(gap.domain == domain for gap in found) for domain in domains)
    high = down * ((0.11 * most + 0.1) * (len(KINDS) + 1) + 0.5) + 0.3
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, high)
        panels = figure.subplots(down, across, squeeze=False, sharey=True, sharex=True).ravel()
        for axes in panels[len(domains) :]:
            axes.set_axis_off()
        for axes, domain in zip(panels, domains, strict=False):
            mine = [gap for gap in found if gap.domain == domain]
            _draw(axes, results, mine)
            home = f"on {results.domain_title(domain)}, beside {results.arm_title(mine[0].home)}"
            axes.set_title(
                fitted(home, mpl.rcParams["font.size"], width / across - 0.7), fontsize=mpl.rcParams["font.size"]
            )
            axes.set_xlabel("AP points more than at home")
            axes.tick_params(labelbottom=True)
        arms = [arm for arm in results.arms if any(gap.other == arm for gap in found)]
        legend_below(figure, [Patch(**_look(results, arm)) for arm in arms], [results.arm_title(arm) for arm in arms])
        return figure


def _look(results: Results, arm: str) -> dict[str, Any]:
    place = results.arms.index(arm)
    return {"facecolor": COLORS[place % len(COLORS)], "hatch": HATCHES[place % len(HATCHES)], "edgecolor": "white"}


def _draw(axes: Axes, results: Results, found: Sequence[Gap]) -> None:
    """Bars of every gap of one domain, mAP above the kinds."""
    places, thick = np.arange(len(KINDS) + 1)[::-1], 0.8 / len(found)
    for i, gap in enumerate(found):
        kinds = {part.name: part for part in gap.parts.kinds}
        changes = [kinds[kind].changes if kind in kinds else (float("nan"),) for kind in KINDS]
        at = places + 0.4 - thick * (i + 0.5)
        means = [gap.mean, *(float(np.mean(values)) for values in changes)]
        axes.barh(at, means, height=thick, linewidth=0.3, **_look(results, gap.other))
        if gap.estimate.has_interval:
            axes.hlines(at[0], gap.estimate.low, gap.estimate.high, color="black", linewidth=0.8)
        for place, values in zip(at[1:], changes, strict=True):
            for value in values if len(values) > 1 else ():
                axes.vlines(value, place - 0.3 * thick, place + 0.3 * thick, color="black", linewidth=0.8)
    axes.set_yticks(places, [WHOLE, *KINDS])
    axes.set_ylim(-0.6, len(places) - 0.4)
    axes.axhline(len(places) - 1.5, color="#888888", linewidth=0.5)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
