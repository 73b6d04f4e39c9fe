"""Which detections are right? Each is given at most one target, by the `coco` or the `paper` rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.columns import Array, Boxes, Rows
from gapscope.evaluation.overlaps import Pairs, overlapping_pairs

IOU_THRESHOLDS: Array = np.linspace(0.5, 0.95, 10)
MAX_PER_CLASS = 100
"""The coco rule looks at so many detections of each image and class, the most confident ones."""
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""COCO's box sizes: areas in square pixels of the original image, both limits included."""
RIGHT, WRONG, IGNORED = 1, 0, -1


@dataclass(frozen=True)
class Matches:
    """What became of every detection, at each IoU threshold.

    The detections are sorted by class, then by falling confidence, ties by image, then as they came: the order in which
    precision and recall are counted.
    """

    num_classes: int
    thresholds: Array
    """(t,) least IoU of a right detection"""
    detections: Boxes
    """The m detections that the rule looks at, in the order above."""
    status: NDArray[np.int8]
    """(t, m) RIGHT, WRONG or IGNORED"""
    target: NDArray[np.int32]
    """(t, m) row of the target that a detection was given, -1 for none"""
    num_targets: NDArray[np.int64]
    """(images, classes) targets that count"""

    def rows_of(self, label: int) -> slice:
        """Where the detections of one class stand."""
        first, last = np.searchsorted(self.detections.label, [label, label + 1])
        return slice(int(first), int(last))


@dataclass(frozen=True)
class Candidates:
    """Detections in order, and the pairs that could be matches at the lowest threshold."""

    targets: Boxes
    detections: Boxes
    rank: Rows
    """(m,) place of a detection among those of its image and class, by falling confidence"""
    pairs: Pairs
    num_images: int
    num_classes: int


def coco_candidates(targets: Boxes, detections: Boxes, num_images: int, num_classes: int) -> Candidates:
    """What `match_coco` needs, whatever the box size."""
    detections, rank = sorted_detections(detections, num_classes)
    seen = rank < MAX_PER_CLASS
    if not seen.all():
        detections, rank = detections.take(seen), rank[seen]
    pairs = overlapping_pairs(targets, detections, float(IOU_THRESHOLDS[0]), num_classes)
    return Candidates(targets, detections, rank, pairs, num_images, num_classes)


def sorted_detections(detections: Boxes, num_classes: int) -> tuple[Boxes, Rows]:
    """Detections by class, falling confidence, image; and the rank of each within its image and class."""
    ordered = detections.take(np.lexsort((detections.image, -detections.confidence, detections.label)))
    return ordered, ranks(ordered.image * num_classes + ordered.label)


def ranks(keys: Rows) -> Rows:
    """(m,) how many rows with the same key (0 or more) stand above each row."""
    by_key = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[by_key], prepend=-1))
    rank = np.empty(len(keys), np.int64)
    # a row stands so far behind the first row of its key
    rank[by_key] = np.arange(len(keys)) - np.repeat(starts, np.diff(starts, append=len(keys)))
    return rank


def match_coco(candidates: Candidates, size: tuple[float, float] | None = None) -> Matches:
    """The COCO protocol (Lin et al. 2014), as in pycocotools.

    By falling confidence each detection takes, of the free targets of its image and class that it overlaps enough, the
    one with the highest IoU (of equals the last). Without one it may lie on an ignore region: then it is neither right
    nor wrong. Any number of detections may do so, as VOC has it of difficult objects and COCO of crowds.

    Args:
        size: Least and greatest area of the boxes that count; targets of other sizes are ignored, and so are unmatched
            detections of other sizes.
    """
    targets, detections, pairs = candidates.targets, candidates.detections, candidates.pairs
    low, high = size or (-np.inf, np.inf)
    counts = ~targets.ignore & (targets.area >= low) & (targets.area <= high)
    pairs = by_preference(pairs, counts)
    taken = first_free(pairs, candidates.rank, targets.ignore, IOU_THRESHOLDS, len(detections))
    outside = (detections.area < low) | (detections.area > high)
    status = np.tile(np.where(outside, IGNORED, WRONG).astype(np.int8), (len(IOU_THRESHOLDS), 1))
    matched = np.nonzero(taken >= 0)
    status[matched] = np.where(counts[taken[matched]], RIGHT, IGNORED)
    num_targets = count_targets(targets.take(counts), candidates.num_images, candidates.num_classes)
    return Matches(candidates.num_classes, IOU_THRESHOLDS, detections, status, taken, num_targets)


def match_paper(targets: Boxes, detections: Boxes, num_images: int, num_classes: int) -> Matches:
    """The rule of the code family that the paper used (Ultralytics YOLOv3, early 2020), at IoU 0.5.

    By falling confidence each detection looks only at the target of its image and class with the highest IoU (of equals
    the first), and is right if that IoU is strictly above 0.5 and the target not yet taken. All detections count.
    Ignore regions are unknown to this rule and left out.
    """
    scored = np.flatnonzero(~targets.ignore)
    detections, _ = sorted_detections(detections, num_classes)
    pairs = overlapping_pairs(targets.take(scored), detections, 0.5, num_classes)
    best = np.lexsort((pairs.target, -pairs.iou, pairs.detection))
    best = best[np.flatnonzero(np.diff(pairs.detection[best], prepend=-1))]  # the best pair of each detection
    best = best[pairs.iou[best] > 0.5]
    winners = best[np.unique(pairs.target[best], return_index=True)[1]]  # the first detection of each target
    taken = np.full((1, len(detections)), -1, np.int32)
    taken[0, pairs.detection[winners]] = scored[pairs.target[winners]]
    status = np.where(taken >= 0, RIGHT, WRONG).astype(np.int8)
    num_targets = count_targets(targets.take(scored), num_images, num_classes)
    return Matches(num_classes, IOU_THRESHOLDS[:1], detections, status, taken, num_targets)


def by_preference(pairs: Pairs, counts: NDArray[np.bool_]) -> Pairs:
    """Pairs by detection; of each first the targets that count, then by falling IoU, of equals the last target."""
    again = np.diff(pairs.detection) == 0
    open_choice = np.flatnonzero(np.append(again, False) | np.append(False, again))  # most detections have no choice
    few = pairs.take(open_choice)
    order = np.arange(len(pairs))
    order[open_choice] = open_choice[np.lexsort((-few.target, -few.iou, ~counts[few.target], few.detection))]
    return pairs.take(order)


def first_free(
    pairs: Pairs, rank: Rows, shared: NDArray[np.bool_], thresholds: Sequence[float] | Array, num_detections: int
) -> NDArray[np.int32]:
    """Give detections to targets greedily, at several thresholds at once -> (thresholds, detections) target or -1.

    Detections of equal rank must not want the same targets (but shared ones): they choose in one go, rank after rank.

    Args:
        pairs: Sorted by detection, and for each detection by falling preference.
        rank: (detections,) whose turn it is.
        shared: (targets,) those that any number of detections may take.
    """
    thresholds = np.asarray(thresholds)
    turns = np.argsort(rank[pairs.detection], kind="stable")
    detection, target, iou = pairs.detection[turns], pairs.target[turns], pairs.iou[turns]
    turn_ends = np.flatnonzero(np.diff(rank[detection], append=-1)) + 1
    free = np.ones((len(shared), len(thresholds)), bool)
    given = np.full((num_detections, len(thresholds)), -1, np.int32)
    column = np.arange(len(thresholds))
    for start, stop in zip(np.append(0, turn_ends), turn_ends, strict=False):
        here = slice(start, stop)
        possible = free[target[here]] & (iou[here, None] >= thresholds)
        # rows stand by preference, so the first possible one is taken; stop - start stands for none
        place = np.where(possible, np.arange(stop - start)[:, None], stop - start)
        starts = np.flatnonzero(np.diff(detection[here], prepend=-1))
        chosen = np.minimum.reduceat(place, starts, axis=0)  # (detections of this turn, thresholds)
        choosers = detection[here][starts]
        row, t = np.nonzero(chosen < stop - start)
        won = target[here][chosen[row, t]]
        given[choosers[row], column[t]] = won
        free[won, column[t]] = shared[won]
    return np.ascontiguousarray(given.T)


def count_targets(targets: Boxes, num_images: int, num_classes: int) -> NDArray[np.int64]:
    """(images, classes) how many boxes of each class lie in each image."""
    flat = np.bincount(targets.image * num_classes + targets.label, minlength=num_images * num_classes)
    return flat.reshape(num_images, num_classes)
