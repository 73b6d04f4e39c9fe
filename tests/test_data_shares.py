"""Shares of an image: rounding may leave one a little beyond 0 or 1; pixels are no shares."""

import pytest
from small_data import noise

from gapscope.data.check import check_folder
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError

SIZE = (1200, 1080)


def yolo(root, row):
    noise(root / "images/a.jpg", SIZE)
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text(f"{row}\n")
    (root / "classes.txt").write_text("car\n")
    return root


def openimages(root, *sides):
    noise(root / "images/a.jpg", SIZE)
    rows = ["ImageID,LabelName,XMin,XMax,YMin,YMax", ",".join(["a", "car", *map(str, sides)])]
    (root / "boxes.csv").write_text("\n".join(rows))
    return root


@pytest.mark.parametrize(
    ("row", "box"),
    [
        ("0 0.5 0.50028 0.9 1.00044", (60, 0.06, 1140, 1080)),  # ends 0.54 pixels below the image
        ("0 0.5 0.5 1.000001 1.000001", (0, 0, 1200, 1080)),
        ("0 1.0000001 0.5 0.2 0.2", None),  # its centre is beyond the border, so half of it is
        ("0 -0.0000001 0.5 0.001 0.2", (0, 432, 0.6, 648)),
        ("0 0.9995 0.5 0.0012 0.2", (1198.68, 432, 1200, 648)),
    ],
)
def test_what_leaves_its_image_by_less_than_a_pixel_is_cut_and_what_leaves_it_by_more_is_refused(tmp_path, row, box):
    root = yolo(tmp_path, row)
    if box is None:
        with pytest.raises(InputError, match=r"row 1: box .* leaves its image of 1200 x 1080 pixels by 120 - "):
            read_annotations(root)
    else:
        assert read_annotations(root).xyxy[0] == pytest.approx(box, abs=0.02)
        found = check_folder(root)
        assert (found.problems, found.table.num_boxes) == ((), 1)


@pytest.mark.parametrize(
    ("row", "box"),
    [
        ("0 1.1 0.5 0.4 0.2", (1080, 432, 1200, 648)),
        ("0 -0.1 0.5 0.4 0.2", (0, 432, 120, 648)),
        ("0 0.5 0.5 3 2.5", (0, 0, 1200, 1080)),
    ],
)
def test_where_boxes_are_cut_they_may_reach_out_as_far_as_they_like(tmp_path, row, box):
    root = yolo(tmp_path, row)
    with pytest.raises(InputError, match="leaves its image"):
        read_annotations(root)
    assert read_annotations(root, clip=True).xyxy[0] == pytest.approx(box, abs=0.01)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize(
    "row", ["0 600 540 20 10", "0 4 5 2 2", "0 30.5 20.5 3 3", "0 0.5 0.5 -0.1 0.1", "0 nan 0 1 1"]
)
def test_pixels_are_refused_however_boxes_are_treated(tmp_path, clip, row):
    with pytest.raises(InputError, match="expected shares of the image from 0 to 1"):
        read_annotations(yolo(tmp_path, row), clip=clip)


def test_sides_of_open_images_are_treated_alike(tmp_path):
    (tmp_path / "a").mkdir()
    table = read_annotations(openimages(tmp_path / "a", -0.0003, 1.0005, 0.2, 0.6))
    assert table.xyxy[0] == pytest.approx((0, 216, 1200, 648), abs=0.01)
    (tmp_path / "b").mkdir()
    far = openimages(tmp_path / "b", 0.5, 1.5, 0.2, 0.6)
    with pytest.raises(InputError, match="leaves its image of 1200 x 1080 pixels by 600"):
        read_annotations(far)
    assert read_annotations(far, clip=True).xyxy[0] == pytest.approx((600, 216, 1200, 648), abs=0.01)
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match="expected shares of the image"):
        read_annotations(openimages(tmp_path / "c", 10, 50, 20, 60), clip=True)
