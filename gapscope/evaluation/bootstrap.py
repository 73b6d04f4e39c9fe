"""How sure is a mAP? The same score over images drawn anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from gapscope.evaluation.average_precision import weighted_ap
from gapscope.evaluation.columns import Array
from gapscope.evaluation.matching import RIGHT, Matches

LEVEL = 0.95
"""Of the intervals: the chance that one holds the score of very many images. With few images it is less, see
`interval`."""
BLOCK = 1 << 19
"""Numbers in the largest arrays: 4 MB each, which is quickest."""


@dataclass(frozen=True)
class Draws:
    """AP of every class in every draw of images; NaN where a draw has no target of the class.

    Draw i takes the same images in every `Draws` of the same number of images and seed, so two networks scored on the
    same images can be subtracted draw by draw.
    """

    ap50: Array
    """(classes, draws)"""
    ap50_95: Array
    """(classes, draws); NaN where the rule does not define it"""

    def mean50(self, labels: Sequence[int]) -> Array:
        """(draws,) mAP@0.5 over the classes that have targets in the draw; NaN where none has."""
        return _mean_of_defined(self.ap50[list(labels)])

    def mean50_95(self, labels: Sequence[int]) -> Array:
        """(draws,) mAP@0.5:0.95, likewise."""
        return _mean_of_defined(self.ap50_95[list(labels)])


def image_weights(num_images: int, draws: int, seed: int) -> Array:
    """How often each image is drawn (draws, images): n of n images, with replacement."""
    each = np.full(num_images, 1 / num_images)
    return np.random.default_rng(seed).multinomial(num_images, each, size=draws).astype(np.float64)


def bootstrap(rule: str, matches: Matches, draws: int, seed: int = 0) -> Draws:
    """AP over images drawn anew, `draws` times (Efron 1979). Matching is not repeated: it does not cross images."""
    weights = image_weights(len(matches.num_targets), draws, seed)
    ap50, ap50_95 = np.full((2, matches.num_classes, draws), np.nan)
    for label in range(matches.num_classes):
        for part in _blocks(matches, label, draws):
            ap = weighted_ap(rule, matches, label, weights[part])
            ap50[label, part] = ap[0]
            if len(matches.thresholds) > 1:
                ap50_95[label, part] = ap.mean(0)
    return Draws(ap50, ap50_95)


def interval(values: Array, score: float | None) -> tuple[float, float] | None:
    """The bias-corrected 95 % interval of a score, from its draws (draws,) in which it is defined; None without any.

    AP of few images leans upwards, since its envelope takes the best of chance, and that of images drawn anew, of which
    fewer differ, once more. So the percentiles are moved: if a share q of the draws lies below the score, they are

        Phi(2 Phi^-1(q) -+ 1.96)

    which is 2.5 % and 97.5 % where half of the draws lie below. The first leaning stays: for a made-up detector with
    mAP@0.5 near 0.5 and 5 classes, intervals from 20, 50, 100 and 300 images held its score on all of many images in
    74, 88, 84 and 92 % of the cases; plain percentiles in 56, 62, 70 and 72 %.

    Source:
        Efron 1981, "Nonparametric standard errors and confidence intervals", Canadian Journal of Statistics 9.
    """
    defined = values[~np.isnan(values)]
    if score is None or not len(defined):
        return None
    least = 0.5 / len(defined)
    below = np.clip((defined < score).mean() + (defined == score).mean() / 2, least, 1 - least)
    levels = ndtr(2 * ndtri(below) + ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    low, high = np.quantile(defined, levels)
    return float(low), float(high)


def _blocks(matches: Matches, label: int, draws: int) -> Iterator[slice]:
    """Draws that are counted together, so that memory does not grow with their number."""
    rows = max(1, int((matches.status[:, matches.rows_of(label)] == RIGHT).any(0).sum()), len(matches.num_targets))
    step = max(1, BLOCK // rows)
    return (slice(start, min(start + step, draws)) for start in range(0, draws, step))


def _mean_of_defined(ap: Array) -> Array:
    defined = ~np.isnan(ap)
    count = defined.sum(0)
    total = np.where(defined, ap, 0.0).sum(0)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
