"""Folders as tools leave them: what is read without being told, what is refused, and what is said about the rest."""

import json

import pytest
from command import gapscope
from PIL import Image
from small_data import coco_folder, noise, write_coco

from gapscope.data.check import check_folder
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError

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
