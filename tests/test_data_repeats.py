"""A box that is there twice is one object: told by the check, and counted once everywhere."""

import json

import numpy as np
import pytest
from command import gapscope
from small_data import coco_folder, noise, table_of, write_coco

from gapscope.data.check import check_folder, kinds_of
from gapscope.data.problems import Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.data.repeats import near_repeats, repeated_boxes
from gapscope.evaluation.average_precision import coco_average_precision
from gapscope.evaluation.columns import Boxes

XML = "<object><name>car</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>40</xmax><ymax>35</ymax></bndbox></object>"
NOTE = "1 box is there again and counts once: the same image, class and corners as another."


def yolo(root):
    """Three images; the second has a car twice, written in two ways, and a van in the same place."""
    for i in range(3):
        noise(root / f"images/{i}.jpg", seed=i)
        (root / "labels").mkdir(exist_ok=True)
        (root / f"labels/{i}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "labels/1.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n\n0 .5 0.50 2e-1 0.200\n")
    (root / "classes.txt").write_text("car\nvan\n")
    return "labels/1.txt", "row 4", "row 1"


def coco(root):
    content = coco_folder(root)
    content["annotations"] += [content["annotations"][1] | {"id": 99}]
    write_coco(root, content)
    return "annotations.json", "annotation 99", "annotation 11"


def voc(root):
    for i in range(3):
        noise(root / f"JPEGImages/{i}.jpg", seed=i)
        (root / "Annotations").mkdir(exist_ok=True)
        (root / f"Annotations/{i}.xml").write_text(f"<annotation>{XML * (2 if i == 1 else 1)}</annotation>")
    return "Annotations/1.xml", "object 2", "object 1"


def scalabel(root):
    noise(root / "images/a.png")
    label = {"box2d": {"x1": 1, "y1": 2, "x2": 30, "y2": 40}, "category": "car", "id": "0"}
    frames = [{"name": "a.png", "labels": [label, label | {"id": "1"}]}]
    (root / "frames.json").write_text(json.dumps({"frames": frames}))
    return "frames.json", "frame a.png, label 1", "frame a.png, label 0"


@pytest.mark.parametrize("build", [yolo, coco, voc, scalabel])
def test_in_any_format_it_is_told_with_its_place_and_counts_once(tmp_path, build):
    file, row, first = build(tmp_path)
    found = check_folder(tmp_path)
    (problem,) = found.problems
    assert (problem.file, problem.row) == (str(tmp_path / file), row)
    assert problem.wrong == f"is the same box as {first}"
    assert NOTE in found.table.notes
    boxes = list(zip(found.table.box_image, found.table.box_class, map(tuple, found.table.xyxy), strict=True))
    assert len(set(boxes)) == len(boxes)
    for problems in (Problems(), Problems(strict=False)):
        table = read_annotations(tmp_path, problems=problems)
        assert table.num_boxes == found.table.num_boxes
        assert NOTE in table.notes
        assert problems.found == []  # a study is told by the note, and goes on


def test_the_check_counts_them_and_ends_with_2(tmp_path):
    yolo(tmp_path)
    done = gapscope("data", "check", tmp_path, "--jsonl", tmp_path / "problems.jsonl")
    assert done.returncode == 2
    assert "is the same box as row" in done.stdout and "1 x" not in done.stdout
    assert "labels/1.txt, row 4: is the same box as row 1" in done.stdout
    assert json.loads((tmp_path / "problems.jsonl").read_text())["row"] == "row 4"
    assert NOTE in gapscope("data", "stats", tmp_path, "--sample", "0").stdout


def test_three_are_one_and_each_of_two_is_told():
    images, classes = np.array([0, 1, 0, 0, 1]), np.array([2, 2, 2, 2, 2])
    numbers = np.array([[0, 1, 2, 3, np.nan]] * 4 + [[0, 1, 2, 3.5, np.nan]], np.float32)
    numbers[2, 0] = -0.0
    again, first = repeated_boxes(images, classes, numbers)
    assert (again.tolist(), first.tolist()) == ([2, 3], [0, 0])
    assert repeated_boxes(images[:0], classes[:0], numbers[:0])[0].tolist() == []


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_a_plain_search(seed):
    rng = np.random.default_rng(seed)
    images, classes = rng.integers(0, 3, (2, 400))
    numbers = rng.integers(0, 3, (400, 4)).astype(np.float32)
    rows = [tuple(row) for row in np.column_stack([images, classes, numbers]).tolist()]
    expected = {i: rows.index(row) for i, row in enumerate(rows) if rows.index(row) < i}
    again, first = repeated_boxes(images, classes, numbers)
    assert dict(zip(again.tolist(), first.tolist(), strict=True)) == expected
    assert len(expected) > 20


def test_ignore_regions_and_boxes_of_which_something_else_is_said_are_all_kept(tmp_path):
    content = coco_folder(tmp_path)
    base = content["annotations"][1]
    content["annotations"] += [base | {"id": 90 + i, "iscrowd": 1} for i in range(2)]
    content["annotations"] += [base | {"id": 95, "occlusion": 0.5}]
    write_coco(tmp_path, content)
    assert read_annotations(tmp_path).num_boxes == 6


def test_a_detector_that_finds_every_object_exactly_is_perfect(tmp_path):
    yolo(tmp_path)
    table = read_annotations(tmp_path)
    cars = table.keep_boxes(table.box_class == 0)
    truth = Boxes.of(cars.box_image, cars.box_class, cars.xyxy)
    scores = np.linspace(0.9, 0.5, cars.num_boxes)
    found = Boxes.of(cars.box_image, cars.box_class, cars.xyxy, scores)
    assert cars.num_boxes == 3
    assert coco_average_precision(truth, found, 3, ["car"]).ap50["car"] == pytest.approx(1.0)


def test_boxes_that_overlap_nearly_in_full_are_a_hint_only(tmp_path):
    near = table_of([[("car", 0, 0, 50, 50), ("car", 0, 0, 50, 49), ("van", 0, 0, 50, 50), ("car", 60, 0, 70, 9)]])
    assert near_repeats(near) == 1
    yolo(tmp_path)
    (tmp_path / "labels/1.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.201\n")
    done = gapscope("data", "check", tmp_path)
    assert done.returncode == 0
    assert "1 pair of boxes of one class overlapping nearly in full: labelled twice?" in done.stdout
    assert [kind.what for kind in kinds_of(check_folder(tmp_path).problems)] == []
