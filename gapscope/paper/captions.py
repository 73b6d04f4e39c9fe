"""What does a figure show? Captions that name images, size, seeds, estimator, floor, ceiling and intervals."""

import re
from collections.abc import Sequence

import numpy as np
import xarray as xr

from gapscope.arms import trained_layers
from gapscope.findings.layer_curves import BIASED, DEBIASED, ranges
from gapscope.findings.results import Results

ESTIMATOR_WORDS = {
    DEBIASED: "debiased linear CKA, about 0 for unrelated layers of any width",
    BIASED: "biased linear CKA as in the paper, well above 0 for unrelated wide layers",
}
_MAP_WORDS = (
    "Black line: from backbone (0-74) to head (75-106); grey lines: detection layers 82, 94, 106; dotted: the routes "
    "86 and 98."
)
MOST_WORDS = 60
"""Of a caption in a paper."""
INTERVAL_WORDS = "95 % intervals over images drawn anew"


def map_words(results: Results) -> str:
    """What marks the layers of YOLOv3; nothing where there are other networks, whose layers have no marks."""
    return _MAP_WORDS if results.is_yolov3 else ""


def in_short(caption: str) -> tuple[str, str]:
    """A caption as a paper prints it, of `MOST_WORDS` at most, and what else is to be said: cut between sentences.

    >>> in_short("Layers of two networks. " + "A sentence of five words. " * 20)[0].count("sentence")
    11
    """
    sentences = re.split(r"(?<=\.) (?=[A-Z(])", " ".join(caption.split()))
    kept = 1
    while kept < len(sentences) and len(" ".join(sentences[: kept + 1]).split()) <= MOST_WORDS:
        kept += 1
    return " ".join(sentences[:kept]), " ".join(sentences[kept:])


def images_words(results: Results, grid: xr.Dataset, size: int) -> str:
    """Which images, how many, how large."""
    probe = results.domain_title(results.probe)
    return f"the same {int(grid.attrs['n'])} test images of {probe} at {size} x {size} pixels"


def seed_words(seeds: Sequence[int]) -> str:
    """`seed 0`, `seeds 0 and 1`."""
    *most, last = map(str, seeds)
    return f"seeds {', '.join(most)} and {last}" if most else f"seed {last}"


def draws_words(grid: xr.Dataset) -> str:
    """How often images were drawn anew, where the grid says it."""
    draws = int(grid.attrs.get("bootstraps") or 0)
    return f" ({draws} draws)" if draws else ""


def floor_words(grid: xr.Dataset) -> str:
    """What the floor is."""
    orders = int(grid.attrs.get("permutations") or 0)
    return "central 95 % of the values with the images of one network shuffled" + (
        f" ({orders} orders)" if orders else ""
    )


def ceiling_words(results: Results, arms: Sequence[str]) -> str:
    """What the ceiling is, which arms have one, and at which layers it is left out."""
    if len(results.seeds) < 2:
        return "There is no ceiling, since there is one seed."
    frozen = []
    for arm in arms:
        trained = trained_layers(results.experiment, arm)
        if not trained.all():
            frozen.append(f"layers {ranges(np.flatnonzero(~trained))} of {results.arm_title(arm)}")
    start = f"Ceiling (light grey): the same arm with another seed ({seed_words(results.seeds)}), line: mean over arms"
    without = f"; without {', '.join(frozen)}, which did not train with the seed" if frozen else ""
    return f"{start}, band: their range{without}."


def curves_caption(results: Results, seeds: Sequence[int], grid: xr.Dataset, size: int, estimator: str) -> str:
    """Of Figures 1 and 2, and of the same with one panel per pair."""
    return (
        f"Similarity of same-index layers of networks trained with {seed_words(seeds)}, over "
        f"{images_words(results, grid, size)}: {ESTIMATOR_WORDS[estimator]}. Bands around the lines: {INTERVAL_WORDS}"
        f"{draws_words(grid)}. Floor (dark grey): {floor_words(grid)}. {ceiling_words(results, results.recorded_arms)} "
        f"{map_words(results)}"
    )


def heatmap_caption(results: Results, rows: str, columns: str, grid: xr.Dataset, size: int, estimator: str) -> str:
    """Of one of Figures 3-7."""
    of = f"{rows} (y-axis) and {columns} (x-axis)" if rows != columns else f"{rows} with each other"
    below = " Values below 0 have the colour of 0." if estimator == DEBIASED else ""
    return (
        f"Similarity of the layers of {of}, over {images_words(results, grid, size)}: {ESTIMATOR_WORDS[estimator]}."
        f"{below} White lines: blocks of the architecture."
    )


def diagonal_words(grid: xr.Dataset) -> str:
    """What stands beside a wide map."""
    return f" Right: the diagonal with {INTERVAL_WORDS}{draws_words(grid)}; grey: floor, {floor_words(grid)}."
