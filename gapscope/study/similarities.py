"""The compare stage: recordings -> grids, and every layer's effect between its floor and its ceiling."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.config import Similarity
from gapscope.detector.network_map import LayerMap, yolov3_map
from gapscope.errors import InputError
from gapscope.recording.recording import Recording, read_recording
from gapscope.similarity.all_pairs import compare_all
from gapscope.similarity.blocks import find_blocks
from gapscope.similarity.compare import compare
from gapscope.similarity.gram import AT_LEAST
from gapscope.similarity.influence import leave_one_out
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.measures import MEASURES
from gapscope.similarity.ready import Ready

Layers = NDArray[np.bool_]
"""(layers,) whether each layer is meant."""
SeedPairs = Sequence[tuple[Recording, Recording]]

NOT_TRAINED = "neither arm trained this layer with its own seed, so there is no ceiling"


READY = Ready()
"""The recordings that were compared last with what was made of them, since each is compared with several."""


def read_again(path: Path) -> Recording:
    """A recording, from the file only if it is not at hand."""
    return READY.read(path) if path.is_file() else read_recording(path)


def grid_of(a: Recording, b: Recording, plan: Similarity, groups: Sequence[str] | None = None) -> xr.Dataset:
    """All layers of one network against all of another, by every measure of the plan, with floors on the diagonal.

    Intervals are drawn for CKA. Other measures would have to be taken anew for each draw, which takes minutes: theirs
    are NaN. A network compared with itself gives the same value on any images. Images of one group are not independent.
    """
    drawn = [name for name in plan.measures if MEASURES[name].kernel and a is not b]
    others = [name for name in plan.measures if name not in drawn]
    parts = []
    if drawn:
        shuffles, draws = plan.permutations, plan.bootstraps
        how: dict[str, Any] = {"groups": groups, "permutations": shuffles, "bootstraps": draws, "ready": READY}
        parts.append(compare(a, b, measures=drawn, **how))
    if others:
        shuffles = plan.permutations
        part = compare(a, b, measures=others, groups=groups, permutations=shuffles, bootstraps=0, ready=READY)
        own = np.diagonal(part["value"].to_numpy(), axis1=1, axis2=2)
        end = ("measure", "layer"), own if a is b else np.full_like(own, np.nan)
        parts.append(part.assign({name: end for name in ("interval_low", "interval_high", "band_low", "band_high")}))
    grid = xr.concat(parts, "measure", data_vars="minimal", coords="minimal", compat="equals", join="exact")
    return grid.sel(measure=plan.measures).assign_attrs(parts[0].attrs, bootstraps=plan.bootstraps)


def grid_across(a: Recording, b: Recording, plan: Similarity, groups: Sequence[str] | None = None) -> xr.Dataset:
    """All layers of one architecture against all of another, which are no counterparts, even if there are as many.

    Floors and intervals are those of best matches.
    """
    how: dict[str, Any] = {"permutations": plan.permutations, "bootstraps": plan.bootstraps, "counterparts": False}
    return compare(a, b, measures=plan.measures, groups=groups, ready=READY, **how)


def with_images_and_blocks(
    grid: xr.Dataset, a: Recording, b: Recording, groups: Sequence[str] | None = None
) -> xr.Dataset:
    """The grid and, of its debiased CKA, each image's `influence` (layer, image), `block_a` (layer_a), `block_b`.

    Four images leave none out. Where a network is too dead to be cut into blocks, `no_blocks` says so instead.
    """
    if len(a.images) > AT_LEAST:
        grid = grid.assign(influence=leave_one_out(a, b, groups=groups, ready=READY)["influence"])
    try:
        found = {side: find_blocks(grid, network=side).member for side in ("a", "b")}
    except InputError as error:
        return grid.assign_attrs(no_blocks=str(error))
    return grid.assign({f"block_{side}": (f"layer_{side}", member) for side, member in found.items()})


def effect_of(
    a: Recording,
    b: Recording,
    seeds: Mapping[str, SeedPairs],
    trained: Mapping[str, Layers],
    plan: Similarity,
    *,
    network: LayerMap | None = None,
    untrained: Sequence[Recording] = (),
    groups: Sequence[str] | None = None,
) -> xr.Dataset:
    """What `layer_summary` says of debiased CKA, each layer with the ceilings of those arms that trained it.

    Args:
        a: One network's recording.
        b: The other's.
        seeds: Pairs of recordings of each of the two arms with two seeds, by arm.
        trained: The layers that each of these arms trained, see `gapscope.arms.trained_layers`.
        plan: How many draws.
        network: The blocks of both arms' network; those of YOLOv3 by default.
        untrained: Recordings of networks of the same shape that were never trained.
        groups: Of each image, what it was taken with, if that is known.

    Returns:
        Over (layer), and over (part) of the backbone, the head and their blocks, as `layer_summary`; where no arm
        trained a layer, ceiling, shortfall and effect are NaN, and `reason` says so. `networks` (network, other,
        layer): how alike every two networks of the two arms are, each called after its arm and seed.
    """
    ceilings = [(arm, pair) for arm in trained for pair in seeds[arm]]
    whole = layer_summary(
        a,
        b,
        [pair for _, pair in ceilings],
        counted=[trained[arm] for arm, _ in ceilings],
        untrained=untrained,
        parts=_parts(a.layers.astype(np.int64), network or yolov3_map()),
        groups=groups,
        permutations=plan.permutations,
        bootstraps=plan.bootstraps,
        ready=READY,
    )
    neither = ~np.any(list(trained.values()), axis=0) & np.isfinite(whole["similarity"].to_numpy())
    whole["reason"] = ("layer", np.where(neither, NOT_TRAINED, whole["reason"].to_numpy()).astype(object))
    every = list({id(one): one for pairs in seeds.values() for pair in pairs for one in pair}.values())
    between = compare_all(every, groups=groups, ready=READY)["value"].to_numpy()
    names = np.array([one.name for one in every], dtype=object)
    whole = whole.assign(networks=(("network", "other", "layer"), between)).assign_coords(network=names, other=names)
    counts = {f"ceilings_{arm}": len(pairs) for arm, pairs in seeds.items()}
    return whole.assign_attrs(counts, permutations=plan.permutations, bootstraps=plan.bootstraps)


def _parts(layers: NDArray[np.int64], network: LayerMap) -> dict[str, Layers]:
    """The parts of the network by name, and which layers are in each."""
    return {name: (layers >= first) & (layers <= last) for name, (first, last) in network.ranges.items()}
