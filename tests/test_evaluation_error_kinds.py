"""Kinds of errors: each by hand, and what holds for all of them."""

from dataclasses import replace

import numpy as np
import pytest
from detections import CLASSES, odd_case, random_case

from gapscope.evaluation.average_precision import average_precision
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.error_kinds import KINDS, SPECIAL, error_kinds
from gapscope.evaluation.matching import IGNORED, WRONG, Matches, coco_candidates, match_coco

HERE, THERE = [0, 0, 10, 10], [50, 50, 60, 60]
BADLY = [0, 0, 10, 30]
"""IoU 1/3 with HERE."""


def matched(targets: Boxes, detections: Boxes, num_images: int = 1) -> Matches:
    return match_coco(coco_candidates(targets, detections, num_images, len(CLASSES)))


def errors_of(labelled: list[tuple], detected: list[tuple], ignore: list[bool] | None = None):
    """Rows (label, xyxy) and (label, xyxy, confidence) of one image."""
    targets = Boxes.of([0] * len(labelled), *zip(*labelled, strict=True), ignore=ignore)
    columns = zip(*detected, strict=True) if detected else ((), (), ())
    return error_kinds(targets, matched(targets, Boxes.of([0] * len(detected), *columns)))


@pytest.mark.parametrize(
    ("kind", "detected"),
    [
        ("localization", (0, BADLY, 0.9)),
        ("classification", (1, HERE, 0.9)),
        ("both", (1, BADLY, 0.9)),
        ("background", (0, [80, 0, 90, 10], 0.9)),
    ],
)
def test_one_wrong_detection_is_of_one_kind(kind, detected):
    # A target of each class that plays a part, found at half confidence or not at all.
    found = errors_of([(0, HERE), (1, THERE)], [detected, (1, THERE, 0.5)])
    assert {name: error.count for name, error in found.items() if name in KINDS and error.count} == {
        kind: 1,
        **({"missed": 1} if kind in ("both", "background") else {}),
    }


def test_a_second_detection_of_a_target_is_a_duplicate():
    found = errors_of([(0, HERE)], [(0, HERE, 0.9), (0, [0, 0, 10, 9], 0.8)])
    assert {name: error.count for name, error in found.items() if error.count} == {"duplicate": 1, "false_positive": 1}
    assert found["duplicate"].delta_map50 == 0.0  # all recall was reached before it


def test_what_a_badly_placed_box_costs():
    # Class 0: one target, only badly found: AP 0, mended 1. Class 1 is perfect. So mAP goes from 1/2 to 1.
    found = errors_of([(0, HERE), (1, THERE)], [(0, BADLY, 0.9), (1, THERE, 0.5)])
    assert found["localization"].delta_map50 == pytest.approx(0.5)
    assert found["missed"].count == 0 and found["false_negative"].count == 1


def test_what_a_wrong_name_costs_both_classes():
    # Class 0 is called 1: AP of class 0 is 0. In class 1 a wrong detection stands first: precision 1/2. Mended, both 1.
    found = errors_of([(0, HERE), (1, THERE)], [(1, HERE, 0.9), (1, THERE, 0.5)])
    assert found["classification"].delta_map50 == pytest.approx(1 - (0 + 0.5) / 2)


def test_what_seeing_things_costs():
    found = errors_of([(0, HERE)], [(0, THERE, 0.9), (0, HERE, 0.8)])
    assert found["background"].delta_map50 == found["false_positive"].delta_map50 == pytest.approx(0.5)


def test_what_missing_costs():
    # One of two found: 51 of the 101 recalls, 0 to 0.5, are reached. The missed one is no longer asked for: all are.
    found = errors_of([(0, HERE), (0, THERE)], [(0, HERE, 0.9)])
    assert found["missed"].delta_map50 == found["false_negative"].delta_map50 == pytest.approx(50 / 101)


def test_of_two_badly_placed_boxes_the_more_confident_is_mended_and_the_other_goes():
    found = errors_of([(0, HERE)], [(0, BADLY, 0.9), (0, BADLY, 0.8)])
    assert found["localization"].count == 2 and found["localization"].delta_map50 == pytest.approx(1.0)


def test_a_badly_placed_box_on_a_target_that_is_found_goes():
    found = errors_of([(0, HERE)], [(0, BADLY, 0.9), (0, HERE, 0.8)])
    assert found["localization"].delta_map50 == pytest.approx(0.5)


def test_the_own_class_decides_before_another_where_the_box_fits_badly():
    # IoU 1/3 with a target of its class and 1 with one of another.
    found = errors_of([(0, HERE), (1, BADLY)], [(0, BADLY, 0.9)])
    assert found["localization"].count == 1 and found["classification"].count == 0
    assert found["missed"].count == 1  # the other target: this detection does not point to it


def test_ignore_regions_take_no_part():
    found = errors_of([(0, HERE), (-1, THERE)], [(0, THERE, 0.9), (1, [52, 52, 58, 58], 0.9)], [False, True])
    counts = {name: error.count for name, error in found.items() if error.count}
    assert counts == {"missed": 1, "false_negative": 1}


def test_without_targets_errors_are_counted_and_cost_nothing_that_is_defined():
    found = error_kinds(Boxes.of([], [], []), matched(Boxes.of([], [], []), Boxes.of([0], [0], [HERE], [0.9])))
    assert found["background"].count == 1
    assert {error.delta_map50 for error in found.values()} == {None}


@pytest.mark.parametrize("seed", range(25))
def test_kinds_divide_the_errors_and_mending_never_costs(seed):
    for targets, detections, num_images in (random_case(seed, ties=True), odd_case(seed)):
        matches = matched(targets, detections, num_images)
        found = error_kinds(targets, matches)
        assert list(found) == [*KINDS, *SPECIAL]
        wrong = sum(found[kind].count for kind in KINDS if kind != "missed")
        assert wrong == found["false_positive"].count == (matches.status[0] == WRONG).sum()
        assert found["missed"].count <= found["false_negative"].count
        for error in found.values():
            assert error.delta_map50 is None or error.delta_map50 >= -1e-12
            assert error.count or not error.delta_map50


def test_taking_all_wrong_detections_away_is_what_a_network_without_them_would_score():
    targets, detections, num_images = random_case(7, ties=False)
    matches = matched(targets, detections, num_images)
    rest = replace(matches, status=np.where(matches.status == WRONG, IGNORED, matches.status).astype(np.int8))
    names = range(len(CLASSES))
    gain = average_precision("coco", rest, names).mean50() - average_precision("coco", matches, names).mean50()
    assert error_kinds(targets, matches)["false_positive"].delta_map50 == pytest.approx(gain, abs=1e-12)


def test_mending_a_place_is_what_a_well_placed_box_would_score():
    # Every badly placed box of a missed target is put onto the target, and the others are taken away.
    targets = Boxes.of([0, 1, 2], [0, 0, 1], [HERE, HERE, HERE])
    found = Boxes.of([0, 1, 1, 2], [0, 0, 0, 1], [HERE, BADLY, BADLY, BADLY], [0.9, 0.8, 0.7, 0.95])
    mended = Boxes.of([0, 1, 2], [0, 0, 1], [HERE, HERE, HERE], [0.9, 0.8, 0.95])
    before, after = (average_precision("coco", matched(targets, one, 3), CLASSES).mean50() for one in (found, mended))
    gain = error_kinds(targets, matched(targets, found, 3))["localization"].delta_map50
    assert gain == pytest.approx(after - before, abs=1e-12)
