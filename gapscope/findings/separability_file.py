"""How well does each layer of a network tell two domains apart? What the compare stage left, as a typed thing."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.similarity.separability import FORMAT, NAMES

Values = NDArray[np.float64]


@dataclass(frozen=True)
class SeparabilityCurve:
    """One number per layer; every array is (layers,), NaN where the layer tells no images apart."""

    value: Values
    interval_low: Values
    interval_high: Values
    """Central 95 % over other images (or groups) of the same kind; NaN where a set has fewer than 4."""
    floor_mean: Values
    floor_low: Values
    floor_high: Values
    """Mean and central 95 % with the labels shuffled, whole groups where images have groups."""
    p: Values
    """How often shuffled labels do as well at this layer."""
    p_all: Values
    """How often they do as well at any layer."""


@dataclass(frozen=True)
class SeparabilityFile:
    """One network and two domains."""

    layers: NDArray[np.int64]
    cka: SeparabilityCurve
    """Debiased CKA with the labels."""
    mmd: SeparabilityCurve
    """Squared distance between the means of the two, unbiased, in parts of the variance of all images."""
    accuracy: SeparabilityCurve
    """Share of images whose nearest other image is of their domain."""
    domains: tuple[str, str]
    """In the order of their names."""
    images: tuple[int, int]
    groups: tuple[int, int]
    """How many each has; as many as images where each stands alone."""
    grouped: bool
    """Whether whole groups were shuffled, and neighbours are of other groups."""
    not_grouped: str
    """Why not, where images have groups all the same; else empty."""
    shuffles: int


def parse_separability(found: xr.Dataset) -> SeparabilityFile:
    """What `separability` gave, from the file that the compare stage wrote.

    Raises:
        ValueError: If it is something else.
        KeyError: If something is missing.
    """
    about = found.attrs
    if about.get("format") != FORMAT:
        raise ValueError(f"its format is {about.get('format')!r}, not {FORMAT!r}")
    if found["layer"].dtype.kind not in "iu":
        raise ValueError("its layers have no numbers")
    return SeparabilityFile(
        layers=found["layer"].to_numpy(),
        **{name: _curve(found, name) for name in NAMES},
        domains=(str(about["set_a"]), str(about["set_b"])),
        images=(int(about["n_a"]), int(about["n_b"])),
        groups=(int(about["groups_a"]), int(about["groups_b"])),
        grouped=bool(about["grouped"]),
        not_grouped=str(about.get("not_grouped", "")),
        shuffles=int(about["shuffles"]),
    )


def _curve(found: xr.Dataset, name: str) -> SeparabilityCurve:
    def array(suffix: str) -> Values:
        values = found[name + suffix]
        if values.dims != ("layer",):
            raise ValueError(f"{name + suffix} is not of one number for each layer")
        return np.asarray(values.to_numpy(), dtype=np.float64)

    parts = ("interval_low", "interval_high", "floor_mean", "floor_low", "floor_high", "p", "p_all")
    return SeparabilityCurve(value=array(""), **{part: array(f"_{part}") for part in parts})
