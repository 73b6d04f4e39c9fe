"""AP by both rules, against pycocotools, by hand, and where it is not defined."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gapscope.evaluation.average_precision import (
    Boxes,
    coco_average_precision,
    interpolated_area,
    paper_average_precision,
)

CLASSES = ["person", "cycle", "car"]


def random_case(seed: int, *, ties: bool) -> tuple[Boxes, Boxes, int]:
    """Targets with ignore regions, and detections scattered about them."""
    rng = np.random.default_rng(seed)
    num_images, m = 12, 60
    corner = rng.uniform(0, 150, (m, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(5, 60, (m, 2))], 1)
    image, label = rng.integers(num_images, size=m), rng.integers(len(CLASSES), size=m)
    targets = Boxes.of(image, label, xyxy, ignore=rng.random(m) < 0.15)
    picked = rng.integers(m, size=150)
    moved = xyxy[picked] + rng.normal(0, 6, (150, 4))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    confidence = rng.integers(1, 6, 150) / 6 if ties else rng.random(150)
    labels = np.where(rng.random(150) < 0.8, label[picked], rng.integers(len(CLASSES), size=150))
    return targets, Boxes.of(image[picked], labels, moved, confidence), num_images


def pycocotools_ap(targets: Boxes, detections: Boxes, num_images: int) -> np.ndarray:
    """(iou, class) AP by the reference implementation, -1 where there is no target."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(num_images)],
            "categories": [{"id": c + 1} for c in range(len(CLASSES))],
            "annotations": [
                {
                    "id": i + 1,
                    "image_id": int(targets.image[i]),
                    "category_id": int(targets.label[i]) + 1,
                    "bbox": [x, y, x2 - x, y2 - y],
                    "area": (x2 - x) * (y2 - y),
                    "iscrowd": int(targets.ignore[i]),
                }
                for i, (x, y, x2, y2) in enumerate(targets.xyxy.tolist())
            ],
        }
        truth.createIndex()
        found = truth.loadRes(
            [
                {
                    "image_id": int(detections.image[i]),
                    "category_id": int(detections.label[i]) + 1,
                    "bbox": [x, y, x2 - x, y2 - y],
                    "score": float(detections.confidence[i]),
                }
                for i, (x, y, x2, y2) in enumerate(detections.xyxy.tolist())
            ]
        )
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][..., 0, -1].mean(1)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_coco_rule_equals_pycocotools(seed, ties):
    targets, detections, num_images = random_case(seed, ties=ties)
    ours = coco_average_precision(targets, detections, num_images, CLASSES)
    reference = pycocotools_ap(targets, detections, num_images)
    assert list(ours.ap50.values()) == pytest.approx(reference[0], abs=1e-9)
    assert list(ours.ap50_95.values()) == pytest.approx(reference.mean(0), abs=1e-9)


def one_image(detected: list[list[float]], confidence: list[float], labelled: list[list[float]]) -> tuple[Boxes, Boxes]:
    targets = Boxes.of([0] * len(labelled), [0] * len(labelled), labelled)
    return targets, Boxes.of([0] * len(detected), [0] * len(detected), detected, confidence)


@pytest.mark.parametrize("rule", ["coco", "paper"])
def test_perfect_detections_of_a_class_are_worth_one(rule):
    box = [[0, 0, 10, 10], [20, 20, 40, 40]]
    targets, detections = one_image(box, [0.9, 0.8], box)
    assert average_precision(rule, targets, detections).ap50["person"] == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("rule", ["coco", "paper"])
def test_a_class_without_targets_has_no_ap_and_does_not_count(rule):
    targets, detections = one_image([[0, 0, 10, 10]], [0.9], [[0, 0, 10, 10]])
    result = average_precision(rule, targets, detections)
    assert result.ap50["car"] is None
    assert result.mean50() == result.ap50["person"]


@pytest.mark.parametrize("rule", ["coco", "paper"])
def test_no_detection_at_all_is_worth_nothing(rule):
    targets, detections = one_image([], [], [[0, 0, 10, 10]])
    assert average_precision(rule, targets, detections).ap50["person"] == 0.0


@pytest.mark.parametrize("rule", ["coco", "paper"])
def test_without_targets_nothing_is_defined(rule):
    targets, detections = one_image([[0, 0, 10, 10]], [0.9], [])
    assert average_precision(rule, targets, detections).mean50() is None


def test_the_paper_rule_by_hand():
    # Two targets; detections by confidence: right, wrong, right. Recall .5, .5, 1; precision 1, 1/2, 2/3.
    targets, detections = one_image(
        [[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 40, 40]], [0.9, 0.8, 0.7], [[0, 0, 10, 10], [20, 20, 40, 40]]
    )
    # Envelope at the 101 recalls: 1 up to .5, then linear to 2/3 at recall .5 again, so 2/3 beyond .5, and the step at
    # .5 is one interval of .01 wide: 0.5 * 1 + 0.01 * (1 + 2/3) / 2 + 0.49 * 2/3.
    expected = 0.50 * 1 + 0.01 * (1 + 2 / 3) / 2 + 0.49 * 2 / 3
    assert paper_average_precision(targets, detections, CLASSES).ap50["person"] == pytest.approx(expected, abs=0.004)


def test_the_paper_rule_wants_more_than_half_overlap():
    half = [[0, 0, 10, 10]], [0.9], [[0, 0, 10, 20]]  # IoU exactly 0.5
    targets, detections = one_image(*half)
    assert paper_average_precision(targets, detections, CLASSES).ap50["person"] == 0.0
    assert coco_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(1.0)


def test_in_the_paper_rule_a_second_detection_of_a_target_is_wrong_even_if_another_target_is_near():
    # Both detections overlap target 0 most; COCO hands the second one target 1, the paper's rule does not.
    labelled = [[0, 0, 10, 10], [3, 0, 13, 10]]
    targets, detections = one_image([[0, 0, 10, 10], [1, 0, 11, 10]], [0.9, 0.8], labelled)
    assert coco_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(1.0)
    assert paper_average_precision(targets, detections, CLASSES).ap50["person"] == pytest.approx(0.505, abs=0.01)


def test_recall_that_never_rises_above_one_half_leaves_the_rest_empty():
    assert interpolated_area(np.array([0.5]), np.array([1.0])) == pytest.approx(0.505, abs=1e-9)


def test_a_detection_on_an_ignore_region_of_every_class_is_neither_right_nor_wrong():
    targets = Boxes.of([0, 0], [0, -1], [[0, 0, 10, 10], [50, 50, 90, 90]], ignore=[False, True])
    on_region = Boxes.of([0, 0], [0, 0], [[0, 0, 10, 10], [55, 55, 85, 85]], [0.5, 0.9])
    assert coco_average_precision(targets, on_region, 1, CLASSES).ap50["person"] == pytest.approx(1.0)


def average_precision(rule: str, targets: Boxes, detections: Boxes):
    if rule == "coco":
        return coco_average_precision(targets, detections, 1, CLASSES)
    return paper_average_precision(targets, detections, CLASSES)
