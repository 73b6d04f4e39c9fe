"""What kind of mistakes keep AP below 1, and how much would mending each kind give?

Source:
    Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors", arXiv:2008.08115.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.average_precision import weighted_ap
from gapscope.evaluation.columns import Array, Boxes, Rows
from gapscope.evaluation.matching import IGNORED, RIGHT, WRONG, Matches, count_targets
from gapscope.evaluation.overlaps import Pairs, overlapping_pairs

FOREGROUND_IOU, BACKGROUND_IOU = 0.5, 0.1
KINDS = {
    "localization": "the right class, but the box fits badly (IoU 0.1 to 0.5)",
    "classification": "the box fits a target of another class",
    "duplicate": "the target has a more confident detection already",
    "background": "no target is there (IoU under 0.1)",
    "both": "the box fits badly, and to a target of another class",
    "missed": "a target that no detection, right or nearly right, points to",
}
"""Wrong detections are of the first kind that fits, in the order of the first five, except that `background` and
`both` exclude each other; `missed` are targets."""
SPECIAL = {"false_positive": "all wrong detections", "false_negative": "all targets that are not found"}


@dataclass(frozen=True)
class ErrorKind:
    """How often a kind of error occurs, and what mending all of its kind would add to mAP@0.5."""

    count: int
    delta_map50: float | None
    """None where mAP is not defined."""


@dataclass(frozen=True)
class BoxErrors:
    """What is wrong box by box, at IoU 0.5."""

    row: Rows
    """(w,) wrong detections: rows in the matches"""
    kind: NDArray[np.str_]
    """(w,) of these: a key of `KINDS`, never `missed`"""
    points_to: Rows
    """(w,) the target that a detection would have been right about; -1 for kinds other than localization and
    classification"""
    found: NDArray[np.bool_]
    """(targets,) those that a detection is right about"""
    missed: NDArray[np.bool_]
    """(targets,)"""


def error_kinds(targets: Boxes, matches: Matches) -> dict[str, ErrorKind]:
    """Sort the errors at IoU 0.5 by kind, and mend one kind at a time.

    Mended, a badly placed or misnamed detection is right, if its target is still free and it is the most confident of
    its kind that points to it; otherwise, and for the other kinds, it is taken away. Missed targets are no longer
    asked for. Ignore regions and what lies on them take no part.

    Args:
        targets: All targets, as they were matched.
        matches: By the coco rule, of all box sizes.
    """
    scored, errors = ~targets.ignore, errors_by_box(targets, matches)
    before = _map50(matches, matches.num_targets)
    results = {}
    for kind in KINDS:
        if kind == "missed":
            left = _asked_for(targets, scored & ~errors.missed, matches)
            after, count = _map50(matches, left), int(errors.missed.sum())
        else:
            mine = errors.kind == kind
            after, count = _map50(_mended(targets, matches, errors, mine), matches.num_targets), int(mine.sum())
        results[kind] = ErrorKind(count, _difference(after, before))
    clean = replace(matches, status=np.where(matches.status == WRONG, IGNORED, matches.status).astype(np.int8))
    after = _map50(clean, matches.num_targets)
    results["false_positive"] = ErrorKind(len(errors.row), _difference(after, before))
    after = _map50(matches, _asked_for(targets, errors.found & scored, matches))
    results["false_negative"] = ErrorKind(int((scored & ~errors.found).sum()), _difference(after, before))
    return results


def errors_by_box(targets: Boxes, matches: Matches) -> BoxErrors:
    """Which detections are wrong and in what way, and which targets are missed.

    Args:
        targets: All targets, as they were matched.
        matches: By the coco rule, of all box sizes.
    """
    rows = np.flatnonzero(matches.status[0] == WRONG)
    wrong = matches.detections.take(rows)
    scored = np.flatnonzero(~targets.ignore)
    pairs = overlapping_pairs(targets.take(scored), wrong, BACKGROUND_IOU, None)
    pairs = Pairs(pairs.detection, scored[pairs.target], pairs.iou)
    own = wrong.label[pairs.detection] == targets.label[pairs.target]
    own_iou, own_target = _best(pairs.take(own), len(wrong))
    other_iou, other_target = _best(pairs.take(~own), len(wrong))
    near = (own_iou >= BACKGROUND_IOU) & (own_iou < FOREGROUND_IOU)
    fits = {
        "localization": near,
        "classification": other_iou >= FOREGROUND_IOU,
        "duplicate": own_iou >= FOREGROUND_IOU,
        "both": other_iou >= BACKGROUND_IOU,
    }
    kind = np.select(list(fits.values()), list(fits), "background")
    points_to = np.select([kind == "localization", kind == "classification"], [own_target, other_target], -1)
    found, pointed = np.zeros(len(targets), bool), np.zeros(len(targets), bool)
    found[matches.target[0][matches.status[0] == RIGHT]] = True
    pointed[points_to[points_to >= 0]] = True
    return BoxErrors(rows, kind, points_to, found, ~targets.ignore & ~found & ~pointed)


def _best(pairs: Pairs, num_detections: int) -> tuple[Array, Rows]:
    """The highest IoU of each detection (0 without a pair) and the target it has it with (-1), of equals the first."""
    order = np.lexsort((pairs.target, -pairs.iou, pairs.detection))
    order = order[np.flatnonzero(np.diff(pairs.detection[order], prepend=-1))]
    iou, target = np.zeros(num_detections), np.full(num_detections, -1)
    iou[pairs.detection[order]], target[pairs.detection[order]] = pairs.iou[order], pairs.target[order]
    return iou, target


def _mended(targets: Boxes, matches: Matches, errors: BoxErrors, mine: NDArray[np.bool_]) -> Matches:
    """The matches as if all errors of one kind were mended."""
    rows, points_to = errors.row[mine], errors.points_to[mine]
    status = matches.status[:1].copy()
    status[0, rows] = IGNORED
    candidates = np.flatnonzero((points_to >= 0) & ~np.append(errors.found, True)[points_to])
    by_confidence = candidates[np.argsort(-matches.detections.confidence[rows[candidates]], kind="stable")]
    winners = by_confidence[np.unique(points_to[by_confidence], return_index=True)[1]]
    status[0, rows[winners]] = RIGHT
    label = matches.detections.label.copy()
    label[rows[winners]] = targets.label[points_to[winners]]
    detections = replace(matches.detections, label=label)
    order = np.lexsort((detections.image, -detections.confidence, label))
    return replace(matches, detections=detections.take(order), status=status[:, order])


def _asked_for(targets: Boxes, kept: NDArray[np.bool_], matches: Matches) -> NDArray[np.int64]:
    """(images, classes) counts of these targets."""
    return count_targets(targets.take(kept), len(matches.num_targets), matches.num_classes)


def _map50(matches: Matches, num_targets: NDArray[np.int64]) -> dict[int, float]:
    """AP@0.5 of every class that has any of these targets."""
    one = replace(matches, status=matches.status[:1], thresholds=matches.thresholds[:1], num_targets=num_targets)
    once = np.ones((1, len(num_targets)))
    asked = np.flatnonzero(num_targets.sum(0)).tolist()
    return {label: float(weighted_ap("coco", one, label, once)[0, 0]) for label in asked}


def _difference(after: dict[int, float], before: dict[int, float]) -> float | None:
    """Of mAP over the classes that had targets; one of which nothing is asked any more still has what it had, 0."""
    if not before:
        return None
    return float(np.mean([after.get(label, 0.0) - ap for label, ap in before.items()]))
