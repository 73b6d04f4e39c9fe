"""Which detections are right, and what kind of mistake are the others? Box by box, as the evaluation counts them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.evaluation.columns import Array, Boxes, Rows
from gapscope.evaluation.error_kinds import KINDS, errors_by_box
from gapscope.evaluation.matching import IGNORED, RIGHT, Matches, coco_candidates, match_coco

VERDICTS = ("right", *(kind for kind in KINDS if kind != "missed"), "ignored")
"""What a detection can be; `ignored` lies on an ignore region and does not count."""


@dataclass(frozen=True)
class Judged:
    """One network's detections in a domain's test images, each with its verdict at IoU 0.5 by the coco rule.

    Matching goes by falling confidence, so a verdict does not depend on less confident detections: it is the same at
    whatever confidence one begins to look.
    """

    detections: Boxes
    verdict: NDArray[np.str_]
    """(m,) of `VERDICTS`"""
    target: Rows
    """(m,) the target that a detection was given, or would have been right about; -1 for none"""
    noticed: Array
    """(targets,) the highest confidence of a detection that is right about the target, or nearly right (its box fits
    badly, or its class is wrong); 0 if none is. A target is missed where one looks at higher confidences only."""

    def missed(self, targets: Boxes, confidence: float) -> NDArray[np.bool_]:
        """(targets,) those that count and that no detection of at least this confidence points to."""
        below = self.noticed < confidence if confidence > 0 else self.noticed == 0
        return ~targets.ignore & below


def judge(targets: Boxes, detections: Boxes, num_images: int, num_classes: int) -> Judged:
    """Match detections with targets, as the evaluation does, and name each one's mistake."""
    matches = match_coco(coco_candidates(targets, detections, num_images, num_classes))
    verdict, target = _verdicts(targets, matches)
    points = target >= 0
    noticed = np.zeros(len(targets))
    np.maximum.at(noticed, target[points], matches.detections.confidence[points])
    return Judged(matches.detections, verdict, target, noticed)


def _verdicts(targets: Boxes, matches: Matches) -> tuple[NDArray[np.str_], Rows]:
    errors, status = errors_by_box(targets, matches), matches.status[0]
    verdict = np.full(len(status), "ignored", dtype=f"<U{max(map(len, VERDICTS))}")
    verdict[status == RIGHT], verdict[errors.row] = "right", errors.kind
    target = matches.target[0].astype(np.int64)
    target[status == IGNORED], target[errors.row] = -1, errors.points_to
    return verdict, target


def f1_per_image(targets: Boxes, judged: Judged, num_images: int, confidence: float) -> Array:
    """(images,) F1 of the detections of at least this confidence: 1 where all is found and nothing else, and where
    there is nothing to find and nothing found."""
    sure = judged.detections.confidence >= confidence
    right, counted = sure & (judged.verdict == "right"), sure & (judged.verdict != "ignored")
    image = judged.detections.image
    hits, found, asked = (
        np.bincount(rows, minlength=num_images)
        for rows in (image[right], image[counted], targets.image[~targets.ignore])
    )
    return np.where(found + asked, 2 * hits / np.maximum(found + asked, 1), 1.0)
