"""AP by both rules, against other programs, by hand, and where it is not defined."""

import numpy as np
import pytest
from detections import AREAS, CLASSES, odd_case, paper_ap, pycocotools_ap, pycocotools_recall, random_case

from gapscope.evaluation.average_precision import coco_average_precision, paper_average_precision
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.matching import MAX_PER_CLASS

pytestmark = pytest.mark.slow


def assert_equals_pycocotools(targets: Boxes, detections: Boxes, num_images: int) -> None:
    ours = coco_average_precision(targets, detections, num_images, CLASSES, sizes=True)
    for area in AREAS:
        one = ours if area == "all" else ours.by_size[area]
        reference = pycocotools_ap(targets, detections, num_images, area)
        assert defined(one.ap50) == pytest.approx(reference[0], abs=1e-9, nan_ok=True), area
        assert defined(one.ap50_95) == pytest.approx(reference.mean(0), abs=1e-9, nan_ok=True), area
        assert defined(one.ap75) == pytest.approx(reference[5], abs=1e-9, nan_ok=True), area
    recalls = pycocotools_recall(targets, detections, num_images)
    for column, most in enumerate((1, 10, 100)):
        assert defined(ours.recall[most]) == pytest.approx(recalls[:, column], abs=1e-9, nan_ok=True), most


def defined(ap: dict[str, float | None]) -> list[float]:
    return [np.nan if value is None else value for value in ap.values()]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_the_coco_rule_equals_pycocotools(seed, ties):
    assert_equals_pycocotools(*random_case(seed, ties=ties))


@pytest.mark.parametrize("tens", range(10))
def test_the_coco_rule_equals_pycocotools_in_odd_cases(tens):
    for seed in range(10 * tens, 10 * tens + 10):
        assert_equals_pycocotools(*odd_case(seed))


def test_odd_cases_are_odd():
    cases = [odd_case(seed) for seed in range(100)]
    assert any(not len(targets) for targets, _, _ in cases) and any(not len(found) for _, found, _ in cases)
    assert any((targets.label < 0).any() for targets, _, _ in cases)
    assert any((targets.ignore & (targets.label >= 0)).any() for targets, _, _ in cases)
    assert any(len(np.unique(found.confidence)) < len(found) for _, found, _ in cases)
    assert any((targets.area == 32**2).any() for targets, _, _ in cases)
    assert any(targets.ignore.all() and len(targets) and len(found) for targets, found, _ in cases)


def test_the_coco_rule_equals_pycocotools_beyond_a_hundred_detections_of_an_image():
    targets, detections, _ = random_case(3, ties=True, num_images=1, n=600)
    assert max(np.bincount(detections.label)) > MAX_PER_CLASS
    assert_equals_pycocotools(targets, detections, 1)


def test_the_coco_rule_equals_faster_coco_eval():
    faster = pytest.importorskip("faster_coco_eval")
    from detections import pycocotools_precision

    case = random_case(5, ties=False)
    theirs = pycocotools_precision(*case, evaluation=faster.COCOeval_faster)[..., 0].mean(1)
    assert list(coco_average_precision(*case, CLASSES).ap50_95.values()) == pytest.approx(theirs.mean(0), abs=1e-9)


@pytest.mark.parametrize("case", [lambda seed: random_case(seed, ties=seed % 2 == 0), odd_case])
def test_the_paper_rule_equals_a_plain_loop(case):
    for seed in range(20):
        targets, detections, num_images = case(seed)
        ours = paper_average_precision(targets, detections, num_images, CLASSES)
        for label, name in enumerate(CLASSES):
            assert ours.ap50[name] == pytest.approx(paper_ap(targets, detections, label), abs=1e-9)


def test_the_order_in_which_boxes_come_does_not_matter_without_ties():
    targets, detections, num_images = random_case(1, ties=False)
    rng = np.random.default_rng(0)
    mixed = targets.take(rng.permutation(len(targets))), detections.take(rng.permutation(len(detections)))
    before = coco_average_precision(targets, detections, num_images, CLASSES)
    assert coco_average_precision(*mixed, num_images, CLASSES) == before


def test_neither_rule_changes_when_all_boxes_are_scaled():
    targets, detections, num_images = random_case(2, ties=False)
    larger = [
        Boxes.of(one.image, one.label, one.xyxy * 4, one.confidence, one.ignore, one.area, one.crowd)
        for one in (targets, detections)
    ]
    for rule in ("coco", "paper"):
        before = average_precision(rule, targets, detections, num_images)
        assert average_precision(rule, *larger, num_images) == before


def one_image(detected: list[list[float]], confidence: list[float], labelled: list[list[float]]) -> tuple[Boxes, Boxes]:
    targets = Boxes.of([0] * len(labelled), [0] * len(labelled), labelled)
    return targets, Boxes.of([0] * len(detected), [0] * len(detected), detected, confidence)


@pytest.mark.parametrize(("rule", "worth"), [("coco", 1.0), ("paper", 0.995)])
def test_perfect_detections_of_a_class_are_worth_one_or_to_the_papers_rule_a_little_less(rule, worth):
    box = [[0, 0, 10, 10], [20, 20, 40, 40]]
    targets, detections = one_image(box, [0.9, 0.8], box)
    # The paper's rule ends at (1, 0), so its last trapezoid of 101 recalls is a triangle.
    assert average_precision(rule, targets, detections).ap50["person"] == pytest.approx(worth, abs=1e-9)


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
@pytest.mark.parametrize("detected", [[], [[0, 0, 10, 10]]])
def test_without_targets_nothing_is_defined(rule, detected):
    targets, detections = one_image(detected, [0.9] * len(detected), [])
    assert average_precision(rule, targets, detections).mean50() is None


def test_the_paper_rule_by_hand():
    # Two targets; detections by confidence: right, wrong, right. Recall .5, .5, 1; precision 1, 1/2, 2/3.
    targets, detections = one_image(
        [[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 40, 40]], [0.9, 0.8, 0.7], [[0, 0, 10, 10], [20, 20, 40, 40]]
    )
    # Envelope: 1 at recalls 0 to .49, 2/3 from .50 (read after the wrong detection) to .99, 0 at 1. Trapezoids between
    # the 101 recalls: 49 of height 1, one from 1 to 2/3, 49 of height 2/3, one from 2/3 to 0.
    expected = 0.01 * (49 + (1 + 2 / 3) / 2 + 49 * 2 / 3 + (2 / 3) / 2)
    assert paper_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(expected, abs=1e-12)


def test_beyond_its_last_recall_the_paper_rule_falls_within_a_thousandth():
    # One of two targets found, then a wrong detection: at recall .5 the last precision, 1/2, at .51 nothing.
    targets, detections = one_image([[0, 0, 10, 10], [50, 50, 60, 60]], [0.9, 0.8], [[0, 0, 10, 10], [20, 20, 40, 40]])
    expected = 0.01 * (49 + (1 + 1 / 2) / 2 + (1 / 2) / 2)
    assert paper_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(expected, abs=1e-12)


def test_the_paper_rule_wants_more_than_half_overlap():
    half = [[0, 0, 10, 10]], [0.9], [[0, 0, 10, 20]]  # IoU exactly 0.5
    targets, detections = one_image(*half)
    assert paper_average_precision(targets, detections, 1, CLASSES).ap50["person"] == 0.0
    assert coco_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(1.0)


def test_in_the_paper_rule_a_second_detection_of_a_target_is_wrong_even_if_another_target_is_near():
    # Both detections overlap target 0 most; COCO hands the second one target 1, the paper's rule does not.
    labelled = [[0, 0, 10, 10], [3, 0, 13, 10]]
    targets, detections = one_image([[0, 0, 10, 10], [1, 0, 11, 10]], [0.9, 0.8], labelled)
    assert coco_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(1.0)
    # 49 intervals of height 1, one from 1 to 1/2 and one from 1/2 to 0.
    assert paper_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(0.5, abs=1e-12)


def test_a_detection_on_an_ignore_region_of_every_class_is_neither_right_nor_wrong():
    targets = Boxes.of([0, 0], [0, -1], [[0, 0, 10, 10], [50, 50, 90, 90]], ignore=[False, True])
    on_region = Boxes.of([0, 0], [0, 0], [[0, 0, 10, 10], [55, 55, 85, 85]], [0.5, 0.9])
    assert coco_average_precision(targets, on_region, 1, CLASSES).ap50["person"] == pytest.approx(1.0)
    # The paper's rule does not know ignore regions: the first detection is wrong, so precision is 1/2 up to recall .99.
    assert paper_average_precision(targets, on_region, 1, CLASSES).ap50["person"] == pytest.approx(0.4975, abs=1e-12)


@pytest.mark.parametrize(
    ("detected", "crowd", "ap"),
    [
        pytest.param([20, 20, 30, 30], False, 0.5, id="a small one inside an ignored object is wrong"),
        pytest.param([0, 0, 100, 90], False, 1.0, id="one that fits it is neither right nor wrong"),
        pytest.param([20, 20, 30, 30], True, 1.0, id="a small one inside a crowd is neither"),
        pytest.param([0, 0, 100, 50], False, 1.0, id="an IoU of exactly the threshold is enough"),
        pytest.param([0, 0, 100, 49], False, 0.5, id="and less is not"),
    ],
)
def test_an_ignored_object_forgives_by_iou_and_a_crowd_by_the_share_of_the_detection(detected, crowd, ap):
    """VOC's devkit and pycocotools: one target found with 0.5, and beside it a detection with 0.9 on an ignored box."""
    labelled = [[0, 0, 100, 100], [200, 50, 300, 150]]
    targets = Boxes.of([0, 0], [0, 0], labelled, ignore=[True, False], crowd=[crowd, False])
    found = Boxes.of([0, 0], [0, 0], [[200, 50, 300, 150], detected], [0.5, 0.9])
    # One of two detections right, the less confident: precision is 1/2 at every recall.
    assert coco_average_precision(targets, found, 1, CLASSES).ap50["person"] == pytest.approx(ap, abs=1e-12)


def test_any_number_of_detections_may_lie_on_an_ignored_object():
    """VOC's devkit: a difficult object is never taken, so a second detection of it is no duplicate."""
    targets = Boxes.of([0, 0], [0, 0], [[0, 0, 100, 100], [200, 50, 300, 150]], ignore=[True, False])
    corners = [[200, 50, 300, 150], [0, 0, 100, 90], [0, 0, 100, 95]]
    found = Boxes.of([0] * 3, [0] * 3, corners, [0.5, 0.9, 0.8])
    assert coco_average_precision(targets, found, 1, CLASSES).ap50["person"] == pytest.approx(1.0)


def test_of_targets_that_overlap_a_detection_equally_the_coco_rule_takes_the_last():
    # The second detection fits only the target at 0. It is free if the first one took the other.
    labelled = [[0, 0, 10, 10], [4, 0, 14, 10]]
    detected = [[2, 0, 12, 10], [0, 0, 10, 10]], [0.9, 0.8]
    targets, detections = one_image(*detected, labelled)
    assert coco_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(1.0)
    assert_equals_pycocotools(targets, detections, 1)
    targets, detections = one_image(*detected, labelled[::-1])
    assert coco_average_precision(targets, detections, 1, CLASSES).ap50["person"] == pytest.approx(51 / 101)
    assert_equals_pycocotools(targets, detections, 1)


@pytest.mark.parametrize("found", [7, 14, 28, 29, 55, 56, 57, 58])
def test_recalls_that_meet_the_grid_exactly_are_read_as_other_programs_read_them(found):
    # 0.29 * 100 is a little less than 29 in floating point. After so many right detections come ten wrong ones.
    box, right = [0, 0, 10, 10], np.r_[np.ones(found), np.zeros(10), np.ones(100 - found)].astype(bool)
    image = np.where(right, np.cumsum(right) - 1, 0)
    xyxy = np.where(right[:, None], box, [50, 50, 60, 60])
    targets = Boxes.of(range(100), [0] * 100, [box] * 100)
    detections = Boxes.of(image, [0] * 110, xyxy, np.linspace(1, 0.5, 110))
    ours = paper_average_precision(targets, detections, 100, CLASSES).ap50["person"]
    assert ours == pytest.approx(paper_ap(targets, detections, 0), abs=1e-12)
    assert_equals_pycocotools(targets, detections, 100)


def test_sizes_go_by_the_area_in_the_original_image():
    box = [[0, 0, 20, 20]]  # 400 square pixels here, 6400 in an image four times as wide and high
    targets = Boxes.of([0], [0], box, area=[6400])
    detections = Boxes.of([0], [0], box, [0.9], area=[6400])
    sizes = coco_average_precision(targets, detections, 1, CLASSES, sizes=True).by_size
    assert {name: one.ap50["person"] for name, one in sizes.items()} == {"small": None, "medium": 1.0, "large": None}


def test_a_target_on_the_limit_of_two_sizes_belongs_to_both():
    targets, detections = one_image([[0, 0, 32, 32]], [0.9], [[0, 0, 32, 32]])
    sizes = coco_average_precision(targets, detections, 1, CLASSES, sizes=True).by_size
    assert sizes["small"].ap50["person"] == sizes["medium"].ap50["person"] == 1.0


def average_precision(rule: str, targets: Boxes, detections: Boxes, num_images: int = 1):
    if rule == "coco":
        return coco_average_precision(targets, detections, num_images, CLASSES)
    return paper_average_precision(targets, detections, num_images, CLASSES)
