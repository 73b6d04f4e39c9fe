"""Filters: small boxes go, and so does the camera's own hood, but never the car in front."""

import pytest
from small_data import table_of

from gapscope.data.filters import drop_small, remove_hood
from gapscope.errors import InputError

HOOD = ("car", 10, 40, 92, 60)
CAR = ("car", 30, 25, 45, 35)


def test_boxes_under_the_area_go_and_those_of_just_the_area_stay():
    table = table_of(
        [[("car", 0, 0, 10, 10), ("car", 0, 0, 10, 9.9), ("van", 0, 0, 2, 2)]], ignore=[False, False, True]
    )
    kept, removed = drop_small(table, 100)
    assert removed == 1
    assert kept.xyxy[:, 3].tolist() == [10, 2]  # the small ignore region stays


def test_nothing_is_small_at_area_zero():
    table = table_of([[CAR]])
    assert drop_small(table, 0)[1] == 0


def test_a_hood_that_stays_put_through_a_drive_is_removed_and_reported():
    shaken = [("car", 10 + i % 2, 40, 92, 60 - i % 3) for i in range(5)]
    table = table_of([[CAR, box] for box in shaken], groups=["drive"] * 5)
    kept, hoods = remove_hood(table)
    assert kept.num_boxes == 5
    assert (kept.xyxy == CAR[1:]).all()
    (hood,) = hoods
    assert (hood.group, hood.boxes, hood.images) == ("drive", 5, 5)
    assert hood.xyxy == pytest.approx((0.10, 40 / 60, 0.92, 59 / 60), abs=0.01)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(("car", 10, 30, 92, 57), id="ends above the lower edge"),
        pytest.param(("car", 55, 40, 99, 60), id="beside the centre column"),
        pytest.param(("car", 35, 40, 65, 60), id="too narrow"),
        pytest.param(("car", 10, 20, 92, 60), id="too high: the car in front"),
    ],
)
def test_a_box_of_another_shape_is_no_hood(box):
    table = table_of([[box]] * 5, groups=["drive"] * 5)
    assert remove_hood(table)[1] == []


def test_boxes_of_the_right_shape_that_do_not_stay_put_are_cars():
    passing = [[("car", 2 + 9 * i, 31 + 5 * i, 60 + 9 * i, 60)] for i in range(5)]
    assert remove_hood(table_of(passing, groups=["drive"] * 5))[0].num_boxes == 5


def test_a_hood_must_be_there_in_four_of_five_images():
    for with_hood, removed in ((3, 0), (4, 4)):
        boxes = [[HOOD] if i < with_hood else [CAR] for i in range(5)]
        table = table_of(boxes, groups=["drive"] * 5)
        assert table.num_boxes - remove_hood(table)[0].num_boxes == removed


def test_two_images_or_no_group_are_not_enough_to_tell():
    assert remove_hood(table_of([[HOOD]] * 2, groups=["drive"] * 2))[0].num_boxes == 2
    assert remove_hood(table_of([[HOOD]] * 5))[0].num_boxes == 5


def test_each_drive_is_judged_by_itself():
    table = table_of([[HOOD]] * 3 + [[("car", 20, 45, 80, 60)]] * 3 + [[CAR]] * 3, groups=list("aaabbbccc"))
    kept, hoods = remove_hood(table)
    assert [hood.group for hood in hoods] == ["a", "b"]
    assert kept.num_boxes == 3


def test_the_search_can_be_limited_to_some_classes():
    table = table_of([[HOOD]] * 3, groups=["a"] * 3)
    assert remove_hood(table, classes=["van"])[1] == []
    assert len(remove_hood(table, classes=["car"])[1]) == 1
    with pytest.raises(InputError, match="hood: no class 'truck'"):
        remove_hood(table, classes=["truck"])
