"""Folders as tools leave them: what is read without being told, what is refused, and what is said about the rest."""

import json

import pytest
import yaml
from command import gapscope
from PIL import Image
from small_data import coco_folder, noise, write_coco
from small_formats import SMALL_FORMATS

from gapscope.config import Domain
from gapscope.data.check import check_folder
from gapscope.data.convert import convert
from gapscope.data.image_names import IMAGE_SUFFIXES
from gapscope.data.label_maps import LabelMap, fit
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError
from gapscope.study.domains import split_domain

ROW = "1 0.5 0.5 0.2 0.2\n"
XML = """<annotation><object><name>car</name>
<bndbox><xmin>21</xmin><ymin>11</ymin><xmax>80</xmax><ymax>50</ymax></bndbox></object></annotation>"""
SIDECARS = {
    "notes of Label Studio": {"categories": [{"id": 0, "name": "car"}, {"id": 1, "name": "van"}], "info": {"year": 2}},
    "names of images": {"images": ["a.jpg", "b.jpg"]},
    "images without boxes": {"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "car"}]},
    "captions": {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "caption": "a car"}]},
    "numbers": {"images": [1, 2], "annotations": [3], "categories": [4]},
    "counts": {"images": 2, "annotations": [5], "categories": {"car": 2}},
    "samples": {"samples": [{"filepath": "a.jpg"}], "categories": []},
}


def write(root, **files):
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_txt", ".txt").replace("_xml", ".xml").replace(
            "_names", ".names"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def yolo(root, images="images", labels="labels"):
    for name in ("a", "b"):
        noise(root / images / f"{name}.jpg", seed=ord(name))
        (root / labels).mkdir(parents=True, exist_ok=True)
        (root / labels / f"{name}.txt").write_text(ROW)
    (root / "classes.txt").write_text("car\nvan\n")
    return root


@pytest.mark.parametrize("place", ["", "annotations"])
@pytest.mark.parametrize("kind", SIDECARS)
def test_json_that_lacks_one_of_coco_s_lists_does_not_hide_labels(tmp_path, kind, place):
    root = yolo(tmp_path)
    (root / place).mkdir(exist_ok=True)
    (root / place / "notes.json").write_text(json.dumps(SIDECARS[kind], indent=1))
    table = read_annotations(root)
    assert (table.num_boxes, table.class_names) == (2, ("car", "van"))


def test_json_that_lacks_lists_is_named_where_nothing_else_is_found(tmp_path):
    noise(tmp_path / "images/a.jpg")
    (tmp_path / "notes.json").write_text(json.dumps({"categories": [{"id": 0, "name": "car"}]}))
    with pytest.raises(InputError, match=r"notes\.json lacks the list\(s\) images, annotations - expected COCO JSON"):
        read_annotations(tmp_path)


def test_a_coco_file_beside_its_sidecars_is_found_however_long_its_lists_are(tmp_path):
    content = coco_folder(tmp_path, 2)
    long = {"info": {"description": "x" * 100_000}} | content  # the lists begin behind the bytes of a first look
    write_coco(tmp_path, {"categories": content["categories"], **long})
    (tmp_path / "captions.json").write_text(json.dumps(SIDECARS["captions"]))
    assert read_annotations(tmp_path).num_boxes == 2


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("place", "names"), [("", "classes_txt"), ("obj_train_data", "obj_names"), ("train", "train___darknet.labels")]
)
def test_texts_beside_their_images_are_yolo(tmp_path, place, names, named):
    for name in ("a", "b"):
        noise(tmp_path / place / f"{name}.jpg", seed=ord(name))
    noise(tmp_path / place / "empty.jpg", seed=9)
    write(tmp_path / place, a_txt=ROW, b_txt="0 0.5 0.5 0.1 0.1\n" + ROW)
    write(tmp_path, train_txt="data/obj_train_data/a.jpg\n", README_txt="5 files", **{names: "car\nvan\n"})
    table = read_annotations(tmp_path, "yolo" if named else None)
    counts = dict(zip(table.paths.tolist(), [(table.box_image == i).sum() for i in range(3)], strict=True))
    prefix = f"{place}/" if place else ""
    assert counts == {f"{prefix}a.jpg": 1, f"{prefix}b.jpg": 2, f"{prefix}empty.jpg": 0}
    assert table.counts() == {"car": 1, "van": 2}
    assert check_folder(tmp_path).problems == ()


def test_xml_beside_its_images_is_voc(tmp_path):
    for name in ("a", "b"):
        noise(tmp_path / f"{name}.jpg", seed=ord(name))
    write(tmp_path, a_xml=XML, b_xml=XML, build_xml="<project/>")
    for format in (None, "voc"):
        assert read_annotations(tmp_path, format).xyxy.tolist() == [[20, 10, 80, 50]] * 2


def test_labels_that_are_named_are_told_apart_by_their_rows(tmp_path):
    root = yolo(tmp_path, "pictures", "texts")
    for format in (None, "yolo"):
        table = read_annotations(root, format, images=root / "pictures", labels=root / "texts")
        assert table.box_class.tolist() == [1, 1]
    for name in ("a", "b"):
        (root / f"texts/{name}.txt").write_text("Car 0 0 -1.57 10 10 50 40 1.5 1.6 3.7 1 1.5 20 -1.6\n")
    table = read_annotations(root, images=root / "pictures", labels=root / "texts")
    assert table.xyxy.tolist() == [[10, 10, 51, 41]] * 2


def test_one_folder_of_images_and_labels_may_be_named(tmp_path):
    noise(tmp_path / "set/obj/a.jpg")
    write(tmp_path / "set", obj__a_txt=ROW, obj_names="car\nvan")
    obj = tmp_path / "set/obj"
    assert read_annotations(tmp_path / "set", images=obj, labels=obj).num_boxes == 1
    assert read_annotations(tmp_path / "set", labels=obj).num_boxes == 1
    assert read_annotations(tmp_path / "set", "yolo", images=obj).num_boxes == 1


def test_two_kinds_of_labels_beside_images_are_ambiguous(tmp_path):
    noise(tmp_path / "a.jpg")
    write(tmp_path, a_txt=ROW, a_xml=XML, classes_txt="car\nvan\n")
    with pytest.raises(InputError, match="texts of yolo and XML files of voc beside its images - expected to be told"):
        read_annotations(tmp_path)
    assert read_annotations(tmp_path, "voc").counts() == {"car": 1, "van": 0}
    assert read_annotations(tmp_path, "yolo").counts() == {"car": 0, "van": 1}


def test_texts_that_are_no_rows_are_no_labels(tmp_path):
    noise(tmp_path / "a.jpg")
    write(tmp_path, a_txt="a car in the rain\n", classes_txt="car\n")
    with pytest.raises(InputError, match="fits no known format"):
        read_annotations(tmp_path)


def test_a_label_beside_images_without_its_own_image_is_told(tmp_path):
    noise(tmp_path / "a.jpg")
    write(tmp_path, a_txt=ROW, b_txt=ROW, classes_txt="car\nvan\n")
    with pytest.raises(InputError, match=r"b\.txt: has no image in"):
        read_annotations(tmp_path)


def test_folders_may_lie_one_level_deeper(tmp_path):
    yolo(tmp_path / "export/train")
    assert read_annotations(tmp_path).num_boxes == 2


OTHERS = [("BMP", ".bmp"), ("TIFF", ".tif"), ("GIF", ".gif"), ("TIFF", ".TIFF"), ("BMP", ".raw")]


@pytest.mark.parametrize(("kind", "suffix"), OTHERS)
@pytest.mark.parametrize("layout", ["yolo", "voc", "kitti", "flat"])
def test_an_image_in_a_form_that_is_not_read_is_no_missing_one(tmp_path, kind, suffix, layout):
    images, labels, end, content = {
        "yolo": ("images", "labels", "txt", ROW),
        "voc": ("JPEGImages", "Annotations", "xml", XML),
        "kitti": ("image_2", "label_2", "txt", "Car 0 0 -1.57 10 10 50 40 1.5 1.6 3.7 1 1.5 20 -1.6\n"),
        "flat": (".", ".", "txt", ROW),
    }[layout]
    for name in ("a", "b"):
        noise(tmp_path / images / f"{name}.jpg")
        (tmp_path / labels).mkdir(exist_ok=True)
        (tmp_path / labels / f"{name}.{end}").write_text(content)
    (tmp_path / "classes.txt").write_text("car\nvan\n")
    with Image.open(tmp_path / images / "b.jpg") as image:
        image.save(tmp_path / images / f"b{suffix}", kind)
    (tmp_path / images / "b.jpg").unlink()
    expected = rf"b\.{end}: has no image in .* that can be read, though b{suffix} is there - expected one of \.jpg, .*"
    with pytest.raises(InputError, match=rf"{expected}Convert it, for example with: mogrify -format png b{suffix}"):
        read_annotations(tmp_path)
    found = check_folder(tmp_path)
    assert [problem.wrong.endswith("is there") for problem in found.problems] == [True]
    assert "emove" not in found.problems[0].expected


@pytest.mark.parametrize("format", [None, "unlabelled", "yolo"])
def test_a_folder_of_images_that_are_not_read_says_so(tmp_path, format):
    yolo(tmp_path)
    for name in ("a", "b"):
        with Image.open(tmp_path / f"images/{name}.jpg") as image:
            image.save(tmp_path / f"images/{name}.bmp")
        (tmp_path / f"images/{name}.jpg").unlink()
    done = gapscope("data", "check", tmp_path, *(["--format", format] if format else []))
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert (".bmp are not read" if format == "unlabelled" else "a.bmp is there") in said
    assert "onvert" in said and "mogrify -format png" in said


def test_an_image_whose_name_hides_its_form_is_to_be_converted(tmp_path):
    yolo(tmp_path)
    with Image.open(tmp_path / "images/a.jpg") as image:
        image.save(tmp_path / "images/a.bmp")
    (tmp_path / "images/a.bmp").rename(tmp_path / "images/a.jpg")
    with pytest.raises(InputError, match=r"it starts with b'BM.*', as BMP does - expected .* Convert it"):
        read_annotations(tmp_path)


def test_what_is_not_read_is_counted(tmp_path):
    root = yolo(tmp_path)
    noise(root / "more/c.png")
    with Image.open(root / "images/a.jpg") as image:
        image.save(root / "images/z.tif")
    write(root, Annotations__a_xml=XML, README_txt="about", classes_txt="car\nvan\n")
    done = gapscope("data", "check", root)
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    assert "1 file (.tif; the first is z.tif) is not read, for only .jpg, .jpeg, .png, .webp are" in said
    assert "1 file (.png; the first is c.png) is not part of it: the labels that were read do not know them" in said
    assert "1 file (.xml; the first is a.xml) is not read: labels in another format?" in said


def test_images_that_a_coco_file_does_not_name_are_counted(tmp_path):
    write_coco(tmp_path, coco_folder(tmp_path, 2))
    noise(tmp_path / "images/more.png")
    (note,) = read_annotations(tmp_path).notes
    assert note.startswith("1 file (.png; the first is more.png) is not part of it")


def test_what_was_found_and_what_leads_on_is_said_where_nothing_fits(tmp_path):
    noise(tmp_path / "pictures/a.jpg")
    write(tmp_path, texts__a_txt=ROW, classes_txt="car\nvan\n")
    with pytest.raises(
        InputError, match=r"Found below it: 2 \.txt, 1 \.jpg\. texts/a\.txt has rows of yolo, but no .*"
    ):
        read_annotations(tmp_path)
    with pytest.raises(InputError, match=r"name both folders, --image-folder and --labels"):
        read_annotations(tmp_path, "yolo")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        read_annotations(tmp_path / "empty")


def roboflow(root, splits=("train", "valid", "test")):
    """An export in YOLO's form: a folder per split, class names in the root."""
    for i, split in enumerate(splits):
        for name in range(2):
            noise(root / split / f"images/{split}{name}.jpg", seed=10 * i + name)
            write(root / split, **{f"labels__{split}{name}_txt": "0 0.5 0.5 0.2 0.2\n"})
    write(root, **{"data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['car']\n"})
    write(root, **{"README.roboflow.txt": "exported"})
    return root


def test_splits_that_are_there_are_taken_and_drawing_anew_must_be_said(tmp_path):
    table = read_annotations(roboflow(tmp_path))
    splits, sentence = split_domain(table, Domain(role="real", root="x"))
    assert sentence == "by the folders train, val and test that are there"
    names = {split: [str(table.paths[i]) for i in images] for split, images in splits.items()}
    assert names["val"] == ["valid/images/valid0.jpg", "valid/images/valid1.jpg"]
    assert [len(images) for images in names.values()] == [2, 2, 2]
    drawn, said = split_domain(table, Domain(role="real", root="x", split={"method": "random"}))
    assert said == "single images at random, seed 0"
    assert {name: part.tolist() for name, part in drawn.items()} != {n: p.tolist() for n, p in splits.items()}


def test_splits_of_which_one_is_missing_are_drawn_anew_and_that_is_said(tmp_path):
    table = read_annotations(roboflow(tmp_path, ("train", "valid")))
    _, sentence = split_domain(table, Domain(role="real", root="x"))
    assert sentence.endswith("; drawn anew, since there are only folders for train, val")


@pytest.mark.parametrize(
    ("splits", "lines"),
    [
        (("train", "valid", "test"), {"train": "images/train", "val": "images/valid", "test": "images/test"}),
        (("train", "test"), {"train": "images/train", "val": "images/test", "test": "images/test"}),
        (("train",), {"train": "images/train", "val": "images/train"}),
        (("day", "night"), {"train": "images", "val": "images"}),
    ],
)
def test_what_is_written_as_yolo_names_the_folders_of_its_splits(tmp_path, splits, lines):
    table = read_annotations(roboflow(tmp_path / "set", splits))
    convert(table, "yolo", tmp_path / "new")
    content = yaml.safe_load((tmp_path / "new/data.yaml").read_text())
    assert {key: content[key] for key in content if key not in ("path", "names")} == lines
    assert all((tmp_path / "new" / folder).is_dir() for folder in lines.values())
    assert read_annotations(tmp_path / "new").num_boxes == table.num_boxes


def test_polygons_stand_for_the_box_around_them(tmp_path):
    root = yolo(tmp_path)
    (root / "labels/a.txt").write_text("0 0.1 0.5 0.3 0.25 0.2 1.0005\n1 0.5 0.5 0.2 0.2\n1 .2 .2 .4 .3 .4 .6 .2 .5\n")
    table = read_annotations(root)
    found = table.boxes_of(0)[0]
    assert found.tolist() == [
        pytest.approx(box, abs=1e-4) for box in ([10, 15, 30, 60], [40, 24, 60, 36], [20, 12, 40, 36])
    ]
    assert table.notes == ("2 polygons in place of boxes; each counts as the box around it.",)
    (root / "labels/a.txt").write_text("0 10 50 30 25 20 60\n")
    with pytest.raises(InputError, match="expected shares of the image"):
        read_annotations(root)


@pytest.mark.parametrize(
    ("shape", "row"), [("[2, 3]", "0 .5 .5 .2 .2 .9 .9 2 .1 .1 1"), ("[1, 2]", "0 .5 .5 .2 .2 .9 .9")]
)
def test_keypoints_behind_a_box_are_no_corners_of_a_polygon(tmp_path, shape, row):
    root = yolo(tmp_path)
    (root / "labels/a.txt").write_text(row)
    write(root, **{"data.yaml": f"kpt_shape: {shape}\nnames: [car, van]"})
    assert read_annotations(root).boxes_of(0)[0].tolist() == [pytest.approx([40, 24, 60, 36], abs=1e-4)]


def test_the_map_of_coco_knows_its_names_as_darknet_spells_them():
    darknet = ["person", "bicycle", "car", "motorbike", "aeroplane", "sofa", "pottedplant", "diningtable", "tvmonitor"]
    plan = fit("coco", LabelMap({}), ["person", "cycle", "car"], darknet)
    assert plan.labels == {"person": ("person",), "cycle": ("bicycle", "motorbike"), "car": ("car",)}
    assert sorted(plan.drop) == ["aeroplane", "diningtable", "pottedplant", "sofa", "tvmonitor"]


def roboflow_coco(root):
    for i, split in enumerate(("train", "valid", "test")):
        noise(root / split / "a_jpg.rf.1.jpg", seed=i)
        content = {
            "info": {"description": "exported"},
            "categories": [{"id": 0, "name": "vehicles"}, {"id": 1, "name": "car", "supercategory": "vehicles"}],
            "images": [{"id": 0, "file_name": "a_jpg.rf.1.jpg", "width": 100, "height": 60}],
            "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [10 * i, 2, 30, 4]}],
        }
        (root / split / "_annotations.coco.json").write_text(json.dumps(content))
    return root


def test_a_coco_file_in_each_split_is_read_as_one_set_with_its_splits(tmp_path):
    table = read_annotations(roboflow_coco(tmp_path))
    assert table.paths.tolist() == [f"{split}/a_jpg.rf.1.jpg" for split in ("test", "train", "valid")]
    assert table.xyxy[:, 0].tolist() == [20, 0, 10]  # ids are the same in every file, and mean another image
    assert table.class_names == ("vehicles", "car") and table.notes == ()
    splits, _ = split_domain(table, Domain(role="real", root="x"))
    assert {name: images.tolist() for name, images in splits.items()} == {"train": [1], "val": [2], "test": [0]}
    assert len(read_annotations(tmp_path, labels=tmp_path / "valid/_annotations.coco.json")) == 1
    other = tmp_path / "valid/_annotations.coco.json"
    other.write_text(other.read_text().replace('"car"', '"van"'))
    with pytest.raises(InputError, match=r"valid/_annotations\.coco\.json has other categories than .*test/_ann"):
        read_annotations(tmp_path)


def cvat(root, shapes, *, name="a.jpg", subset="", tail=""):
    noise(root / "images/a.jpg")
    image = f'<image id="0" name="{name}" width="100" height="60"{subset}>{shapes}</image>'
    labels = "".join(f"<label><name>{label}</name><color>#000</color></label>" for label in ("car", "van"))
    meta = f"<version>1.1</version><meta><task><labels>{labels}</labels></task></meta>"
    xml = f'<?xml version="1.0" encoding="utf-8"?><annotations>{meta}{image}{tail}</annotations>'
    (root / "annotations.xml").write_text(xml)
    return root


SHAPE = '<box label="van" source="manual" occluded="1" xtl="10.5" ytl="20" xbr="40.5" ybr="30"{} z_order="0"/>'


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (SHAPE.format(""), (10.5, 20, 40.5, 30)),
        (SHAPE.format(' rotation="90.0"'), (20.5, 10, 30.5, 40)),
        (SHAPE.format(' rotation="45.0"'), (25.5 - 14.14214, 25 - 14.14214, 25.5 + 14.14214, 25 + 14.14214)),
        ('<polygon label="van" occluded="1" points="10,20;30.5,10;25,40"/>', (10, 10, 30.5, 40)),
        ('<ellipse label="van" occluded="1" cx="50" cy="30" rx="20" ry="10"/>', (30, 20, 70, 40)),
        ('<ellipse label="van" occluded="1" cx="50" cy="30" rx="20" ry="10" rotation="90"/>', (40, 10, 60, 50)),
        ('<mask label="van" occluded="1" rle="1,2" left="5" top="6" width="7" height="8"/>', (5, 6, 12, 14)),
    ],
)
def test_shapes_of_cvat_stand_for_the_upright_box_around_them(tmp_path, shape, box):
    table = read_annotations(cvat(tmp_path, shape))
    assert (table.class_names, table.box_class.tolist()) == (("car", "van"), [1])
    assert table.xyxy[0] == pytest.approx(box, abs=1e-4)
    assert table.occlusion.tolist() == [1]


def test_what_cvat_has_no_area_for_is_counted_and_its_subset_is_kept(tmp_path):
    shapes = SHAPE.format("") + '<tag label="car"/><points label="car" points="1,2"/>'
    table = read_annotations(cvat(tmp_path, shapes, subset=' subset="train"'))
    assert (table.num_boxes, table.attributes["subset"].tolist()) == (1, ["train"])
    assert table.notes == ("Shapes without an area are left out: 1 points, 1 tag.",)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shapes": SHAPE.replace("40.5", "wide").format("")}, "shape 1: xbr is 'wide' - expected a number"),
        ({"shapes": '<polygon label="car" points="1,2;3"/>'}, r"shape 1: points '1,2;3' - expected x,y;x,y"),
        ({"shapes": SHAPE.replace("40.5", "240.5").format("")}, r"shape 1: box .* leaves its image of 100 x 60 pixels"),
        ({"shapes": "", "name": "b.jpg"}, r"image b\.jpg: the image file is missing - expected it in .*images"),
        ({"shapes": "", "name": "../a.jpg"}, "expected a file below the image folder"),
        ({"shapes": "", "tail": '<track id="0" label="car"/>'}, "holds tracks of a video - expected images"),
        ({"shapes": "", "tail": "<"}, "is no whole XML file"),
    ],
)
def test_a_broken_file_of_cvat_is_refused_with_its_place(tmp_path, options, says):
    with pytest.raises(InputError, match=says):
        read_annotations(cvat(tmp_path, **options))


@pytest.mark.parametrize("format", SMALL_FORMATS)
def test_hidden_files_beside_labels_and_images_are_no_labels(tmp_path, format):
    SMALL_FORMATS[format](tmp_path)
    before = read_annotations(tmp_path)
    for path in [one for one in tmp_path.rglob("*") if one.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")  # as macOS packs a folder
        if path.suffix not in IMAGE_SUFFIXES:  # as a process leaves it that was killed while it wrote
            half = path.read_bytes()[: path.stat().st_size // 2]
            path.with_name(f".{path.stem}-abcd1234{path.suffix}").write_bytes(half)
    after = read_annotations(tmp_path)
    assert after.format == before.format and after.paths.tolist() == before.paths.tolist()
    assert after.class_names == before.class_names and after.xyxy.tolist() == before.xyxy.tolist()
