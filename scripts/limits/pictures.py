"""The page's pictures: both estimators side by side, as small PNGs."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from gapscope.config import Experiment
from gapscope.detector.layers import NUM_LAYERS, YOLO_LAYERS
from gapscope.detector.network_map import ROUTES
from gapscope.files import atomic_path
from gapscope.findings.environment_file import RunEnvironment
from gapscope.findings.layer_curves import BIASED, DEBIASED, PairCurve
from gapscope.findings.layer_findings import LayerFindings, layer_findings
from gapscope.findings.results import Results
from gapscope.paper.layer_figures import estimator_axis
from gapscope.paper.paper_figures import all_figures
from gapscope.plot.style import COLORS, DASHES, STYLE
from gapscope.run_folder import RunName
from gapscope.similarity.blocks import PAPER_BLOCKS

DOTS_PER_INCH = 200
PAPER_FILL = ("#d7dde4", "#f3dcc4")
"""Blocks of the backbone, and of the head."""


def layers_at(results: Results, size: int, grids: dict[tuple[RunName, RunName, int], xr.Dataset]) -> LayerFindings:
    """What the run's figures show at one size, from grids that are not in its folder."""
    record = results.experiment.record.model_copy(update={"sizes": (size, size)})
    experiment: Experiment = results.experiment.model_copy(update={"record": record})
    nothing = RunEnvironment()
    return layer_findings(
        Results(results.folder, experiment, nothing, {}, {}, {}, {}, grids, effects={}, probe=results.probe)
    )


def write_paper_figures(layers: LayerFindings, size: int, folder: Path) -> list[str]:
    """Figures 1-6 of the paper at one size, the paper's estimator left or above, the debiased one right or below.

    Figure 7 of the paper is Figure 4 at 128 pixels. Returns the names of the files.
    """
    names = []
    both = zip(all_figures(layers, BIASED), all_figures(layers, DEBIASED), strict=True)
    for (number, biased), (_, debiased) in both:
        if number > 6:
            continue
        picture = joined([drawn(biased), drawn(debiased)], across=number > 2)
        names.append(f"figure{number}-{size}px.png")
        method = Image.Quantize.MAXCOVERAGE if number > 2 else Image.Quantize.MEDIANCUT
        write_picture(picture, folder / names[-1], method)
    return names


def drawn(figure: Figure) -> Image.Image:
    with mpl.rc_context(STYLE), BytesIO() as stream:
        figure.savefig(stream, format="png", dpi=DOTS_PER_INCH)
        return Image.open(stream).convert("RGB")


def joined(parts: Sequence[Image.Image], *, across: bool) -> Image.Image:
    """Pictures of one size beside or below each other."""
    width, height = parts[0].size
    canvas = Image.new("RGB", (width * len(parts), height) if across else (width, height * len(parts)), "white")
    for place, part in enumerate(parts):
        canvas.paste(part, (place * width, 0) if across else (0, place * height))
    return canvas


def write_picture(picture: Image.Image, path: Path, method: Image.Quantize = Image.Quantize.MEDIANCUT) -> None:
    """A PNG of 256 colours, which is a third of the bytes; a colour bar needs them spread evenly to stay smooth."""
    with atomic_path(path) as temporary:
        picture.quantize(256, method, dither=Image.Dither.NONE).save(temporary, format="PNG", optimize=True)


def overview(by_size: dict[int, LayerFindings]) -> Figure:
    """A row per size, a column per estimator: the first arm against the others, between floor and ceiling."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.3 * len(by_size) + 1), layout="constrained")
        panels = figure.subplots(len(by_size), 2, sharex=True, sharey=True, squeeze=False)
        for row, (size, layers) in enumerate(by_size.items()):
            for axes, estimator in zip(panels[row], (BIASED, DEBIASED), strict=True):
                _draw_panel(axes, layers, estimator)
            panels[row][0].set_ylabel(f"{size} x {size} pixels\nCKA")
        for axes, estimator in zip(panels[0], (BIASED, DEBIASED), strict=True):
            axes.set_title(estimator_axis(estimator))
        for axes in panels[-1]:
            axes.set_xlabel("layer; below: the blocks that the paper sees; lines: detection layers, dotted: routes")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3)
        return figure


def _draw_panel(axes: Axes, layers: LayerFindings, estimator: str) -> None:
    results = layers.seen
    first = results.arm_title(results.arms[0])
    by_seed = [
        [curve for curve in layers.of_seed(seed, measure=estimator) if curve.label.startswith(f"{first} vs ")]
        for seed in results.seeds
    ]
    _draw_blocks(axes)
    _draw_ceiling(axes, _ceilings(layers, estimator))
    _draw_floor(axes, [curve for curves in by_seed for curve in curves])
    for place, (seed, curves) in enumerate(zip(results.seeds, by_seed, strict=True)):
        for curve, color, dashes in zip(curves, COLORS, DASHES, strict=False):
            label, width = f"{curve.label}, seed {seed}", 1.3 if place == 0 else 0.7
            axes.plot(curve.layers, curve.value, color=color, linestyle=dashes, linewidth=width, label=label)
            if place == 0:
                axes.fill_between(
                    curve.layers, curve.interval_low, curve.interval_high, color=color, alpha=0.18, linewidth=0
                )
    axes.set(xlim=(-1, NUM_LAYERS), ylim=(-0.16, 1.02), xticks=range(0, NUM_LAYERS, 10))


def _draw_blocks(axes: Axes) -> None:
    """Below 0: the blocks that the paper names; dark: detection layers; dotted through the panel: the routes."""
    for low, high in PAPER_BLOCKS:
        fill = PAPER_FILL[low > 74]
        axes.add_patch(Rectangle((low - 0.5, -0.16), high - low + 1, 0.09, facecolor=fill, edgecolor="white"))
        axes.text((low + high) / 2, -0.118, f"{low}-{high}", ha="center", va="center", fontsize=5.5)
    for layer in YOLO_LAYERS:
        axes.axvline(layer, color="#888888", linewidth=0.6)
    for layer in ROUTES:
        axes.axvline(layer, color="#888888", linewidth=0.6, linestyle=":")


def _ceilings(layers: LayerFindings, estimator: str) -> list[PairCurve]:
    """Of the arms without frozen layers, if there is one: frozen layers are the same with every seed."""
    arms = layers.seen.experiment.arms
    trained = [arm for arm in layers.seen.arms if not arms[arm].freeze] or layers.seen.arms
    return layers.ceilings_of(trained, measure=estimator)


def _draw_ceiling(axes: Axes, ceilings: Sequence[PairCurve]) -> None:
    if not ceilings:
        return
    values = np.array([ceiling.value for ceiling in ceilings])
    axes.fill_between(ceilings[0].layers, values.min(0), values.max(0), color="#777777", alpha=0.25, linewidth=0)
    axes.plot(ceilings[0].layers, values.mean(0), color="#555555", linewidth=0.9, label="ceiling: same arm, other seed")


def _draw_floor(axes: Axes, curves: Sequence[PairCurve]) -> None:
    low = np.min([curve.floor_low for curve in curves], axis=0)
    high = np.max([curve.floor_high for curve in curves], axis=0)
    label = "floor: images shuffled"
    axes.fill_between(curves[0].layers, low, high, color="#999999", alpha=0.45, linewidth=0, label=label)
