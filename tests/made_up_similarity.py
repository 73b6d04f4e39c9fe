"""Recordings, grids and effects of a run folder with MADE-UP numbers, in the shape of real ones."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from gapscope.config import Similarity
from gapscope.detector.layers import BACKBONE_LAST
from gapscope.detector.network_map import BLOCKS

LAYERS = np.arange(107)
IN_BACKBONE = LAYERS <= BACKBONE_LAST
MEASURES = tuple(Similarity().measures)
PARTS = {"backbone": IN_BACKBONE, "head": ~IN_BACKBONE}
PARTS |= {block.name: (LAYERS >= block.first) & (LAYERS <= block.last) for block in BLOCKS}
NUM_PROBED = 48
NOTHING_SHARED = 85
"""The layer whose effect is undefined: its two seeds share nothing."""

Run = tuple[str, int]


def write_made_up_similarity(
    run: Path, arms: Sequence[str], seeds: Sequence[int], sizes: Sequence[int], probes: Sequence[str]
) -> None:
    """Everything that the stages record and compare leave of these arms; arms that begin with f- are frozen."""
    for probe in probes:
        for size in sizes:
            for arm in arms:
                for seed in seeds:
                    _save(
                        made_up_recording(arm, seed, probe, size), run, "recordings", f"{arm}-seed{seed}", probe, size
                    )
            _write_pairs(run, arms, seeds, size, probe)


def _write_pairs(run: Path, arms: Sequence[str], seeds: Sequence[int], size: int, probe: str) -> None:
    grids = {(a, b): made_up_grid(a, b, size, probe) for a, b in made_up_pairs(arms, seeds)}
    for (a, b), grid in grids.items():
        _save(grid, run, "similarity", f"{_name(a)}--{_name(b)}", probe, size)
        if a[0] != b[0] and len(seeds) > 1:
            seed_pairs = [(x, y) for x, y in grids if x[0] == y[0] in (a[0], b[0]) and x[1] != y[1]]
            trained = [~IN_BACKBONE if x[0].startswith("f-") else LAYERS >= 0 for x, _ in seed_pairs]
            effect = made_up_effect(grid, [grids[pair] for pair in seed_pairs], trained)
            effect = effect.merge(made_up_networks(grids, (a[0], b[0]), seeds))
            _save(effect, run, "similarity", f"effect--{_name(a)}--{_name(b)}", probe, size)


def made_up_pairs(arms: Sequence[str], seeds: Sequence[int]) -> list[tuple[Run, Run]]:
    """The pairs that a study compares."""
    of_seed = [(a, b) for a, b in combinations(arms, 2)] + [(arm, arm) for arm in arms]
    pairs = [((a, seed), (b, seed)) for seed in seeds for a, b in of_seed]
    return pairs + [((arm, s), (arm, t)) for arm in arms for s, t in combinations(seeds, 2)]


def made_up_recording(arm: str, seed: int, probe: str, size: int) -> xr.Dataset:
    rng = np.random.default_rng([seed, size, *arm.encode(), *probe.encode()])
    spread = 0.7 + 0.4 * rng.random(107)
    columns = {
        "p": np.full(107, size * 8),
        "mean": rng.normal(-0.02, 0.02, 107),
        "median": rng.normal(-0.1, 0.02, 107),
        "std": spread,
        "min": -20 * spread,
        "max": 45 * spread,
    }
    return xr.Dataset({name: ("layer", values) for name, values in columns.items()}, coords={"layer": LAYERS})


def made_up_grid(a: Run, b: Run, size: int, probe: str) -> xr.Dataset:
    """Similarity that falls with the distance of two layers and dips in the network's deepest part."""
    rng = np.random.default_rng([size, *_name(a).encode(), *_name(b).encode(), *probe.encode()])
    alike = 1.0 if a == b else 0.93 if a[0] == b[0] else 0.45 if "u-real" in (a[0], b[0]) else 0.7
    depth = np.clip((LAYERS - 10) / 60, 0, 1) - 0.5 * ((LAYERS == 86) | (LAYERS == 98))
    same = 1 - (1 - alike) * depth - (0 if a == b else 0.02) * rng.random(107)
    if a[0] == b[0] and a[0].startswith("f-"):
        same[IN_BACKBONE] = 1.0
    distance = np.abs(LAYERS[:, None] - LAYERS[None, :])
    debiased = np.sqrt(same[:, None] * same[None, :]) * np.exp(-distance / 25)
    values = np.stack([_of_measure(name, debiased) for name in MEASURES])
    diagonal = np.diagonal(values, axis1=1, axis2=2)
    biased = np.array([[name == "cka_biased"] for name in MEASURES])
    floor = np.where(biased, 0.2 * (1 - depth / 2), 0.0)
    half = np.where(diagonal == 1, 0.0, 0.03) + np.array([[np.nan if name == "rsa" else 0.0] for name in MEASURES])
    layerwise = {
        "floor_mean": floor,
        "floor_low": floor - 0.03,
        "floor_high": floor + 0.03,
        "floor_z": (diagonal - floor) / 0.015,
        "floor_p": np.full_like(floor, 1 / 101),
        "floor_q": np.full_like(floor, 1 / 101),
        "floor_p_all": np.full_like(floor, 1 / 101),
        "interval_low": diagonal - half,
        "interval_high": np.minimum(diagonal + half, 1),
        "band_low": diagonal - 1.5 * half,
        "band_high": np.minimum(diagonal + 1.5 * half, 1),
    }
    columns = {"value": (("measure", "layer_a", "layer_b"), values)}
    columns |= {name: (("measure", "layer"), array) for name, array in layerwise.items()}
    coords = {"measure": list(MEASURES), "layer_a": LAYERS, "layer_b": LAYERS, "layer": LAYERS}
    if a[0] != b[0]:
        columns["influence"] = (("layer", "image"), rng.normal(0, 0.002, (107, NUM_PROBED)))
        columns |= {
            f"block_{side}": (f"layer_{side}", np.searchsorted([12, 37, 62, 75], LAYERS, "right")) for side in "ab"
        }
        coords["image"] = np.array(probed_images(probe), dtype=object)
    return xr.Dataset(columns, coords=coords, attrs={"n": NUM_PROBED, "size": size, "probe": probe})


def probed_images(probe: str) -> list[str]:
    return [f"images/{probe}-{i:05d}.png" for i in range(NUM_PROBED)]


def _of_measure(name: str, debiased: np.ndarray) -> np.ndarray:
    changes = {"cka_debiased": (0, 1), "cka_biased": (0.2, 0.8), "cka_deconfounded": (-0.1, 1.1), "rsa": (0.05, 0.95)}
    shift, scale = changes.get(name, (0.02, 0.98))
    return shift + scale * debiased


def made_up_effect(grid: xr.Dataset, ceilings: list[xr.Dataset], trained: list[np.ndarray]) -> xr.Dataset:
    """Each layer between its floor and the ceilings of the arms that trained it; intervals are made up."""
    own = grid.sel(measure="cka_debiased")
    similarity = np.diagonal(own["value"].to_numpy())
    seeds = np.array([np.diagonal(one["value"].sel(measure="cka_debiased").to_numpy()) for one in ceilings])
    seeds = np.where(np.array(trained), seeds, np.nan)
    ceiling, base = np.nanmean(seeds, axis=0), own["floor_mean"].to_numpy()
    effect = (similarity - base) / (ceiling - base)
    effect[NOTHING_SHARED] = np.nan
    shortfall = ceiling - similarity
    columns = {"similarity": similarity, "ceiling": ceiling, "shortfall": shortfall, "effect": effect}
    columns |= {f"ceiling_{end}": ceiling + sign * 0.02 for end, sign in (("low", -1), ("high", 1))}
    columns |= {f"shortfall_{end}": shortfall + sign * 0.03 for end, sign in (("low", -1), ("high", 1))}
    columns |= {f"shortfall_band_{end}": shortfall + sign * 0.045 for end, sign in (("low", -1), ("high", 1))}
    columns |= {f"effect_{end}": effect + sign * 0.04 for end, sign in (("low", -1), ("high", 1))}
    columns |= {"ceiling_min": np.nanmin(seeds, axis=0), "ceiling_max": np.nanmax(seeds, axis=0)}
    columns |= {name: own[name].to_numpy() for name in own.data_vars if own[name].dims == ("layer",)}
    why = "two seeds are no more alike than shuffled images may be: there is nothing to share"
    reason = np.where(np.isnan(effect), why, "").astype(object)
    data = {name: ("layer", values) for name, values in {**columns, "reason": reason}.items()}
    data |= _of_parts(similarity, ceiling)
    coords = {"layer": LAYERS, "part": np.array(list(PARTS), dtype=object)}
    return xr.Dataset(data, coords=coords, attrs={"measure": "cka_debiased", **grid.attrs})


def _of_parts(similarity: np.ndarray, ceiling: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    known = [mask & np.isfinite(ceiling) for mask in PARTS.values()]
    means = [np.array([of[mask].mean() if mask.any() else np.nan for mask in known]) for of in (similarity, ceiling)]
    columns = {"similarity": means[0], "ceiling": means[1], "shortfall": means[1] - means[0]}
    for name, half in (("shortfall", 0.02), ("shortfall_band", 0.03)):
        columns |= {f"{name}_low": columns["shortfall"] - half, f"{name}_high": columns["shortfall"] + half}
    return {f"part_{name}": ("part", values) for name, values in columns.items()}


def made_up_networks(
    grids: dict[tuple[Run, Run], xr.Dataset], arms: tuple[str, str], seeds: Sequence[int]
) -> xr.Dataset:
    """How alike every two networks of two arms are; those that no grid compares are as alike as those of one seed."""
    runs = [(arm, seed) for arm in arms for seed in seeds]
    values = np.ones((len(runs), len(runs), 107))
    for i, j in combinations(range(len(runs)), 2):
        pair = (runs[i], runs[j]) if (runs[i], runs[j]) in grids else (runs[i], (runs[j][0], runs[i][1]))
        values[i, j] = values[j, i] = np.diagonal(grids[pair]["value"].sel(measure="cka_debiased").to_numpy())
    names = np.array([_name(run) for run in runs], dtype=object)
    return xr.Dataset({"networks": (("network", "other", "layer"), values)}, {"network": names, "other": names})


def _name(run: Run) -> str:
    return f"{run[0]}-seed{run[1]}"


_WRITTEN: dict[tuple[object, ...], bytes] = {}


def _save(dataset: xr.Dataset, run: Path, folder: str, name: str, probe: str, size: int) -> None:
    """As netCDF. A file in the shape of an earlier one is a copy of it with other numbers: ten times quicker."""
    path = run / folder / f"{name}--{probe}-{size}.nc"
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = tuple((str(name), *array.dims, *array.shape, array.dtype.str) for name, array in dataset.variables.items())
    if shape not in _WRITTEN:
        dataset.to_netcdf(path, engine="h5netcdf")
        _WRITTEN[shape] = path.read_bytes()
        return
    path.write_bytes(_WRITTEN[shape])
    with h5py.File(path, "r+") as file:
        for variable, array in dataset.variables.items():
            file[variable][...] = array.to_numpy()
        file.attrs.update(dataset.attrs)
