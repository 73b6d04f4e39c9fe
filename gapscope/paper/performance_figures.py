"""How big is the gap? mAP of every arm and the gaps as a figure for a paper."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gapscope.findings.estimates import Estimate
from gapscope.findings.headline import headline_classes
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.lettering import legible
from gapscope.paper.captions import seed_words
from gapscope.paper.error_figure import error_figures
from gapscope.paper.planned import Planned
from gapscope.plot.style import COLORS, Plot, fitted, legend_below, style_of, text_width

MARKERS = "osD^vP"
"""One per seed."""


def performance_figures(numbers: RunNumbers) -> Iterator[Planned]:
    """mAP with the gaps, and the kinds of errors; those whose numbers are there."""
    domains = [domain for domain in numbers.results.test_domains if numbers.evaluated_arms(domain)]
    if domains:
        yield Planned("gap", _gap_figure, _gap_shown(numbers, domains), _gap_caption(numbers, domains))
    yield from error_figures(numbers)


def _gap_caption(numbers: RunNumbers, domains: Sequence[str]) -> str:
    results = numbers.results
    images = ", ".join(f"{_num_images(results, domain)} of {results.domain_title(domain)}" for domain in domains)
    rule, classes = results.experiment.evaluate.rule, ", ".join(headline_classes(results))
    below = " Below: AP points that an arm loses on a domain against the arm trained there." if numbers.gaps else ""
    return (
        f"mAP@0.5 (rule {rule}; classes: {classes}) on test images ({images}).{below} Bars: means over "
        f"{seed_words(results.seeds)} with 95 % intervals over the test images, which both arms of a gap share in "
        "every draw; what another seed would change is not in them. Small signs: single seeds."
    )


def _num_images(results: Results, domain: str) -> int:
    return next(found.num_images for (_, of), found in results.evaluations.items() if of == domain)


Row = tuple[Estimate, Sequence[float]]
"""A mean, and the values of its seeds."""


@dataclass(frozen=True)
class GapRow:
    """One gap as it is drawn."""

    domain: str
    arms: str
    points: Row


def _gap_shown(numbers: RunNumbers, domains: Sequence[str]) -> tuple[Any, ...]:
    """Titles of the arms, scores per domain, gaps and seeds."""
    results = numbers.results
    scores = {domain: [numbers.scores.of(arm, domain) for arm in results.arms] for domain in domains}
    panels = [(results.domain_title(domain), [(one.mean, one.values) for one in of]) for domain, of in scores.items()]
    gaps = [
        GapRow(
            f"{results.domain_title(gap.domain)}:",
            f"{results.arm_title(gap.home)} - {results.arm_title(gap.other)}",
            (gap.estimate, gap.points),
        )
        for gap in numbers.gaps
    ]
    return [results.arm_title(arm) for arm in results.arms], panels, gaps, results.seeds


def _gap_figure(
    arms: Sequence[str],
    panels: Sequence[tuple[str, Sequence[Row]]],
    found: Sequence[GapRow],
    seeds: Sequence[int],
    width: float,
) -> Plot:
    """A panel of mAP per domain, and below them the gaps."""
    across = min(len(panels), 2 if width < 5 else 3)
    down = -(-len(panels) // across)
    means = [mean for _, rows in panels for mean, _ in rows]
    row = 0.17 if width < 5 else 0.2
    lines = 2 if any(_gap_name(gap, width).count("\n") for gap in found) else 1
    heights = [row * len(arms) + 0.55] * down + ([row * (0.4 + 0.6 * lines) * len(found) + 0.5] if found else [])
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, sum(heights) + 0.35)
        grid = figure.add_gridspec(len(heights), across, height_ratios=heights)
        names = [fitted(arm, mpl.rcParams["ytick.labelsize"], width / 4, 1) for arm in arms]
        most = 1.04 * max(
            [
                0.1,
                *(mean.high for mean in means if mean.has_interval),
                *(mean.value for mean in means if math.isfinite(mean.value)),
            ]
        )
        for place, (domain, rows) in enumerate(panels):
            axes = figure.add_subplot(grid[place // across, place % across])
            _bars(axes, rows, [COLORS[i % len(COLORS)] for i in range(len(arms))])
            axes.set_yticks(_places(len(arms)), names if place % across == 0 else [""] * len(arms))
            axes.set(xlim=(0, most), xlabel="mAP@0.5")
            title = fitted(f"on {domain}", mpl.rcParams["font.size"], width / across - 0.7)
            axes.set_title(title, fontsize=mpl.rcParams["font.size"])
        if found:
            _draw_gaps(figure.add_subplot(grid[-1, :]), found, width)
        _seed_legend(figure, seeds)
        return figure


def _draw_gaps(axes: Axes, found: Sequence[GapRow], width: float) -> None:
    _bars(axes, [gap.points for gap in found], ["#777777"] * len(found))
    axes.axvline(0, color="black", linewidth=0.7)
    axes.set_yticks(_places(len(found)), [_gap_name(gap, width) for gap in found])
    axes.set_xlabel("gap, AP points")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _gap_name(gap: GapRow, width: float) -> str:
    """Domain and arms in one line, or in two where they would take more than half of the figure."""
    style = style_of(width)
    points = style.get("ytick.labelsize", style["font.size"])
    parts = gap.domain, gap.arms
    if text_width(" ".join(parts), points) <= 0.4 * width:
        return legible(" ".join(parts))
    return "\n".join(fitted(part, points, 0.4 * width, 1) for part in parts)


def _places(count: int) -> list[int]:
    """From top to bottom."""
    return list(range(count))[::-1]


def _bars(axes: Axes, rows: Sequence[Row], colors: Sequence[str]) -> None:
    """A bar per row with its interval, and a sign per seed."""
    for place, (mean, seeds), color in zip(_places(len(rows)), rows, colors, strict=True):
        if math.isfinite(mean.value):
            axes.barh(place, mean.value, height=0.62, color=color, alpha=0.35)
        if mean.has_interval:
            axes.hlines(place, mean.low, mean.high, color=color, linewidth=1.6)
            axes.vlines([mean.low, mean.high], place - 0.14, place + 0.14, color=color, linewidth=1)
        for i, value in enumerate(seeds if len(seeds) > 1 else ()):
            style: Any = {"marker": MARKERS[i % len(MARKERS)], "markersize": 2.6, "markeredgewidth": 0.5}
            axes.plot([value], [place + 0.2 - 0.4 * (i % 2)], color="black", markerfacecolor="white", **style)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))


def _seed_legend(figure: Plot, seeds: Sequence[int]) -> None:
    if len(seeds) > 1:
        style: Any = {"linestyle": "", "color": "black", "markerfacecolor": "white", "markersize": 3}
        signs = [Line2D([], [], marker=MARKERS[i % len(MARKERS)], **style) for i in range(len(seeds))]
        legend_below(figure, signs, [f"seed {seed}" for seed in seeds])
