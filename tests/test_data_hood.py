"""The camera's own hood goes, with its shaking and its pieces; the car in front never does."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_data import noise, table_of

from gapscope.data.hood import find_hoods
from gapscope.data.hood_sheet import marked, shown_images, write_removed, write_sheet
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError
from gapscope.streets.write import write_domain

pytestmark = pytest.mark.slow

HOOD = ("car", 10, 40, 92, 60)
PARKED = ("person", 2, 20, 8, 30)


def passing(i):
    """A car that is elsewhere in every image."""
    return ("car", 5 * i, 20, 5 * i + 12, 28)


def drive(hoods, *, scene=lambda i: [passing(i)]):
    """One image per entry of `hoods`: its boxes, and those of the scene."""
    return [[*scene(i), *boxes] for i, boxes in enumerate(hoods)]


def search(boxes, groups=None, **more):
    return find_hoods(table_of(boxes, groups=groups or ["drive"] * len(boxes)), **more)


def test_a_hood_that_stays_put_while_the_scene_moves_is_removed_and_reported():
    shaken = [[("car", 10 + i % 2, 40, 92, 60)] for i in range(5)]
    found = search(drive(shaken))
    assert found.without().xyxy.tolist() == [list(passing(i)[1:]) for i in range(5)]
    (hood,) = found.hoods
    assert (hood.group, hood.removed, hood.boxes, hood.images) == ("drive", True, 5, 5)
    assert hood.xyxy == pytest.approx((0.10, 40 / 60, 0.92, 1), abs=0.01)


def test_suspension_moves_the_upper_edge_but_it_stays_a_hood():
    tops = [40, 44, 39, 40, 47, 40, 38, 41]
    assert search(drive([[("car", 10, top, 92, 60)] for top in tops])).removed.sum() == len(tops)


def test_a_hood_that_is_half_hidden_or_in_two_pieces_goes_in_whole():
    pieces = [[HOOD], [HOOD], [("car", 10, 41, 60, 60)], [("car", 10, 40, 48, 60), ("car", 52, 40, 92, 60)], [HOOD]]
    found = search(drive(pieces))
    assert found.removed.sum() == 6
    assert found.without().num_boxes == 5


def test_a_motorcycles_windscreen_is_a_hood_of_its_class():
    screen = [("motorcycle", 33, 30, 66, 60)]
    table = table_of(drive([screen] * 5), groups=["ride"] * 5, class_names=("car", "person", "motorcycle"))
    assert find_hoods(table).removed.sum() == 5


def test_the_car_in_front_at_a_light_stays_although_nothing_tells_it_from_a_hood():
    low_car = [("car", 30, 30, 70, 60)]
    standing = drive([low_car] * 6, scene=lambda i: [PARKED, passing(i)])
    found = search(standing)
    assert found.without().num_boxes == 18
    (hood,) = found.hoods
    assert not hood.removed
    assert "stands still, so it may be the car in front" in hood.reason


def test_where_nothing_else_is_labelled_the_box_stays_and_is_reported():
    found = search([[HOOD]] * 5)
    assert found.without().num_boxes == 5
    assert "nothing else is labelled" in found.hoods[0].reason


def test_a_hood_in_a_standing_scene_goes_if_another_drive_has_it_in_the_same_place():
    standing = drive([[HOOD]] * 4, scene=lambda i: [PARKED])
    other = drive([[("car", 25, 45, 75, 60)]] * 4, scene=lambda i: [PARKED])
    found = search(drive([[HOOD]] * 4) + standing + other, list("aaaabbbbcccc"))
    assert [(hood.group, hood.removed) for hood in found.hoods] == [("a", True), ("b", True), ("c", False)]
    assert "another group has a hood" in found.hoods[1].reason
    assert found.removed.sum() == 8


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(("car", 10, 30, 92, 57), id="ends above the lower edge"),
        pytest.param(("car", 55, 40, 99, 60), id="beside the centre column"),
        pytest.param(("car", 38, 40, 62, 60), id="too narrow"),
        pytest.param(("car", 10, 20, 92, 60), id="too high: the car in front"),
    ],
)
def test_a_box_of_another_shape_is_no_hood(box):
    assert search(drive([[box]] * 5)).hoods == ()


def test_boxes_of_the_right_shape_that_do_not_stay_put_are_cars():
    approaching = [[("car", 2 + 9 * i, 31 + 5 * i, 60 + 9 * i, 60)] for i in range(5)]
    assert search(drive(approaching)).hoods == ()
    drifting = [[("car", 5 + 2 * i, 35, 60 + 2 * i, 60)] for i in range(12)]
    assert search(drive(drifting)).hoods == ()


def test_a_hood_must_be_there_in_four_of_five_images():
    for with_hood, removed in ((3, 0), (4, 4)):
        assert search(drive([[HOOD] if i < with_hood else [] for i in range(5)])).removed.sum() == removed


def test_two_images_or_no_group_are_not_enough_to_tell():
    assert search(drive([[HOOD]] * 2)).hoods == ()
    assert search(drive([[HOOD]] * 5), [""] * 5).hoods == ()


def test_images_of_a_group_are_taken_in_the_order_of_their_paths():
    boxes = drive([[HOOD]] * 6, scene=lambda i: [passing(i)] if i % 2 else [])
    order = [3, 0, 5, 1, 4, 2]
    paths = [f"{place}.png" for place in order]
    found = find_hoods(table_of([boxes[place] for place in order], paths=paths, groups=["g"] * 6))
    assert found.removed.sum() == 6


def test_groups_can_be_kept_and_the_search_limited_to_some_classes():
    boxes = drive([[HOOD]] * 3) + drive([[HOOD]] * 3)
    found = search(boxes, list("aaabbb"), keep=["b"])
    assert [hood.removed for hood in found.hoods] == [True, False]
    assert search(boxes, list("aaabbb"), classes=["van"]).hoods == ()
    with pytest.raises(InputError, match="hood: no class 'truck'"):
        search(boxes, list("aaabbb"), classes=["truck"])
    with pytest.raises(InputError, match=r"hood: no group 'c' - expected one of a, b"):
        search(boxes, list("aaabbb"), keep=["c"])


def test_no_boxes_and_no_images_have_no_hood():
    assert search([[], [], []]).hoods == ()
    empty = table_of([[HOOD]]).select([])
    assert find_hoods(empty).without().num_boxes == 0


@pytest.mark.slow
def test_rendered_drives_lose_just_their_hood(tmp_path):
    write_domain(tmp_path, style="engine", images=16, size=96, seed=5)
    table = read_annotations(tmp_path)
    found = find_hoods(table)
    assert [hood.removed for hood in found.hoods] == [True, True]
    at_edge = table.xyxy[:, 3] >= table.heights[table.box_image] - 1
    wide = table.xyxy[:, 2] - table.xyxy[:, 0] > 0.5 * table.widths[table.box_image]
    assert (found.removed == (at_edge & wide & (table.xyxy[:, 1] > 60))).all()
    assert found.removed.sum() == 16


def test_what_was_removed_is_written_as_a_table_and_as_pictures(tmp_path):
    boxes = drive([[HOOD]] * 3) + drive([[HOOD]] * 3, scene=lambda i: [PARKED])
    boxes = [*boxes[:3], *[[box if box != HOOD else ("van", 25, 45, 75, 60) for box in image] for image in boxes[3:]]]
    table = table_of(boxes, root=tmp_path, groups=list("aaabbb"))
    for path in table.paths:
        noise(tmp_path / str(path))
    found = find_hoods(table)
    write_removed(found, tmp_path / "hood/removed.csv")
    write_sheet(found, np.arange(len(table)), tmp_path / "hood/sheet.jpg")
    with Path(tmp_path / "hood/removed.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["image"] for row in rows] == ["images/000.png", "images/001.png", "images/002.png"]
    assert {(row["group"], row["class"], row["x1"], row["y2"]) for row in rows} == {("a", "car", "10.00", "60.00")}
    with Image.open(tmp_path / "hood/sheet.jpg") as picture:
        assert picture.width > 100
    labels = np.array(marked(found).class_names)[marked(found).box_class].tolist()
    assert labels == ["car", "removed hood"] * 3 + ["person", "hood? kept"] * 3
    assert shown_images(found, np.arange(6)).tolist() == [1, 4]
    assert shown_images(found, np.array([3, 5])).tolist() == [5]
