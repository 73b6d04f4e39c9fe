"""Precision-recall curves, confusion, calibration: by hand, and against independent counts."""

import numpy as np
import pytest
from detections import CLASSES, odd_case, pycocotools_precision, random_case

from gapscope.evaluation.average_precision import coco_average_precision, paper_average_precision
from gapscope.evaluation.calibration import calibration
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.confusion import confusion_matrix
from gapscope.evaluation.matching import RIGHT, Matches, coco_candidates, match_coco, match_paper
from gapscope.evaluation.precision_recall import precision_recall_curve

BACKGROUND = len(CLASSES)
HERE, THERE, FAR = [0, 0, 10, 10], [20, 20, 40, 40], [70, 70, 90, 90]


def matched(targets: Boxes, detections: Boxes, num_images: int = 1) -> Matches:
    return match_coco(coco_candidates(targets, detections, num_images, len(CLASSES)))


def boxes(*rows: tuple, ignore: list[bool] | None = None) -> Boxes:
    """Rows (label, xyxy, confidence) of image 0."""
    labels, corners, confidences = zip(*rows, strict=True) if rows else ((), (), ())
    return Boxes.of([0] * len(rows), labels, corners, confidences, ignore)


@pytest.mark.parametrize("seed", range(5))
def test_a_curve_is_that_of_pycocotools_and_its_mean_the_ap(seed):
    case = random_case(seed, ties=False)
    reference = pycocotools_precision(*case)[0, :, :, 0]
    ap = coco_average_precision(*case, CLASSES)
    for label, name in enumerate(CLASSES):
        curve = precision_recall_curve("coco", matched(*case), label)
        assert curve.precision == pytest.approx(reference[:, label], abs=1e-9)
        assert curve.precision.mean() == pytest.approx(ap.ap50[name], abs=1e-12)
        assert (np.diff(curve.precision) <= 0).all()
        assert (np.diff(curve.confidence[~np.isnan(curve.confidence)]) <= 0).all()
        assert (np.isnan(curve.confidence) == (curve.precision == 0)).all()


def test_the_papers_curve_encloses_its_ap():
    case = random_case(0, ties=False)
    ap = paper_average_precision(*case, CLASSES)
    for label, name in enumerate(CLASSES):
        curve = precision_recall_curve("paper", match_paper(*case, len(CLASSES)), label)
        assert np.trapezoid(curve.precision, curve.recall) == pytest.approx(ap.ap50[name], abs=1e-12)


def test_a_curve_by_hand():
    # Right, wrong, right of three targets: recall 1/3, 1/3, 2/3; precision 1, 1/2, 2/3.
    targets = boxes((0, HERE, 1), (0, THERE, 1), (0, FAR, 1))
    found = boxes((0, HERE, 0.9), (0, [50, 0, 60, 10], 0.8), (0, THERE, 0.7))
    curve = precision_recall_curve("coco", matched(targets, found), 0)
    assert curve.precision[[0, 33, 34, 66, 67, 100]] == pytest.approx([1, 1, 2 / 3, 2 / 3, 0, 0])
    assert curve.confidence[[0, 33, 34, 66]] == pytest.approx([0.9, 0.9, 0.7, 0.7]) and np.isnan(curve.confidence[67])
    assert (curve.best.confidence, curve.best.f1) == (0.7, pytest.approx(2 / 3))


def test_the_best_point_is_the_best_of_all_confidences():
    targets, detections, num_images = random_case(4, ties=False)
    best = precision_recall_curve("coco", matched(targets, detections, num_images), 0).best
    scored = (targets.label == 0) & ~targets.ignore
    f1 = []
    for confidence in detections.confidence[detections.label == 0]:
        some = matched(targets, detections.take(detections.confidence >= confidence), num_images)
        status = some.status[0][some.rows_of(0)]
        f1.append(2 * (status == RIGHT).sum() / ((status >= 0).sum() + scored.sum()))
    assert best.f1 == pytest.approx(max(f1))


def test_a_class_without_targets_has_no_curve_and_one_that_is_never_found_a_flat_one():
    matches = matched(boxes((0, HERE, 1)), boxes((1, FAR, 0.9)))
    assert precision_recall_curve("coco", matches, 1) is None
    missed = precision_recall_curve("coco", matches, 0)
    assert (missed.precision == 0).all() and missed.best is None


def test_confusion_by_hand():
    targets = boxes((0, HERE, 1), (1, THERE, 1), (2, FAR, 1))
    found = boxes((0, HERE, 0.9), (2, THERE, 0.8), (1, [50, 0, 60, 10], 0.7))
    matrix = confusion_matrix(targets, found, 1, len(CLASSES), 0.25)
    expected = np.zeros((4, 4), int)
    expected[0, 0] = expected[1, 2] = expected[2, BACKGROUND] = expected[BACKGROUND, 1] = 1
    assert (matrix == expected).all()


def test_detections_of_the_right_class_choose_before_more_confident_ones_of_another():
    targets = boxes((0, HERE, 1))
    found = boxes((1, HERE, 0.9), (0, [0, 0, 10, 9], 0.5))
    matrix = confusion_matrix(targets, found, 1, len(CLASSES), 0.25)
    assert matrix[0, 0] == matrix[BACKGROUND, 1] == matrix.sum() / 2 == 1


def test_unsure_detections_are_not_confused_with_anything():
    targets, found = boxes((0, HERE, 1)), boxes((1, HERE, 0.2), (0, FAR, 0.1))
    assert confusion_matrix(targets, found, 1, len(CLASSES), 0.25)[0, BACKGROUND] == 1
    assert confusion_matrix(targets, found, 1, len(CLASSES), 0.2)[0, 1] == 1


def test_detections_on_ignore_regions_are_not_confused_with_anything():
    targets = boxes((-1, HERE, 1), (1, FAR, 1), ignore=[True, True])
    found = boxes((0, [1, 1, 9, 9], 0.9), (1, FAR, 0.9), (0, FAR, 0.9))
    matrix = confusion_matrix(targets, found, 1, len(CLASSES), 0.25)
    assert matrix[BACKGROUND, 0] == matrix.sum() == 1  # the last one: that region is one of class 1 alone


@pytest.mark.parametrize("seed", range(30))
def test_confusion_counts_every_target_and_every_sure_detection_once(seed):
    for targets, detections, num_images in (random_case(seed, ties=True), odd_case(seed)):
        matrix = confusion_matrix(targets, detections, num_images, len(CLASSES), 0.5)
        scored = targets.label[~targets.ignore]
        assert (matrix[:-1].sum(1) == np.bincount(scored, minlength=len(CLASSES))).all()
        sure = detections.take(detections.confidence >= 0.5)
        status = matched(targets, sure, num_images)
        assert (
            matrix.diagonal()[:-1] == [(status.status[0][status.rows_of(c)] == RIGHT).sum() for c in range(3)]
        ).all()
        assert matrix[:, :-1].sum() == (status.status[0] >= 0).sum()
        assert matrix[BACKGROUND, BACKGROUND] == 0


def test_no_boxes_at_all_make_an_empty_matrix():
    assert confusion_matrix(boxes(), boxes(), 1, len(CLASSES), 0.25).sum() == 0


def test_calibration_by_hand():
    targets = boxes((0, HERE, 1), (0, THERE, 1))
    found = boxes((0, HERE, 0.92), (0, FAR, 0.98), (0, THERE, 0.55), (0, [50, 0, 60, 10], 0.05))
    found_by_bin = calibration(matched(targets, found))
    assert found_by_bin.count.tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert found_by_bin.precision[[0, 5, 9]] == pytest.approx([0, 1, 0.5])
    assert found_by_bin.confidence[[0, 5, 9]] == pytest.approx([0.05, 0.55, 0.95])
    assert found_by_bin.error == pytest.approx((0.05 + 0.45 + 2 * 0.45) / 4)
    assert calibration(matched(targets, found), 0.5).error == pytest.approx((0.45 + 2 * 0.45) / 3)


def test_a_confidence_of_one_belongs_to_the_last_bin():
    assert calibration(matched(boxes((0, HERE, 1)), boxes((0, HERE, 1.0)))).count[-1] == 1


def test_detections_that_are_right_as_often_as_they_say_have_no_calibration_error():
    rng = np.random.default_rng(0)
    n = 20000
    confidence = rng.random(n)
    right = rng.random(n) < confidence
    xyxy = np.where(right[:, None], HERE, FAR)
    found = calibration(
        match_coco(
            coco_candidates(
                Boxes.of(range(n), [0] * n, [HERE] * n), Boxes.of(range(n), [0] * n, xyxy, confidence), n, 1
            )
        )
    )
    assert found.error < 0.01
    assert found.precision == pytest.approx(found.confidence, abs=0.04)


def test_ignored_detections_have_no_part_in_calibration():
    targets = boxes((-1, HERE, 1), ignore=[True])
    assert calibration(matched(targets, boxes((0, HERE, 0.9)))).error is None
