"""VIPER: the class column is found from evidence or asked for, masks stand in, and what is missing is counted."""

import random

import numpy as np
import pytest
from PIL import Image
from small_data import noise

from gapscope.data.problems import Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.data.readers.masks import mask_boxes
from gapscope.data.readers.viper import CLASSES
from gapscope.errors import InputError

SIZE = (100, 60)
REST = ",".join(["0.5"] * 22)
PERSON, CAR = 20, 24


def frame(split, sequence, number, rows, *, suffix="jpg", image=True):
    """Write one frame: rows of (first, second, left, top, right, bottom), or None for no box file."""
    name = f"{sequence:03}/{sequence:03}_{number:05}"
    if image:
        noise(split / f"img/{name}.{suffix}", SIZE)
    if rows is not None:
        path = split / f"bb/{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(",".join(map(str, row)) + f",{REST}\n" for row in rows))
    return name


def mask(split, name, objects):
    """An `inst` mask with one rectangle per (class, instance, x1, y1, x2, y2)."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for label, instance, x1, y1, x2, y2 in objects:
        pixels[y1:y2, x1:x2] = (label, instance // 256, instance % 256)
    path = split / f"inst/{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_the_class_names_are_those_of_vipers_own_list(shared_data):
    lines = (shared_data / "format_samples/viper/classes.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == list(CLASSES)
    assert [int(line.split(",")[0]) for line in lines] == list(range(len(CLASSES)))


@pytest.mark.parametrize("order", ["class first", "instance first"])
def test_the_column_that_holds_class_numbers_in_every_row_is_the_class(tmp_path, order):
    rng = random.Random(0)
    for sequence in (1, 2):
        for number in range(1, 6):
            objects = [(rng.choice([PERSON, CAR]), rng.randrange(5000), 10 + k, 20, 30, 40) for k in range(3)]
            rows = [(b, a, *box) for a, b, *box in objects] if order == "instance first" else objects
            frame(tmp_path / "train", sequence, number, rows)
    table = read_annotations(tmp_path)
    assert (len(table), table.num_boxes) == (10, 30)
    assert set(np.array(table.class_names)[table.box_class]) == {"person", "car"}
    assert order in table.notes[0] and "100.00 %" in table.notes[0]


def test_boxes_groups_and_empty_files_are_read(tmp_path):
    frame(tmp_path / "train", 1, 1, [(CAR, 9000, 10, 20, 30.5, 40)])
    frame(tmp_path / "train", 1, 2, [])
    frame(tmp_path / "val", 1, 1, [(PERSON, 9001, 0, 0, 5, 5)])
    table = read_annotations(tmp_path)
    assert table.xyxy.tolist() == [[10, 20, 30.5, 40], [0, 0, 5, 5]]
    assert table.groups.tolist() == ["train/001", "train/001", "val/001"]
    assert table.box_image.tolist() == [0, 2]
    assert read_annotations(tmp_path / "train").groups.tolist() == ["001", "001"]


def test_the_last_pixel_can_be_said_to_belong_to_the_box(tmp_path):
    frame(tmp_path, 1, 1, [(CAR, 9000, 10, 20, 30, 40)])
    assert read_annotations(tmp_path, options={"pixels": "inclusive"}).xyxy.tolist() == [[10, 20, 31, 41]]


def test_boxes_beyond_the_frame_are_cut_and_those_wholly_outside_are_counted(tmp_path):
    frame(tmp_path, 1, 1, [(CAR, 9000, -50, 20, 30, 400), (CAR, 9001, 120, 10, 150, 20)])
    table = read_annotations(tmp_path)
    assert table.xyxy.tolist() == [[0, 20, 30, 60]]
    assert table.no_area == 1


def test_when_both_columns_could_be_the_class_the_order_must_be_said(tmp_path):
    frame(tmp_path, 1, 1, [(PERSON, 3, 0, 0, 5, 5), (CAR, 7, 0, 0, 9, 9)])
    with pytest.raises(
        InputError, match=r'100 % and 100 % of their values are 0 to 31.*reader_options = \{ columns = "class-first"'
    ):
        read_annotations(tmp_path)
    by_class = read_annotations(tmp_path, options={"columns": "class-first"})
    by_instance = read_annotations(tmp_path, options={"columns": "instance-first"})
    assert [CLASSES[i] for i in by_class.box_class] == ["person", "car"]
    assert [CLASSES[i] for i in by_instance.box_class] == ["road", "tree"]


@pytest.mark.parametrize("swapped", [False, True])
def test_masks_decide_where_numbers_do_not(tmp_path, swapped):
    name = frame(tmp_path, 1, 1, [(7, CAR, 10, 20, 30, 40) if swapped else (CAR, 7, 10, 20, 30, 40)])
    mask(tmp_path, name, [(CAR, 7, 10, 20, 30, 40)])
    table = read_annotations(tmp_path)
    assert CLASSES[table.box_class[0]] == "car"
    assert "agree with the instance masks" in table.notes[0]


def test_neither_column_being_a_class_is_refused(tmp_path):
    frame(tmp_path, 1, 1, [(900, 901, 0, 0, 5, 5)])
    with pytest.raises(InputError, match=r"is not clear: 0 % and 0 % of their values"):
        read_annotations(tmp_path)


def test_frames_without_a_box_file_take_their_boxes_from_the_mask(tmp_path):
    frame(tmp_path, 3, 1, [(CAR, 9000, 1, 1, 9, 9)])
    name = frame(tmp_path, 3, 2, None, suffix="png")
    mask(tmp_path, name, [(CAR, 700, 10, 20, 31, 41), (PERSON, 2, 40, 5, 41, 6), (CAR, 701, 90, 50, 100, 60)])
    table = read_annotations(tmp_path)
    assert sorted(table.xyxy[1:].tolist()) == [[10, 20, 31, 41], [40, 5, 41, 6], [90, 50, 100, 60]]
    assert table.counts()["person"] == 1
    assert any("boxes of 1 image are from instance masks" in note for note in table.notes)


def test_masks_alone_are_enough(tmp_path):
    name = frame(tmp_path, 3, 2, None)
    mask(tmp_path, name, [(CAR, 700, 10, 20, 31, 41)])
    assert read_annotations(tmp_path).xyxy.tolist() == [[10, 20, 31, 41]]


def test_a_part_of_the_download_is_read_and_the_rest_is_counted(tmp_path):
    frame(tmp_path, 1, 10, [(CAR, 9000, 1, 1, 9, 9)])
    for number in (11, 12):
        frame(tmp_path, 1, number, [(CAR, 9000, 1, 1, 9, 9)], image=False)
    frame(tmp_path, 1, 20, None)
    table = read_annotations(tmp_path)
    assert len(table) == 1
    assert any("2 box files without an image" in note for note in table.notes)
    assert any("1 image with neither a box file nor a mask" in note for note in table.notes)


def test_images_and_labels_that_do_not_meet_are_refused(tmp_path):
    frame(tmp_path, 1, 1, None)
    frame(tmp_path, 1, 2, [(CAR, 9000, 1, 1, 9, 9)], image=False)
    with pytest.raises(InputError, match="no image has a box file or a mask of its name"):
        read_annotations(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((CAR, 9000, 1, 1, 9), r"001_00002.csv, row 1: 27 values - expected 28"),
        ((CAR, "x", 1, 1, 9, 9), r"row 1: '24,x,1,1,9,9, \.\.\.' - expected numbers"),
        ((99, 9000, 1, 1, 9, 9), r"row 1: class 99 - expected a whole number from 0 to 31"),
        ((CAR, 9000, 1, 1, "nan", 9), r"row 1: box \[1\.0, 1\.0, nan, 9\.0\] - expected four finite"),
        ((CAR, 9000, 30, 1, 9, 9), r"row 1: box \(30, 1, 9, 9\) is inside out"),
    ],
)
def test_a_broken_row_is_named_or_left_out(tmp_path, row, message):
    for number in range(3, 3 + 200 if row[0] == 99 else 4):  # one class in a hundred may be broken, not one in two
        frame(tmp_path, 1, number, [(CAR, 9000 + i, 1, 1, 9, 9 + i) for i in range(2)])
    frame(tmp_path, 1, 2, [row])
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)
    problems = Problems(strict=False)
    left = read_annotations(tmp_path, problems=problems)
    assert len(problems.found) == 1
    assert left.num_boxes == 2 * (len(left) - 1)


def test_a_class_mask_in_place_of_an_instance_mask_is_refused(tmp_path):
    name = frame(tmp_path, 1, 1, None)
    path = mask(tmp_path, name, [])
    Image.new("L", SIZE).save(path)
    with pytest.raises(InputError, match=r"001_00001\.png: has one channel - expected three"):
        read_annotations(tmp_path)


def test_unknown_reader_options_are_refused(tmp_path):
    frame(tmp_path, 1, 1, [(CAR, 9000, 1, 1, 9, 9)])
    with pytest.raises(InputError, match=r"'colums' is unknown to the format viper\. It has columns, pixels"):
        read_annotations(tmp_path, options={"colums": "class-first"})
    with pytest.raises(InputError, match="columns = 'first' - expected one of auto, class-first, instance-first"):
        read_annotations(tmp_path, options={"columns": "first"})


def test_mask_boxes_are_the_extent_of_each_number():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 6, (23, 31)) * rng.integers(0, 2, (23, 31)) + 65536 * (rng.random((23, 31)) > 0.95)
    expected = {}
    for number in set(numbers[numbers > 0].tolist()):
        ys, xs = np.nonzero(numbers == number)
        expected[number] = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert mask_boxes(numbers) == expected
    assert mask_boxes(np.zeros((4, 5), int)) == {}
    assert mask_boxes(np.full((4, 5), 3)) == {3: (0, 0, 5, 4)}
