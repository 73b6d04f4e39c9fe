"""The annotation table: its columns agree, and what is selected or stored is the same."""

from dataclasses import fields, replace
from pathlib import Path

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


def full_table(root: Path | str, weather: dict[str, np.ndarray]) -> AnnotationTable:
    """Two images with a box each, and something in every field."""
    return AnnotationTable(
        root=Path(root),
        class_names=("car", "van"),
        paths=np.array(["a.png", "b.png"]),
        widths=np.array([100, 110], np.int32),
        heights=np.array([50, 60], np.int32),
        groups=np.array(["one", str(root)]),
        box_image=np.array([0, 1], np.int32),
        box_class=np.array([1, -1], np.int16),
        xyxy=np.array([[0, 0, 5, 5], [1, 1, 9, 9]], np.float32),
        ignore=np.array([False, True]),
        crowd=np.array([False, True]),
        occlusion=np.array([0.25, np.nan], np.float16),
        truncation=np.array([np.nan, 0.5], np.float16),
        stated_area=np.array([20, np.nan], np.float32),
        attributes=weather,
        no_area=3,
        notes=("read as YOLO", f"from {root}"),
    )


JOINED = {
    "root": Path("/x"),
    "class_names": ("car", "van"),
    "paths": ["/x/a.png", "/x/b.png", "/y/a.png", "/y/b.png"],
    "widths": [100, 110] * 2,
    "heights": [50, 60] * 2,
    "groups": ["one", "/x", "one", "/y"],
    "box_image": [0, 1, 2, 3],
    "box_class": [1, -1] * 2,
    "xyxy": [[0, 0, 5, 5], [1, 1, 9, 9]] * 2,
    "ignore": [False, True] * 2,
    "crowd": [False, True] * 2,
    "occlusion": [0.25, np.nan] * 2,
    "truncation": [np.nan, 0.5] * 2,
    "stated_area": [20, np.nan] * 2,
    "attributes": {"weather": ["rain", "", "", ""], "time": ["", "", "day", "night"]},
    "no_area": 6,
    "format": "",
    "notes": ("read as YOLO", "from /x", "from /y"),
}
"""What becomes of every field where two tables are joined."""


def test_joined_tables_keep_every_field():
    one = full_table("/x", {"weather": np.array(["rain", ""])})
    other = full_table("/y", {"time": np.array(["day", "night"])})
    joined = AnnotationTable.joined([one, other])
    assert {field.name for field in fields(AnnotationTable)} == set(JOINED), "say in JOINED what becomes of a new field"
    attributes = {name: values.tolist() for name, values in joined.attributes.items()}
    assert attributes == JOINED["attributes"]
    for name, expected in JOINED.items():
        found = getattr(joined, name)
        if isinstance(found, np.ndarray):
            np.testing.assert_array_equal(found, np.array(expected, found.dtype))
            assert found.dtype.kind == getattr(one, name).dtype.kind
        elif name != "attributes":
            assert found == expected


def test_one_table_joined_is_itself_and_tables_of_other_classes_are_refused():
    table = table_of([[CAR]])
    assert AnnotationTable.joined([table]) is table
    with pytest.raises(InputError, match=r"domains of one arm have different classes; map them to the same ones\."):
        AnnotationTable.joined([table, replace(table, class_names=("a", "b", "c"))])


def test_joined_tables_of_relative_roots_name_files_that_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    roots = [tmp_path / "x", tmp_path / "y"]
    joined = AnnotationTable.joined([full_table(root.relative_to(tmp_path), {}) for root in roots])
    assert [joined.path(i) for i in range(4)] == [root / name for root in roots for name in ("a.png", "b.png")]


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
