"""How big is the gap? mAP of every arm and the gaps as a figure for a paper."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gapscope.findings.estimates import Estimate
from gapscope.findings.gaps import Gap
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
        yield Planned("gap", lambda width: _gap_figure(numbers, domains, width), _gap_caption(numbers, domains))
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


def _gap_figure(numbers: RunNumbers, domains: Sequence[str], width: float) -> Plot:
    """A panel of mAP per domain, and below them the gaps."""
    across = min(len(domains), 2 if width < 5 else 3)
    down = -(-len(domains) // across)
    results, found = numbers.results, numbers.gaps
    means = [numbers.scores.of(arm, domain).mean for arm in results.arms for domain in domains]
    arms, row = results.arms, 0.17 if width < 5 else 0.2
    lines = 2 if any(_gap_name(results, gap, width).count("\n") for gap in found) else 1
    heights = [row * len(arms) + 0.55] * down + ([row * (0.4 + 0.6 * lines) * len(found) + 0.5] if found else [])
    with mpl.rc_context(style_of(width)):
        figure = Plot(width, sum(heights) + 0.35)
        grid = figure.add_gridspec(len(heights), across, height_ratios=heights)
        names = [fitted(results.arm_title(arm), mpl.rcParams["ytick.labelsize"], width / 4, 1) for arm in arms]
        most = 1.04 * max(
            [
                0.1,
                *(mean.high for mean in means if mean.has_interval),
                *(mean.value for mean in means if math.isfinite(mean.value)),
            ]
        )
        for place, domain in enumerate(domains):
            axes = figure.add_subplot(grid[place // across, place % across])
            scores = [numbers.scores.of(arm, domain) for arm in arms]
            _bars(axes, [(one.mean, one.values) for one in scores], [COLORS[i % len(COLORS)] for i in range(len(arms))])
            axes.set_yticks(_places(len(arms)), names if place % across == 0 else [""] * len(arms))
            axes.set(xlim=(0, most), xlabel="mAP@0.5")
            title = fitted(f"on {results.domain_title(domain)}", mpl.rcParams["font.size"], width / across - 0.7)
            axes.set_title(title, fontsize=mpl.rcParams["font.size"])
        if found:
            _draw_gaps(figure.add_subplot(grid[-1, :]), results, found, width)
        _seed_legend(figure, results.seeds)
        return figure


def _draw_gaps(axes: Axes, results: Results, found: Sequence[Gap], width: float) -> None:
    _bars(axes, [(gap.estimate, gap.points) for gap in found], ["#777777"] * len(found))
    axes.axvline(0, color="black", linewidth=0.7)
    axes.set_yticks(_places(len(found)), [_gap_name(results, gap, width) for gap in found])
    axes.set_xlabel("gap, AP points")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _gap_name(results: Results, gap: Gap, width: float) -> str:
    """Domain and arms in one line, or in two where they would take more than half of the figure."""
    style = style_of(width)
    points = style.get("ytick.labelsize", style["font.size"])
    parts = f"{results.domain_title(gap.domain)}:", f"{results.arm_title(gap.home)} - {results.arm_title(gap.other)}"
    if text_width(" ".join(parts), points) <= 0.4 * width:
        return legible(" ".join(parts))
    return "\n".join(fitted(part, points, 0.4 * width, 1) for part in parts)


def _places(count: int) -> list[int]:
    """From top to bottom."""
    return list(range(count))[::-1]


def _bars(axes: Axes, rows: Sequence[tuple[Estimate, Sequence[float]]], colors: Sequence[str]) -> None:
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
