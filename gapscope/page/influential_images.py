"""On which probe images do two networks agree most and least? Their numbers, and small pictures of them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.findings.results import Results
from gapscope.page.thumbnails import small_image, webp
from gapscope.run_folder import RunName

SHOWN = 4
"""Images of each kind, most and least agreeing."""
MOST_THUMBNAILS, SIDE, QUALITY = 96, 160, 60
"""About 4 kB each; `SIDE` is the longer side in pixels."""

Ranked = list[tuple[str, float]]
"""Images and their influence: the `SHOWN` largest, then the `SHOWN` smallest, the most extreme of each first."""


def influence_data(results: Results) -> dict[str, Any]:
    """Influence of images at the first size, ready for JSON.

    Returns:
        `pairs`, one per probe, pair of arms and seed: `layers`, for each layer [image, influence, image, ...] or None
        where the measure is undefined, and `mean` over the layers that are defined; `images` (`path`, `picture`), to
        which they refer by place. Only images that come up most have a `picture`, the others None; `here` says whether
        any image is on this machine.

    Raises:
        InputError: If an image that is here cannot be read.
    """
    found = [item for probe in range(len(results.probes)) for item in _pairs(results, probe)]
    shown = Counter((item["probe"], name) for item in found for ranked in item["layers"] for name, _ in ranked or ())
    in_means = Counter((item["probe"], name) for item in found for name, _ in item["mean"])
    images = sorted(shown | in_means, key=lambda image: (-in_means[image], -shown[image], image))
    place = {image: index for index, image in enumerate(images)}
    folders = [_image_folder(results, domain) for domain in results.probes]
    paths = [folders[probe] / name for probe, name in images[:MOST_THUMBNAILS]]
    pictures = [webp(small_image(path, SIDE), SIDE, QUALITY) if path.is_file() else None for path in paths]
    pictures += [None] * (len(images) - len(paths))

    def flat(probe: int, ranked: Ranked) -> list[float]:
        return [number for name, value in ranked for number in (place[probe, name], float(f"{value:.3g}"))]

    for item in found:
        item["layers"] = [None if ranked is None else flat(item["probe"], ranked) for ranked in item["layers"]]
        item["mean"] = flat(item["probe"], item["mean"])
    return {
        "pairs": found,
        "images": [{"path": name, "picture": one} for (_, name), one in zip(images, pictures, strict=True)],
        "here": any(pictures),
    }


def _pairs(results: Results, probe: int) -> Iterator[dict[str, Any]]:
    seen = results.seen_at(results.probes[probe])
    for pair, arms in enumerate(results.pairs):
        for seed in results.seeds:
            a, b = (RunName(arm, seed) for arm in arms)
            grid = seen.grids.get((a, b, results.sizes[0]))
            if grid is not None and "influence" in grid:
                yield {"probe": probe, "pair": pair, "seed": seed, **_ranked(grid)}


def _ranked(grid: xr.Dataset) -> dict[str, Any]:
    names, influence = [str(name) for name in grid["image"].values], np.asarray(grid["influence"].values)
    defined = np.isfinite(influence).all(axis=1)
    layers = [extremes(names, row) if known else None for row, known in zip(influence, defined, strict=True)]
    return {"layers": layers, "mean": extremes(names, influence[defined].mean(axis=0)) if defined.any() else []}


def extremes(names: list[str], influence: NDArray[np.float64], count: int = SHOWN) -> Ranked:
    """The images that make two networks look most alike, and those that make them look least alike; none is both."""
    order = np.argsort(-influence, kind="stable")
    count = min(count, len(order) // 2)
    chosen = [*order[:count], *order[::-1][:count]]
    return [(names[i], float(influence[i])) for i in chosen]


def _image_folder(results: Results, domain: str) -> Path:
    return results.folder / "data" / domain / results.summaries.get(domain, {}).get("root", ".")
