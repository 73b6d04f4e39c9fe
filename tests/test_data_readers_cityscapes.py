"""Cityscapes, CityPersons and Synscapes: boxes by an independent drawing or count, flags, and refusals."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw
from small_data import noise

from gapscope.data.problems import Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.data.table import ANY_CLASS
from gapscope.errors import InputError

SIZE = (100, 60)


def scapes(root, folder, ending, objects, *, city="aachen", split="train", image="leftImg8bit.png", **more):
    """One label file of a Cityscapes kind and its image (none if `image` is None)."""
    name = f"{city}_000000_{more.pop('frame', 19):06}"
    path = root / folder / split / city / f"{name}_{ending}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"imgWidth": SIZE[0], "imgHeight": SIZE[1], "objects": objects, **more}))
    if image:
        noise(root / f"leftImg8bit/{split}/{city}/{name}_{image}", SIZE)
    return path


def fine(root, objects, **more):
    return scapes(root, "gtFine", "gtFine_polygons", objects, **more)


def polygon(label, *points, **more):
    return {"label": label, "polygon": [list(point) for point in points], **more}


def test_a_polygons_box_is_the_extent_of_its_pixels_as_drawn(tmp_path):
    shapes = [
        ((10, 20), (40, 25), (30, 50)),
        ((0, 0), (99, 0), (50, 59)),
        ((5, 5), (5, 9), (8, 7)),
        ((90, 40), (130, 40), (130, 80), (90, 80)),
    ]
    fine(tmp_path, [polygon("car", *points) for points in shapes])
    table = read_annotations(tmp_path)
    for points, box in zip(shapes, table.xyxy.tolist(), strict=True):
        canvas = Image.new("L", SIZE)
        ImageDraw.Draw(canvas).polygon(list(points), fill=1)
        ys, xs = np.nonzero(np.asarray(canvas))
        assert box == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def test_stuff_is_no_object_groups_are_crowds_and_the_city_is_the_group(tmp_path):
    square = ((1, 1), (9, 1), (9, 9), (1, 9))
    objects = [polygon(name, *square) for name in ("road", "ego vehicle", "car", "cargroup", "license plate", "ground")]
    fine(tmp_path, [*objects, polygon("rider", *square, deleted=1)])
    fine(tmp_path, [], city="bonn", split="val")
    fine(tmp_path, [polygon("ego vehicle", *square)], city="berlin", split="test")
    table = read_annotations(tmp_path)
    assert table.groups.tolist() == ["aachen", "bonn"]
    assert [table.class_names[i] for i in table.box_class] == ["car", "car"]
    assert table.crowd.tolist() == [False, True]
    assert table.notes == ("1 image without a label file (test has none), of 3: left out.",)


def test_every_version_of_an_image_gets_its_boxes(tmp_path):
    fine(tmp_path, [polygon("car", (1, 1), (9, 9), (1, 9))], image="leftImg8bit_foggy_beta_0.01.png")
    noise(tmp_path / "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit_foggy_beta_0.02.png", SIZE)
    assert read_annotations(tmp_path).box_image.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds a list - expected a JSON object"),
        ('{"imgWidth": 100}', "no 'imgHeight', only"),
        ('{"imgWidth": 100, "imgHeight": 61, "objects": []}', "says 100 x 61 pixels, but .* has 100 x 60"),
        ('{"imgWidth": 100, "imgHeight": 60, "objects": 3}', "'objects' is 3 - expected a list"),
        ('{"imgWidth": 100, "imgHeight": 60, "objects": [3]}', "object 1: no 'label', is 3"),
        ('{"imgWidth": 100, "imgHeight": 60, "objects": [{"label": "car"}]}', "object 1: no 'polygon'"),
        (
            '{"imgWidth": 100, "imgHeight": 60, "objects": [{"label": "car", "polygon": [[1]]}]}',
            "list of .x, y. pixels",
        ),
        ('{"imgWidth": 100, "imgHeight": 60, "objects": [{"label": "car", "polygon": []}]}', "list of .x, y. pixels"),
    ],
)
def test_a_broken_cityscapes_file_is_named_or_left_out(tmp_path, content, message):
    fine(tmp_path, [polygon("car", (1, 1), (9, 9), (1, 9))])
    fine(tmp_path, [], frame=20).write_text(content)
    with pytest.raises(InputError, match=f"aachen_000000_000020_gtFine_polygons.json.*{message}"):
        read_annotations(tmp_path)
    problems = Problems(strict=False)
    assert read_annotations(tmp_path, problems=problems).num_boxes == 1
    assert len(problems.found) == 1


def test_labels_without_an_image_are_refused(tmp_path):
    fine(tmp_path, [])
    fine(tmp_path, [], frame=20, image=None)
    with pytest.raises(InputError, match=r"000020_gtFine_polygons.json: has no image aachen_000000_000020_\* in"):
        read_annotations(tmp_path)


def test_cityscapes_3d_gives_modal_boxes_shares_and_ignore_regions(tmp_path):
    entry = {
        "2d": {"modal": [6, 43, 36, 30], "amodal": [0, 42, 38, 35]},
        "occlusion": 0.25,
        "truncation": 0.5,
        "label": "car",
    }
    ignore = [{"2d": [50, 10, 20, 5], "label": "ignore"}]
    scapes(tmp_path, "gtBbox3d", "gtBbox3d", [entry], ignore=ignore)
    table = read_annotations(tmp_path)
    assert table.xyxy.tolist() == [[6, 43, 42, 60], [50, 10, 70, 15]]  # the first is cut at the lower border
    assert table.box_class.tolist() == [0, ANY_CLASS]
    assert (table.occlusion[0], table.truncation[0]) == (0.25, 0.5)
    assert table.ignore.tolist() == [False, True]


def test_gtfine_comes_first_and_the_others_can_be_asked_for(tmp_path):
    fine(tmp_path, [])
    scapes(tmp_path, "gtBbox3d", "gtBbox3d", [{"2d": {"modal": [1, 1, 5, 5]}, "label": "train"}])
    people = [{"bbox": [1, 1, 5, height], "label": "rider"} for height in (5, 6)]
    scapes(tmp_path, "gtBboxCityPersons", "gtBboxCityPersons", people)
    assert read_annotations(tmp_path).num_boxes == 0
    assert read_annotations(tmp_path, "cityscapes3d").num_boxes == 1
    assert read_annotations(tmp_path, "citypersons").num_boxes == 2


def test_citypersons_files_give_occlusion_crowds_and_ignore_regions(tmp_path):
    objects = [
        {"label": "pedestrian", "bbox": [10, 10, 10, 20], "bboxVis": [10, 10, 10, 5]},
        {"label": "person (other)", "bbox": [10, 10, 10, 20], "bboxVis": [10, 10, 10, 20]},
        {"label": "person group", "bbox": [-5, 10, 10, 20]},
        {"label": "ignore", "bbox": [1, 1, 5, 5]},
    ]
    scapes(tmp_path, "gtBboxCityPersons", "gtBboxCityPersons", objects)
    table = read_annotations(tmp_path)
    assert [("any", *table.class_names)[i + 1] for i in table.box_class] == [
        "pedestrian",
        "other person",
        "pedestrian",
        "any",
    ]
    assert table.occlusion[:2].tolist() == [0.75, 0]
    assert (table.crowd.tolist(), table.ignore.tolist()) == ([False, False, True, True], [False, False, True, True])
    assert table.xyxy[2].tolist() == [0, 10, 5, 30]


def test_the_real_citypersons_file_has_the_people_that_its_annotations_count(tmp_path, shared_data):
    source = shared_data / "format_samples/citypersons/val_gt.json"
    content = json.loads(source.read_text())
    (tmp_path / "val_gt.json").symlink_to(source)
    blank = tmp_path / "blank.png"
    Image.new("L", (2048, 1024)).save(blank)
    for entry in content["images"]:
        city = tmp_path / "leftImg8bit/val" / entry["im_name"].split("_")[0]
        city.mkdir(parents=True, exist_ok=True)
        (city / entry["im_name"]).symlink_to(blank)
    table = read_annotations(tmp_path)
    assert (len(table), table.num_boxes) == (500, 5795)
    assert set(table.groups) == {"frankfurt", "lindau", "munster"}
    flags = Counter(
        (bool(row["ignore"]) or bool(row["iscrowd"]), bool(row["iscrowd"])) for row in content["annotations"]
    )
    assert Counter(zip(table.ignore.tolist(), table.crowd.tolist(), strict=True)) == flags
    first = [row for row in content["annotations"] if row["image_id"] == 1]
    found = table.xyxy[
        table.box_range(table.paths.tolist().index(f"leftImg8bit/val/frankfurt/{content['images'][0]['im_name']}"))
    ]
    assert found.tolist() == [[x, y, x + w, y + h] for x, y, w, h in (row["bbox"] for row in first)]


def synscapes(root, number, instances, folder="img/rgb", size=SIZE):
    """instances: (class id, xmin, ymin, xmax, ymax, occluded, truncated)"""
    noise(root / folder / f"{number}.png", size)
    keys = [f"24{i:05}" for i in range(len(instances))]
    content = {
        "bbox2d": {
            k: dict(zip(("xmin", "ymin", "xmax", "ymax"), row[1:5], strict=True))
            for k, row in zip(keys, instances, strict=True)
        },
        "class": {k: row[0] for k, row in zip(keys, instances, strict=True)},
        "occluded": {k: row[5] for k, row in zip(keys, instances, strict=True)},
        "truncated": {k: row[6] for k, row in zip(keys, instances, strict=True)},
    }
    path = root / f"meta/{number}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"camera": {}, "instance": content, "scene": {}}))
    return path


def test_synscapes_shares_become_pixels_of_whichever_image_is_used(tmp_path):
    rows = [(26, 0.1, 0.2, 0.5, 0.6, 0.25, 0), (-1, 0, 0, 1, 1, 0, 0), (33, 0.9, 0.5, 1.1, 1, 0, 0.5)]
    synscapes(tmp_path, 2, rows)
    synscapes(tmp_path, 10, [])
    table = read_annotations(tmp_path)
    assert [path.split("/")[-1] for path in table.paths] == ["2.png", "10.png"]
    assert [table.class_names[i] for i in table.box_class] == ["car", "bicycle"]
    assert np.allclose(table.xyxy, [[10, 12, 50, 36], [90, 30, 100, 60]], atol=1e-4)
    assert table.occlusion.tolist() == [0.25, 0]
    for number in (2, 10):
        noise(tmp_path / f"img/rgb-2k/{number}.png", (200, 120))
    large = read_annotations(tmp_path, images=tmp_path / "img/rgb-2k")
    assert np.allclose(large.xyxy, 2 * table.xyxy, atol=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"xmin": 0.1',
            '"xmin": NaN',
            r"7.json, instance 2400000: bbox2d \[nan, 0.2, 0.5, 0.6\] - expected four finite",
        ),
        ('"xmin": 0.1, ', "", r"bbox2d \[None, 0.2, 0.5, 0.6\]"),
        ('"instance"', '"instances"', "7.json: no 'instance'"),
        ('"class": {"2400000": 26}', '"class": {}', "no '2400000'"),
    ],
)
def test_a_broken_synscapes_file_is_named(tmp_path, old, new, message):
    path = synscapes(tmp_path, 7, [(26, 0.1, 0.2, 0.5, 0.6, 0, 0)])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)


def test_synscapes_images_and_labels_must_match(tmp_path):
    synscapes(tmp_path, 1, [])
    noise(tmp_path / "img/rgb/2.png", SIZE)
    with pytest.raises(InputError, match=r"2\.png: has no 2\.json"):
        read_annotations(tmp_path)
    (tmp_path / "img/rgb/1.png").unlink()
    with pytest.raises(InputError, match=r"1\.json: has no image 1\.png"):
        read_annotations(tmp_path)
