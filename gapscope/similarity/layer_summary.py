"""How much of what two seeds share do two networks share, layer by layer, and how sure is that?"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording
from gapscope.similarity.compare import check_same_layers, layer_labels
from gapscope.similarity.floors import p_values, permutation_floor, q_values, z_values
from gapscope.similarity.gram import Array
from gapscope.similarity.intervals import COVERED, bootstrap_cka, draw_images, values_on_subsets
from gapscope.similarity.measures import Measure, check_enough_images, find_measure
from gapscope.similarity.prepared import Views, diagonal, finished, kernels, prepare, views_of

ViewPair = tuple[Views, Views]


def layer_summary(
    a: Recording,
    b: Recording,
    ceilings: Sequence[tuple[Recording, Recording]],
    *,
    measure: str = "cka_debiased",
    permutations: int = 200,
    bootstraps: int = 1000,
    seed: int = 0,
    progress: Progress = silent,
) -> xr.Dataset:
    """One network against another between floor and ceiling, for each layer with its counterpart.

        effect = (similarity - floor) / (ceiling - floor)

    with the mean of the floor and the mean over the pairs of seeds as ceiling: 0 where the networks share no more than
    shuffled images do, 1 where they share as much as two seeds. The intervals of similarity, ceiling and effect are
    taken over the same draws of images, so that what moves both does not widen the effect. They do not hold what other
    seeds would change: for that look at `ceiling_min` and `ceiling_max`.

    Where the ceiling's interval reaches down to the floor, two seeds share nothing that could be called all of it: the
    effect is NaN there and `reason` says so. `shortfall` needs no such division.

    Args:
        a: One network's recording.
        b: The other's, with the same layers, over the same images.
        ceilings: Pairs of recordings of one arm with two seeds, over the same images.
        measure: From `MEASURES`.
        permutations: Orders of b's images behind the floor, at least 20.
        bootstraps: Draws of the images behind the intervals, at least 20.
        seed: Of all draws.
        progress: Told of what takes long.

    Returns:
        Over (layer): `similarity` (of a distance: the distance), `interval_low`, `interval_high`; `floor_mean`,
        `floor_low`, `floor_high`, `floor_z`, `floor_p`, `floor_q`; `ceiling`, `ceiling_low`, `ceiling_high`,
        `ceiling_min`, `ceiling_max`; `shortfall` (how much less alike than two seeds, in the measure's unit), and
        `effect`, each with `_low` and `_high`; `reason`, empty where the effect is defined.

    Raises:
        InputError: If there is no ceiling, or recordings differ in images, size or layers.
    """
    chosen, n = find_measure(measure), len(a.images)
    if not ceilings:
        raise InputError("there is no ceiling. Give recordings of one arm with two seeds, trained on the same images.")
    if min(permutations, bootstraps) < 20:
        raise InputError(f"permutations = {permutations}, bootstraps = {bootstraps}: both must be 20 or more.")
    for other in [b, *(one for pair in ceilings for one in pair)]:
        check_same_layers(a, other)
    check_enough_images(measure, n)
    views: dict[int, Views] = {}
    for one in [a, b, *(one for pair in ceilings for one in pair)]:
        views.setdefault(id(one), views_of(one))
    pairs = [(views[id(one)], views[id(other)]) for one, other in [(a, b), *ceilings]]
    values, drawn = _values_and_draws(pairs, chosen, bootstraps, np.random.default_rng([seed, 2]), progress)
    first, second = (prepare(one, chosen) for one in pairs[0])
    floor = permutation_floor(first, second, permutations, np.random.default_rng([seed, 1]), progress)
    columns = _against_floor(values[0], floor, chosen) | _against_ceiling(values, drawn, floor, chosen)
    reasons = [one or other for one, other in zip(first.reasons, second.reasons, strict=True)]
    columns["reason"] = np.array(
        [own or found for own, found in zip(reasons, columns["reason"], strict=True)], dtype=object
    )
    return xr.Dataset(
        {name: ("layer", column) for name, column in columns.items()},
        coords={"layer": layer_labels(a)},
        attrs={"measure": measure, "a": a.name, "b": b.name, "n": n, "size": a.size, "ceilings": len(ceilings)},
    )


def _values_and_draws(
    pairs: Sequence[ViewPair], measure: Measure, bootstraps: int, rng: np.random.Generator, progress: Progress
) -> tuple[Array, Array]:
    """(pairs, layers) and (pairs, draws, layers), all pairs on the same draws of images."""
    values, drawn, n = [], [], pairs[0][0].n
    counts = draw_images(n, bootstraps, rng)
    half = max(n // 2, measure.least_images)
    subsets = [rng.permutation(n)[:half] for _ in range(bootstraps)]
    for a, b in pairs:
        one, other = prepare(a, measure), prepare(b, measure)
        value = diagonal(one, other)
        if measure.kernel:
            draws = finished(measure, bootstrap_cka(kernels(a, one), kernels(b, other), counts, measure.debiased))
            draws[:, np.isnan(value)] = np.nan
        elif half < n:
            parts = values_on_subsets(a, b, measure, subsets, progress=progress)
            draws = value + (parts - parts.mean(0)) * np.sqrt(half / (n - half))  # as subsampled_interval
        else:
            draws = np.full((bootstraps, len(value)), np.nan)
        values.append(value)
        drawn.append(draws)
    return np.array(values), np.array(drawn)


def _against_floor(value: Array, floor: Array, measure: Measure) -> dict[str, np.ndarray]:
    low, high = np.quantile(floor, COVERED, axis=0)
    p = p_values(value, floor, measure)
    columns = {"floor_mean": floor.mean(0), "floor_low": low, "floor_high": high, "floor_p": p, "floor_q": q_values(p)}
    return columns | {"floor_z": z_values(value, floor, measure)}


def _against_ceiling(values: Array, drawn: Array, floor: Array, measure: Measure) -> dict[str, np.ndarray]:
    """Values (pairs, layers) and draws (pairs, draws, layers): the first pair is compared, the others are ceilings."""
    sign = 1 if measure.larger_is_more_similar else -1
    similarity, ceiling, base = values[0], values[1:].mean(0), floor.mean(0)
    draws, ceiling_draws = drawn[0], drawn[1:].mean(0)

    def interval(name: str, of: Array) -> dict[str, np.ndarray]:
        low, high = np.quantile(of, COVERED, axis=0)
        return {f"{name}_low": low, f"{name}_high": high}

    columns = {"similarity": similarity, "ceiling": ceiling, "shortfall": sign * (ceiling - similarity)}
    columns |= interval("interval", draws) | interval("ceiling", ceiling_draws)
    columns |= interval("shortfall", sign * (ceiling_draws - draws))
    columns |= {"ceiling_min": values[1:].min(0), "ceiling_max": values[1:].max(0)}
    if sign > 0:
        apart = columns["ceiling_low"] > np.quantile(floor, COVERED[1], axis=0)
    else:
        apart = columns["ceiling_high"] < np.quantile(floor, COVERED[0], axis=0)

    def share(value: Array, whole: Array) -> Array:
        return np.divide(value - base, whole - base, out=np.full_like(value, np.nan), where=apart & (whole != base))

    columns |= {"effect": share(similarity, ceiling)} | interval("effect", share(draws, ceiling_draws))
    reasons = np.where(apart, "", "two seeds are no more alike than shuffled images may be: there is nothing to share")
    return columns | {"reason": np.where(np.isnan(ceiling), "the ceiling is undefined", reasons).astype(object)}
