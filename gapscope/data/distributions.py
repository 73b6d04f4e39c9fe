"""How are classes, box sizes, places and looks spread over a domain? Counts in bins that all domains share."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gapscope.data.appearance import LOOKS, looks
from gapscope.data.table import AnnotationTable
from gapscope.progress import Progress, silent

QUANTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
SIDE_EDGES = 2.0 ** np.arange(0, 12.5, 0.5)
"""Bins of box sides in pixels, two per octave."""
SHARE_EDGES = 2.0 ** np.arange(-9, 0.5, 0.5)
"""Bins of box sides as a share of the image's."""
COUNT_EDGES = np.append(np.arange(0, 41), np.inf)
"""Bins of boxes per image; the last one is 40 and more."""
LOOK_EDGES = np.linspace(0, 1, 26)
PLACES = (9, 16)
"""Rows and columns of the map that says where boxes lie."""
_MOST_SIZES = 10


def distributions(
    table: AnnotationTable, *, sample: int = 200, seed: int = 0, progress: Progress = silent
) -> dict[str, Any]:
    """A domain's spread, ready for JSON; ignore regions are only counted.

    Args:
        table: The images and boxes.
        sample: How many images are decoded for their looks, drawn by `seed`; 0 leaves the looks out.
        seed: Of the draw.
        progress: Told how many images are looked at.

    Returns:
        images, boxes, ignored, no_area: counts. classes: boxes per class. image_sizes: images per "width x height", the
        ten most frequent ones.
        box_side (pixels) and box_share (of the image's side): of the side of a square of the box's area;
        boxes_per_image; aspect (width / height): quantiles, and for all but the last a histogram. places: share of the
        box centres in each cell of a 9 x 16 map of the image. looks_images: images behind the histograms of
        brightness, contrast and saturation.

    Raises:
        InputError: A drawn image cannot be decoded.
    """
    scored = table.keep_boxes(~table.ignore)
    sides = np.sqrt(scored.areas.astype(np.float64))
    frame = np.sqrt(table.widths.astype(np.float64) * table.heights)[scored.box_image]
    per_image = np.bincount(scored.box_image, minlength=len(table))
    sizes = Counter(f"{w} x {h}" for w, h in zip(table.widths.tolist(), table.heights.tolist(), strict=True))
    others = sum(count for _, count in sizes.most_common()[_MOST_SIZES:])
    x1, y1, x2, y2 = scored.xyxy.astype(np.float64).T
    found: dict[str, Any] = {
        "images": len(table),
        "boxes": scored.num_boxes,
        "ignored": int(table.ignore.sum()),
        "no_area": table.no_area,
        "classes": table.counts(),
        "image_sizes": dict(sizes.most_common(_MOST_SIZES)) | ({"others": others} if others else {}),
        "box_side": _spread(sides, SIDE_EDGES),
        "box_share": _spread(sides / frame, SHARE_EDGES),
        "boxes_per_image": _spread(per_image, COUNT_EDGES),
        "aspect": {"quantiles": quantiles((x2 - x1) / (y2 - y1))},
        "places": _places(scored),
    }
    seen = looks(table, sample, seed, progress) if sample else {}
    found["looks_images"] = min(sample, len(table))
    return found | {name: _spread(values, LOOK_EDGES) for name, values in seen.items()}


def quantiles(values: NDArray) -> dict[str, float]:
    """Seven quantiles by name; none of nothing."""
    if not len(values):
        return {}
    found = np.quantile(np.asarray(values, dtype=np.float64), list(QUANTILES.values()))
    return dict(zip(QUANTILES, map(float, found), strict=True))


def _spread(values: NDArray, edges: NDArray[np.float64]) -> dict[str, Any]:
    """Quantiles and counts per bin; what lies outside all bins counts in the outermost."""
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], 0) if np.isfinite(edges[-1]) else None)
    counts = np.histogram(inside, edges)[0]
    return {"quantiles": quantiles(values), "counts": counts.tolist()}


def _places(scored: AnnotationTable) -> list[list[float]]:
    x1, y1, x2, y2 = scored.xyxy.T
    across = (x1 + x2) / 2 / scored.widths[scored.box_image]
    down = (y1 + y2) / 2 / scored.heights[scored.box_image]
    counts = np.histogram2d(down, across, bins=PLACES, range=((0, 1), (0, 1)))[0]
    return (counts / max(1, len(across))).tolist()


EDGES = {
    "box_side": SIDE_EDGES,
    "box_share": SHARE_EDGES,
    "boxes_per_image": COUNT_EDGES,
    **dict.fromkeys(LOOKS, LOOK_EDGES),
}
"""What the counts of a domain's histograms are counted in."""


def long_form(domains: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """All numbers of several domains, one per row: domain, quantity, part (a class, quantile, bin or cell), value."""
    rows = [
        (domain, quantity, part, value)
        for domain, found in domains.items()
        for quantity, numbers in found.items()
        for part, value in _parts(quantity, numbers)
    ]
    return pd.DataFrame(rows, columns=["domain", "quantity", "part", "value"])


def _parts(quantity: str, numbers: Any) -> list[tuple[str, float]]:
    if isinstance(numbers, int | float):
        return [("", numbers)]
    if quantity == "places":
        return [(f"row {i} column {j}", v) for i, row in enumerate(numbers) for j, v in enumerate(row)]
    if "quantiles" not in numbers:
        return list(numbers.items())
    edges = EDGES.get(quantity, ())
    names = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    return [*numbers["quantiles"].items(), *zip(names, numbers.get("counts", ()), strict=True)]
