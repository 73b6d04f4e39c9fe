"""Where do two networks see the same images differently, and is that more than chance?"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import xarray as xr

from gapscope.errors import InputError
from gapscope.recording.recording import Recording, read_dataset, write_dataset
from gapscope.similarity.cka import MEASURES, Measure, normalized
from gapscope.similarity.gram import Array, check_num_images, flatten
from gapscope.similarity.uncertainty import bootstrap_cka, draw_images, permutation_floor

FORMAT = "gapscope similarity 1"
COVERED = (0.025, 0.975)
"""The quantiles that bound floor and interval: 95 % lie between them."""


def compare(
    a: Recording,
    b: Recording,
    *,
    measures: Sequence[str] = ("cka_debiased", "cka_biased"),
    permutations: int = 100,
    bootstraps: int = 200,
    seed: int = 0,
) -> xr.Dataset:
    """All layers of one network against all layers of another, over the same images.

    A layer that tells no images apart has no similarity to anything: its values are NaN and `reason_a` or `reason_b`
    says why.

    Args:
        a: Recording whose layers become the rows.
        b: Recording whose layers become the columns.
        measures: Names from `MEASURES`.
        permutations: Orders of b's images drawn for the floor; 0 leaves it out.
        bootstraps: Draws of the images for the interval; 0 leaves it out.
        seed: Of both kinds of draws.

    Returns:
        `value` (measure, layer_a, layer_b); `reason_a` (measure, layer_a) and `reason_b` (measure, layer_b), empty if
        the layer is sound. Where both have the same layers also, over (measure, layer) for each layer with its
        counterpart: `floor_mean`, `floor_low`, `floor_high`, the mean and the central 95 % of the values with b's
        images shuffled; `interval_low`, `interval_high`, the central 95 % of the values on images drawn anew.

    Raises:
        InputError: If the recordings are of different images, orders or sizes, or a measure is unknown.
    """
    chosen = [find_measure(name) for name in measures]
    if not chosen:
        raise InputError(f"no measure is given. Choose from {', '.join(MEASURES)}.")
    if min(permutations, bootstraps) < 0:
        raise InputError(f"permutations = {permutations}, bootstraps = {bootstraps}: both must be 0 or more.")
    check_same_images(a, b)
    parts = [_compare_with(measure, a, b, permutations, bootstraps, seed) for measure in chosen]
    grid = xr.concat(parts, dim=xr.Variable("measure", np.array(list(measures), dtype=object)))
    return grid.assign_attrs(
        format=FORMAT,
        a=a.name,
        b=b.name,
        n=len(a.images),
        size=a.size,
        probe=a.provenance.get("probe", ""),
        images_sha256=a.images_sha256,
        pixels_sha256=a.pixels_sha256,
        network_a_sha256=a.network_sha256,
        network_b_sha256=b.network_sha256,
        permutations=permutations,
        bootstraps=bootstraps,
        seed=seed,
    )


def find_measure(name: str) -> Measure:
    """The measure of this name.

    Raises:
        InputError: If there is none; names the known ones.
    """
    if name not in MEASURES:
        near = get_close_matches(name, MEASURES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(f"there is no measure {name!r}. Choose from {', '.join(MEASURES)}.{hint}")
    return MEASURES[name]


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


def _compare_with(
    measure: Measure, a: Recording, b: Recording, permutations: int, bootstraps: int, seed: int
) -> xr.Dataset:
    units_a, reasons_a = _normalized_stack(a, measure)
    units_b, reasons_b = (units_a, reasons_a) if b is a else _normalized_stack(b, measure)
    grid = xr.Dataset(
        {
            "value": (("layer_a", "layer_b"), flatten(units_a) @ flatten(units_b).T),
            "reason_a": ("layer_a", reasons_a),
            "reason_b": ("layer_b", reasons_b),
        },
        coords={"layer_a": a.layers, "layer_b": b.layers},
    )
    if not np.array_equal(a.layers, b.layers):
        return grid
    draws: dict[str, Array] = {}
    if permutations:
        floor = permutation_floor(units_a, units_b, permutations, np.random.default_rng([seed, 1]))
        low, high = np.quantile(floor, COVERED, axis=0)
        draws |= {"floor_mean": floor.mean(0), "floor_low": low, "floor_high": high}
    if bootstraps:
        counts = draw_images(len(a.images), bootstraps, np.random.default_rng([seed, 2]))
        drawn = bootstrap_cka(a.gram, b.gram, counts, measure)
        drawn[:, np.isnan(np.diagonal(grid["value"].to_numpy()))] = np.nan
        low, high = np.quantile(drawn, COVERED, axis=0)
        draws |= {"interval_low": low, "interval_high": high}
    return grid.assign({name: ("layer", row) for name, row in draws.items()}).assign_coords(layer=a.layers)


def _normalized_stack(recording: Recording, measure: Measure) -> tuple[Array, np.ndarray]:
    """Centred Gram matrices of norm 1 (layers, n, n), and per layer the reason why it has none."""
    units, reasons = np.full_like(recording.gram, np.nan), []
    for at, gram in enumerate(recording.gram):
        reason = _dead(recording, at)
        if not reason:
            units[at], reason = normalized(gram, measure)
        reasons.append(reason)
    return units, np.array(reasons, dtype=object)


def _dead(recording: Recording, at: int) -> str:
    """Why a layer's Gram matrix holds nothing but float32 rounding, if so: its values hardly differ between images."""
    n, p = len(recording.images), int(recording.p[at])
    spread = np.sqrt(np.trace(recording.gram[at]) / (n * p))
    if spread <= 1e-6 * np.hypot(recording.mean[at], recording.std[at]):
        return "tells no images apart: its values are the same for all of them, up to rounding"
    return ""


def write_similarity(grid: xr.Dataset, path: Path) -> None:
    """Write what `compare` returned as netCDF (HDF5), whole or not at all."""
    write_dataset(grid, path)


def read_similarity(path: Path) -> xr.Dataset:
    """Read what `write_similarity` wrote.

    Raises:
        InputError: If the file is missing, broken or something else.
    """
    return read_dataset(path, FORMAT, "a similarity grid", "Compare the recordings again")
