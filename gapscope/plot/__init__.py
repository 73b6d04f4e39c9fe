"""Figures of recordings, grids, summaries and detections, of any network, for notebooks and papers.

Each function returns a matplotlib figure. A notebook shows it by itself; `figure.savefig("name.pdf")` writes it with
its fonts embedded. `width` is in inches: `ONE_COLUMN` and `TWO_COLUMNS` are those of a paper.

Open first: comparisons.py
"""

from gapscope.plot.comparisons import curve, difference, effect, heatmap
from gapscope.plot.networks import blocks, influence, statistics
from gapscope.plot.pictures import detections
from gapscope.plot.style import ONE_COLUMN, TWO_COLUMNS, Plot

__all__ = [
    "ONE_COLUMN",
    "TWO_COLUMNS",
    "Plot",
    "blocks",
    "curve",
    "detections",
    "difference",
    "effect",
    "heatmap",
    "influence",
    "statistics",
]
