"""Average precision under two named rules: how well do detections match the targets?

`coco`: the COCO protocol, equal to pycocotools: greedy matching, 101 recall points, ignore regions, at most 100
detections of each image and class.
`paper`: the rule of the code family that the paper used, in 2019 and 2020: see `paper_average_precision`.

Everything is counted with a weight for each image, 1 at first, so that images can be drawn anew without new matching.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gapscope.evaluation.columns import Array, Boxes
from gapscope.evaluation.matching import (
    IGNORED,
    MAX_PER_CLASS,
    RIGHT,
    SIZES,
    Matches,
    coco_candidates,
    match_coco,
    match_paper,
    ranks,
)
from gapscope.showing import text_table

RECALLS: Array = np.linspace(0, 1, 101)
"""Where both rules read the precision."""
RULES = ("coco", "paper")
AT_75 = 5
"""Which of the thresholds of `coco` is 0.75."""
RECALL_LIMITS = (1, 10, MAX_PER_CLASS)
"""With how many detections of an image and class COCO asks for recall."""
MOST_SHOWN = 20
"""Classes that are printed."""


@dataclass(frozen=True)
class AveragePrecision:
    """AP per class, 0 to 1; None for a class without targets, whose AP is not defined."""

    rule: str
    ap50: dict[str, float | None]
    ap50_95: dict[str, float | None]
    by_size: dict[str, "AveragePrecision"] = field(default_factory=dict)
    """`small`, `medium`, `large`: the AP of targets of that size; empty where the rule does not define it."""
    ap75: dict[str, float | None] = field(default_factory=dict)
    """Empty where the rule does not define it, as `recall` is."""
    recall: dict[int, dict[str, float | None]] = field(default_factory=dict)
    """Most detections of an image and class (1, 10, 100) -> the share of targets that they find, by class: the mean
    over IoU 0.5 to 0.95, COCO's AR."""

    def __repr__(self) -> str:
        means = [("mean", self.mean50(), self.mean50_95())]
        known = [(name, ap, self.ap50_95[name]) for name, ap in self.ap50.items() if ap is not None]
        rows = [(name, *map(_shown, values)) for name, *values in (*means, *known[:MOST_SHOWN])]
        more = f", {len(known) - MOST_SHOWN} more classes not shown" if len(known) > MOST_SHOWN else ""
        return text_table(f"AP by the rule {self.rule}{more}", [("", "@0.5", "@0.5:0.95"), *rows])

    def mean50(self, classes: Sequence[str] | None = None) -> float | None:
        """mAP@0.5 over the classes that have targets; None if none has."""
        return _mean([self.ap50[name] for name in (self.ap50 if classes is None else classes)])

    def mean75(self) -> float | None:
        """mAP@0.75, likewise."""
        return _mean(list(self.ap75.values()))

    def mean_recall(self, most: int = MAX_PER_CLASS) -> float | None:
        """COCO's AR: the mean recall over classes that have targets, with so many detections of an image and class."""
        return _mean(list(self.recall.get(most, {}).values()))

    def mean50_95(self, classes: Sequence[str] | None = None) -> float | None:
        """mAP@0.5:0.95 over the classes that have targets; None if none has, or the rule does not define it."""
        return _mean([self.ap50_95[name] for name in (self.ap50_95 if classes is None else classes)])


def coco_average_precision(
    targets: Boxes, detections: Boxes, num_images: int, classes: Sequence[str], *, sizes: bool = False
) -> AveragePrecision:
    """AP by the COCO protocol (Lin et al. 2014), equal to pycocotools.

    A detection on an ignore region is neither right nor wrong: by IoU on a single object, by the share of the detection
    that lies on it on a crowd.

    Args:
        sizes: Also by box size; COCO's limits, in square pixels of the original image (`Boxes.area`).
    """
    candidates = coco_candidates(targets, detections, num_images, len(classes))
    whole = average_precision("coco", match_coco(candidates), classes)
    if not sizes:
        return whole
    parts = {name: average_precision("coco", match_coco(candidates, limits), classes) for name, limits in SIZES.items()}
    return replace(whole, by_size=parts)


def paper_average_precision(
    targets: Boxes, detections: Boxes, num_images: int, classes: Sequence[str]
) -> AveragePrecision:
    """AP@0.5 by the rule of the code family that the paper used (Ultralytics YOLOv3, early 2020).

    Matching is `match_paper`. The precision envelope is read at 101 recalls by linear interpolation, ends with the
    point (last recall + 0.001 but at most 1, 0), and is integrated by the trapezoid rule: so it stands at 0 at recall
    1, and a class that is found without a mistake is worth 0.995. The end point was there from October 2019 to November
    2020. The rule knows neither other IoU thresholds nor box sizes.
    """
    return average_precision("paper", match_paper(targets, detections, num_images, len(classes)), classes)


def average_precision(rule: str, matches: Matches, classes: Sequence[str]) -> AveragePrecision:
    """AP of every class from what became of the detections."""
    once = np.ones((1, len(matches.num_targets)))
    ap50, ap50_95, ap75 = {}, {}, {}
    for label, name in enumerate(classes):
        ap = weighted_ap(rule, matches, label, once)[:, 0]
        ap50[name] = None if np.isnan(ap[0]) else float(ap[0])
        ap50_95[name] = None if np.isnan(ap[0]) or rule == "paper" else float(ap.mean())
        if rule == "coco":
            ap75[name] = None if np.isnan(ap[0]) else float(ap[AT_75])
    if rule == "paper":
        return AveragePrecision(rule, ap50, ap50_95)
    return AveragePrecision(rule, ap50, ap50_95, ap75=ap75, recall=average_recall(matches, classes))


def average_recall(matches: Matches, classes: Sequence[str]) -> dict[int, dict[str, float | None]]:
    """The share of a class's targets that is found, as a mean over the thresholds, for `RECALL_LIMITS`; None without
    targets.

    Matching goes by falling confidence, so the first k detections of an image and class match as if there were no more.
    """
    detections = matches.detections
    rank = ranks(detections.image * matches.num_classes + detections.label)
    right = matches.status == RIGHT
    targets = matches.num_targets.sum(0)
    found: dict[int, dict[str, float | None]] = {}
    for most in RECALL_LIMITS:
        counts = (right & (rank < most)).sum(0)  # over thresholds: (m,)
        hits = np.bincount(detections.label, weights=counts, minlength=matches.num_classes)
        shares = hits / (len(matches.thresholds) * np.maximum(targets, 1))
        found[most] = {name: float(shares[i]) if targets[i] else None for i, name in enumerate(classes)}
    return found


def weighted_ap(rule: str, matches: Matches, label: int, weights: Array) -> Array:
    """AP (thresholds, draws) of one class, every image counted as often as a row of `weights` (draws, images) says.

    Equal to the AP of a set that holds the images so many times, as long as no image has two detections of a class with
    the same confidence. NaN where a draw has no target.
    """
    counts = counted(matches, label, weights)
    return np.stack([curve_area(rule, precision_at_recalls(rule, one)) for one in counts])


@dataclass(frozen=True)
class Counts:
    """What has been found where the k-th right detection stands, for each draw of images.

    Precision only rises at right detections, so both rules need nothing between them.
    """

    right: Array
    """(draws, k) right detections up to here"""
    precision: Array
    """(draws, k) their share of the detections up to here; ignored ones left out"""
    precision_at_end: Array
    """(draws,) that of all detections"""
    targets: Array
    """(draws,)"""
    confidence: Array
    """(k,) of the right detections"""


def counted(matches: Matches, label: int, weights: Array) -> Iterator[Counts]:
    """The counts of one class at each threshold."""
    rows = matches.rows_of(label)
    image, confidence = matches.detections.image[rows], matches.detections.confidence[rows]
    status = matches.status[:, rows]
    targets = weights @ matches.num_targets[:, label]
    ever_right = np.flatnonzero((status == RIGHT).any(0))
    seen_there = _running_sums(image, ever_right, weights)
    seen_at_end = weights @ np.bincount(image, minlength=weights.shape[1])
    for one in status:
        right, ignored = np.flatnonzero(one == RIGHT), np.flatnonzero(one == IGNORED)
        seen = seen_there[:, np.searchsorted(ever_right, right)]
        at_end = seen_at_end
        if len(ignored):
            seen -= _running_sums(image[ignored], np.searchsorted(ignored, right) - 1, weights)
            at_end = seen_at_end - weights @ np.bincount(image[ignored], minlength=weights.shape[1])
        found = np.cumsum(weights[:, image[right]], axis=1)
        found_at_end = weights @ np.bincount(image[right], minlength=weights.shape[1])
        # Where nothing has been seen yet, nothing is right. In place, since these are the large arrays of a bootstrap.
        precision = np.divide(found, np.maximum(seen, 1, out=seen), out=seen)
        yield Counts(found, precision, found_at_end / np.maximum(at_end, 1), targets, confidence[right])


def precision_at_recalls(rule: str, counts: Counts) -> Array:
    """The precision envelope (draws, 101) at RECALLS: the highest precision at this recall or a higher one.

    `coco` takes recalls that are reached, `paper` those that are passed; beyond the last it falls to 0 within 0.001,
    and at recall 1 it is 0. NaN where a draw has no target.
    """
    read = np.where(counts.targets[:, None] > 0, 0.0, np.full(len(RECALLS), np.nan))
    for draw, place in enumerate(_places_of_recalls(rule, counts)):
        place = place[place < counts.right.shape[1]]  # a recall that is never reached keeps precision 0
        if len(place) and counts.targets[draw] > 0:
            # the highest precision between each recall and the next, then from the right at it or beyond
            peaks = np.maximum.reduceat(counts.precision[draw], place)
            read[draw, : len(place)] = np.maximum.accumulate(peaks[::-1])[::-1]
    if rule == "paper":
        read[:, -1] *= 0  # the end point lies at recall 1 at the latest; NaN stays NaN
    if rule == "paper" and counts.right.shape[1]:
        last = counts.right[:, -1:] / np.maximum(counts.targets, 1)[:, None]
        beyond = RECALLS - last
        falling = (beyond >= 0) & (beyond < 1e-3) & (last > 0) & (RECALLS < 1)
        read = np.where(falling, (1 - beyond / 1e-3) * counts.precision_at_end[:, None], read)
    return read


def _places_of_recalls(rule: str, counts: Counts) -> Iterator[NDArray[np.int64]]:
    """For each draw where (101,) its right detections reach RECALLS, or for `paper` pass them; k where they do not.

    As pycocotools compares quotients with recalls, so do we, but only those next to each recall.
    """
    targets = np.maximum(counts.targets, 1)[:, None]
    needed = np.floor(RECALLS * targets)
    for _ in range(2):  # the product may be rounded down, below a whole number
        needed += needed / targets < RECALLS if rule == "coco" else needed / targets <= RECALLS
    return (np.searchsorted(right, wanted) for right, wanted in zip(counts.right, needed, strict=True))


def curve_area(rule: str, precision: Array) -> Array:
    """AP (...) from precisions (..., 101): their mean (`coco`) or the trapezoid rule (`paper`)."""
    return np.asarray(precision.mean(-1) if rule == "coco" else np.trapezoid(precision, RECALLS, axis=-1))


def _running_sums(image: NDArray[np.int64], ends: NDArray[np.int64], weights: Array) -> Array:
    """(draws, k) sums of the weights of detections 0..end for each of the rising `ends`; an end of -1 is no detection.

    Args:
        image: (m,) image of each detection.
        weights: (draws, images)
    """
    if not len(ends):
        return np.zeros((len(weights), 0))
    stops = np.append(0, ends + 1)
    # How many detections each image has between two ends; an entry that is named several times counts so often.
    between = csr_array((np.ones(stops[-1]), image[: stops[-1]], stops), shape=(len(ends), weights.shape[1]))
    return np.cumsum(np.ascontiguousarray((between @ weights.T).T), axis=1)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
