"""How alike are two arms at each layer, against what chance gives (floor) and what a seed changes (ceiling)?"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.arms import trained_layers
from gapscope.detector.layers import BACKBONE_LAST
from gapscope.findings.results import Results
from gapscope.run_folder import RunName

DEBIASED, BIASED = "cka_debiased", "cka_biased"
ESTIMATORS = {DEBIASED: "debiased CKA", BIASED: "biased CKA (the paper's)"}

Values = NDArray[np.float64]


ALWAYS, BAND = ("value", "interval_low", "interval_high", "floor_low", "floor_high"), ("band_low", "band_high")
"""Arrays of a curve; bands are not in grids of before."""


@dataclass(frozen=True)
class PairCurve:
    """Similarity of same-index layers of two networks; every array is (layers,), NaN where undefined."""

    label: str
    layers: NDArray[np.int64]
    value: Values
    interval_low: Values
    interval_high: Values
    """95 % bootstrap interval over the probe images."""
    floor_low: Values
    floor_high: Values
    """2.5 and 97.5 % of the similarity when the images of one network are shuffled."""
    band_low: Values | None = None
    band_high: Values | None = None
    """A band that holds 95 % of the draws of images at all layers together; None in grids of before."""
    backbone_last: int = field(default=BACKBONE_LAST, kw_only=True)
    """The last layer of the network's backbone."""

    def where(self, kept: NDArray[np.bool_]) -> "PairCurve":
        """The same curve, undefined at all other layers."""
        arrays = {name: getattr(self, name) for name in (*ALWAYS, *BAND)}
        masked: dict[str, Any] = {
            name: None if array is None else np.where(kept, array, np.nan) for name, array in arrays.items()
        }
        return replace(self, **masked)

    def mean(self, part: str) -> float:
        """Mean over the defined layers of `all`, `backbone` or `head`; NaN if there is none."""
        chosen = self.value[part_mask(self.layers, part, self.backbone_last) & np.isfinite(self.value)]
        return float(chosen.mean()) if len(chosen) else float("nan")


PARTS = ("all", "backbone", "head")


def part_mask(layers: NDArray[np.int64], part: str, backbone_last: int = BACKBONE_LAST) -> NDArray[np.bool_]:
    """Which layers belong to a part of the network, whose backbone ends with this layer."""
    backbone = layers <= backbone_last
    return {"all": np.ones_like(backbone), "backbone": backbone, "head": ~backbone}[part]


def pair_curve(results: Results, a: RunName, b: RunName, size: int, estimator: str = DEBIASED) -> PairCurve | None:
    """The diagonal of a grid, or None where the grid is missing or the networks have other layers."""
    grid = results.grids.get((a, b, size))
    if grid is None or "interval_low" not in grid or estimator not in grid.measure:
        return None
    label, last = results.pair_title(a.arm, b.arm), results.layer_map(a.arm).backbone_last
    return replace(_curve(label, grid.sel(measure=estimator)), backbone_last=last)


def _curve(label: str, grid: xr.Dataset) -> PairCurve:
    def array(name: str) -> Values:
        return np.asarray(grid[name].values, dtype=np.float64)

    banded: dict[str, Any] = {name: array(name) for name in BAND} if "band_low" in grid else {}
    return PairCurve(
        label=label,
        layers=np.asarray(grid["layer_a"].values, dtype=np.int64),
        value=np.diagonal(array("value")).copy(),
        interval_low=array("interval_low"),
        interval_high=array("interval_high"),
        floor_low=array("floor_low"),
        floor_high=array("floor_high"),
        **banded,
    )


def ceiling_curve(results: Results, arm: str, size: int, estimator: str = DEBIASED) -> PairCurve | None:
    """The same arm with another seed, averaged over the seed pairs that were compared; None with one seed.

    NaN at layers that the arm did not train (`trained_layers`): two seeds have them from one file, alike by
    construction, or untrained.
    """
    found = [
        pair_curve(results, a, b, size, estimator)
        for a, b, of_size in results.grids
        if of_size == size and a.arm == b.arm == arm and a.seed != b.seed
    ]
    curves = [curve for curve in found if curve is not None]
    if not curves:
        return None
    trained = trained_layers(results.experiment, arm)[curves[0].layers]
    return _mean_curve(f"{results.arm_title(arm)}, two seeds", curves).where(trained)


def untrained_by_all(results: Results, arms: Sequence[str]) -> NDArray[np.int64]:
    """Layers that none of these arms trained: they have no ceiling, and of arms with one start they are the same."""
    trained = np.any([trained_layers(results.experiment, arm) for arm in arms], axis=0)
    return np.flatnonzero(~trained)


def least(curves: Sequence[PairCurve], name: str) -> Values:
    """The smallest of the curves' values (or of another of their arrays) per layer; NaN only where all are."""
    return np.fmin.reduce([getattr(curve, name) for curve in curves])


def largest(curves: Sequence[PairCurve], name: str) -> Values:
    """The largest, likewise."""
    return np.fmax.reduce([getattr(curve, name) for curve in curves])


def average(curves: Sequence[PairCurve], name: str = "value") -> Values:
    """The mean, likewise."""
    arrays = np.array([getattr(curve, name) for curve in curves])
    known = np.isfinite(arrays)
    sums, counts = np.where(known, arrays, 0).sum(0), known.sum(0)
    return np.divide(sums, counts, out=np.full(arrays.shape[1], np.nan), where=counts > 0)


def _mean_curve(label: str, curves: Sequence[PairCurve]) -> PairCurve:
    def mean(name: str) -> Values:
        return np.mean([getattr(curve, name) for curve in curves], axis=0)

    banded = all(curve.band_low is not None for curve in curves)
    columns: dict[str, Any] = {name: mean(name) for name in (*ALWAYS, *(BAND if banded else ()))}
    return PairCurve(label, curves[0].layers, backbone_last=curves[0].backbone_last, **columns)


def layers_at_floor(curves: Sequence[PairCurve]) -> NDArray[np.int64]:
    """Layers where some curve's interval reaches down to what shuffled images give: nothing shared can be claimed."""
    if not curves:
        return np.array([], dtype=np.int64)
    touching = np.any([curve.interval_low <= curve.floor_high for curve in curves], axis=0)
    return curves[0].layers[touching]


def ranges(layers: Sequence[int] | NDArray[np.int64]) -> str:
    """Consecutive indices in words.

    >>> ranges([0, 1, 2, 62, 63, 82])
    '0-2, 62-63, 82'
    """
    pieces: list[list[int]] = []
    for layer in map(int, layers):
        if pieces and layer == pieces[-1][-1] + 1:
            pieces[-1].append(layer)
        else:
            pieces.append([layer])
    return ", ".join(f"{piece[0]}-{piece[-1]}" if len(piece) > 1 else f"{piece[0]}" for piece in pieces)
