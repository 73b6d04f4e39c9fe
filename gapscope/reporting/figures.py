"""Figures 1-7, numbered as in the paper: numbers -> matplotlib figures; never reads a run folder, never shows a window.

The colours of curves are Okabe and Ito's, told apart also by colour-blind readers and, with the dashes, in grey print.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from gapscope.detector.layers import BACKBONE_LAST, NUM_LAYERS, YOLO_LAYERS
from gapscope.files import atomic_path
from gapscope.reporting.curves import ESTIMATORS, Curve
from gapscope.reporting.network_map import BLOCKS, ROUTES, Block

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
BLOCK_COLORS = {True: ("#d7dde4", "#c2cbd6"), False: ("#f3dcc4", "#ebcba7")}
"""Fills of the network map, in turn: backbone (True) and head (False)."""
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "pdf.fonttype": 42,  # TrueType inside: text stays text, as publishers ask
    "text.parse_math": False,  # a dollar sign in an arm's title is a dollar sign
    "svg.fonttype": "none",
}
TWO_COLUMNS, ONE_COLUMN = 7.0, 4.4
"""Widths in inches."""


def layer_curves(curves: Sequence[Curve], ceilings: Sequence[Curve] = (), *, title: str, estimator: str) -> Figure:
    """Similarity of same-index layers, every pair one line with its 95 % interval (Figures 1 and 2).

    Below the axis runs a map of the network. The floor (what shuffled images give, 2.5 to 97.5 %, over all pairs) is
    the grey band at the bottom, the ceiling (the same arm, another seed) the grey line and band at the top.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS, 4.0), layout="constrained")
        axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=(1, 0.11), gridspec_kw={"hspace": 0.0})
        _draw_references(axes, curves, ceilings)
        for i, curve in enumerate(curves):
            _draw_curve(axes, curve, COLORS[i % len(COLORS)], DASHES[i % len(DASHES)])
        _mark_layers(axes)
        lowest = min([0.0, *(float(np.nanmin(c.floor_low, initial=0.0)) for c in curves)])
        axes.set(ylim=(max(-0.3, lowest - 0.02), 1.02), ylabel=estimator, title=title)
        axes.tick_params(axis="x", bottom=False)
        _draw_network_map(strip)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=3)
        return figure


def _draw_references(axes: Axes, curves: Sequence[Curve], ceilings: Sequence[Curve]) -> None:
    if ceilings:
        layers = ceilings[0].layers
        values = np.array([ceiling.value for ceiling in ceilings])
        axes.fill_between(layers, values.min(0), values.max(0), color="#777777", alpha=0.25, linewidth=0)
        axes.plot(layers, values.mean(0), color="#555555", linewidth=1, label="ceiling: same arm, other seed")
    if curves:
        low = np.min([curve.floor_low for curve in curves], axis=0)
        high = np.max([curve.floor_high for curve in curves], axis=0)
        label = "floor: images shuffled"
        axes.fill_between(curves[0].layers, low, high, color="#999999", alpha=0.45, linewidth=0, label=label)


def _draw_curve(axes: Axes, curve: Curve, color: str, dashes: object) -> None:
    axes.fill_between(curve.layers, curve.interval_low, curve.interval_high, color=color, alpha=0.18, linewidth=0)
    axes.plot(curve.layers, curve.value, color=color, linestyle=dashes, label=curve.label)


def _mark_layers(axes: Axes) -> None:
    """The border between backbone and head, the routes from the backbone, the detection layers."""
    axes.axvline(BACKBONE_LAST + 0.5, color="black", linewidth=0.8)
    for layer in ROUTES:
        axes.axvline(layer, color="#888888", linewidth=0.6, linestyle=":")
    for layer in YOLO_LAYERS:
        axes.axvline(layer, color="#888888", linewidth=0.6)
    axes.set_xlim(-1, NUM_LAYERS)


def _draw_network_map(axes: Axes) -> None:
    for i, block in enumerate(BLOCKS):
        color = BLOCK_COLORS[block.in_backbone][i % 2]
        axes.add_patch(Rectangle((block.first - 0.5, 0), block.last - block.first + 1, 1, facecolor=color))
        if block.last - block.first > 5:
            axes.text((block.first + block.last) / 2, 0.62, block.name, ha="center", va="center", fontsize=6.5)
    for layer in YOLO_LAYERS:
        axes.add_patch(Rectangle((layer - 0.5, 0), 1, 0.3, facecolor="#555555"))
    for layer in ROUTES:
        axes.add_patch(Rectangle((layer - 0.5, 0), 1, 0.3, facecolor="#a06000"))
    axes.set(ylim=(0, 1), yticks=[], xlabel="layer (dark: detection layers 82, 94, 106; brown: routes 86, 98)")
    axes.set_xticks(range(0, NUM_LAYERS, 10))
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def layer_heatmap(
    values: NDArray[np.float64],
    *,
    rows: str,
    columns: str,
    title: str,
    estimator: str,
    blocks: Sequence[Block] = BLOCKS,
) -> Figure:
    """Similarity of every layer of one network (rows) with every layer of another (columns) (Figures 3-7).

    All heatmaps share the scale 0 to 1. A value below 0, which the debiased estimator can give, has the colour of 0;
    an undefined one is left white. White lines outline the blocks of the architecture.
    """
    with mpl.rc_context({**STYLE, "axes.spines.top": True, "axes.spines.right": True}):
        figure = Figure(figsize=(ONE_COLUMN, 4.1), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(values, cmap="viridis", vmin=0, vmax=1, origin="lower", interpolation="nearest")
        for block in blocks[1:]:
            axes.axhline(block.first - 0.5, color="white", linewidth=0.45, alpha=0.8)
            axes.axvline(block.first - 0.5, color="white", linewidth=0.45, alpha=0.8)
        _name_blocks(axes, blocks)
        axes.set(xlabel=f"{columns}: layer", ylabel=f"{rows}: layer", title=title)
        axes.set_xticks(range(0, values.shape[1], 20))
        axes.set_yticks(range(0, values.shape[0], 20))
        bar = figure.colorbar(image, ax=axes, shrink=0.85, label=estimator)
        bar.outline.set_linewidth(0.4)
        return figure


def _name_blocks(axes: Axes, blocks: Sequence[Block]) -> None:
    """Short names of the wide blocks along the top, inside the map's edge."""
    top = axes.secondary_xaxis("top")
    wide = [block for block in blocks if block.last - block.first > 5]
    top.set_xticks([(block.first + block.last) / 2 for block in wide], [_short(block) for block in wide], fontsize=5.5)
    top.tick_params(length=0, pad=1)


def _short(block: Block) -> str:
    return block.name.replace("stage ", "s").replace("head ", "h")


@contextmanager
def _reproducible() -> Iterator[Mapping[str, object]]:
    """Settings under which the same figure gives the same bytes."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": "gapscope"}):
        yield {"CreationDate": None, "ModDate": None}


def write_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `<name>.png` (200 dots per inch) and `<name>.pdf` (fonts embedded)."""
    paths = [folder / f"{name}.png", folder / f"{name}.pdf"]
    with _reproducible() as dates:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is done; both formats take it as it is
        for path in paths:
            with atomic_path(path) as temporary:
                metadata = dates if path.suffix == ".pdf" else None
                figure.savefig(temporary, dpi=200, metadata=metadata)
    return paths


def estimator_axis(estimator: str) -> str:
    """The axis title for an estimator."""
    return {"cka_debiased": "CKA (debiased)", "cka_biased": "CKA (biased, as the paper)"}.get(
        estimator, ESTIMATORS.get(estimator, estimator)
    )
