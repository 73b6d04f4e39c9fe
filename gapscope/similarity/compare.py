"""Two recordings -> grids: where do two networks see the same images differently, and is that more than chance?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording, read_dataset, write_dataset
from gapscope.similarity.best_match import not_taken
from gapscope.similarity.duplicates import with_a_twin
from gapscope.similarity.gram import Array, check_num_images
from gapscope.similarity.groups import groups_of
from gapscope.similarity.measures import MEASURES, check_enough_images, find_measure
from gapscope.similarity.pair import Pair
from gapscope.similarity.prepared import same_layers, views_of
from gapscope.similarity.ready import Ready, ready_views

FORMAT = "gapscope similarity 1"
Where = Literal["layers", "cells"]
"""Each layer with its counterpart, or each layer with each."""


def compare(
    a: Recording,
    b: Recording,
    *,
    measures: Sequence[str] = ("cka_debiased", "cka_biased"),
    cells: Literal["all", "diagonal"] = "all",
    floor: Where = "layers",
    interval: Where = "layers",
    permutations: int = 100,
    bootstraps: int = 200,
    remove_top: int = 0,
    input_gram: Array | None = None,
    groups: Sequence[str] | ArrayLike | None = None,
    counterparts: bool = True,
    seed: int = 0,
    ready: Ready | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """All layers of one network against all layers of another, over the same images.

    A layer that tells no images apart has no similarity to anything: its values are NaN and `reason_a` or `reason_b`
    says why.

    Args:
        a: Recording whose layers become the rows.
        b: Recording whose layers become the columns.
        measures: Names from `MEASURES`.
        cells: All, or each layer with its counterpart only: quicker for CCA and shapes (docs/measures.md has costs).
        floor: Where the floor is computed; everywhere it costs one product per order.
        interval: Where the interval is computed.
        permutations: Orders of b's images drawn for the floor; 0 leaves it out.
        bootstraps: Draws of the images for the interval; 0 leaves it out. Measures other than CKA draw halves of the
            images and prepare every layer anew for each.
        remove_top: How many principal components are first taken away from each layer.
        input_gram: (n, n) of the images themselves for `cka_deconfounded`, where the recordings hold none.
        groups: Of each image, what it was taken with, such as its scene; "" for none. Images of one group are not
            independent: they are drawn and shuffled together, and debiased CKA, rsa and mutual_knn leave out pairs.
        counterparts: Whether layers of the same index or name are counterparts, where both have the same ones; those
            of two architectures that happen to have as many layers are not.
        seed: Of all draws.
        ready: What was made of recordings for earlier comparisons, to be used again; only where whole layers are
            compared and `input_gram` is that of the recordings.
        progress: Told of what takes long.

    Returns:
        `value` (measure, layer_a, layer_b), or (measure, layer) of the diagonal alone; `reason_a` (measure, layer_a)
        and `reason_b` (measure, layer_b), empty if the layer is sound. Where both have the same layers also, over
        (measure, layer) for each layer with its counterpart: `floor_mean`, `floor_low`, `floor_high`, the mean and the
        central 95 % of the values with b's images shuffled; `floor_z`, `floor_p`, `floor_q`, see
        `gapscope.similarity.floors`; `floor_p_all`, that p corrected for all layers; `interval_low`, `interval_high`,
        the central 95 % of the values on images drawn anew; `band_low`, `band_high`, a band that holds 95 % of the
        draws at all layers together. For every cell the same with `cell_` before the name, over (measure, layer_a,
        layer_b), without bands. Over (measure): `mean_value`, `mean_threshold`, `mean_p`, `mean_score` of the mean over
        layers, and the same of the most alike layer, `max_...`, calibrated (`gapscope.similarity.many_layers`). With
        remove_top `removed_a` and `removed_b`, the share of each layer's variance that was taken away.

        Where the networks have different layers, there are no counterparts. Then, over (measure, layer_a), `best` is
        the place among b's layers of each layer's best match (-1: none) and `best_value` its similarity;
        `best_floor_mean`, `_low`, `_high`, `_p`, `_p_all` are of the best match that each order of shuffled images
        finds, `best_interval_low` and `_high` of this match on images drawn anew. For measures that would have to be
        taken anew for each draw they are NaN, and the attribute `not_taken` says so.

    Raises:
        InputError: If the recordings are of different images, orders or sizes, a measure is unknown or needs what a
            recording does not have.
    """
    names = list(measures)
    if not names:
        raise InputError(f"no measure is given. Choose from {', '.join(MEASURES)}.")
    if min(permutations, bootstraps) < 0:
        raise InputError(f"permutations = {permutations}, bootstraps = {bootstraps}: both must be 0 or more.")
    for name in names:
        find_measure(name)
    check_same_images(a, b)
    for name in names:
        check_enough_images(name, len(a.images))
    paired = counterparts and same_layers(a, b)
    if cells == "diagonal" and "cells" in (floor, interval):
        raise InputError("floor or interval is asked for in every cell, but cells = 'diagonal'. Compare all cells.")
    if cells == "diagonal" and not paired:
        have = "have different layers" if counterparts else "are compared without counterparts"
        raise InputError(f"{a.name} and {b.name} {have}, so there is no diagonal. Compare all cells.")
    together = groups_of(groups, len(a.images))
    if together is not None and interval == "cells":
        raise InputError(
            "intervals of all cells are not drawn by groups. Ask for interval='layers', or give no groups."
        )
    if remove_top or input_gram is not None:
        views_a = views_of(a, remove=remove_top, input_gram=input_gram, groups=together)
        views_b = views_a if b is a else views_of(b, remove=remove_top, input_gram=input_gram, groups=together)
    else:
        views_a = ready_views(ready, a, together)
        views_b = views_a if b is a else ready_views(ready, b, together)
    parts = []
    for name in names:
        pair = Pair(find_measure(name), (views_a, views_b), cells == "all", paired, seed, progress)
        columns = pair.values() | pair.floors(floor, permutations) | pair.intervals(interval, bootstraps)
        parts.append(xr.Dataset(columns))
    grid = xr.concat(parts, dim=xr.Variable("measure", np.array(names, dtype=object)))
    grid = grid.assign_coords(layer_a=layer_labels(a), layer_b=layer_labels(b))
    if remove_top:
        grid = grid.assign(removed_a=("layer_a", views_a.removed), removed_b=("layer_b", views_b.removed))
    if paired:
        grid = grid.assign_coords(layer=layer_labels(a))
    elif missing := [note for name in names if (note := not_taken(find_measure(name), permutations, bootstraps))]:
        grid = grid.assign_attrs(not_taken="; ".join(missing))
    return grid.assign_attrs(
        format=FORMAT,
        a=a.name,
        b=b.name,
        n=len(a.images),
        groups=0 if together is None else len(together),
        duplicates=len(with_a_twin(a, together)),
        size=a.size,
        probe=a.provenance.get("probe", ""),
        images_sha256=a.images_sha256,
        pixels_sha256=a.pixels_sha256,
        network_a_sha256=a.network_sha256,
        network_b_sha256=b.network_sha256,
        permutations=permutations,
        bootstraps=bootstraps,
        remove_top=remove_top,
        seed=seed,
    )


def check_same_images(a: Recording, b: Recording) -> None:
    """Refuse recordings whose rows are not the same pixels in the same order.

    Raises:
        InputError: Naming the first difference found.
    """
    both, remedy = f"recordings {a.name} and {b.name}", "Record both networks with one probe list."
    if a.size != b.size:
        raise InputError(f"{both} were taken at {a.size} and {b.size} pixels. Record both at one size.")
    if len(a.images) != len(b.images):
        raise InputError(f"{both} hold {len(a.images)} and {len(b.images)} images, but need the same ones. {remedy}")
    if a.images != b.images:
        at = next(row for row, (one, other) in enumerate(zip(a.images, b.images, strict=True)) if one != other)
        kind = "the same images in another order" if sorted(a.images) == sorted(b.images) else "different images"
        raise InputError(
            f"{both} hold {kind}: image {at} is {a.images[at]!r} in one and {b.images[at]!r} in the other. {remedy}"
        )
    if a.pixels_sha256 != b.pixels_sha256:
        raise InputError(f"{both} name the same images, but the pixels differ: a file has changed since. {remedy}")
    check_num_images(len(a.images))


def check_same_layers(a: Recording, b: Recording) -> None:
    """Refuse recordings that cannot be compared layer by layer, over the same images.

    Raises:
        InputError: Naming the first difference found.
    """
    check_same_images(a, b)
    if not same_layers(a, b):
        raise InputError(f"{a.name} and {b.name} have different layers. Choose networks with the same ones.")


def layer_labels(recording: Recording) -> np.ndarray:
    """Darknet indices, or names as Python texts, which netCDF stores at their own length."""
    layers = np.asarray(recording.layers)
    return layers if np.issubdtype(layers.dtype, np.integer) else layers.astype(object)


def write_similarity(grid: xr.Dataset, path: Path | str) -> None:
    """Write what `compare` returned as netCDF (HDF5), whole or not at all."""
    path = Path(path)
    write_dataset(grid, path)


def read_similarity(path: Path | str) -> xr.Dataset:
    """Read what `write_similarity` wrote.

    Raises:
        InputError: If the file is missing, broken or something else.
    """
    path = Path(path)
    return read_dataset(path, FORMAT, "a similarity grid", "Compare the recordings again")
