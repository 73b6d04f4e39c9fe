"""KITTI and Virtual KITTI: the real samples, counted apart from the readers, and cases written out."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from small_data import noise

from gapscope.data.problems import Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.data.table import ANY_CLASS
from gapscope.errors import InputError

REST = "1.5 1.6 3.2 0 1.7 9 0"


def kitti_folder(root, files):
    """One image of 100 x 60 per entry of `files`: number -> label text, None for no file."""
    (root / "label_2").mkdir(parents=True)
    for number, text in files.items():
        noise(root / f"image_2/{number:06}.png")
        if text is not None:
            (root / f"label_2/{number:06}.txt").write_text(text)
    return root


def test_the_real_sample_has_the_objects_that_its_lines_count(shared_data):
    root = shared_data / "format_samples/kitti"
    table = read_annotations(root)
    words = [
        line.split() for path in sorted((root / "label_2").glob("*.txt")) for line in path.read_text().splitlines()
    ]
    expected = Counter(line[0] for line in words)
    expected["any"] = expected.pop("DontCare")
    names = [*table.class_names, "any"]
    assert Counter(names[label] for label in table.box_class) == expected
    assert (table.ignore == (table.box_class == ANY_CLASS)).all()
    assert (table.crowd == table.ignore).all()  # regions with any number of objects
    truncated = [float(line[1]) for line in words if line[0] != "DontCare"]
    assert table.truncation[~table.ignore].tolist() == pytest.approx(truncated, abs=1e-3)


def test_the_last_pixel_belongs_to_the_box_so_a_car_cut_by_the_border_reaches_it(shared_data):
    table = read_annotations(shared_data / "format_samples/kitti")
    image = table.paths.tolist().index("image_2/000008.jpg")
    boxes = table.boxes_of(image)[0]
    assert boxes[2].tolist() == pytest.approx([937.29, 197.39, 1242.0, 375.0], abs=1e-3)
    assert (table.widths[image], table.heights[image]) == (1242, 375)


def test_occlusion_levels_become_shares_and_what_is_unknown_stays_unknown(tmp_path):
    rows = [f"Car {t} {o} 0 1 2 30 40 {REST}" for t, o in ((0, 0), (0.25, 1), (1, 2), (-1, 3), (0, -1))]
    table = read_annotations(kitti_folder(tmp_path, {0: "\n".join(rows) + "\n"}))
    nan = float("nan")
    assert table.occlusion.tolist() == pytest.approx([0, 0.5, 0.8, nan, nan], abs=1e-3, nan_ok=True)
    assert table.truncation.tolist() == pytest.approx([0, 0.25, 1, nan, 0], nan_ok=True)
    assert table.xyxy[0].tolist() == [1, 2, 31, 41]


def test_training_and_scores_and_foreign_classes_and_empty_files_are_read(tmp_path):
    kitti_folder(
        tmp_path / "training", {0: f"forklift 0 0 0 1 2 30 40 {REST} 0.9\n", 1: "", 2: f"Car 0 0 0 1 2 3 4 {REST}"}
    )
    table = read_annotations(tmp_path)
    assert table.class_names[-1] == "forklift"
    assert (len(table), table.num_boxes) == (3, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Car 0 0 0 1 2 30 40", r"000001\.txt, row 1: 8 values in 'Car 0 0 0 1 2 30 40' - expected 15"),
        (f"0 1 Car 0 0 0 1 2 30 40 {REST}", "17 values, as in KITTI's tracking labels"),
        (f"Car 0 0 0 1 two 30 40 {REST}", "expected a type and numbers"),
        (f"Car 1.5 0 0 1 2 30 40 {REST}", r"truncated is 1\.5 - expected a share"),
        (f"Car 0 4 0 1 2 30 40 {REST}", "occluded is 4 - expected 0, 1, 2 or 3"),
        (f"Car 0 0 0 1 2 nan 40 {REST}", "expected four finite numbers"),
        (f"Car 0 0 0 1 2 130 40 {REST}", "leaves its image of 100 x 60 pixels by 31"),
        (None, r"000001\.png: has no file in"),
    ],
)
def test_a_broken_kitti_row_is_named_or_left_out(tmp_path, text, message):
    kitti_folder(tmp_path, {0: f"Car 0 0 0 1 2 30 40 {REST}", 1: text})
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)
    problems = Problems(strict=False)
    assert read_annotations(tmp_path, problems=problems).num_boxes == 1
    assert len(problems.found) == 1


def vkitti2_folder(root, box_rows, info_rows, cameras=(0,), frames=(0,), size=(1242, 375)):
    place = root / "Scene01/clone"
    for camera in cameras:
        for frame in frames:
            path = place / f"frames/rgb/Camera_{camera}/rgb_{frame:05}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(path)
    (place / "bbox.txt").write_text(box_rows)
    (place / "info.txt").write_text(info_rows)
    return root


def test_the_real_rows_of_virtual_kitti_2_are_read_as_left_right_top_bottom(tmp_path, shared_data):
    sample = shared_data / "format_samples/vkitti2"
    boxes, info = (sample / "bbox.txt").read_text(), (sample / "info.txt").read_text()
    table = read_annotations(vkitti2_folder(tmp_path, boxes, info))
    rows = [line.split() for line in boxes.splitlines()[1:] if line]
    expected = [[float(row[i]) + last for i, last in ((3, 0), (5, 0), (4, 1), (6, 1))] for row in rows]
    assert table.xyxy.tolist() == expected
    assert table.xyxy[0].tolist() == [988, 159, 1242, 375]  # cut by the right and the lower border
    assert table.counts()["Car"] == len(rows)
    assert table.truncation[0] == pytest.approx(0.4230517, abs=1e-3)
    assert (table.groups.tolist(), table.attributes["variation"].tolist()) == (["Scene01"], ["clone"])


HEADER_2 = "frame cameraID trackID left right top bottom number_pixels truncation_ratio occupancy_ratio isMoving\n"


def test_both_cameras_and_frames_without_rows_are_images_and_missing_frames_are_counted(tmp_path):
    rows = "0 0 3 10 19 20 29 50 0 1 True\n0 1 3 11 20 20 29 50 0 1 True\n9 0 3 11 20 20 29 50 0 1 True\n"
    vkitti2_folder(tmp_path, HEADER_2 + rows, "trackID label model color\n3 Truck a b\n", (0, 1), (0, 1), (100, 60))
    table = read_annotations(tmp_path)
    assert table.paths.tolist() == [
        f"Scene01/clone/frames/rgb/Camera_{c}/rgb_0000{f}.jpg" for c in (0, 1) for f in (0, 1)
    ]
    assert table.xyxy.tolist() == [[10, 20, 20, 30], [11, 20, 21, 30]]
    assert table.box_image.tolist() == [0, 2]
    assert table.notes == ("1 box of frames that are not there: left out.",)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ("frame cameraID\n0 0\n", "bbox.txt: has no column trackID, left, right, top, bottom, truncation_ratio"),
        (HEADER_2 + "0 0 7 10 19 20 29 50 0 1 True\n", "row 2: track 7 is not in info.txt"),
        (HEADER_2 + "0 0 3 10 19 20\n", "row 2: 6 values - expected 11"),
        (HEADER_2 + "0 0 3 10 x 20 29 50 0 1 True\n", "row 2: '0 0 10 20 x 29' - expected numbers"),
        (HEADER_2 + "inf 0 3 10 19 20 29 50 0 1 True\n", "row 2: 'inf 0 10 20 19 29' - expected numbers"),
    ],
)
def test_a_broken_vkitti2_table_is_named(tmp_path, boxes, message):
    vkitti2_folder(tmp_path, boxes, "trackID label\n3 Truck\n")
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)


def test_labels_without_their_images_say_where_those_should_be(tmp_path):
    (tmp_path / "Scene01/fog").mkdir(parents=True)
    (tmp_path / "Scene01/fog/bbox.txt").write_text(HEADER_2)
    (tmp_path / "Scene01/fog/info.txt").write_text("trackID label\n")
    with pytest.raises(
        InputError, match=r"none of 1 table\(s\) has its images, the first one's in .*Scene01/fog/frames/rgb"
    ):
        read_annotations(tmp_path)


def test_virtual_kitti_1_is_read_by_its_header_and_dont_care_keeps_its_true_class(tmp_path):
    columns = "frame tid label truncated occluded alpha l t r b w3d h3d l3d x3d y3d z3d ry rx rz truncr occupr"
    header = f"{columns} orig_label moving model color\n"
    row = "{} {} {} 1 1 -1.99 {} 1.85 1.5 4.9 2.9 1.4 6.4 -1.5 0 0 {} 0.78 {} 0 Sedan4Door Black\n"
    texts = [
        row.format(0, 0, "Car", "774 169 1241 374", 0.08, "Car"),
        row.format(1, 1, "DontCare", "722 186 866 281", 0, "Van"),
    ]
    labels = tmp_path / "vkitti_1.3.1_motgt"
    labels.mkdir()
    (labels / "0001_clone.txt").write_text(header + "".join(texts))
    for frame in range(3):
        path = tmp_path / f"vkitti_1.3.1_rgb/0001/clone/{frame:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1242, 375)).save(path)
    table = read_annotations(tmp_path)
    assert len(table) == 3
    assert table.xyxy.tolist() == [[774, 169, 1242, 375], [722, 186, 867, 282]]
    assert [table.class_names[i] for i in table.box_class] == ["Car", "Van"]
    assert table.ignore.tolist() == [False, True]
    assert np.allclose(table.truncation, [0.08, 0], atol=1e-3)
    assert set(table.groups) == {"0001"}
