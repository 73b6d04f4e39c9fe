"""Which numbers does each of Figures 1-7 show? The paper's arrangement, filled from a run folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gapscope.progress import Progress, silent
from gapscope.reporting.curves import BIASED, DEBIASED, ceiling_curves, seed_curves
from gapscope.reporting.figures import estimator_axis, layer_curves, layer_heatmap, write_figure
from gapscope.reporting.results import Results, RunName

SUFFIXES = {DEBIASED: "", BIASED: "-paper"}
"""`figure1` shows the debiased estimator, `figure1-paper` the one the paper used."""


@dataclass(frozen=True)
class Heatmap:
    """What one of Figures 3-7 compares."""

    number: int
    rows: RunName
    columns: RunName
    size: int


def heatmaps(results: Results) -> list[Heatmap]:
    """Figures 3 (the first arm with itself), 4-6 (the first three pairs) and 7 (the first pair at the other size)."""
    seed, (first, second) = results.seeds[0], results.sizes
    plan = [Heatmap(3, RunName(results.arms[0], seed), RunName(results.arms[0], seed), first)] if results.arms else []
    for number, (a, b) in zip((4, 5, 6), results.pairs[:3], strict=False):
        plan.append(Heatmap(number, RunName(a, seed), RunName(b, seed), first))
    for a, b in results.pairs[:1]:
        plan.append(Heatmap(7, RunName(a, seed), RunName(b, seed), second))
    return [item for item in plan if (item.rows, item.columns, item.size) in results.grids]


def all_figures(results: Results, estimator: str = DEBIASED) -> Iterator[tuple[int, Figure]]:
    """The figures by number, without those whose numbers are not there yet."""
    for number, seed in zip((1, 2), results.seeds[:2], strict=False):
        figure = _curves_figure(results, seed, estimator)
        if figure is not None:
            yield number, figure
    for item in heatmaps(results):
        figure = _heatmap_figure(results, item, estimator)
        if figure is not None:
            yield item.number, figure


def _curves_figure(results: Results, seed: int, estimator: str) -> Figure | None:
    size = results.sizes[0]
    curves = seed_curves(results, seed, size, estimator)
    if not curves:
        return None
    title = f"Similarity of same-index layers, seed {seed}, {size} x {size} pixels"
    ceilings = ceiling_curves(results, size, estimator)
    return layer_curves(curves, ceilings, title=title, estimator=estimator_axis(estimator))


def _heatmap_figure(results: Results, item: Heatmap, estimator: str) -> Figure | None:
    grid = results.grids[item.rows, item.columns, item.size]
    if estimator not in grid.measure:
        return None
    return layer_heatmap(
        np.asarray(grid["value"].sel(measure=estimator).values, dtype=np.float64),
        rows=results.run_title(item.rows),
        columns=results.run_title(item.columns),
        title=f"Layer against layer, {item.size} x {item.size} pixels",
        estimator=estimator_axis(estimator),
    )


def write_figures(results: Results, folder: Path, progress: Progress = silent) -> list[Path]:
    """Write every figure with both estimators as PNG and PDF."""
    figures = [
        (f"figure{number}{suffix}", figure)
        for estimator, suffix in SUFFIXES.items()
        for number, figure in all_figures(results, estimator)
    ]
    written = []
    for done, (name, figure) in enumerate(figures, 1):
        written += write_figure(figure, folder, name)
        progress("figures", done, len(figures))
    return written
