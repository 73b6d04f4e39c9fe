"""Do datasets of layers hold what is read of them: variables over the right dimensions, layers that networks have?"""

from collections.abc import Collection, Mapping
from itertools import product

import numpy as np
import xarray as xr

Parts = Mapping[str, tuple[str, ...]]
"""Variable -> its dimensions."""


def _named(names: str, dims: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(names.split(), dims)


LAYER, MEASURE, PART = ("layer",), ("measure",), ("part",)
FLOOR = "floor_low floor_high floor_mean floor_p floor_q floor_z interval_low interval_high"
SHORTFALL = ("shortfall", *(f"shortfall_{end}" for end in ("low", "high")))
STATISTICS: Parts = _named("layer p mean median std min max", LAYER)
GRID: Parts = {
    **{name: (name,) for name in ("measure", "layer_a", "layer_b", "layer", "image")},
    **{"value": ("measure", "layer_a", "layer_b"), "influence": ("layer", "image")},
    **{f"reason_{side}": ("measure", f"layer_{side}") for side in "ab"},
    **{f"block_{side}": (f"layer_{side}",) for side in "ab"},
    **_named(f"{FLOOR} floor_p_all band_low band_high", ("measure", "layer")),
    **{f"{of}_{name}": MEASURE for of, name in product(("max", "mean"), ("p", "score", "threshold", "value"))},
}
EFFECT: Parts = {
    **_named(f"layer {FLOOR} floor_p_all similarity ceiling ceiling_low ceiling_high ceiling_min ceiling_max", LAYER),
    **_named("effect effect_low effect_high reason shortfall_band_low shortfall_band_high", LAYER),
    **_named(" ".join(SHORTFALL), LAYER),
    **{"network": ("network",), "other": ("other",), "networks": ("network", "other", "layer")},
    **_named("part part_similarity part_ceiling part_shortfall_band_low part_shortfall_band_high", PART),
    **_named(" ".join(f"part_{name}" for name in SHORTFALL), PART),
}
TOGETHER: tuple[frozenset[str], ...] = (
    frozenset({"layer", *FLOOR.split()}),
    frozenset({"image", "influence"}),
    *(frozenset({f"{name}_a", f"{name}_b"}) for name in ("block", "reason")),
    *(frozenset({f"{name}_low", f"{name}_high"}) for name in ("band", "shortfall_band")),
    frozenset(name for name in GRID if GRID[name] == MEASURE and name != "measure"),
    frozenset({"network", "other", "networks"}),
    frozenset({"part", "part_similarity", "part_ceiling", *(f"part_{name}" for name in SHORTFALL)}),
    frozenset({"part_shortfall_band_low", "part_shortfall_band_high"}),
)
"""What is written at once: none of it is there, as in files of older versions, or all."""
TEXTS = ("measure", "image", "reason", "reason_a", "reason_b", "network", "other", "part")
COUNTS = ("n", "size", "groups", "duplicates", "permutations", "bootstraps", "untrained", "known_groups")
"""Attributes."""


def check_statistics(found: xr.Dataset, layers: int) -> None:
    """Refuse what is no statistics of the outputs of so many layers.

    Raises:
        KeyError, ValueError: Something is missing, or is something else.
    """
    _check(found, STATISTICS, STATISTICS)
    _check_layers(found, {"layer": layers})


def check_grid(found: xr.Dataset, layers_a: int, layers_b: int) -> None:
    """Likewise of all layers of one network against all of another."""
    _check(found, GRID, ("measure", "layer_a", "layer_b", "value"))
    _check_layers(found, {"layer_a": layers_a, "layer_b": layers_b, "layer": max(layers_a, layers_b)})
    if "layer" in found.variables:
        for side in ("layer_a", "layer_b"):
            if not np.array_equal(found["layer"].values, found[side].values):
                raise ValueError(f"layer and {side} are other layers")


def check_effect(found: xr.Dataset, layers: int) -> None:
    """Likewise of each layer of two networks between floor and ceiling."""
    needed = {name for name in EFFECT if EFFECT[name] == LAYER} - {
        *("floor_p_all", "shortfall_band_low", "shortfall_band_high")
    }
    _check(found, EFFECT, needed)
    _check_layers(found, {"layer": layers})


def _check(found: xr.Dataset, parts: Parts, needed: Collection[str]) -> None:
    for name in needed:
        if name not in found.variables:
            raise KeyError(name)
    for together in TOGETHER:
        there = {name for name in together & set(parts) if name in found.variables and name != "layer"}
        missing = (together & set(parts)) - set(found.variables)
        if there and missing:
            raise KeyError(min(missing))
    for name, dims in parts.items():
        if name not in found.variables:
            continue
        values = found[name]
        if values.dims != dims:
            raise ValueError(f"{name} goes over {', '.join(map(str, values.dims)) or 'nothing'}, not {', '.join(dims)}")
        wanted, what = ("OU", "texts") if name in TEXTS else ("iuf", "numbers")
        if values.dtype.kind not in wanted:
            raise ValueError(f"{name} holds {values.dtype}, not {what}")
    for name in COUNTS:
        int(found.attrs.get(name, 0))


def _check_layers(found: xr.Dataset, known: Mapping[str, int]) -> None:
    for name, count in known.items():
        if name in found.variables:
            values = found[name].values
            if values.dtype.kind not in "iu" or len(np.unique(values)) < len(values):
                raise ValueError(f"{name} holds no numbers of layers, each once")
            if len(values) and not 0 <= values.min() <= values.max() < count:
                raise ValueError(f"{name} holds layer {values.max()} of a network of {count}")
