"""Which images make two networks look alike, and which make them look different?"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording
from gapscope.similarity.compare import check_same_layers, layer_labels
from gapscope.similarity.groups import groups_of
from gapscope.similarity.intervals import values_without_each
from gapscope.similarity.measures import find_measure
from gapscope.similarity.prepared import diagonal, prepare
from gapscope.similarity.ready import Ready, ready_views

NORMAL_QUANTILE = 1.959964
"""A normal variable lies within so many standard deviations 95 times in 100."""


def leave_one_out(
    a: Recording,
    b: Recording,
    measure: str = "cka_debiased",
    *,
    groups: Sequence[str] | ArrayLike | None = None,
    ready: Ready | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Each layer with its counterpart, once without each image.

    For CKA this is exact and takes one product per layer; other measures are prepared anew for each image.

    Args:
        a: One network's recording.
        b: The other's, with the same layers, over the same images.
        measure: From `MEASURES`.
        groups: As in `compare`: pairs within groups are left out, with every image and without each.
        ready: What was made of recordings for earlier comparisons, to be used again.
        progress: Told after each image, for measures that take long.

    Returns:
        `value` (layer) over all images; `without` (layer, image); `influence` = value - without (layer, image): of a
        similarity, positive where the image makes the networks look more alike. `jackknife_low`, `jackknife_high`
        (layer): the value plus or minus 1.96 jackknife standard errors, sqrt((n - 1) / n * sum (without - mean)^2), as
        if images were independent.

    Raises:
        InputError: If the recordings differ in images, size or layers, or hold fewer than one image more than the
            measure needs.

    Source:
        Efron and Stein 1981, Annals of Statistics 9:586 (jackknife variance).
    """
    chosen, n = find_measure(measure), len(a.images)
    check_same_layers(a, b)
    if n <= chosen.least_images:
        raise InputError(f"{n} images are too few to leave one out: {measure} needs {chosen.least_images} without it.")
    together = groups_of(groups, n)
    views = ready_views(ready, a, together), ready_views(ready, b, together)
    first, second = (prepare(one, chosen) for one in views)
    value = diagonal(first, second)
    without = values_without_each(*views, chosen, progress).T
    spread = np.sqrt((n - 1) / n * np.square(without - without.mean(1, keepdims=True)).sum(1))
    return xr.Dataset(
        {
            "value": ("layer", value),
            "without": (("layer", "image"), without),
            "influence": (("layer", "image"), value[:, None] - without),
            "jackknife_low": ("layer", value - NORMAL_QUANTILE * spread),
            "jackknife_high": ("layer", value + NORMAL_QUANTILE * spread),
        },
        coords={"layer": layer_labels(a), "image": np.array(a.images, dtype=object)},
        attrs={"measure": measure, "a": a.name, "b": b.name, "n": n, "size": a.size},
    )


def extreme_images(left_out: xr.Dataset, layer: int | str, count: int = 5) -> tuple[list[str], list[str]]:
    """The images on which two networks agree most, and least, at one layer: the strongest influence first.

    Args:
        left_out: What `leave_one_out` returned.
        layer: One of its layers.
        count: Images of each kind.

    Raises:
        InputError: If there is no such layer, or the measure is undefined there.
    """
    layers = left_out["layer"].to_numpy().tolist()
    if layer not in layers:
        raise InputError(f"there is no layer {layer!r}. Choose one of {layers[0]!r} to {layers[-1]!r}.")
    influence = left_out["influence"].sel(layer=layer).to_numpy()
    if np.isnan(influence).any():
        raise InputError(f"layer {layer} has no {left_out.attrs['measure']}, so no image has an influence on it.")
    if not find_measure(left_out.attrs["measure"]).larger_is_more_similar:
        influence = -influence
    names, order = left_out["image"].to_numpy(), np.argsort(influence, kind="stable")
    return names[order[::-1][:count]].tolist(), names[order[:count]].tolist()
