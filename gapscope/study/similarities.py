"""The compare stage: recordings -> grids, and every layer's effect between its floor and its ceiling."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.config import Similarity
from gapscope.errors import InputError
from gapscope.recording.recording import Recording, read_recording
from gapscope.similarity.blocks import find_blocks
from gapscope.similarity.compare import compare
from gapscope.similarity.floors import q_values
from gapscope.similarity.gram import AT_LEAST
from gapscope.similarity.influence import leave_one_out
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.measures import MEASURES

Layers = NDArray[np.bool_]
"""(layers,) whether each layer is meant."""
SeedPairs = Sequence[tuple[Recording, Recording]]

NOT_TRAINED = "neither arm trained this layer with its own seed, so there is no ceiling"


KEPT = 64 * 2**20
"""Bytes of the largest recording that is kept in memory after it was read: 107 layers over 270 images."""


def read_again(path: Path) -> Recording:
    """A recording. The few that were read last are kept if they are small, since each is compared with several."""
    if not path.is_file() or path.stat().st_size > KEPT:
        return read_recording(path)
    return _read_version(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=6)
def _read_version(path: Path, changed: int) -> Recording:
    return read_recording(path)


def grid_of(a: Recording, b: Recording, plan: Similarity) -> xr.Dataset:
    """All layers of one network against all of another, by every measure of the plan, with floors on the diagonal.

    Intervals are drawn for CKA. Other measures would have to be taken anew for each draw, which takes minutes: theirs
    are NaN. A network compared with itself gives the same value on any images.
    """
    drawn = [name for name in plan.measures if MEASURES[name].kernel and a is not b]
    others = [name for name in plan.measures if name not in drawn]
    parts = []
    if drawn:
        parts.append(compare(a, b, measures=drawn, permutations=plan.permutations, bootstraps=plan.bootstraps))
    if others:
        part = compare(a, b, measures=others, permutations=plan.permutations, bootstraps=0)
        own = np.diagonal(part["value"].to_numpy(), axis1=1, axis2=2)
        end = ("measure", "layer"), own if a is b else np.full_like(own, np.nan)
        parts.append(part.assign(interval_low=end, interval_high=end))
    grid = xr.concat(parts, "measure", data_vars="minimal", coords="minimal", compat="equals", join="exact")
    return grid.sel(measure=plan.measures).assign_attrs(parts[0].attrs, bootstraps=plan.bootstraps)


def with_images_and_blocks(grid: xr.Dataset, a: Recording, b: Recording) -> xr.Dataset:
    """The grid and, of its debiased CKA, each image's `influence` (layer, image), `block_a` (layer_a), `block_b`.

    Four images leave none out. Where a network is too dead to be cut into blocks, `no_blocks` says so instead.
    """
    if len(a.images) > AT_LEAST:
        grid = grid.assign(influence=leave_one_out(a, b)["influence"])
    try:
        found = {side: find_blocks(grid, network=side).member for side in ("a", "b")}
    except InputError as error:
        return grid.assign_attrs(no_blocks=str(error))
    return grid.assign({f"block_{side}": (f"layer_{side}", member) for side, member in found.items()})


def effect_of(
    a: Recording, b: Recording, seeds: Mapping[str, SeedPairs], trained: Mapping[str, Layers], plan: Similarity
) -> xr.Dataset:
    """What `layer_summary` says of debiased CKA, each layer with the ceilings of those arms that trained it.

    Args:
        a: One network's recording.
        b: The other's.
        seeds: Pairs of recordings of each of the two arms with two seeds, by arm.
        trained: The layers that each of these arms trained, see `gapscope.arms.trained_layers`.
        plan: How many draws.

    Returns:
        Over (layer) as `layer_summary`; where no arm trained a layer, ceiling, shortfall and effect are NaN, and
        `reason` says so. `floor_q` is adjusted for all layers together.
    """
    parts = []
    for arms in _kinds_of_layers(trained):
        mine = np.all([trained[arm] == (arm in arms) for arm in trained], axis=0)
        layers = a.layers[mine].tolist()
        ceilings = [pair for arm in arms or trained for pair in seeds[arm]]
        every = (a, b, *(one for pair in ceilings for one in pair))
        chosen = {id(one): one if mine.all() else one.select(layers) for one in every}
        part = layer_summary(
            chosen[id(a)],
            chosen[id(b)],
            [(chosen[id(one)], chosen[id(other)]) for one, other in ceilings],
            permutations=plan.permutations,
            bootstraps=plan.bootstraps,
        )
        parts.append(part if arms else _without_ceiling(part))
    whole = xr.concat(parts, "layer", combine_attrs="drop_conflicts").sel(layer=a.layers)
    whole["floor_q"] = ("layer", q_values(whole["floor_p"].to_numpy()))
    counts = {f"ceilings_{arm}": len(pairs) for arm, pairs in seeds.items()}
    return whole.assign_attrs(counts, permutations=plan.permutations, bootstraps=plan.bootstraps)


def _kinds_of_layers(trained: Mapping[str, Layers]) -> list[tuple[str, ...]]:
    """Which arms trained a layer, each answer that occurs once."""
    names, masks = list(trained), np.array(list(trained.values()))
    return [tuple(np.array(names)[kind].tolist()) for kind in np.unique(masks.T, axis=0)]


def _without_ceiling(part: xr.Dataset) -> xr.Dataset:
    names = [str(name) for name in part.data_vars if str(name).startswith(("ceiling", "shortfall", "effect"))]
    part = part.assign({name: xr.full_like(part[name], np.nan) for name in names})
    defined = np.isfinite(part["similarity"].to_numpy())
    reasons = np.where(defined, NOT_TRAINED, part["reason"].to_numpy()).astype(object)
    return part.assign(reason=("layer", reasons))
