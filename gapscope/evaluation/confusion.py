"""Which class is taken for which, which targets are missed, and what is seen where nothing is?"""

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.columns import Boxes, Rows
from gapscope.evaluation.matching import IGNORED, WRONG, coco_candidates, first_free, match_coco, ranks
from gapscope.evaluation.overlaps import Pairs, overlapping_pairs

CONFUSION_IOU = 0.5


def confusion_matrix(
    targets: Boxes, detections: Boxes, num_images: int, num_classes: int, confidence: float
) -> NDArray[np.int64]:
    """Count pairs of (true class, detected class) -> (classes + 1, classes + 1); the last row and column: background.

    Detections from `confidence` on first take targets of their own class, as the coco rule has it at IoU 0.5. Those
    left over then take, by falling confidence, the free target of any class with the highest IoU from 0.5 on. What
    still has no target was seen on background; a target without a detection was taken for background. Detections on
    ignore regions are not counted.
    """
    sure = detections.take(detections.confidence >= confidence)
    matches = match_coco(coco_candidates(targets, sure, num_images, num_classes))
    found, status, taken = matches.detections, matches.status[0], matches.target[0].astype(np.int64)
    free = ~targets.ignore
    free[taken[taken >= 0]] = False
    left, rest = np.flatnonzero(status == WRONG), np.flatnonzero(free)
    second = _of_any_class(targets.take(rest), found.take(left))
    taken[left] = np.append(rest, -1)[second]
    counts = status != IGNORED
    background = num_classes
    true = np.where(taken[counts] >= 0, np.append(targets.label, background)[taken[counts]], background)
    missed = ~targets.ignore
    missed[taken[taken >= 0]] = False
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    np.add.at(matrix, (true, found.label[counts]), 1)
    np.add.at(matrix[:, background], targets.label[missed], 1)
    return matrix


def _of_any_class(targets: Boxes, detections: Boxes) -> Rows:
    """The target (m,) that each detection takes, -1 for none; in an image the most confident one chooses first."""
    order = np.argsort(-detections.confidence, kind="stable")
    ordered = detections.take(order)
    pairs = overlapping_pairs(targets, ordered, CONFUSION_IOU, None)
    best = np.lexsort((pairs.target, -pairs.iou, pairs.detection))
    pairs = Pairs(pairs.detection[best], pairs.target[best], pairs.iou[best])
    taken = np.empty(len(order), np.int64)
    taken[order] = first_free(pairs, ranks(ordered.image), targets.ignore, [CONFUSION_IOU], len(order))[0]
    return taken
