"""Scores over images drawn anew: against sets that really hold the images so often, and in known cases."""

from importlib import import_module

import numpy as np
import pytest
from detections import CLASSES, random_case

from gapscope.evaluation.average_precision import (
    average_precision,
    coco_average_precision,
    paper_average_precision,
    weighted_ap,
)
from gapscope.evaluation.bootstrap import BLOCK, bootstrap, image_weights, interval
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.matching import Matches, coco_candidates, match_coco, match_paper

pytestmark = pytest.mark.slow


def matched(rule: str, targets: Boxes, detections: Boxes, num_images: int) -> Matches:
    if rule == "coco":
        return match_coco(coco_candidates(targets, detections, num_images, len(CLASSES)))
    return match_paper(targets, detections, num_images, len(CLASSES))


def repeated(boxes: Boxes, times: np.ndarray) -> Boxes:
    """The boxes of a set that holds image i `times[i]` times, every copy with a number of its own."""
    first = np.cumsum(times) - times
    rows = np.repeat(np.arange(len(boxes)), times[boxes.image])
    copy = np.concatenate([np.arange(times[image]) for image in boxes.image] or [np.zeros(0, int)])
    whole = boxes.take(rows)
    return Boxes.of(
        first[whole.image] + copy, whole.label, whole.xyxy, whole.confidence, whole.ignore, whole.area, whole.crowd
    )


@pytest.mark.parametrize("rule", ["coco", "paper"])
@pytest.mark.parametrize("seed", range(8))
def test_a_draw_scores_what_a_set_with_these_images_scores(rule, seed):
    targets, detections, num_images = random_case(seed, ties=False)
    weights = image_weights(num_images, 5, seed)
    drawn = np.stack(
        [weighted_ap(rule, matched(rule, targets, detections, num_images), c, weights) for c in range(len(CLASSES))]
    )
    for draw, times in enumerate(weights.astype(int)):
        copies = repeated(targets, times), repeated(detections, times), num_images
        score = coco_average_precision if rule == "coco" else paper_average_precision
        real = score(*copies, CLASSES)
        expected = [np.nan if value is None else value for value in real.ap50.values()]
        assert drawn[:, 0, draw] == pytest.approx(expected, abs=1e-9, nan_ok=True)
        if rule == "coco":
            expected = [np.nan if value is None else value for value in real.ap50_95.values()]
            assert drawn[:, :, draw].mean(1) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("rule", ["coco", "paper"])
@pytest.mark.parametrize("ties", [False, True])
def test_the_draw_of_every_image_once_is_the_score_itself(rule, ties):
    case = random_case(0, ties=ties)
    matches = matched(rule, *case)
    whole = average_precision(rule, matches, CLASSES)
    once = np.ones((3, case[2]))
    for label, name in enumerate(CLASSES):
        assert (weighted_ap(rule, matches, label, once)[0] == whole.ap50[name]).all()


@pytest.mark.parametrize("rule", ["coco", "paper"])
def test_weights_that_are_all_doubled_change_nothing(rule):
    case = random_case(1, ties=False)
    matches, weights = matched(rule, *case), image_weights(case[2], 4, 0)
    for label in range(len(CLASSES)):
        once, twice = (weighted_ap(rule, matches, label, factor * weights) for factor in (1, 2))
        assert twice == pytest.approx(once, abs=1e-12, nan_ok=True)


def test_a_draw_takes_as_many_images_as_there_are_and_the_seed_decides_which():
    weights = image_weights(50, 200, seed=3)
    assert (weights.sum(1) == 50).all() and weights.max() > 1 and weights.min() == 0
    assert weights.mean(0) == pytest.approx(np.ones(50), abs=0.3)
    assert (image_weights(50, 200, seed=3) == weights).all()
    assert (image_weights(50, 200, seed=4) != weights).any()


def test_counting_in_blocks_changes_nothing(monkeypatch):
    case = random_case(2, ties=False)
    matches = matched("coco", *case)
    whole = bootstrap("coco", matches, 30, seed=1)
    assert BLOCK > 30 * case[2] * 10
    monkeypatch.setattr(import_module("gapscope.evaluation.bootstrap"), "BLOCK", 100)
    parts = bootstrap("coco", matches, 30, seed=1)
    assert (parts.ap50 == whole.ap50).all() and (parts.ap50_95 == whole.ap50_95).all()


def test_the_interval_of_equal_images_has_no_width():
    box = [[0, 0, 10, 10], [50, 50, 60, 60]]
    targets = Boxes.of(range(6), [0] * 6, [box[0]] * 6)
    detections = Boxes.of(np.repeat(range(6), 2), [0] * 12, box * 6, np.tile([0.9, 0.8], 6))
    drawn = bootstrap("coco", matched("coco", targets, detections, 6), 100)
    assert interval(drawn.mean50([0]), 1.0) == (1.0, 1.0)


@pytest.mark.slow
def test_intervals_hold_the_score_of_many_more_images_more_often_than_plain_percentiles():
    size, sets = 50, 60
    targets, detections, _ = random_case(9, ties=False, num_images=size * sets, m=15000, n=33000)
    truth = coco_average_precision(targets, detections, size * sets, CLASSES).mean50()
    corrected = plain = 0
    for part in range(sets):
        some = [one.take(one.image // size == part) for one in (targets, detections)]
        some = [
            Boxes.of(one.image % size, one.label, one.xyxy, one.confidence, one.ignore, crowd=one.crowd) for one in some
        ]
        matches = matched("coco", *some, size)
        draws = bootstrap("coco", matches, 100).mean50(range(3))
        low, high = interval(draws, average_precision("coco", matches, CLASSES).mean50())
        corrected += low <= truth <= high
        low, high = np.percentile(draws, [2.5, 97.5])
        plain += low <= truth <= high
    # Confidence says nothing here, so AP leans upwards as far as it can: 46 and 34 of 60, not 57.
    assert corrected > 1.2 * plain and corrected > 0.7 * sets


def test_the_interval_of_draws_that_lie_evenly_about_the_score_is_that_of_the_percentiles():
    draws = np.linspace(0, 1, 1001)
    assert interval(draws, 0.5) == pytest.approx((0.025, 0.975), abs=1e-9)
    assert interval(np.append(draws, np.nan), 0.5) == interval(draws, 0.5)


def test_the_interval_moves_down_where_most_draws_lie_above_the_score():
    low, high = interval(np.linspace(0, 1, 1001), 0.4)
    assert low < 0.025 and high < 0.975
    assert interval(np.linspace(0, 1, 1001), 0.6) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_a_score_beyond_all_draws_still_has_an_interval():
    assert interval(np.linspace(0.2, 1, 100), 0.1) == pytest.approx((0.2, 0.2), abs=0.01)
    assert interval(np.linspace(0.2, 1, 100), None) is None


def test_means_pass_over_classes_without_targets_in_a_draw():
    # Class 0 lies in image 0 alone, class 1 in image 1: a draw without one of them is scored by the other.
    targets = Boxes.of([0, 1], [0, 1], [[0, 0, 10, 10]] * 2)
    detections = Boxes.of([0], [0], [[0, 0, 10, 10]], [0.9])
    drawn = bootstrap("coco", matched("coco", targets, detections, 2), 50)
    weights = image_weights(2, 50, seed=0)
    both = (weights > 0).all(1)
    assert (drawn.mean50([0, 1])[both] == 0.5).all()
    assert (drawn.mean50([0, 1])[weights[:, 1] == 0] == 1.0).all()
    assert (drawn.mean50([0, 1])[weights[:, 0] == 0] == 0.0).all()
    assert np.isnan(drawn.mean50([2])).all() and interval(drawn.mean50([2]), None) is None


def test_the_paper_rule_has_no_draws_beyond_iou_one_half():
    case = random_case(0, ties=False)
    drawn = bootstrap("paper", matched("paper", *case), 20)
    assert np.isnan(drawn.mean50_95(range(3))).all() and not np.isnan(drawn.mean50(range(3))).any()


def test_without_any_image_with_targets_nothing_is_defined():
    drawn = bootstrap("coco", matched("coco", Boxes.of([], [], []), Boxes.of([], [], []), 3), 20)
    assert np.isnan(drawn.ap50).all()
