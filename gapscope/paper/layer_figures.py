"""A run's curves and grids -> figures in the look of all of them; never reads a run folder, never shows a window."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gapscope.findings.layer_curves import ESTIMATORS, PairCurve
from gapscope.plot import lines, maps
from gapscope.plot.grids import SHORT
from gapscope.plot.style import TWO_COLUMNS, Plot

ON_PAGE = 4.4
"""Inches across a map in the report's figures."""


def curves_figure(
    curves: Sequence[PairCurve],
    ceilings: Sequence[PairCurve] = (),
    *,
    title: str,
    estimator: str,
    width: float = TWO_COLUMNS,
) -> Plot:
    """Similarity of same-index layers, every pair one line with its 95 % interval (Figures 1 and 2).

    Below the axis runs a map of the network. The floor (what shuffled images give, 2.5 to 97.5 %, over all pairs) is
    the grey band at the bottom, the ceiling (the same arm with another seed, of the arms that trained the layer) the
    grey line and band at the top.
    """
    return lines.layer_curves(curves, ceilings, title=title, estimator=estimator, width=width)


def heatmap_figure(
    values: NDArray[np.float64],
    *,
    rows: str,
    columns: str,
    title: str,
    estimator: str,
    width: float = ON_PAGE,
    beside: PairCurve | None = None,
) -> Plot:
    """Similarity of every layer of one network (rows) with every layer of another (columns) (Figures 3-7).

    All heatmaps share the scale 0 to 1. A value below 0, which the debiased estimator can give, has the colour of 0;
    an undefined one is left white. White lines outline the blocks of the architecture. A wide figure shows the
    diagonal at the right.
    """
    one = stage_map(values, f"{rows}: layer", f"{columns}: layer", title)
    return maps.layer_map(one, maps.Scale(estimator), width=width, beside=beside)


def stage_map(values: NDArray[np.float64], rows: str, columns: str, title: str = "") -> maps.LayerMap:
    """A map of all layers of two networks, with the blocks of the architecture."""
    down, across = (list(range(count)) for count in values.shape)
    starts = maps.architecture(down), maps.architecture(across)
    return maps.LayerMap(values, rows, columns, down, across, title, *starts)


def estimator_axis(estimator: str) -> str:
    """The axis title for an estimator."""
    return SHORT.get(estimator, ESTIMATORS.get(estimator, estimator))
