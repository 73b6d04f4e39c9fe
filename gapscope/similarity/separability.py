"""How well does each layer tell two sets of images apart, such as real and synthetic ones?

All from the Gram matrices of both sets together, recorded once. Every number here is a quadratic form in the images'
labels (+1 or -1), so thousands of shuffled labels cost one matrix product per layer.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording, write_dataset
from gapscope.similarity.cka import unit_kernel
from gapscope.similarity.compare import layer_labels
from gapscope.similarity.gram import Array, squared_distances, u_center
from gapscope.similarity.layer_view import UndefinedError
from gapscope.similarity.prepared import views_of
from gapscope.similarity.separability_intervals import Halves

FORMAT = "gapscope separability 1"
RANGES = {"cka": (-1.0, 1.0), "mmd": (-np.inf, np.inf), "accuracy": (0.0, 1.0)}
"""Name -> between which values it lies."""
NAMES = tuple(RANGES)
TITLES = {
    "cka": "CKA with the labels",
    "mmd": "distance of the means, in parts of the variance",
    "accuracy": "nearest neighbour is of the same set",
}
"""Name -> what it is."""
SAME_DISTANCE = 1e-7
"""Distances this close, in parts of the largest, are equal: Gram matrices are summed from float32 products."""


def separability(
    recording: Recording,
    labels: Sequence[str] | ArrayLike,
    *,
    groups: Sequence[str] | ArrayLike | None = None,
    shuffles: int = 1000,
    bootstraps: int = 200,
    seed: int = 0,
    progress: Progress = silent,
) -> xr.Dataset:
    """How well each layer of one network tells two sets of images apart, beside what shuffled labels give.

    Args:
        recording: Of one network over both sets together.
        labels: Of each image in the recording's order, which set it is from: two different values.
        groups: Of each image, what it was taken with, such as its drive. Images of a group are alike for other reasons
            than their set, so whole groups change their label, and an image's neighbour is of another group.
        shuffles: Orders of the labels behind the floor, at least 20; all layers share them.
        bootstraps: Random halves of each set (of its groups) behind the intervals; 0 for none.
        seed: Of the shuffles and halves.
        progress: Told after each layer.

    Returns:
        Over (layer), for each of `cka` (`label_cka`), `mmd` (`mmd_squared`, in parts of the variance of all images) and
        `accuracy` (`neighbour_accuracy`): the value; `<name>_floor_mean`, `_floor_low`, `_floor_high` (central 95 % of
        shuffled labels); `<name>_p`, the share of orders, the true one counted in, that do as well at this layer;
        `<name>_p_all`, the share that do as well at any layer, each in standard deviations of its floor; and
        `<name>_interval_low`, `_interval_high`, the central 95 % over other images (other groups) of the same kind. NaN
        where a layer tells no images apart; intervals also where a set has fewer than 4 images (groups).

    Raises:
        InputError: Labels or groups do not fit the images, there are not two sets of two or more images (with groups:
            of two or more groups), or a group is in both sets.

    Source:
        Corrected p: Westfall and Young 1993, "Resampling-based multiple testing" (max statistic).
    """
    signs, numbers = _checked(recording, labels, groups, shuffles)
    orders = shuffled_signs(signs, numbers, shuffles, np.random.default_rng(seed))
    halves = Halves(signs, numbers, bootstraps, np.random.default_rng([seed, 1]))
    views = views_of(recording)
    found = {name: np.full((len(orders), len(views.layers)), np.nan) for name in NAMES}
    intervals = {name: np.full((2, len(views.layers)), np.nan) for name in NAMES}
    for at, view in enumerate(views.layers):
        if view is not None:
            try:
                found["cka"][:, at] = label_cka(view.gram, orders)
            except UndefinedError:
                continue  # tells no images apart: NaN, as documented
            spread = np.trace(view.gram) / (views.n - 1)
            found["mmd"][:, at] = mmd_squared(view.gram, orders, numbers) / spread
            found["accuracy"][:, at] = neighbour_accuracy(view.gram, orders, numbers)
            if halves.enough:
                for name in NAMES:
                    drawn = getattr(halves, name)(view.gram)
                    intervals[name][:, at] = halves.around(found[name][0, at], drawn)
        progress("separability", at + 1, len(views.layers))
    columns = {column: values for name in NAMES for column, values in _summary(name, found[name]).items()}
    for name, (low, high) in intervals.items():
        least, most = RANGES[name]
        columns |= {f"{name}_interval_low": np.maximum(low, least), f"{name}_interval_high": np.minimum(high, most)}
    sets = np.unique(np.asarray(labels))
    return xr.Dataset(
        {name: ("layer", values) for name, values in columns.items()},
        coords={"layer": layer_labels(recording)},
        attrs={
            "format": FORMAT,
            "network": recording.name,
            "network_sha256": recording.network_sha256,
            "images_sha256": recording.images_sha256,
            "size": recording.size,
            "set_a": str(sets[0]),
            "set_b": str(sets[1]),
            "n_a": int((signs > 0).sum()),
            "n_b": int((signs < 0).sum()),
            "n": views.n,
            "shuffles": shuffles,
            "bootstraps": bootstraps,
            "seed": seed,
            "grouped": int(groups is not None),
            "groups_a": len(np.unique(halves.units[signs > 0])),
            "groups_b": len(np.unique(halves.units[signs < 0])),
        },
    )


def write_separability(found: xr.Dataset, path: Path | str) -> None:
    """Write what `separability` returned as netCDF (HDF5), whole or not at all."""
    write_dataset(found, Path(path))


def in_words(found: xr.Dataset) -> list[str]:
    """What one wants to know first: where the sets are told apart best, and in how many layers beyond chance."""
    about, layers = found.attrs, found["layer"].to_numpy()
    what = "groups" if about["grouped"] else "images"
    lines = [
        f"{about['set_a']}: {about['n_a']} rows in {about['groups_a']} {what}; {about['set_b']}: {about['n_b']} in "
        f"{about['groups_b']}"
    ]
    for name, title in TITLES.items():
        values, p_all = found[name].to_numpy(), found[f"{name}_p_all"].to_numpy()
        if np.isnan(values).all():
            lines.append(f"{title}: undefined in every layer")
            continue
        best = int(np.nanargmax(values))
        low, high = (float(found[f"{name}_interval_{end}"][best]) for end in ("low", "high"))
        interval = "" if np.isnan(low) else f" ({low:.3f}, {high:.3f})"
        lines.append(
            f"{title}: most at layer {layers[best]}, {values[best]:.3f}{interval}; floor there "
            f"{float(found[f'{name}_floor_mean'][best]):.3f}; beyond chance in {int((p_all <= 0.05).sum())} of "
            f"{len(layers)} layers (p over all layers up to .05)"
        )
    return lines


def label_cka(gram: Array, signs: Array) -> Array:
    """(orders,) debiased CKA of a layer's Gram matrix (n, n) with labels (orders, n) of +1 and -1.

    CKA of K and y y^T: how far are images alike that are of one set, and images unlike that are not?

    Raises:
        UndefinedError: The layer tells no images apart.
    """
    kernel = unit_kernel(gram, True)
    norms = {}
    values = np.empty(len(signs))
    for at, (y, product) in enumerate(zip(signs, np.einsum("sn,sn->s", signs @ kernel, signs), strict=True)):
        size = int((y > 0).sum())  # the norm of the centred labels depends on nothing else
        if size not in norms:
            norms[size] = np.linalg.norm(u_center(np.outer(y, y)))
        values[at] = product / norms[size]
    return values


def mmd_squared(gram: Array, signs: Array, groups: NDArray[np.int64] | None = None) -> Array:
    """(orders,) unbiased estimates of the squared distance between the means of the two sets, for labels (orders, n).

        sum_{i != j in A} k_ij / m (m - 1) + sum_{i != j in B} k_ij / n (n - 1) - 2 sum_{i in A, j in B} k_ij / m n

    in the unit of the Gram matrix; 0 on average where both sets come from one source, and then often below it. With
    groups (n,) the first two are means over pairs of different groups: frames of one drive are alike for other reasons.

    Source:
        Gretton et al. 2012, JMLR 13, lemma 6.
    """
    own = np.arange(len(gram)) if groups is None else groups
    other = (own[:, None] != own[None, :]).astype(float)
    apart, total = gram * other, np.zeros(len(signs))
    a, b = (signs > 0).astype(float), (signs < 0).astype(float)
    for mine in (a, b):
        total = total + _form(apart, mine, mine) / _form(other, mine, mine)
    return np.asarray(total - 2 * _form(gram, a, b) / (a.sum(1) * b.sum(1)))


def neighbour_accuracy(gram: Array, signs: Array, groups: NDArray[np.int64] | None = None) -> Array:
    """(orders,) share of images whose nearest other image is of their set, for labels (orders, n) of +1 and -1.

    Of several equally near images each counts in part. With groups (n,), images of the same group are passed over.
    """
    distances = squared_distances(gram)
    largest = distances.max()
    own = np.arange(len(gram)) if groups is None else groups
    distances[own[:, None] == own[None, :]] = np.inf
    near = distances <= distances.min(1, keepdims=True) + SAME_DISTANCE * largest
    weights = near / near.sum(1, keepdims=True)
    return (1 + _form(weights, signs, signs) / len(gram)) / 2


def shuffled_signs(signs: Array, groups: NDArray[np.int64] | None, shuffles: int, rng: np.random.Generator) -> Array:
    """Labels (1 + shuffles, n): the true ones first, then in other orders, whole groups together."""
    if groups is None:
        return np.stack([signs, *(rng.permutation(signs) for _ in range(shuffles))])
    _, first = np.unique(groups, return_index=True)
    of_group = signs[first]
    return np.stack([signs, *(rng.permutation(of_group)[groups] for _ in range(shuffles))])


def _form(matrix: Array, left: Array, right: Array) -> Array:
    """(orders,) left_s^T matrix right_s of each row s."""
    return np.asarray(np.einsum("sn,sn->s", left @ matrix, right))


def _summary(name: str, values: Array) -> dict[str, Array]:
    """What is kept of values (1 + shuffles, layers), the true ones first."""
    true, floor = values[0], values[1:]
    defined = ~np.isnan(true)
    low, high = np.quantile(floor, (0.025, 0.975), axis=0)
    spread = values.std(0)
    z = (values - values.mean(0)) / np.where(spread > 0, spread, np.inf)
    best = z[:, defined].max(1) if defined.any() else np.zeros(len(z))
    p = (values >= true - 1e-12).mean(0)
    p_all = (best[:, None] >= z[0] - 1e-12).mean(0)
    return {
        name: true,
        f"{name}_floor_mean": floor.mean(0),
        f"{name}_floor_low": low,
        f"{name}_floor_high": high,
        f"{name}_p": np.where(defined, p, np.nan),
        f"{name}_p_all": np.where(defined, p_all, np.nan),
    }


def _checked(
    recording: Recording, labels: Sequence[str] | ArrayLike, groups: Sequence[str] | ArrayLike | None, shuffles: int
) -> tuple[Array, NDArray[np.int64] | None]:
    """Labels as +1 (the first in order) and -1, groups as numbers."""
    n = len(recording.images)
    given = {"labels": np.asarray(labels), **({} if groups is None else {"groups": np.asarray(groups)})}
    for name, values in given.items():
        if values.shape != (n,):
            raise InputError(f"{name} have shape {values.shape}, but the recording has {n} images. Give one of each.")
    if shuffles < 20:
        raise InputError(f"{shuffles} shuffles are too few for a floor - expected at least 20.")
    names, sets = np.unique(given["labels"], return_inverse=True)
    if len(names) != 2:
        raise InputError(
            f"labels name {len(names)} sets ({', '.join(map(str, names[:4]))}) - expected 2 to tell apart."
        )
    numbers = None if groups is None else np.unique(given["groups"], return_inverse=True)[1].astype(np.int64)
    units = np.arange(n) if numbers is None else numbers
    what = "images" if numbers is None else "groups"
    members = [set(units[sets == one].tolist()) for one in (0, 1)]
    if members[0] & members[1]:
        shared = given["groups"][units == min(members[0] & members[1])][0]
        raise InputError(f"group '{shared}' is in both sets, so it cannot be shuffled whole. Give groups within sets.")
    for name, some in zip(names, members, strict=True):
        if len(some) < 2:
            raise InputError(f"set '{name}' has {len(some)} {what} - expected at least 2 in each. Give more images.")
    return np.where(sets == 0, 1.0, -1.0), numbers
