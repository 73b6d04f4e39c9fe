"""Which numbers does each of Figures 1-7 show? The paper's arrangement, filled from a run folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gapscope.findings.layer_curves import BIASED, DEBIASED, PairCurve
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.results import Results
from gapscope.paper.captions import curves_caption, diagonal_words, heatmap_caption
from gapscope.paper.layer_figures import ON_PAGE, curves_figure, estimator_axis, heatmap_figure
from gapscope.paper.planned import Planned
from gapscope.plot.style import Plot
from gapscope.run_folder import RunName

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
    """Figures 3 (the first arm with itself), 4-6 (the first three pairs) and 7 (the first pair at a second size)."""
    seed, first = results.seeds[0], results.sizes[0]
    plan = [Heatmap(3, RunName(arm, seed), RunName(arm, seed), first) for arm in results.recorded_arms[:1]]
    for number, (a, b) in zip((4, 5, 6), results.pairs[:3], strict=False):
        plan.append(Heatmap(number, RunName(a, seed), RunName(b, seed), first))
    for (a, b), second in zip(results.pairs[:1], results.sizes[1:], strict=False):
        plan.append(Heatmap(7, RunName(a, seed), RunName(b, seed), second))
    return [item for item in plan if (item.rows, item.columns, item.size) in results.grids]


def all_figures(layers: LayerFindings, estimator: str = DEBIASED) -> Iterator[tuple[int, Figure]]:
    """The figures by number, with titles, without those whose numbers are not there yet."""
    for one in titled_figures(layers, estimator):
        yield int(one.name.removesuffix(SUFFIXES[BIASED]).removeprefix("figure")), one.draw(one.width)


def titled_figures(layers: LayerFindings, estimator: str = DEBIASED) -> Iterator[Planned]:
    """The figures as the report has them, with titles; names of biased ones end in `-paper`."""
    end = SUFFIXES[estimator]
    for number, seed in zip((1, 2), layers.seen.seeds[:2], strict=False):
        if layers.of_seed(seed, measure=estimator):
            size = layers.main_size
            title = f"Similarity of same-index layers, seed {seed}, {size} x {size} pixels"
            yield Planned(f"figure{number}{end}", _curves_figure, _curves_shown(layers, seed, estimator, title))
    for item in heatmaps(layers.seen):
        if estimator in layers.seen.grids[item.rows, item.columns, item.size].measure:
            title = f"Layer against layer, {item.size} x {item.size} pixels"
            shown = _heatmap_shown(layers, item, estimator, title)
            beside = (_diagonal(layers, item, estimator),)
            yield Planned(f"figure{item.number}{end}", _heatmap_figure, shown, shows_wide=beside, width=ON_PAGE)


def planned_paper_figures(layers: LayerFindings, estimator: str = DEBIASED) -> Iterator[Planned]:
    """The same, to be drawn at any width; with more than two seeds also the curves of the others."""
    results, size = layers.seen, layers.main_size
    for place, seed in enumerate(results.seeds):
        pairs = [(RunName(a, seed), RunName(b, seed), size) for a, b in results.pairs]
        grid = next((results.grids[key] for key in pairs if key in results.grids), None)
        if grid is not None and layers.of_seed(seed, measure=estimator):
            name = f"figure{place + 1}" if place < 2 else f"curves-seed{seed}"
            caption = curves_caption(results, [seed], grid, size, estimator)
            yield Planned(name, _curves_figure, _curves_shown(layers, seed, estimator), caption)
    for item in heatmaps(results):
        grid = results.grids[item.rows, item.columns, item.size]
        if estimator in grid.measure:
            rows, columns = results.run_title(item.rows), results.run_title(item.columns)
            caption = heatmap_caption(results, rows, columns, grid, item.size, estimator)
            diagonal = _diagonal(layers, item, estimator)
            beside = diagonal_words(grid) if diagonal else ""
            shown = _heatmap_shown(layers, item, estimator)
            yield Planned(f"figure{item.number}", _heatmap_figure, shown, caption, beside, (diagonal,))


def _curves_shown(layers: LayerFindings, seed: int, estimator: str, title: str = "") -> tuple[Any, ...]:
    ceilings = layers.ceilings_of(layers.seen.arms, measure=estimator)
    return layers.of_seed(seed, measure=estimator), ceilings, title, estimator_axis(estimator)


def _curves_figure(
    curves: Sequence[PairCurve], ceilings: Sequence[PairCurve], title: str, estimator: str, width: float
) -> Plot:
    return curves_figure(curves, ceilings, title=title, estimator=estimator, width=width)


def _heatmap_shown(layers: LayerFindings, item: Heatmap, estimator: str, title: str = "") -> tuple[Any, ...]:
    values = layers.cells(item.rows, item.columns, item.size, estimator)
    return (
        values,
        layers.seen.run_title(item.rows),
        layers.seen.run_title(item.columns),
        title,
        estimator_axis(estimator),
    )


def _heatmap_figure(
    values: NDArray[np.float64],
    rows: str,
    columns: str,
    title: str,
    estimator: str,
    beside: PairCurve | None,
    width: float,
) -> Plot:
    return heatmap_figure(
        values, rows=rows, columns=columns, title=title, estimator=estimator, width=width, beside=beside
    )


def _diagonal(layers: LayerFindings, item: Heatmap, estimator: str) -> PairCurve | None:
    """What a wide map shows beside it; nothing of a network and itself, whose diagonal is 1."""
    itself = item.rows == item.columns
    return None if itself else layers.curve(item.rows, item.columns, item.size, estimator)
