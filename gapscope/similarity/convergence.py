"""How many images are enough? Similarity over random parts of the probe."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording
from gapscope.similarity.compare import check_same_layers, layer_labels
from gapscope.similarity.intervals import COVERED, values_on_subsets
from gapscope.similarity.measures import find_measure
from gapscope.similarity.prepared import views_of


def convergence(
    a: Recording,
    b: Recording,
    measure: str = "cka_debiased",
    *,
    sizes: Sequence[int] | None = None,
    draws: int = 50,
    seed: int = 0,
    progress: Progress = silent,
) -> xr.Dataset:
    """Each layer with its counterpart over random parts of the images: how many probe images are enough?

    If the mean still moves with the number of images, the estimator is biased at this size; if the spread is wide,
    another probe of this size would give another curve. Parts of nearly all images overlap, so their spread
    understates; the interval of `compare` is the one to report.

    Args:
        a: One network's recording.
        b: The other's, with the same layers, over the same images.
        measure: From `MEASURES`.
        sizes: Numbers of images; by default doubling from 12 to all.
        draws: Parts of each size.
        seed: Of the draws.
        progress: Told after each part, for measures that take long.

    Returns:
        `mean`, `std`, `low`, `high` (size, layer): over the draws, with their central 95 %. NaN where undefined in
        some draw. The size of all images has one draw and no spread.
    """
    chosen, n, least = find_measure(measure), len(a.images), find_measure(measure).least_images
    check_same_layers(a, b)
    wanted = sorted(set(sizes)) if sizes is not None else [*(m for m in (12, 25, 50, 100, 200, 400, 800) if m < n), n]
    if not wanted or wanted[0] < least or wanted[-1] > n:
        raise InputError(f"sizes = {list(wanted)}: give numbers of images from {least} to {n}.")
    views = views_of(a), views_of(b)
    rng, rows = np.random.default_rng([seed, 4]), []
    for size in wanted:
        parts = [rng.permutation(n)[:size] for _ in range(draws)] if size < n else [np.arange(n)]
        drawn = values_on_subsets(*views, chosen, parts, progress=progress)
        rows.append([drawn.mean(0), drawn.std(0), *np.quantile(drawn, COVERED, axis=0)])
    table = np.array(rows)  # (size, statistic, layer)
    return xr.Dataset(
        {name: (("size", "layer"), table[:, at]) for at, name in enumerate(("mean", "std", "low", "high"))},
        coords={"size": wanted, "layer": layer_labels(a)},
        attrs={"measure": measure, "a": a.name, "b": b.name, "n": n, "draws": draws, "seed": seed},
    )
