"""Filters: small boxes go, and what is hardly visible or a sliver is neither taught nor scored."""

from dataclasses import replace

import numpy as np
import pytest
from small_data import table_of

from gapscope.data.filters import drop_small, ignore_hard
from gapscope.errors import InputError

CAR = ("car", 30, 25, 45, 35)
NAN = float("nan")


def with_shares(*, occlusion=None, truncation=None):
    count = len(occlusion or truncation)
    table = table_of([[CAR] * count])
    unknown = [NAN] * count
    return replace(
        table,
        occlusion=np.array(occlusion or unknown, dtype=np.float16),
        truncation=np.array(truncation or unknown, dtype=np.float16),
    )


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


def test_at_network_scale_an_image_of_twice_the_size_has_boxes_of_a_quarter_of_the_area():
    small, large = table_of([[("car", 0, 0, 10, 10)]]), table_of([[("car", 0, 0, 10, 10)]], size=(200, 120))
    for table, area in ((small, 100 * 0.5**2), (large, 100 * 0.25**2)):  # letterboxed to 50 pixels
        assert drop_small(table, area, "network", 50)[1] == 0
        assert drop_small(table, area * 1.01, "network", 50)[1] == 1


def test_images_of_several_sizes_are_each_judged_at_their_own_scale():
    table = table_of([[CAR], [CAR], [CAR]])
    table = replace(table, widths=np.array([100, 400, 200], np.int32), heights=np.array([60, 60, 60], np.int32))
    kept, removed = drop_small(table, 150 / 8, "network", 100)
    assert removed == 1
    assert kept.box_image.tolist() == [0, 2]


def test_slivers_become_ignore_regions_either_way_up():
    boxes = [("car", 0, 0, 40, 10), ("car", 0, 0, 41, 10), ("car", 0, 0, 5, 21), CAR]
    left, counts = ignore_hard(table_of([boxes]), max_aspect=4)
    assert left.ignore.tolist() == [False, True, True, False]
    assert (counts, left.num_boxes) == ({"max_aspect": 2}, 4)


def test_hidden_and_cut_objects_become_ignore_regions_and_unknown_ones_stay():
    table = with_shares(occlusion=[0.3, 0.31, NAN, 1.0], truncation=[0.0, 0.9, 0.9, NAN])
    left, counts = ignore_hard(table, max_truncation=0.5, max_occlusion=0.3)
    assert left.ignore.tolist() == [False, True, True, True]
    assert counts == {"max_truncation": 2, "max_occlusion": 1}
    assert (left.box_class == 0).all()


def test_what_was_ignored_before_is_not_counted_again():
    table = table_of([[("car", 0, 0, 50, 1)]], ignore=[True])
    assert ignore_hard(table, max_aspect=4)[1] == {"max_aspect": 0}


def test_without_limits_nothing_changes():
    table = with_shares(occlusion=[1.0])
    left, counts = ignore_hard(table)
    assert counts == {}
    assert not left.ignore.any()


def test_a_limit_on_what_the_data_set_does_not_state_is_refused():
    table = with_shares(truncation=[0.5, NAN])
    with pytest.raises(InputError, match=r"max_occlusion = 0\.5: no box of this data set says its occlusion"):
        ignore_hard(table, max_occlusion=0.5)
    assert ignore_hard(table_of([[]]), max_occlusion=0.5)[1] == {"max_occlusion": 0}
