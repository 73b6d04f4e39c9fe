"""Class names: the text that stands in the file, from the file that is nearest to the labels."""

import json
import tarfile

import pytest
import yaml
from command import gapscope
from small_data import noise, write_coco

from gapscope.data.convert import convert
from gapscope.data.readers.detect import read_annotations
from gapscope.data.readers.name_files import parse_names
from gapscope.errors import InputError

TRAPS = ["off", "on", "yes", "no", "y", "n", "true", "False", "null", "~", "0x10", "010", "0o17", "1_0", "12:30"]
TRAPS += ["1e3", "1.50", ".5", ".inf", "2024-01-01", "2024-13-45", "=", "007", "+1", "NO", "Off"]
"""What YAML 1.1 or 1.2 takes for something else than text when it stands there without quotes."""


def yolo(root, *labels, names=()):
    """A folder of one image with a box of each label; names are (file, content)."""
    noise(root / "images/a.jpg")
    rows = "".join(f"{label} 0.5 0.5 0.2 0.{i + 1}\n" for i, label in enumerate(labels))
    (root / "labels").mkdir(parents=True, exist_ok=True)
    (root / "labels/a.txt").write_text(rows)
    for file, content in names:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(content)
    return root


@pytest.mark.parametrize("file", ["data.yaml", "data.yml", "dataset.yaml", "street.yaml"])
def test_names_in_yaml_are_the_text_that_stands_there(tmp_path, file):
    numbered = "".join(f"  {i}: {name}\n" for i, name in enumerate(TRAPS))
    for form in (
        f"names: [{', '.join(TRAPS)}]\n",
        "names:\n" + "".join(f"- {name}\n" for name in TRAPS),
        f"names:\n{numbered}",
    ):
        root = yolo(tmp_path / str(len(list(tmp_path.iterdir()))), 0, names=[(file, form)])
        assert read_annotations(root).class_names == tuple(TRAPS)


def test_quotes_are_no_part_of_a_name(tmp_path):
    assert parse_names("names: ['off', \"1e3\", 'it''s', a b]\n", tmp_path / "data.yaml") == (
        "off",
        "1e3",
        "it's",
        "a b",
    )


def test_a_class_that_is_called_off_is_found_by_its_name(tmp_path):
    root = yolo(tmp_path / "set", 0, 0, 1, names=[("data.yaml", "names: {0: off, 1: red}")])
    done = gapscope("data", "show", root, "-o", tmp_path / "sheet.jpg", "--class", "off")
    assert (done.returncode, done.stderr) == (0, "")
    stats = gapscope("data", "stats", root, "--sample", "0")
    assert "off    2 (66.7 %)" in stats.stdout and "False" not in stats.stdout


def test_names_that_are_written_are_read_again_as_they_were_by_us_and_by_other_readers_of_yaml(tmp_path):
    root = yolo(tmp_path / "set", 0, names=[("classes.txt", "\n".join(TRAPS))])
    convert(read_annotations(root), "yolo", tmp_path / "new")
    assert read_annotations(tmp_path / "new").class_names == tuple(TRAPS)
    others = yaml.safe_load((tmp_path / "new/data.yaml").read_text())["names"]
    assert list(others.values()) == TRAPS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names: {0: car, 0: van}", "names is"),
        ("names: {1: car, 2: van}", "names is"),
        ("names: {car: 0}", "names is"),
        ("names: car", "names is 'car'"),
        ("names: [[car]]", "names is"),
        ("names: [car]\nnames: [van]", "has 'names' 2 times"),
        ("names: [car, ]\n", None),
        ("names: [car, '']", "empty class name"),
        ("names: !!python/object:os.x {}", "cannot be read as YAML"),
        ("[car, van]", "names is None"),
    ],
)
def test_yaml_that_names_no_classes_is_refused(tmp_path, text, says):
    if says is None:
        assert parse_names(text, tmp_path / "data.yaml") == ("car",)
        return
    with pytest.raises(InputError, match=says):
        parse_names(text, tmp_path / "data.yaml")


@pytest.mark.parametrize("name", [False, None, 1e3, ["car"]])
def test_a_name_in_json_that_is_no_text_is_refused(tmp_path, name):
    noise(tmp_path / "images/a.png")
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": [{"id": 1, "name": name}]}
    write_coco(tmp_path, content)
    with pytest.raises(InputError, match=r"categories: the name .* - expected a text"):
        read_annotations(tmp_path)


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ("set/labels/classes.txt", "classes.txt"),
        ("set/labels/classes.txt", "set/classes.txt"),
        ("set/classes.txt", "classes.txt"),
        ("set/classes.txt", "data.yaml"),
        ("set/data.yaml", "set.yaml"),
        ("set/labels/obj.names", "set/data.yaml"),
    ],
)
def test_the_name_file_nearest_to_the_labels_counts(tmp_path, near, far):
    for file, name in ((near, "truck"), (far, "dog")):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"names: [{name}]\n" if path.suffix == ".yaml" else f"{name}\n")
    table = read_annotations(yolo(tmp_path / "set", 0))
    assert table.class_names == ("truck",)
    told = [note for note in table.notes if str(tmp_path / far) in note]
    assert len(told) == (1 if far.startswith("set/") else 0)  # what lies above the root belongs to whom it may


def test_a_name_file_in_a_folder_of_labels_counts_for_labels_below_it(tmp_path):
    noise(tmp_path / "images/train/a.jpg")
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "labels/train/classes.txt").write_text("truck\n")
    (tmp_path / "classes.txt").write_text("dog\n")
    assert read_annotations(tmp_path).class_names == ("truck",)


def test_name_files_that_are_as_near_must_agree(tmp_path):
    root = yolo(tmp_path / "set", 0, names=[("classes.txt", "car\nvan\n"), ("data.yaml", "names: [car, van]")])
    assert read_annotations(root).class_names == ("car", "van")
    (root / "data.yaml").write_text("names: [van, car]")
    with pytest.raises(InputError, match=r"classes\.txt and .*data\.yaml name different classes: \['car', 'van'\]"):
        read_annotations(root)


def test_folders_with_names_of_their_own_must_agree(tmp_path):
    for split, name in (("train", "car"), ("valid", "van")):
        yolo(tmp_path / split, 0, names=[("labels/classes.txt", name)])
    with pytest.raises(InputError, match=r"train/labels/classes\.txt and .*valid/labels/classes\.txt name different"):
        read_annotations(tmp_path)
    (tmp_path / "valid/labels/classes.txt").write_text("car")
    assert read_annotations(tmp_path).class_names == ("car",)


def test_a_name_file_of_a_folder_of_several_sets_counts_if_it_may_be_this_one_s(tmp_path):
    root = yolo(tmp_path / "set", 0)
    (tmp_path / "other.yaml").write_text("names: [dog]")
    with pytest.raises(InputError, match="has no class names"):
        read_annotations(root)
    (tmp_path / "set.yaml").write_text("names: [truck]")
    assert read_annotations(root).class_names == ("truck",)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("obj.names", "car\nvan\n"),
        ("labels/_darknet.labels", "car\nvan\n"),
        ("dataset.yaml", "names: [car, van]"),
        ("notes.json", json.dumps({"categories": [{"id": 0, "name": "car"}, {"id": 1, "name": "van"}], "info": {}})),
    ],
)
def test_names_are_found_where_other_tools_write_them(tmp_path, file, content):
    assert read_annotations(yolo(tmp_path, 1, names=[(file, content)])).class_names == ("car", "van")


def test_the_nearest_name_file_of_an_archive_counts(tmp_path):
    root = yolo(tmp_path / "set", 0, names=[("labels/classes.txt", "truck"), ("classes.txt", "dog")])
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(root / "classes.txt", "classes.txt")
        tar.add(root / "labels", "labels")
    assert read_annotations(tmp_path / "set.tar", "yolo", sizes=(100, 60)).class_names == ("truck",)


def test_names_above_the_root_that_do_not_fit_belong_to_another_set_of_xml(tmp_path):
    root = tmp_path / "set"
    noise(root / "JPEGImages/a.jpg")
    (root / "Annotations").mkdir()
    box = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    (root / "Annotations/a.xml").write_text(f"<annotation><object><name>truck</name>{box}</object></annotation>")
    (tmp_path / "classes.txt").write_text("dog\n")
    assert read_annotations(root).class_names == ("truck",)
    (tmp_path / "classes.txt").write_text("dog\ntruck\n")
    assert read_annotations(root).class_names == ("dog", "truck")
    (root / "classes.txt").write_text("dog\n")
    with pytest.raises(InputError, match="class 'truck' is not listed - expected one of dog"):
        read_annotations(root)
