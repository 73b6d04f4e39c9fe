"""On which probe images do two networks agree most and least? Their numbers, and small pictures of them."""

from collections import Counter
from typing import Any

from gapscope.findings.image_influence import RankedImages
from gapscope.findings.pictures_here import pictures_here
from gapscope.findings.run_numbers import RunNumbers
from gapscope.page.pairs_shown import shown_pairs
from gapscope.page.thumbnails import small_image, webp

MOST_THUMBNAILS, SIDE, QUALITY = 36, 160, 60
"""About 4 kB each; `SIDE` is the longer side in pixels."""


def influence_data(numbers: RunNumbers) -> dict[str, Any]:
    """Influence of images at the main size, ready for JSON.

    Returns:
        `pairs`, one per probe, pair of arms and seed: `layers`, for each layer [image, influence, image, ...] or None
        where the measure is undefined, and `mean` over the layers that are defined; `images` (`path`, `picture`), to
        which they refer by place. Only images that come up most have a `picture`, the others None; `here` says whether
        any image is on this machine.

    Raises:
        InputError: If an image that is here cannot be read.
    """
    results = numbers.results
    found = [
        (probe, pair, a.seed, numbers.by_probe[domain].influences[a, b])
        for probe, domain in enumerate(results.probes)
        for pair, arms in enumerate(shown_pairs(results))
        for a, b in results.run_pairs(*arms)
        if (a, b) in numbers.by_probe[domain].influences
    ]
    shown = Counter((probe, name) for probe, *_, one in found for ranked in one.layers for name, _ in ranked or ())
    in_means = Counter((probe, name) for probe, *_, one in found for name, _ in one.mean)
    images = sorted(shown | in_means, key=lambda image: (-in_means[image], -shown[image], image))
    place = {image: index for index, image in enumerate(images)}
    finds = [pictures_here(results, domain) for domain in results.probes]
    paths = [finds[probe](name) for probe, name in images[:MOST_THUMBNAILS]]
    pictures = [None if path is None else webp(small_image(path, SIDE), SIDE, QUALITY) for path in paths]
    pictures += [None] * (len(images) - len(paths))

    def flat(probe: int, ranked: RankedImages) -> list[float]:
        return [number for name, value in ranked for number in (place[probe, name], float(f"{value:.3g}"))]

    pairs = [
        {
            "probe": probe,
            "pair": pair,
            "seed": seed,
            "layers": [None if ranked is None else flat(probe, ranked) for ranked in one.layers],
            "mean": flat(probe, one.mean),
        }
        for probe, pair, seed, one in found
    ]
    return {
        "pairs": pairs,
        "images": [{"path": name, "picture": one} for (_, name), one in zip(images, pictures, strict=True)],
        "here": any(pictures),
    }
