"""How much of what two seeds share do two networks share, layer by layer, and how sure is that?"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording
from gapscope.similarity.compare import check_same_layers, layer_labels
from gapscope.similarity.floors import p_values, permutation_floor, q_values, z_values
from gapscope.similarity.gram import Array
from gapscope.similarity.groups import groups_of
from gapscope.similarity.intervals import COVERED, draws_of
from gapscope.similarity.many_layers import band, p_over_all
from gapscope.similarity.measures import Measure, check_enough_images, find_measure
from gapscope.similarity.prepared import Views, diagonal, prepare
from gapscope.similarity.ready import Ready, ready_views

Masks = Sequence[NDArray[np.bool_]]
Columns = dict[str, np.ndarray]


def layer_summary(
    a: Recording,
    b: Recording,
    ceilings: Sequence[tuple[Recording, Recording]],
    *,
    measure: str = "cka_debiased",
    counted: Masks | None = None,
    untrained: Sequence[Recording] = (),
    parts: Mapping[str, NDArray[np.bool_]] | None = None,
    groups: Sequence[str] | ArrayLike | None = None,
    permutations: int = 200,
    bootstraps: int = 1000,
    seed: int = 0,
    ready: Ready | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """One network against another between floor and ceiling, for each layer with its counterpart.

        effect = (similarity - floor) / (ceiling - floor)

    with the mean of the floor and the mean over the pairs of seeds as ceiling: 0 where the networks share no more than
    shuffled images do, 1 where they share as much as two seeds. Similarity, ceiling and what is made of them are taken
    over the same draws of images, so that what moves both does not widen the effect, and so that a band holds for all
    layers together. All of it is about *these* networks and other images: what another training would give is asked
    of the seeds (`gapscope.similarity.trainings`), and `ceiling_min` and `ceiling_max` are a glimpse of it.

    Where the ceiling's interval reaches down to the floor, two seeds share nothing that could be called all of it: the
    effect is NaN there and `reason` says so. `shortfall` needs no such division.

    Args:
        a: One network's recording.
        b: The other's, with the same layers, over the same images.
        ceilings: Pairs of recordings of one arm with two seeds, over the same images.
        measure: From `MEASURES`.
        counted: (layers,) of each ceiling, the layers at which it counts; all of them by default.
        untrained: Recordings of networks of the same shape that were never trained: what architecture and images give.
        parts: Layers (layers,) of each part of the network over which means are taken.
        groups: Of each image, what it was taken with, see `compare`.
        permutations: Orders of b's images behind the floor, at least 20.
        bootstraps: Draws of the images behind the intervals, at least 20.
        seed: Of all draws.
        ready: What was made of recordings for earlier comparisons, to be used again.
        progress: Told of what takes long.

    Returns:
        Over (layer): `similarity` (of a distance: the distance), `interval_low`, `interval_high`; `floor_mean`,
        `floor_low`, `floor_high`, `floor_z`, `floor_p`, `floor_q`, `floor_p_all`; `ceiling`, `ceiling_low`,
        `ceiling_high`, `ceiling_min`, `ceiling_max`; `shortfall` (how much less alike than two seeds, in the measure's
        unit), and `effect`, each with `_low` and `_high`; `shortfall_band_low`, `shortfall_band_high`, which hold for
        all layers together; `reason`, empty where the effect is defined. With `untrained`: `untrained`, the mean
        likeness of the two networks to untrained ones, and `learnt`, how much more alike they are than that, with
        `_band_low` and `_band_high`. With `parts`, over (part): `part_similarity`, `part_ceiling`, `part_shortfall`,
        the last with `_low`, `_high` and, for all parts together, `_band_low`, `_band_high`.

    Raises:
        InputError: If there is no ceiling, or recordings differ in images, size or layers.
    """
    chosen, n = find_measure(measure), len(a.images)
    if not ceilings:
        raise InputError("there is no ceiling. Give recordings of one arm with two seeds, trained on the same images.")
    if min(permutations, bootstraps) < 20:
        raise InputError(f"permutations = {permutations}, bootstraps = {bootstraps}: both must be 20 or more.")
    pairs = [(a, b), *ceilings, *((one, other) for one in (a, b) for other in untrained)]
    for other in {id(one): one for pair in pairs for one in pair}.values():
        check_same_layers(a, other)
    check_enough_images(measure, n)
    together = groups_of(groups, n)
    views: dict[int, Views] = {}
    for one in (one for pair in pairs for one in pair):
        views[id(one)] = views.get(id(one)) or ready_views(ready, one, together)
    compared = [(views[id(one)], views[id(other)]) for one, other in pairs]
    prepared = {key: prepare(one, chosen) for key, one in views.items()}
    values = np.array([diagonal(prepared[id(one)], prepared[id(other)]) for one, other in pairs])
    drawn = draws_of(compared, chosen, values, bootstraps, np.random.default_rng([seed, 2]), progress)
    first, second = prepared[id(a)], prepared[id(b)]
    floor = permutation_floor(first, second, permutations, np.random.default_rng([seed, 1]), progress)
    last = 1 + len(ceilings)
    masks = np.ones((len(ceilings), len(a.layers)), bool) if counted is None else np.array(counted, dtype=bool)
    ceiling, ceiling_draws = _ceiling(values[1:last], masks), _ceiling(drawn[1:last], masks[:, None])
    columns = _against_floor(values[0], floor, chosen)
    columns |= _against_ceiling(values[0], drawn[0], ceiling, ceiling_draws, floor, chosen)
    known = np.where(masks, values[1:last], np.nan)
    columns |= {"ceiling_min": np.fmin.reduce(known), "ceiling_max": np.fmax.reduce(known)}
    if untrained:
        columns |= _against_untrained(values[0], drawn[0], values[last:].mean(0), drawn[last:].mean(0), chosen)
    reasons = [one or other for one, other in zip(first.reasons, second.reasons, strict=True)]
    columns["reason"] = np.array(
        [own or found for own, found in zip(reasons, columns["reason"], strict=True)], dtype=object
    )
    of_parts = _of_parts(values[0], ceiling, drawn[0], ceiling_draws, parts or {}, chosen)
    return xr.Dataset(
        {name: ("layer", column) for name, column in columns.items()}
        | {name: ("part", column) for name, column in of_parts.items()},
        coords={"layer": layer_labels(a)} | ({"part": np.array(list(parts), dtype=object)} if parts else {}),
        attrs={"measure": measure, "a": a.name, "b": b.name, "n": n, "size": a.size, "ceilings": len(ceilings)}
        | {"groups": 0 if together is None else len(together), "untrained": len(untrained)},
    )


def _ceiling(values: Array, masks: NDArray[np.bool_]) -> Array:
    """Mean over the pairs of seeds (pairs, ..., layers) that count at a layer; NaN where none does."""
    count = masks.sum(0)
    total = np.where(masks, values, 0).sum(0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=np.broadcast_to(count > 0, total.shape))


def _against_floor(value: Array, floor: Array, measure: Measure) -> Columns:
    low, high = np.quantile(floor, COVERED, axis=0)
    p = p_values(value, floor, measure)
    columns = {"floor_mean": floor.mean(0), "floor_low": low, "floor_high": high, "floor_p": p, "floor_q": q_values(p)}
    return columns | {
        "floor_p_all": p_over_all(value, floor, measure),
        "floor_z": z_values(value, floor, measure),
    }


def _interval(name: str, drawn: Array) -> Columns:
    low, high = np.quantile(drawn, COVERED, axis=0)
    return {f"{name}_low": low, f"{name}_high": high}


def _band(name: str, drawn: Array) -> Columns:
    low, high = band(drawn)
    return {f"{name}_band_low": low, f"{name}_band_high": high}


def _against_ceiling(
    similarity: Array, draws: Array, ceiling: Array, ceiling_draws: Array, floor: Array, measure: Measure
) -> Columns:
    """Values (layers,) and draws (draws, layers) of the networks and of the seeds."""
    sign = 1 if measure.larger_is_more_similar else -1
    base = floor.mean(0)
    columns = {"similarity": similarity, "ceiling": ceiling, "shortfall": sign * (ceiling - similarity)}
    columns |= _interval("interval", draws) | _interval("ceiling", ceiling_draws)
    columns |= _interval("shortfall", sign * (ceiling_draws - draws))
    columns |= _band("shortfall", sign * (ceiling_draws - draws))
    if sign > 0:
        apart = columns["ceiling_low"] > np.quantile(floor, COVERED[1], axis=0)
    else:
        apart = columns["ceiling_high"] < np.quantile(floor, COVERED[0], axis=0)

    def share(value: Array, whole: Array) -> Array:
        return np.divide(value - base, whole - base, out=np.full_like(value, np.nan), where=apart & (whole != base))

    columns |= {"effect": share(similarity, ceiling)} | _interval("effect", share(draws, ceiling_draws))
    few = np.isnan(columns["ceiling_low"]) & ~np.isnan(ceiling)
    reasons = np.where(apart, "", "two seeds are no more alike than shuffled images may be: there is nothing to share")
    reasons = np.where(few, "too few independent images for an interval", reasons)
    return columns | {"reason": np.where(np.isnan(ceiling), "the ceiling is undefined", reasons).astype(object)}


def _against_untrained(value: Array, draws: Array, untrained: Array, others: Array, measure: Measure) -> Columns:
    sign = 1 if measure.larger_is_more_similar else -1
    return {"untrained": untrained, "learnt": sign * (value - untrained)} | _band("learnt", sign * (draws - others))


def _of_parts(
    similarity: Array,
    ceiling: Array,
    draws: Array,
    ceiling_draws: Array,
    parts: Mapping[str, NDArray[np.bool_]],
    measure: Measure,
) -> Columns:
    """Means over the layers of a part that have a ceiling; NaN where none has."""
    if not parts:
        return {}
    sign = 1 if measure.larger_is_more_similar else -1
    known = np.isfinite(similarity) & np.isfinite(ceiling)
    masks = [mask & known for mask in parts.values()]

    def mean(of: Array) -> Array:
        columns = [of[..., mask].mean(-1) if mask.any() else np.full(of.shape[:-1], np.nan) for mask in masks]
        return np.stack(columns, axis=-1)

    short, drawn = sign * (mean(ceiling) - mean(similarity)), sign * (mean(ceiling_draws) - mean(draws))
    columns = {"similarity": mean(similarity), "ceiling": mean(ceiling), "shortfall": short}
    columns |= _interval("shortfall", drawn) | _band("shortfall", drawn)
    return {f"part_{name}": column for name, column in columns.items()}
