"""The annotation table: its columns agree, and what is selected or stored is the same."""

from dataclasses import replace

import numpy as np
import pytest
from small_data import table_of

from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

CAR, VAN = ("car", 0, 0, 10, 10), ("van", 5, 5, 100, 60)


def test_selecting_images_takes_their_boxes_along_in_the_order_asked_for():
    table = table_of([[CAR], [], [VAN, CAR]], groups=["a", "b", "c"])
    chosen = table.select([2, 0])
    assert chosen.paths.tolist() == ["images/002.png", "images/000.png"]
    assert chosen.groups.tolist() == ["c", "a"]
    assert chosen.box_image.tolist() == [0, 0, 1]
    assert chosen.box_class.tolist() == [1, 0, 0]
    np.testing.assert_array_equal(chosen.boxes_of(0)[0], table.boxes_of(2)[0])


def test_a_class_without_boxes_counts_zero_and_ignore_regions_do_not_count():
    table = table_of([[CAR, CAR, VAN]], ignore=[False, True, False])
    assert table.counts() == {"car": 1, "van": 1, "person": 0}


def test_what_is_saved_is_what_is_loaded(tmp_path):
    table = replace(table_of([[CAR], [], [VAN]], groups=["", "ü", "c"], ignore=[True, False]), no_area=4)
    table = replace(
        table,
        crowd=np.array([True, False]),
        occlusion=np.array([0.5, np.nan], dtype=np.float16),
        attributes={"weather": np.array(["rain", "", "größte Hitze"])},
    )
    table.save(tmp_path / "a.npz")
    again = AnnotationTable.load(tmp_path / "a.npz", root=table.root)
    for name, value in vars(table).items():
        if name != "attributes":
            np.testing.assert_array_equal(getattr(again, name), value)
    assert again.attributes["weather"].tolist() == ["rain", "", "größte Hitze"]


def test_the_same_table_is_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        table_of([[CAR], [VAN]]).save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("num_images", [0, 2])
def test_a_table_may_hold_no_boxes_or_no_images(num_images, tmp_path):
    table = table_of([[] for _ in range(num_images)])
    table.save(tmp_path / "a.npz")
    again = AnnotationTable.load(tmp_path / "a.npz", root=table.root)
    assert (len(again), again.num_boxes, len(again.select([]))) == (num_images, 0, 0)
    assert again.counts() == {"car": 0, "van": 0, "person": 0}


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "a.npz"
    table_of([[CAR]]).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"a\.npz cannot be read as annotations.*run again"):
        AnnotationTable.load(path, root=tmp_path)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (("car", 0, 0, 101, 10), r"leaves the image of 100 x 60 pixels"),
        (("car", -1, 0, 10, 10), r"leaves the image"),
        (("car", 5, 5, 5, 10), r"is empty"),
        (("car", float("nan"), 5, 9, 10), r"is empty"),
    ],
)
def test_a_box_outside_its_image_or_without_area_is_refused(box, message):
    with pytest.raises(InputError, match=message):
        table_of([[box]])


def test_columns_that_do_not_fit_are_refused():
    table = table_of([[CAR], [VAN]])
    with pytest.raises(InputError, match=r"column ignore has shape \(1,\) - expected \(2,\)"):
        replace(table, ignore=table.ignore[:1])
    with pytest.raises(InputError, match=r"sort the boxes by image"):
        replace(table, box_image=table.box_image[::-1])
    with pytest.raises(InputError, match=r"column xyxy is float64"):
        replace(table, xyxy=table.xyxy.astype(np.float64))
    with pytest.raises(InputError, match=r"class outside 0\.\.2"):
        replace(table, box_class=np.array([0, 3], dtype=np.int16))
    with pytest.raises(InputError, match=r"class outside 0\.\.2"):
        replace(table, box_class=np.array([0, -1], dtype=np.int16))
    with pytest.raises(InputError, match=r"x\.png is listed 2 times"):
        table_of([[], []], paths=["x.png", "x.png"])
    with pytest.raises(InputError, match=r"asked for twice"):
        table.select([0, 0])
    with pytest.raises(InputError, match=r"image indices 0 to 2 - the table has 0 to 1"):
        table.select([0, 2])
