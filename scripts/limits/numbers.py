"""Recordings -> grids, curves with joint draws, and layer summaries; kept beside the recordings, since they take long.

What lies in the folder is taken as it is where networks, images and draws are the same. Delete the folder's `*.nc`
that are no recordings after a change to gapscope/similarity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.findings.layer_curves import BIASED, DEBIASED
from gapscope.recording.recording import Recording, read_dataset, write_dataset
from gapscope.run_folder import RunName
from gapscope.several.statements import defined_mean
from gapscope.similarity.compare import compare
from gapscope.similarity.floors import permutation_floor
from gapscope.similarity.intervals import bootstrap_cka, draw_images, values_on_subsets
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.measures import find_measure
from gapscope.similarity.prepared import diagonal, kernels, prepare, views_of

Array = NDArray[np.float64]
Pair = tuple[RunName, RunName]
Recordings = dict[RunName, Recording]

ESTIMATORS = (BIASED, DEBIASED)
DRAWS, PERMUTATIONS = 1000, 200
FORMAT = "gapscope limits 1"
PROBE_SIZES = (12, 25, 50, 75, 100, 125, 150, 175)
"""Numbers of images that are drawn out of the probe to see how many are enough."""


@dataclass(frozen=True, eq=False)
class DrawnCurve:
    """CKA of same-index layers of two networks; draws of all curves of a page are over the same draws of images."""

    value: Array
    """(layers,)"""
    draws: Array
    """(draws, layers), on images drawn with replacement."""
    floor: Array
    """(layers,) mean over shuffled images."""


def across_arms(experiment: Experiment) -> list[Pair]:
    """Every two reported arms with the same seed, seed after seed, as the paper compares them."""
    return [
        (RunName(a, seed), RunName(b, seed))
        for seed in experiment.seeds
        for a, b in combinations(experiment.reported_arms, 2)
    ]


def across_seeds(experiment: Experiment, arm: str) -> list[Pair]:
    """Every two seeds of an arm."""
    return [(RunName(arm, one), RunName(arm, other)) for one, other in combinations(experiment.seeds, 2)]


def ceiling_pairs(experiment: Experiment, arms: Sequence[str]) -> list[Pair]:
    """Two seeds of either arm. Frozen layers are the same with every seed, so arms that have some are left out."""
    trained = [arm for arm in arms if not experiment.arms[arm].freeze] or arms
    return [pair for arm in trained for pair in across_seeds(experiment, arm)]


def kept(path: Path, key: str, make: Callable[[], xr.Dataset]) -> xr.Dataset:
    """What was computed from the same things before, or now."""
    if path.is_file():
        found = read_dataset(path, FORMAT, "kept numbers", "Delete it and run again")
        if found.attrs["key"] == key:
            return found
    made = make().assign_attrs(format=FORMAT, key=key)
    write_dataset(made, path)
    return made


def effective_dimension(recording: Recording) -> Array:
    """In how many directions a layer spreads the images (layers,): tr(K)^2 / tr(K^2), between 1 and n - 1.

    NaN for a layer that tells no images apart.
    """
    trace, squares = np.trace(recording.gram, axis1=1, axis2=2), np.square(recording.gram).sum((1, 2))
    return np.divide(np.square(trace), squares, out=np.full_like(trace, np.nan), where=squares > 0)


def key_of(*recordings: Recording) -> str:
    """What numbers are made from."""
    shas = [recording.network_sha256 for recording in recordings]
    return " ".join([recordings[0].pixels_sha256, *shas, str(DRAWS), str(PERMUTATIONS)])


def grid_of(recordings: Recordings, pair: Pair, folder: Path) -> xr.Dataset:
    """All layers of one against all of the other, with both estimators: what the figures show."""
    a, b = (recordings[name] for name in pair)
    path = folder / f"grid-{pair[0]}--{pair[1]}-{a.size}.nc"
    return kept(path, key_of(a, b), lambda: compare(a, b, measures=(DEBIASED, BIASED)))


def curves_of(recordings: Recordings, pair: Pair, folder: Path) -> dict[str, DrawnCurve]:
    """By estimator."""
    a, b = (recordings[name] for name in pair)
    path = folder / f"curve-{pair[0]}--{pair[1]}-{a.size}.nc"
    table = kept(path, key_of(a, b), lambda: _drawn_curves(a, b))
    return {
        name: DrawnCurve(*(table[part].sel(estimator=name).to_numpy() for part in ("value", "draws", "floor")))
        for name in ESTIMATORS
    }


def _drawn_curves(a: Recording, b: Recording) -> xr.Dataset:
    counts = draw_images(len(a.images), DRAWS, np.random.default_rng([0, 2]))
    parts = []
    for name in ESTIMATORS:
        measure = find_measure(name)
        views = views_of(a), views_of(b)
        one, other = (prepare(view, measure) for view in views)
        draws = bootstrap_cka(kernels(views[0], one), kernels(views[1], other), counts, measure.debiased)
        floor = permutation_floor(one, other, PERMUTATIONS, np.random.default_rng([0, 1]))
        columns = {"value": ("layer", diagonal(one, other)), "floor": ("layer", floor.mean(0))}
        parts.append(xr.Dataset({**columns, "draws": (("draw", "layer"), draws)}))
    return xr.concat(parts, dim=xr.Variable("estimator", np.array(ESTIMATORS, dtype=object)))


def summary_of(recordings: Recordings, pair: Pair, ceilings: list[Pair], folder: Path) -> xr.Dataset:
    """Each layer between floor and ceiling, debiased."""
    a, b = (recordings[name] for name in pair)
    seeds = [(recordings[one], recordings[other]) for one, other in ceilings]
    path = folder / f"summary-{pair[0]}--{pair[1]}-{a.size}.nc"
    key = key_of(a, b, *(one for pair in seeds for one in pair))
    return kept(path, key, lambda: layer_summary(a, b, seeds, permutations=PERMUTATIONS, bootstraps=DRAWS))


@dataclass(frozen=True)
class Enough:
    """The mean over all layers on random parts of the probe."""

    estimator: str
    sizes: tuple[int, ...]
    mean: Array
    """(sizes,) over the draws."""
    half_width: Array
    """(sizes,) half of what holds the central 95 % of the draws."""
    whole: float
    """On the whole probe."""


def how_many_images(a: Recording, b: Recording, estimator: str, draws: int = 200) -> Enough:
    """How the mean over layers settles as the probe grows, by parts drawn without replacement."""
    n, measure, rng = len(a.images), find_measure(estimator), np.random.default_rng([0, 4])
    sizes = tuple(size for size in PROBE_SIZES if measure.least_images <= size < n)
    if not sizes:
        raise InputError(f"{n} probe images are too few to draw parts from. Record 50 or more.")
    views = views_of(a), views_of(b)
    parts = [rng.permutation(n)[:size] for size in sizes for _ in range(draws)]
    means = defined_mean(values_on_subsets(*views, measure, parts)).reshape(len(sizes), draws)
    low, high = np.quantile(means, (0.025, 0.975), axis=1)
    whole = defined_mean(diagonal(*(prepare(view, measure) for view in views)))
    return Enough(estimator, sizes, means.mean(1), (high - low) / 2, float(whole))
