"""Figures that the paper does not have: each pair between its floor and its ceiling, effects, all maps on one page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import xarray as xr
from matplotlib.axes import Axes

from gapscope.findings.layer_curves import DEBIASED, PairCurve, Values
from gapscope.findings.layer_differences import RULES
from gapscope.findings.layer_findings import ArmPair, LayerFindings
from gapscope.paper.captions import (
    ESTIMATOR_WORDS,
    INTERVAL_WORDS,
    curves_caption,
    floor_words,
    images_words,
    map_words,
    seed_words,
)
from gapscope.paper.layer_figures import estimator_axis, stage_map
from gapscope.paper.paper_figures import heatmaps
from gapscope.paper.planned import Planned
from gapscope.plot.comparisons import difference_scale
from gapscope.plot.lines import along_layers, draw_curve, draw_references, layer_effects, lower_limit
from gapscope.plot.maps import LayerMap, Scale, map_panels
from gapscope.plot.style import Plot, fitted, legend_below, style_of
from gapscope.run_folder import RunName

MOST_PANELS = 6
"""Pairs of arms on one page."""
EFFECT = ("effect", "effect_low", "effect_high")
"""What is drawn of an effect."""


def more_figures(layers: LayerFindings, estimator: str = DEBIASED) -> Iterator[Planned]:
    """Those whose numbers are there; effects exist for the debiased estimator alone."""
    yield from _planned_pairs(layers, estimator)
    if estimator == DEBIASED:
        yield from _planned_effects(layers)
    yield from _planned_panels(layers, estimator)
    yield from _planned_differences(layers, estimator)


def _planned_pairs(layers: LayerFindings, estimator: str) -> Iterator[Planned]:
    results, size = layers.seen, layers.main_size
    pairs = [pair for pair in results.pairs if layers.by_seed(pair, measure=estimator)][:MOST_PANELS]
    if not pairs:
        return
    grid = results.grids[RunName(pairs[0][0], results.seeds[0]), RunName(pairs[0][1], results.seeds[0]), size]
    caption = curves_caption(results, results.seeds, grid, size, estimator)
    marks = ""
    if len(results.seeds) > 1:
        rules = {found.rule for pair in pairs for found in layers.differences_of(pair, estimator)}
        which = " or ".join(RULES[rule] for rule in sorted(rules))
        marks = (
            " Each panel has the ceiling of its two arms alone. Black marks along its lower edge: layers at which "
            f"these networks are less alike than two seeds, with each seed: {which}. Other trainings are not in it."
        )
    left_out = f" The first {MOST_PANELS} pairs of arms." if len(results.pairs) > MOST_PANELS else ""
    panels = [_pair_panel(layers, pair, estimator) for pair in pairs]
    yield Planned("curves", _pair_panels, (panels, estimator_axis(estimator)), caption + marks + left_out)


@dataclass(frozen=True)
class PairPanel:
    """What is shown of one pair of arms."""

    by_seed: dict[int, PairCurve]
    ceilings: list[PairCurve]
    """Of its two arms."""
    differs: list[int]
    """Layers at which it is less alike than two seeds."""


def _pair_panel(layers: LayerFindings, pair: ArmPair, estimator: str) -> PairPanel:
    differs = layers.that_differ(pair, estimator)
    at = differs.layers.tolist() if differs else []
    return PairPanel(layers.by_seed(pair, measure=estimator), layers.ceilings_of(pair, measure=estimator), at)


def _pair_panels(pairs: Sequence[PairPanel], estimator: str, width: float) -> Plot:
    """One panel per pair: a line per seed, the pair's floor, the ceiling of its two arms, where they differ by more."""
    high = (1.35 if width < 5 else 1.6) * len(pairs)
    labels = next(iter(pairs[0].by_seed.values())).layers.tolist()
    figure, panels, _ = along_layers(labels, width, high + 1.1, panels=len(pairs))
    with mpl.rc_context(style_of(width)):
        for axes, pair in zip(panels, pairs, strict=True):
            curves = list(pair.by_seed.values())
            for i, (seed, curve) in enumerate(pair.by_seed.items()):
                draw_curve(axes, curve, i, f"seed {seed}")
            draw_references(axes, curves, pair.ceilings)
            bottom = lower_limit(curves)
            axes.set(ylim=(bottom - 0.06, 1.02), yticks=[0, 0.5, 1], ylabel=estimator.split(" (")[0])
            _mark(axes, pair.differs, bottom - 0.06)
            names = fitted(curves[0].label, mpl.rcParams["font.size"], width - 0.8, 1)
            axes.set_title(names, loc="left", fontsize=mpl.rcParams["font.size"])
        legend_below(figure, *panels[0].get_legend_handles_labels())
    return figure


def _mark(axes: Axes, layers: Sequence[int], bottom: float) -> None:
    axes.vlines(layers, bottom, bottom + 0.055, color="black", linewidth=1.2)


def _planned_effects(layers: LayerFindings) -> Iterator[Planned]:
    results, size, panels = layers.seen, layers.main_size, []
    for seed in results.seeds:
        runs = [(RunName(a, seed), RunName(b, seed)) for a, b in results.pairs[:MOST_PANELS]]
        found = [
            (results.pair_title(a.arm, b.arm), results.effects[a, b, size][list(EFFECT)])
            for a, b in runs
            if (a, b, size) in results.effects
        ]
        if found:
            panels.append((f"seed {seed}", found))
    if not panels:
        return
    summary = panels[0][1][0][1]
    caption = (
        f"How much of what two seeds share two arms share, layer by layer, over "
        f"{images_words(results, summary, size)}: "
        f"0: {floor_words(summary).removeprefix('central 95 % of the values').replace(' with', 'as with', 1)}; 1: the "
        f"mean over the pairs of seeds of the two arms. Effect = (similarity - floor) / (ceiling - floor); similarity: "
        f"{ESTIMATOR_WORDS[DEBIASED]}. Bands: {INTERVAL_WORDS}, the same "
        "for similarity and ceiling; what other seeds would change is not in them. Where a line is interrupted, two "
        f"seeds share nothing that could be called all of it, or no arm trained the layer. {map_words(results)}"
    )
    yield Planned("effect", _effects_figure, (panels,), caption)


def _planned_panels(layers: LayerFindings, estimator: str) -> Iterator[Planned]:
    results = layers.seen
    items = [one for one in heatmaps(results) if estimator in results.grids[one.rows, one.columns, one.size].measure]
    if len(items) < 2:
        return
    letters = "abcdefgh"[: len(items)]
    maps = []
    for letter, one in zip(letters, items, strict=True):
        names = results.run_title(one.rows), results.run_title(one.columns)
        maps.append(_panel(layers.cells(one.rows, one.columns, one.size, estimator), names, letter))
    grid = results.grids[items[0].rows, items[0].columns, items[0].size]
    parts = "; ".join(
        f"({letter}) {results.run_title(one.rows)} and {results.run_title(one.columns)}, {one.size} x {one.size} pixels"
        for letter, one in zip(letters, items, strict=True)
    )
    caption = (
        f"Similarity of all layers of one network (y-axis) with all layers of another (x-axis), over the same "
        f"{int(grid.attrs['n'])} test images of {results.domain_title(results.probe)}: {ESTIMATOR_WORDS[estimator]}. "
        f"{parts}. White lines: blocks of the architecture."
    )
    scale = Scale(estimator_axis(estimator))
    yield Planned("panels", _maps_figure, (maps, scale), caption)


def _effects_figure(panels: Sequence[tuple[str, Sequence[tuple[str, xr.Dataset]]]], width: float) -> Plot:
    return layer_effects(panels, width=width)


def _maps_figure(maps: Sequence[LayerMap], scale: Scale, width: float) -> Plot:
    return map_panels(maps, scale, width=width)


def _panel(values: Values, names: Sequence[str], letter: str) -> LayerMap:
    rows, columns = names
    return stage_map(values, rows, columns, f"({letter})")


def _planned_differences(layers: LayerFindings, estimator: str) -> Iterator[Planned]:
    results, size, seed, found = layers.seen, layers.main_size, layers.seen.seeds[0], []
    for a, b in results.pairs[:3]:
        key = RunName(a, seed), RunName(b, seed), size
        values = layers.less_than_seeds(*key, estimator)
        if values is not None:
            found.append((key, values))
    if not found:
        return
    letters = "abc"[: len(found)]
    maps = [
        _panel(values, (results.run_title(a), results.run_title(b)), letter)
        for letter, ((a, b, _), values) in zip(letters, found, strict=True)
    ]
    parts = "; ".join(
        f"({letter}) {results.arm_title(a.arm)} (y-axis) and {results.arm_title(b.arm)} (x-axis)"
        for letter, ((a, b, _), _) in zip(letters, found, strict=True)
    )
    grid = results.grids[found[0][0]]
    caption = (
        f"Similarity of the layers of two arms, {seed_words([seed])}, minus that of two seeds of one arm "
        f"({seed_words(results.seeds)}; mean over the pairs of seeds of both arms), cell by cell, over "
        f"{images_words(results, grid, size)}: {ESTIMATOR_WORDS[estimator]}. Blue: less alike than two seeds. Grey: "
        f"no ceiling, since neither arm trained one of the layers. {parts}. Differences have no intervals here."
    )
    scale = difference_scale([values for _, values in found], f"difference, {estimator_axis(estimator)}")
    yield Planned("difference", _maps_figure, (maps, scale), caption)
