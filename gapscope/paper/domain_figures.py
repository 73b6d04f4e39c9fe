"""How do the domains differ before any network has seen them? Distributions side by side -> matplotlib figures."""

import base64
import io
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from gapscope.data.appearance import LOOKS
from gapscope.data.distributions import EDGES
from gapscope.findings.results import Results
from gapscope.lettering import class_label, legible
from gapscope.paper.planned import Planned
from gapscope.plot.style import COLORS, DASHES, HEATMAP, STYLE, TWO_COLUMNS

Domains = Mapping[str, Mapping[str, Any]]
"""Title of a domain -> its `distributions`."""

MOST_CLASSES = 12
"""Classes that are drawn; the rarer ones are added up as "others"."""
LONGEST_NAME = 16
PAGE_DOTS = 200
"""Dots per inch of a figure on a page."""


def spread_figure(domains: Domains) -> Figure:
    """Classes, box sides, boxes per image and looks of all domains, as shares, one colour and dash per domain."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS, 4.2), layout="constrained")
        axes = figure.subplots(2, 3).ravel()
        _classes(axes[0], domains)
        _steps(axes[1], domains, "box_side", "side of a square of the box's area, pixels")
        axes[1].set_xscale("log", base=2)
        axes[1].xaxis.set_major_formatter(ScalarFormatter())
        _steps(axes[2], domains, "boxes_per_image", "boxes per image (40: 40 and more)")
        for place, look in zip(axes[3:], LOOKS, strict=True):
            _steps(place, domains, look, f"{look}, 0 to 1")
        for place in axes:
            place.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
            place.set_ylim(bottom=0)
        titles = ("of the boxes", "of the boxes", "of the images", *["of the drawn images"] * 3)
        for place, title in zip(axes, titles, strict=True):
            place.set_title(f"share {title}", fontsize=7.5, loc="left")
        figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4, handlelength=3)
        return figure


def places_figure(domains: Domains) -> Figure:
    """Where the centres of the boxes lie in the image, one map per domain, all on one scale."""
    with mpl.rc_context(STYLE):
        rows = -(-len(domains) // 3)
        columns = min(3, len(domains))
        figure = Figure(figsize=(TWO_COLUMNS * columns / 3 + 0.5, 1.7 * rows + 0.2), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        most = max(float(np.max(found["places"])) for found in domains.values())
        for place in axes.ravel():
            place.set_axis_off()
        for place, (title, found) in zip(axes.ravel(), domains.items(), strict=False):
            image = place.imshow(found["places"], cmap=HEATMAP, vmin=0, vmax=most or 1, extent=(0, 16, 9, 0))
            place.set_title(legible(title), fontsize=8)
        bar = figure.colorbar(image, ax=axes, label="share of the box centres", shrink=0.9, pad=0.01)
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        bar.outline.set_linewidth(0.4)
        return figure


def domain_figures(results: Results) -> dict[str, Figure]:
    """File name -> figure, over the images that a study uses; none where the data stage has not run."""
    return {one.name: one.draw(one.width) for one in planned_domain_figures(results)}


def planned_domain_figures(results: Results) -> Iterator[Planned]:
    """The same, to be drawn when asked for."""
    found = {
        results.domain_title(name): summary.distributions
        for name, summary in results.summaries.items()
        if summary.distributions
    }
    if found:
        spread = {title: {key: one[key] for key in SPREAD if key in one} for title, one in found.items()}
        yield Planned("domains", _spread, (spread,))
        yield Planned("places", _places, ({title: {"places": one["places"]} for title, one in found.items()},))


SPREAD = ("classes", "boxes", "box_side", "boxes_per_image", *LOOKS)
"""What of a domain's distributions is drawn side by side."""


def _spread(domains: Domains, width: float) -> Figure:
    return spread_figure(domains)  # of one width


def _places(domains: Domains, width: float) -> Figure:
    return places_figure(domains)


def as_data_uri(figure: Figure) -> str:
    """A figure at 200 dots per inch as a page can hold it: WebP without loss, a third of a PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="webp", dpi=PAGE_DOTS, pil_kwargs={"lossless": True, "method": 6})
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()


def _classes(axes: Axes, domains: Domains) -> None:
    totals: dict[str, int] = {}
    for found in domains.values():
        for name, count in found["classes"].items():
            totals[name] = totals.get(name, 0) + count
    shown = sorted(totals, key=lambda name: -totals[name]) if len(totals) > MOST_CLASSES else list(totals)
    shown, rest = shown[:MOST_CLASSES], shown[MOST_CLASSES:]
    width = 0.8 / len(domains)
    for i, found in enumerate(domains.values()):
        counts = [found["classes"].get(name, 0) for name in shown]
        counts += [sum(found["classes"].get(name, 0) for name in rest)] if rest else []
        places = np.arange(len(counts)) + (i - (len(domains) - 1) / 2) * width
        axes.bar(places, np.array(counts) / max(1, found["boxes"]), width, color=COLORS[i % len(COLORS)])
    numbers = {name: number for number, name in enumerate(totals)}
    written = [class_label(name, numbers[name]) for name in shown]
    names = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 2]}..." for name in written]
    names += ["others"] if rest else []
    turned: Any = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if sum(map(len, names)) > 26 else {}
    axes.set_xticks(range(len(names)), names, fontsize=6.5, **turned)


def _steps(axes: Axes, domains: Domains, quantity: str, label: str) -> None:
    """One step line per domain: the share in each bin, from the first bin that anything is in to the last."""
    edges = np.array(EDGES[quantity])
    if not np.isfinite(edges[-1]):
        edges[-1] = 2 * edges[-2] - edges[-3]
    filled = np.flatnonzero(sum(np.array(found[quantity]["counts"]) for found in domains.values() if quantity in found))
    for i, (title, found) in enumerate(domains.items()):
        if quantity in found:
            counts = np.array(found[quantity]["counts"], dtype=float)
            style: Any = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)], "linewidth": 1.2}
            axes.stairs(counts / max(1, counts.sum()), edges, label=legible(title), **style)
    if len(filled):
        axes.set_xlim(edges[filled[0]], edges[filled[-1] + 1])
    axes.set_xlabel(label, fontsize=7)
