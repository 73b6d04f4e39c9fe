"""On which probe images do two networks agree most and least, layer by layer and on average?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

SHOWN = 4
"""Images of each kind, most and least agreeing."""

RankedImages = list[tuple[str, float]]
"""Images and their influence: the `SHOWN` largest, then the `SHOWN` smallest, the most extreme of each first."""


@dataclass(frozen=True)
class PairInfluence:
    """The images that matter most to one pair of networks."""

    layers: Sequence[RankedImages | None]
    """Per layer; None where the measure is undefined."""
    mean: RankedImages
    """Over the layers that are defined; empty if none is."""


def pair_influence(grid: xr.Dataset) -> PairInfluence:
    """Of a grid that holds each image's influence."""
    names, influence = [str(name) for name in grid["image"].values], np.asarray(grid["influence"].values)
    defined = np.isfinite(influence).all(axis=1)
    layers = [extremes(names, row) if known else None for row, known in zip(influence, defined, strict=True)]
    return PairInfluence(layers, extremes(names, influence[defined].mean(axis=0)) if defined.any() else [])


def extremes(names: Sequence[str], influence: NDArray[np.float64], count: int = SHOWN) -> RankedImages:
    """The images that make two networks look most alike, and those that make them look least alike; none is both."""
    order = np.argsort(-influence, kind="stable")
    count = min(count, len(order) // 2)
    chosen = [*order[:count], *order[::-1][:count]]
    return [(names[i], float(influence[i])) for i in chosen]
