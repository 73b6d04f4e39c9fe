"""Many networks at once: every pair, layer by layer."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording
from gapscope.similarity.compare import check_same_layers, layer_labels
from gapscope.similarity.gram import Array
from gapscope.similarity.groups import groups_of
from gapscope.similarity.measures import check_enough_images, find_measure
from gapscope.similarity.prepared import Prepared, diagonal, finished, prepare, views_of
from gapscope.similarity.ready import Ready, ready_views
from gapscope.words import number_of


def compare_all(
    recordings: Sequence[Recording],
    measure: str = "cka_debiased",
    *,
    names: Sequence[str] | None = None,
    remove_top: int = 0,
    groups: Sequence[str] | ArrayLike | None = None,
    ready: Ready | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Every network against every other, layer by layer: as a matrix of networks for clustering or a map of them.

    Args:
        recordings: Of two or more networks with the same layers, over the same images.
        measure: From `MEASURES`.
        names: One per network; otherwise those of the recordings, numbered where they repeat.
        remove_top: How many principal components are first taken away from each layer.
        groups: Of each image, what it was taken with, see `compare`.
        ready: What was made of recordings for earlier comparisons, to be used again.
        progress: Told after each network, for measures that take long.

    Returns:
        `value` (a, b, layer), NaN where undefined, and `reason` (a, layer), empty where a layer is sound.

    Raises:
        InputError: If there are fewer than two recordings, or they differ in images, size or layers.
    """
    if len(recordings) < 2:
        raise InputError(f"{number_of(len(recordings), 'recording')}: there is nothing to compare. Give two or more.")
    first, n, chosen = recordings[0], len(recordings[0].images), find_measure(measure)
    for other in recordings[1:]:
        check_same_layers(first, other)
    check_enough_images(measure, n)
    together = groups_of(groups, n)
    if remove_top:
        views = [views_of(one, remove=remove_top, groups=together) for one in recordings]
    else:
        views = [ready_views(ready, one, together) for one in recordings]
    networks = [prepare(one, chosen) for one in views]
    if chosen.pair is None:
        vectors = np.stack([one.vectors for one in networks], axis=1)  # (layers, networks, pairs of images)
        factors = np.stack([one.factors for one in networks], axis=1) if together else vectors
        value = np.moveaxis(finished(chosen, factors @ vectors.swapaxes(1, 2)), 0, -1)
    else:
        value = _pair_by_pair(networks, progress)
    reasons = np.array([one.reasons for one in networks], dtype=object)
    labels = np.array(_distinct([one.name for one in recordings] if names is None else names), dtype=object)
    return xr.Dataset(
        {"value": (("a", "b", "layer"), value), "reason": (("a", "layer"), reasons)},
        coords={"a": labels, "b": labels, "layer": layer_labels(first)},
        attrs={"measure": measure, "n": n, "size": first.size, "remove_top": remove_top},
    )


def _pair_by_pair(networks: list[Prepared], progress: Progress) -> Array:
    measure, k = networks[0].measure, len(networks)
    value = np.full((k, k, len(networks[0])), np.nan)
    for row in range(k):
        for column in range(k):
            mirrored = measure.symmetric and column < row
            value[row, column] = value[column, row] if mirrored else diagonal(networks[row], networks[column])
        progress(f"{measure.title}, all pairs", row + 1, k)
    return value


def _distinct(names: Sequence[str]) -> list[str]:
    """Names that repeat get a number: network, network -> network#1, network#2."""
    total, seen = Counter(names), Counter[str]()
    labels = []
    for name in names:
        seen[name] += 1
        labels.append(f"{name}#{seen[name]}" if total[name] > 1 else name)
    return labels
