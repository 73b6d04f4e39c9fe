"""How alike are two networks on the whole, in backbone (0-74) and head (75-106), and where most and least?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from gapscope.detector.layers import BACKBONE_LAST
from gapscope.similarity.groups import FEW_UNITS
from gapscope.similarity.measures import MEASURES, find_measure
from gapscope.words import number_of

FEW_IMAGES = 100
"""Below, intervals are so wide that most differences between layers are chance."""


@dataclass(frozen=True)
class DiagonalMeans:
    """Means of one measure over layers compared with their counterparts; NaN where no layer is defined."""

    all: float
    backbone: float
    """Layers 0-74; NaN for networks without a head behind layer 74, and for those whose layers have names."""
    head: float
    """Layers 75-106, likewise."""
    undefined: tuple[int | str, ...]
    """Layers left out because a network's layer tells no images apart."""


def diagonal_values(grid: xr.Dataset, measure: str) -> np.ndarray:
    """The measure of each layer with its counterpart (layers,), from a grid of all cells or of the diagonal alone.

    Raises:
        InputError: If the measure is unknown.
    """
    find_measure(measure)
    value = grid["value"].sel(measure=measure).to_numpy()
    return np.diagonal(value) if value.ndim == 2 else value


def diagonal_means(grid: xr.Dataset, measure: str = "cka_debiased") -> DiagonalMeans:
    """Table 5 of the paper for one pair of networks: plain means over layers, every layer counting the same.

    Args:
        grid: What `compare` returned for two networks with the same layers.
        measure: One of the grid's measures.

    Raises:
        InputError: If the measure is unknown.
    """
    layers, values = grid["layer"].to_numpy(), diagonal_values(grid, measure)
    numbered = np.issubdtype(layers.dtype, np.integer) and bool((layers > BACKBONE_LAST).any())
    backbone = layers <= BACKBONE_LAST if numbered else np.zeros(len(layers), dtype=bool)
    head = ~backbone if numbered else backbone
    return DiagonalMeans(
        all=_mean(values),
        backbone=_mean(values[backbone]),
        head=_mean(values[head]),
        undefined=tuple(layers[np.isnan(values)].tolist()),
    )


def extreme_layers(grid: xr.Dataset, measure: str, count: int = 3) -> tuple[list[int | str], list[int | str]]:
    """The layers that are most alike to their counterparts, and the least alike; undefined ones are in neither."""
    layers, values = grid["layer"].to_numpy(), diagonal_values(grid, measure)
    known = np.flatnonzero(~np.isnan(values))
    sign = -1 if find_measure(measure).larger_is_more_similar else 1
    order = known[np.argsort(sign * values[known], kind="stable")]
    return layers[order[:count]].tolist(), layers[order[::-1][:count]].tolist()


def grid_table(grid: xr.Dataset) -> pd.DataFrame:
    """A grid as rows: measure, layer_a, layer_b, value, and beside it whatever is known of that cell.

    Floor and interval of a layer with its counterpart stand in its row; other rows are empty there, unless they were
    computed for every cell (columns that begin with `cell_`).
    """
    layerwise = [name for name in grid.data_vars if grid[name].dims == ("measure", "layer")]
    cellwise = [name for name in grid.data_vars if grid[name].dims == ("measure", "layer_a", "layer_b")]
    if not cellwise:
        table = grid[layerwise].to_dataframe().reset_index().rename(columns={"layer": "layer_a"})
        table.insert(2, "layer_b", table["layer_a"])
        return table
    table = grid[cellwise].to_dataframe().reset_index()
    if not layerwise:
        return table
    layers = grid[layerwise].to_dataframe().reset_index().rename(columns={"layer": "layer_a"})
    return table.merge(layers.assign(layer_b=layers["layer_a"]), how="left", on=["measure", "layer_a", "layer_b"])


@dataclass(frozen=True)
class Match:
    """A layer of one network and the layer of the other that it is most alike to."""

    layer_a: int | str
    layer_b: int | str
    value: float
    """The measure of the two."""


def best_matches(grid: xr.Dataset, measure: str = "cka_debiased") -> list[Match]:
    """For each layer of a the layer of b that is most alike, in a's order; layers without a value are left out.

    The best of many is high by chance too: a value says something only beside the floor of its cell.

    Args:
        grid: What `compare` returned for all cells; the networks may have different layers.
        measure: One of the grid's measures.

    Raises:
        InputError: If the measure is unknown.
    """
    sign = 1 if find_measure(measure).larger_is_more_similar else -1
    value = grid["value"].sel(measure=measure).transpose("layer_a", "layer_b").to_numpy()
    rows, columns = (grid[name].to_numpy().tolist() for name in ("layer_a", "layer_b"))
    known = np.flatnonzero(~np.isnan(value).all(1))
    best = np.nanargmax(sign * value[known], axis=1) if len(known) else known
    return [Match(rows[a], columns[b], float(value[a, b])) for a, b in zip(known.tolist(), best.tolist(), strict=True)]


def depth_order(grid: xr.Dataset, matches: Sequence[Match]) -> float:
    """Spearman's rank correlation of the places of matched layers: 1 if deeper layers of a match deeper ones of b; NaN
    where fewer than three layers match or all match one."""
    from scipy.stats import spearmanr  # late: it takes a second

    places = {name: {layer: at for at, layer in enumerate(grid[name].to_numpy().tolist())} for name in PLACES}
    pairs = [(places["layer_a"][one.layer_a], places["layer_b"][one.layer_b]) for one in matches]
    if len(pairs) < 3 or len({b for _, b in pairs}) < 2:
        return math.nan
    return float(spearmanr(*zip(*pairs, strict=True)).statistic)


PLACES = ("layer_a", "layer_b")


def _match_sentences(grid: xr.Dataset, measure: str, start: str) -> Iterator[str]:
    matches = best_matches(grid, measure)
    if not matches:
        yield f"{start}: undefined in every layer"
        return
    mean = float(np.mean([one.value for one in matches]))
    yield f"{start}: each layer of a with its best match in b: mean {mean:.4f} over {number_of(len(matches), 'layer')}"
    sign = -1 if find_measure(measure).larger_is_more_similar else 1
    order = sorted(matches, key=lambda one: sign * one.value)
    for what, some in (("best", order[:3]), ("worst", order[:-4:-1])):
        yield f"  {what}: " + ", ".join(f"{one.layer_a} with {one.layer_b} ({one.value:.3f})" for one in some)
    yield from _match_floor(grid, measure)
    order_of_depth = depth_order(grid, matches)
    if not math.isnan(order_of_depth):
        yield f"  deeper layers match deeper ones: rank correlation of their places {order_of_depth:.2f}"


def _match_floor(grid: xr.Dataset, measure: str) -> Iterator[str]:
    """How the best matches stand to those of shuffled images, if that was computed."""
    if "best_floor_mean" not in grid:
        return
    one = grid.sel(measure=measure)
    floor, p = (one[name].to_numpy() for name in ("best_floor_mean", "best_floor_p_all"))
    known = ~np.isnan(floor)
    if known.any():
        beyond = int((p[known] <= 0.05).sum())
        yield (
            f"  with images shuffled best matches reach {floor[known].mean():.4f} on average; "
            f"{beyond} of {number_of(int(known.sum()), 'layer')} are beyond that (p <= 0.05, for all layers together)"
        )


def in_sentences(grid: xr.Dataset, measures: Sequence[str]) -> Iterator[str]:
    """What one wants to know first of a grid: means over the network's parts, extreme layers, few images; between
    networks with different layers each layer's best match."""
    short = {"cka_debiased": "CKA (debiased)", "cka_biased": "CKA (biased, as in the paper)"}
    paired = "layer" in grid.coords
    for name in measures:
        chosen = MEASURES[name]
        kind = "" if chosen.larger_is_more_similar else " (a distance: smaller is more alike)"
        if not paired:
            yield from _match_sentences(grid, name, f"{short.get(name, chosen.title)}{kind}")
            continue
        means = diagonal_means(grid, name)
        parts = {"all": means.all, "backbone": means.backbone, "head": means.head}
        shown = ", ".join(f"{part} {value:.4f}" for part, value in parts.items() if not math.isnan(value))
        yield f"{short.get(name, chosen.title)}{kind}: {shown or 'undefined in every layer'}"
        values = dict(zip(grid["layer"].to_numpy().tolist(), diagonal_values(grid, name), strict=True))
        most, least = extreme_layers(grid, name)
        if most:
            named = [", ".join(f"{layer} ({values[layer]:.3f})" for layer in some) for some in (most, least)]
            yield f"  most alike: layers {named[0]}; least: {named[1]}"
        if means.undefined:
            undefined = number_of(len(means.undefined), "layer")
            yield f"  {undefined} undefined; reason_a and reason_b in the file say why"
    if not paired and not {"cell_floor_mean", "best_floor_mean"} & set(grid.data_vars):
        yield "the best of many layers is high by chance too: --permutations 100 says what shuffled images reach"
    if "not_taken" in grid.attrs:
        yield f"{grid.attrs['not_taken']}; --floor cells and --interval cells insist"
    moving = [name for name in measures if MEASURES[name].moves_with_n]
    if moving:
        yield f"{', '.join(moving)}: another value over more images of the same kind; compare at one number of images"
    if grid.attrs.get("duplicates"):
        yield (
            f"{grid.attrs['duplicates']} of {grid.attrs['n']} images are as good as the same as another: they lift "
            "every value. Leave copies out, or give them one group"
        )
    if (grid.attrs.get("groups") or grid.attrs["n"]) < FEW_UNITS:
        yield f"no intervals: draws of fewer than {FEW_UNITS} independent images or groups say nothing of other images"
    if grid.attrs["n"] < FEW_IMAGES:
        yield f"only {grid.attrs['n']} images: intervals are wide, and small differences may be chance. 200 are better"


def _mean(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
