"""Sizes that labels state: compared with the image, taken where there is none, passed over where they say nothing."""

import json

import pytest
from small_data import coco_folder, noise, write_coco

from gapscope.data.readers import json_stream
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError

XML = """<annotation>{size}<object><name>car</name>
<bndbox><xmin>21</xmin><ymin>11</ymin><xmax>80</xmax><ymax>50</ymax></bndbox></object></annotation>"""
BOX = {"box2d": {"x1": 900, "y1": 500, "x2": 1099, "y2": 599}, "category": "car", "id": "0"}


def voc(root, size):
    noise(root / "JPEGImages/a.jpg", (100, 60))
    (root / "Annotations").mkdir()
    (root / "Annotations/a.xml").write_text(XML.format(size=size))
    return root


@pytest.mark.parametrize("sides", [("0", "0"), ("-1", "-1"), ("0", "60"), ("100", "0"), ("", ""), ("0.0", "0.0")])
def test_a_size_in_xml_that_is_a_placeholder_says_nothing(tmp_path, sides):
    size = "<size><width>{}</width><height>{}</height><depth>3</depth></size>".format(*sides)
    table = read_annotations(voc(tmp_path, size))
    assert (table.widths[0], table.heights[0], table.xyxy.tolist()) == (100, 60, [[20, 10, 80, 50]])


@pytest.mark.parametrize("size", ["", "<size/>", "<size><depth>3</depth></size>"])
def test_xml_may_leave_its_size_out(tmp_path, size):
    assert read_annotations(voc(tmp_path, size)).widths.tolist() == [100]


def test_a_size_in_xml_that_is_another_or_none_at_all_is_refused(tmp_path):
    for name, sides, says in (
        ("other", ("640", "60"), r"says 640 x 60 pixels, but .*a\.jpg has 100 x 60"),
        ("half", ("100.5", "60"), r"says 100\.5 x 60\.0 pixels - expected two whole numbers above 0, or none"),
        ("word", ("wide", "60"), r"<size/width> is 'wide' - expected a number"),
        ("nan", ("nan", "60"), r"says nan x 60\.0 pixels - expected two whole numbers"),
    ):
        size = "<size><width>{}</width><height>{}</height></size>".format(*sides)
        with pytest.raises(InputError, match=says):
            read_annotations(voc(tmp_path / name, size))


@pytest.mark.parametrize("side", [0, -1, None, 0.0])
def test_a_size_in_coco_that_is_a_placeholder_says_nothing(tmp_path, side):
    content = coco_folder(tmp_path, 1)
    content["images"][0] |= {"width": side, "height": side}
    write_coco(tmp_path, content)
    table = read_annotations(tmp_path)
    assert (table.widths.tolist(), table.heights.tolist()) == ([100], [60])
    assert read_annotations(tmp_path, sizes=(400, 300)).widths.tolist() == [400]


def scalabel(root, config, frame_size=None, name="clip-1.jpg"):
    frame = {"name": name, "labels": [BOX]} | ({"size": frame_size} if frame_size else {})
    root.mkdir(parents=True, exist_ok=True)
    (root / "labels.json").write_text(json.dumps({"frames": [frame], "config": config}))
    return root


@pytest.mark.parametrize("name", ["clip-1.jpg", "b1c66a42-6f7d68ca.jpg"])  # the second is BDD100K's kind of name
@pytest.mark.parametrize("is_large", [False, True])
def test_a_size_that_stands_once_for_all_frames_is_theirs(tmp_path, monkeypatch, name, is_large):
    monkeypatch.setattr(json_stream, "WHOLE", 0 if is_large else 2**20)
    root = scalabel(tmp_path, {"imageSize": {"width": 1280, "height": 720}}, name=name)
    table = read_annotations(root, sizes=(640, 360))
    assert (table.widths.tolist(), table.heights.tolist()) == ([1280], [720])
    assert table.xyxy.tolist() == [[900, 500, 1100, 600]]


def test_a_frame_that_states_a_size_has_that(tmp_path):
    config = {"imageSize": {"width": 640, "height": 360}, "categories": []}
    root = scalabel(tmp_path, config, {"width": 1920, "height": 1080})
    assert read_annotations(root, sizes=(640, 360)).widths.tolist() == [1920]


@pytest.mark.parametrize("config", [{}, None, {"imageSize": None}, {"imageSize": {"width": 0, "height": 0}}])
def test_without_a_size_for_all_the_one_that_is_given_counts(tmp_path, config):
    assert read_annotations(scalabel(tmp_path, config), sizes=(1100, 600)).widths.tolist() == [1100]


def test_a_size_for_all_that_is_not_the_images_is_refused(tmp_path):
    root = scalabel(tmp_path, {"imageSize": {"width": 1280, "height": 720}})
    noise(root / "images/clip-1.jpg", (640, 360))
    with pytest.raises(InputError, match=r"says 1280 x 720 pixels, but .*clip-1\.jpg has 640 x 360"):
        read_annotations(root, clip=True)
