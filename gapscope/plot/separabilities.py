"""How well each layer tells two sets apart, along the layers, between what shuffled labels give and 1."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.errors import InputError
from gapscope.plot.comparisons import Datasets
from gapscope.plot.grids import check_same, labelled
from gapscope.plot.lines import layer_curves
from gapscope.plot.style import TWO_COLUMNS, Plot
from gapscope.similarity.separability import TITLES


@dataclass(frozen=True)
class _Curve:
    label: str
    layers: NDArray[Any]
    value: NDArray[np.float64]
    interval_low: NDArray[np.float64]
    interval_high: NDArray[np.float64]
    floor_low: NDArray[np.float64]
    floor_high: NDArray[np.float64]


def separability(
    found: Datasets,
    name: Literal["cka", "mmd", "accuracy"] = "accuracy",
    *,
    title: str = "",
    width: float = TWO_COLUMNS,
) -> Plot:
    """How well each layer tells two sets apart, a line per network, with interval and floor (shuffled labels).

    Args:
        found: What `gapscope.separability` returned: one, a list, or a dictionary from label to result.
        name: Which of its numbers.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If something else is given, or the networks have different layers.
    """
    if name not in TITLES:
        raise InputError(f"separability has no {name!r}. Choose from {', '.join(TITLES)}.")
    pairs = labelled(found, "results of gapscope.separability")
    for _, one in pairs:
        if not isinstance(one, xr.Dataset) or f"{name}_floor_low" not in one:
            raise InputError(f"a {type(one).__name__} is no separability. Give what gapscope.separability returned.")
    check_same([one["layer"].to_numpy() for _, one in pairs], "networks")
    curves = [_curve(one, name, label) for label, one in pairs]
    return layer_curves(
        curves, title=title, estimator=TITLES[name], width=width, bounded=name != "mmd", floor="floor: shuffled labels"
    )


def _curve(found: xr.Dataset, name: str, label: str | None) -> _Curve:
    parts = ("interval_low", "interval_high", "floor_low", "floor_high")
    columns = {part: np.asarray(found[f"{name}_{part}"].to_numpy(), dtype=np.float64) for part in parts}
    value = np.asarray(found[name].to_numpy(), dtype=np.float64)
    return _Curve(label or str(found.attrs.get("network", "network")), found["layer"].to_numpy(), value, **columns)
