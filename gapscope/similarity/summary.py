"""How alike are two networks on the whole, in the backbone and in the head?"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from gapscope.detector.layers import BACKBONE_LAST
from gapscope.similarity.compare import find_measure


@dataclass(frozen=True)
class DiagonalMeans:
    """Means of one measure over layers compared with their counterparts; NaN where no layer is defined."""

    all: float
    backbone: float
    """Layers 0-74."""
    head: float
    """Layers 75-106."""
    undefined: tuple[int, ...]
    """Layers left out because a network's layer tells no images apart."""


def diagonal_means(grid: xr.Dataset, measure: str = "cka_debiased") -> DiagonalMeans:
    """Table 5 of the paper for one pair of networks: plain means over layers, every layer counting the same.

    Args:
        grid: What `compare` returned for two networks with the same layers.
        measure: One of the grid's measures.

    Raises:
        InputError: If the measure is unknown.
    """
    find_measure(measure)
    layers = grid["layer"].to_numpy()
    values = np.diagonal(grid["value"].sel(measure=measure).to_numpy())
    return DiagonalMeans(
        all=_mean(values),
        backbone=_mean(values[layers <= BACKBONE_LAST]),
        head=_mean(values[layers > BACKBONE_LAST]),
        undefined=tuple(layers[np.isnan(values)].tolist()),
    )


def _mean(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
