"""Readers: the same picture is the same boxes in every format, and broken rows are named."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from small_data import coco_folder, noise, write_coco

from gapscope.data.readers.detect import read_annotations
from gapscope.data.readers.folders import LabelFolder
from gapscope.data.readers.format import Request
from gapscope.data.readers.voc import read_voc
from gapscope.errors import InputError

IMAGE = (100, 60)
XML = """<annotation><filename>wrong.png</filename>
<size><width>{w}</width><height>{h}</height><depth>3</depth></size>{objects}</annotation>"""
OBJECT = """<object><name>{}</name><difficult>{}</difficult>
<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"""


def yolo_folder(root, rows, names="car\nvan\n"):
    """One image per entry of `rows` (text of its label file, None for no file)."""
    (root / "labels").mkdir(parents=True)
    for i, text in enumerate(rows):
        noise(root / f"images/{i}.png", seed=i)
        if text is not None:
            (root / f"labels/{i}.txt").write_text(text)
    (root / "classes.txt").write_text(names)
    return root


def voc_folder(root, objects, size=IMAGE):
    """One image per entry of `objects`: (class, difficult, xmin, ymin, xmax, ymax) rows."""
    (root / "Annotations").mkdir(parents=True)
    for i, rows in enumerate(objects):
        noise(root / f"JPEGImages/{i}.jpg", seed=i)
        text = XML.format(w=size[0], h=size[1], objects="".join(OBJECT.format(*row) for row in rows))
        (root / f"Annotations/{i}.xml").write_text(text)
    return root


def test_one_box_is_the_same_box_in_coco_yolo_and_voc(tmp_path):
    content = coco_folder(tmp_path / "coco", num_images=1)
    content["annotations"] = [{"id": 1, "image_id": 0, "category_id": 7, "bbox": [10, 20, 30, 15]}]
    write_coco(tmp_path / "coco", content)
    yolo_folder(tmp_path / "yolo", [f"0 {25 / 100} {27.5 / 60} {30 / 100} {15 / 60}\n"])
    voc_folder(tmp_path / "voc", [[("car", 0, 11, 21, 40, 35)]])
    for name in ("coco", "yolo", "voc"):
        table = read_annotations(tmp_path / name)
        assert table.xyxy[0] == pytest.approx([10, 20, 40, 35], abs=1e-4), name
        assert table.class_names[table.box_class[0]] == "car"
        assert (table.widths[0], table.heights[0]) == IMAGE
        assert table.path(0).is_file()


def test_coco_agrees_with_pycocotools(tmp_path, capsys):
    content = coco_folder(tmp_path, num_images=4)
    content["annotations"] += [
        {"id": 99, "image_id": 3, "category_id": 9, "bbox": [0, 0, 100, 60], "iscrowd": 1},
        {"id": 98, "image_id": 1, "category_id": 9, "bbox": [0.25, 1, 2, 3]},
    ]
    oracle = COCO(write_coco(tmp_path, content))
    table = read_annotations(tmp_path)
    assert table.class_names == ("car", "van")
    for i in range(len(table)):
        expected = {(tuple(a["bbox"]), a["category_id"], a.get("iscrowd", 0)) for a in oracle.imgToAnns[i]}
        found = {
            ((x1, y1, x2 - x1, y2 - y1), {"car": 7, "van": 9}[table.class_names[label]], int(ignore))
            for (x1, y1, x2, y2), label, ignore in zip(*(c.tolist() for c in table.boxes_of(i)), strict=True)
        }
        assert found == expected


def test_coco_keeps_groups_and_order(tmp_path):
    content = coco_folder(tmp_path)
    content["images"] = [{**image, "group": f"drive {image['id'] % 2}"} for image in reversed(content["images"])]
    write_coco(tmp_path, content)
    table = read_annotations(tmp_path)
    assert table.paths.tolist() == ["images/002.png", "images/001.png", "images/000.png"]
    assert table.groups.tolist() == ["drive 0", "drive 1", "drive 0"]


def break_coco(content, path, value):
    *where, last = path
    for key in where:
        content = content[key]
    if value is None:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("categories",), None, r"lacks the list\(s\) categories - expected COCO JSON"),
        (("annotations", 1, "bbox"), None, r"annotation 11: has no 'bbox'"),
        (("annotations", 1, "bbox"), [1, 2, 3], r"annotation 11: bbox \[1, 2, 3\] - expected four numbers"),
        (("annotations", 1, "bbox"), [1, 2, 3, "4"], r"annotation 11: bbox"),
        (("annotations", 1, "bbox"), [1, 2, -3, 4], r"annotation 11: box \(1, 2, -2, 6\) is inside out"),
        (("annotations", 1, "bbox"), [1, 2, 300, 4], r"leaves its image of 100 x 60 pixels by 201 - .*clip=True"),
        (("annotations", 1, "bbox"), [1, 2, float("nan"), 4], r"expected four finite numbers"),
        (("annotations", 1, "category_id"), 8, r"annotation 11: category_id 8 is not in the file - expected one"),
        (("annotations", 1, "image_id"), 77, r"annotation 11: image_id 77 is not in the file"),
        (("images", 1, "file_name"), "x.png", r"image 1: image file x\.png is missing - expected it in .*images or "),
        (("images", 1, "width"), 99, r"image 1: says 99 x 60 pixels, but .*001\.png has 100 x 60"),
        (("images", 1, "id"), 0, r"image 0: the id occurs twice"),
    ],
)
def test_a_broken_coco_file_is_refused_with_its_entry(tmp_path, path, value, message):
    content = coco_folder(tmp_path)
    break_coco(content, path, value)
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path, "coco", labels=write_coco(tmp_path, content))


def test_boxes_are_cut_at_the_border_when_asked_or_when_rounding_explains_it(tmp_path):
    content = coco_folder(tmp_path)
    content["annotations"] = [{"id": 1, "image_id": 0, "category_id": 7, "bbox": [-0.5, 50, 10, 11]}]
    write_coco(tmp_path, content)
    assert read_annotations(tmp_path).xyxy.tolist() == [[0, 50, 9.5, 60]]
    content["annotations"][0]["bbox"] = [-20, 50, 50, 50]
    write_coco(tmp_path, content)
    assert read_annotations(tmp_path, clip=True).xyxy.tolist() == [[0, 50, 30, 60]]


def test_boxes_without_area_are_counted_and_left_out(tmp_path):
    yolo_folder(tmp_path, ["0 0.5 0.5 0 0.5\n1 0.5 0.5 0.1 0.1"])
    table = read_annotations(tmp_path)
    assert (table.num_boxes, table.no_area, table.counts()["van"]) == (1, 1, 1)


def test_an_image_without_a_yolo_label_file_has_no_objects(tmp_path):
    table = read_annotations(yolo_folder(tmp_path, ["0 0.5 0.5 0.1 0.1", None, ""]))
    assert table.box_image.tolist() == [0]
    assert len(table) == 3


def test_yolo_splits_in_subfolders_are_read_together(tmp_path):
    for split in ("train", "val"):
        yolo_folder(tmp_path / split, ["1 0.5 0.5 0.1 0.1"])
        (tmp_path / split / "classes.txt").rename(tmp_path / "classes.txt")
    assert read_annotations(tmp_path).paths.tolist() == ["train/images/0.png", "val/images/0.png"]


@pytest.mark.parametrize("names", ["names: [car, 'delivery van']", "nc: 2\nnames:\n  0: car\n  1: delivery van"])
def test_yolo_names_may_stand_in_yaml(tmp_path, names):
    yolo_folder(tmp_path, ["1 0.5 0.5 0.1 0.1"])
    (tmp_path / "classes.txt").unlink()
    (tmp_path / "data.yaml").write_text(names)
    assert read_annotations(tmp_path).class_names == ("car", "delivery van")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.5 0.5 0.1", r"0\.txt, row 2: 4 values in '0 0.5 0.5 0.1' - expected class, centre x"),
        ("0 0.5 0.5 0.1 0.1 0.2", r"row 2: 6 values"),
        ("car 0.5 0.5 0.1 0.1", r"row 2: 'car 0.5 0.5 0.1 0.1' - expected a whole class number"),
        ("2 0.5 0.5 0.1 0.1", r"row 2: class 2 - expected 0 to 1, one per name"),
        ("0 50 50 10 10", r"row 2: '0 50 50 10 10' - expected shares of the image from 0 to 1"),
        ("0 nan 0.5 0.1 0.1", r"row 2: .*expected shares"),
        ("0 0.01 0.5 0.2 0.1", r"row 2: box \(-9, 27, 11, 33\) leaves its image of 100 x 60 pixels by 9"),
    ],
)
def test_a_broken_yolo_row_is_named(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        read_annotations(yolo_folder(tmp_path, ["0 0.5 0.5 0.1 0.1\n" + row]))


def test_yolo_files_that_do_not_match_are_refused(tmp_path):
    yolo_folder(tmp_path / "a", ["0 0.5 0.5 0.1 0.1"])
    (tmp_path / "a/labels/7.txt").write_text("")
    with pytest.raises(InputError, match=r"7\.txt: has no image in .*images - expected one of the same name"):
        read_annotations(tmp_path / "a")
    yolo_folder(tmp_path / "b", ["0 0.5 0.5 0.1 0.1"])
    (tmp_path / "b/classes.txt").unlink()
    with pytest.raises(InputError, match=r"has no class names - expected classes\.txt or data\.yaml"):
        read_annotations(tmp_path / "b")
    (tmp_path / "b/data.yaml").write_text("names: {1: car}")
    with pytest.raises(InputError, match=r"data\.yaml: names is \{1: 'car'\} - expected a list"):
        read_annotations(tmp_path / "b")
    (tmp_path / "b/data.yaml").write_text("names: [car")
    with pytest.raises(InputError, match=r"data\.yaml cannot be read as YAML"):
        read_annotations(tmp_path / "b")


def test_voc_counts_pixels_from_one_and_includes_the_last(tmp_path):
    table = read_annotations(voc_folder(tmp_path, [[("car", 0, 1, 1, 100, 60), ("van", 1, 3, 3, 3, 3)], []]))
    assert table.xyxy.tolist() == [[0, 0, 100, 60], [2, 2, 3, 3]]
    assert table.ignore.tolist() == [False, True]
    assert len(table) == 2


def test_voc_with_a_zero_is_read_as_edges_throughout(tmp_path):
    root = voc_folder(tmp_path, [[("car", 0, 0, 5, 100, 60)], [("car", 0, 10, 10, 20, 20)]])
    assert read_annotations(root).xyxy.tolist() == [[0, 5, 100, 60], [10, 10, 20, 20]]
    folders = [LabelFolder(root / "JPEGImages", root / "Annotations")]
    inclusive = read_voc(Request(root), folders, pixels="inclusive")
    assert inclusive.xyxy.tolist() == [[0, 4, 100, 60], [9, 9, 20, 20]]


def test_a_broken_voc_file_is_named(tmp_path):
    root = voc_folder(tmp_path, [[("car", 0, 10, 10, 20, 20)]])
    xml = root / "Annotations/0.xml"
    text = xml.read_text()
    for change, message in [
        (text[:-30], r"0\.xml: is no whole XML file"),
        (text.replace("annotation>", "svg>"), r"0\.xml: starts with <svg>"),
        (text.replace(">20</xmax>", ">wide</xmax>"), r"0\.xml, object 1: <bndbox/xmax> is 'wide' - expected a number"),
        (text.replace("<name>car</name>", ""), r"0\.xml, object 1: has no <name>"),
        (text.replace(">100</width>", ">640</width>"), r"0\.xml: says 640.* x 60.* pixels, but .*0\.jpg has 100 x 60"),
        (text.replace(">20</ymax>", ">200</ymax>"), r"0\.xml, object 1: box \(9, 9, 20, 200\) leaves its image"),
    ]:
        xml.write_text(change)
        with pytest.raises(InputError, match=message):
            read_annotations(root)
    xml.write_text(text)
    (root / "classes.txt").write_text("bus\n")
    with pytest.raises(InputError, match=r"0\.xml, object 1: class 'car' is not listed - expected one of bus"):
        read_annotations(root)
    xml.rename(root / "Annotations/1.xml")
    with pytest.raises(InputError, match=r"0\.jpg: has no XML in .*Annotations - expected one for each image"):
        read_annotations(root)


def test_images_without_labels_are_read_when_asked_for(tmp_path):
    noise(tmp_path / "images/0.png")
    table = read_annotations(tmp_path, "unlabelled")
    assert table.paths.tolist() == ["images/0.png"]
    assert table.class_names == () and table.num_boxes == 0


def test_what_was_looked_for_is_said_when_nothing_is_found(tmp_path):
    noise(tmp_path / "images/0.png")
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(InputError, match=r"fits no known format.*yolo, voc\. .*images without labels: format unl"):
        read_annotations(tmp_path)
    with pytest.raises(InputError, match=r"does not fit the format yolo - expected .*: images/ beside labels/\*\.txt"):
        read_annotations(tmp_path, "yolo")
    with pytest.raises(InputError, match=r"format 'cifar' is unknown - expected one of .*, coco, yolo, voc"):
        read_annotations(tmp_path, "cifar")
    with pytest.raises(InputError, match="nowhere is missing - expected the folder of a data set"):
        read_annotations(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not below"):
        read_annotations(tmp_path / "images", images=tmp_path)


def test_two_coco_files_are_ambiguous(tmp_path):
    path = write_coco(tmp_path, coco_folder(tmp_path))
    (tmp_path / "more.json").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"several COCO files: annotations\.json, more\.json"):
        read_annotations(tmp_path)
    assert len(read_annotations(tmp_path, labels=path)) == 3


def test_folders_may_have_other_names(tmp_path):
    root = yolo_folder(tmp_path, ["0 0.5 0.5 0.1 0.1"])
    (root / "images").rename(root / "pictures")
    (root / "labels").rename(root / "boxes")
    table = read_annotations(root, "yolo", images=root / "pictures", labels=root / "boxes")
    assert table.paths.tolist() == ["pictures/0.png"]


def test_an_image_that_wants_to_be_rotated_is_refused(tmp_path):
    content = coco_folder(tmp_path, num_images=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", IMAGE).save(tmp_path / "images/000.png", exif=exif)
    with pytest.raises(InputError, match=r"000\.png has EXIF orientation 6 - expected upright pixels"):
        read_annotations(write_coco(tmp_path, content).parent)
    (tmp_path / "images/000.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"000\.png cannot be read as an image"):
        read_annotations(tmp_path)


def test_the_real_streets_hold_the_boxes_their_label_files_hold(shared_data):
    root = shared_data / "real_road_vehicles_bd"
    rows = [line.split()[0] for path in root.glob("*/labels/*.txt") for line in path.read_text().splitlines()]
    table = read_annotations(root)
    assert (len(table), table.num_boxes + table.no_area, len(rows)) == (900, 4804 + 2584, 4804 + 2584)
    train = table.select([i for i, path in enumerate(table.paths) if path.startswith("train/")])
    assert {name: train.counts()[name] for name in ("car", "truck", "bicycle", "taxi")} == {
        "car": 905,
        "truck": 311,
        "bicycle": 104,
        "taxi": 7,
    }


def test_the_simulated_streets_hold_the_objects_of_their_xml(shared_data):
    root = shared_data / "synth_carla_danielhfnr"
    texts = [path.read_text() for path in root.glob("*/labels_voc/*.xml")]
    expected = Counter(part.split("</name>")[0] for text in texts for part in text.split("<name>")[1:])
    table = read_annotations(root)
    assert table.counts() == dict(expected)
    assert len(table) == len(texts) == 849
    empty = len(table) - len(np.unique(table.box_image))
    assert empty == sum("<object>" not in text for text in texts) == 81 + 40


def test_voc_agrees_with_another_tools_conversion_of_the_same_files(shared_data):
    """Someone else's COCO file of the simulated test images, which took the XML as pixels from 1, last one included."""
    content = json.loads((shared_data / "format_samples/coco/carla_danielhfnr_test.json").read_text())
    root = shared_data / "synth_carla_danielhfnr"
    table = read_voc(Request(root), [LabelFolder(root / "test/images", root / "test/labels_voc")], pixels="inclusive")
    # In 57 of its 249 entries the file's name was lost; they are all called "_semantic".
    entries = [image for image in content["images"] if image["file_name"] != "_semantic"]
    names = {image["id"]: f"test/images/Town05_{image['file_name'][:-4]}.jpg" for image in entries}
    theirs = Counter(
        (names[a["image_id"]], max(x, 0), max(y, 0), x + w, y + h)
        for a in content["annotations"]
        for x, y, w, h in [a["bbox"]]
        if a["image_id"] in names
    )
    boxes = zip(table.paths[table.box_image], table.xyxy.tolist(), strict=True)
    ours = Counter((str(path), *box) for path, box in boxes if path in names.values())
    assert len(names) == 192
    assert ours == theirs
