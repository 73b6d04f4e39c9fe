"""Figures of recordings, grids, summaries and detections, of any network, for notebooks and papers.

Each function returns a matplotlib figure. A notebook shows it by itself; `figure.savefig("name.pdf")` writes it with
its fonts embedded. `width` is in inches: `ONE_COLUMN` and `TWO_COLUMNS` are those of a paper.

Open first: comparisons.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.plot.comparisons import curve as curve, difference as difference, effect as effect, heatmap as heatmap
    from gapscope.plot.detected import detections as detections
    from gapscope.plot.grafts import graft as graft
    from gapscope.plot.networks import blocks as blocks, influence as influence, statistics as statistics
    from gapscope.plot.remedies import budgets as budgets, remedies as remedies, shares as shares
    from gapscope.plot.separabilities import separability as separability
    from gapscope.plot.stitches import stitch as stitch
    from gapscope.plot.style import ONE_COLUMN as ONE_COLUMN, TWO_COLUMNS as TWO_COLUMNS, Plot as Plot
    from gapscope.plot.three_curves import three_curves as three_curves

__all__ = open_room(
    __name__,
    {
        "style": "ONE_COLUMN, TWO_COLUMNS, Plot",
        "comparisons": "curve, heatmap, difference, effect",
        "networks": "statistics, influence, blocks",
        "grafts": "graft",
        "three_curves": "three_curves",
        "remedies": "remedies, budgets, shares",
        "detected": "detections",
        "stitches": "stitch",
        "separabilities": "separability",
    },
)
