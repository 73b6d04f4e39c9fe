"""Detections in a file: what was found is read again, and what is broken is refused by name."""

import json

import numpy as np
import pytest

from gapscope.errors import InputError
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import coco_results, read_detections, save_detections

XYXY = [[0, 1, 2, 3.5], [4, 0, 9, 8], [1, 1, 3, 7], [0, 0, 1, 1]]
FOUND = Boxes.of([9, 4, 7, 4], [0, 1, 0, 0], XYXY, [0.9, 0.8, 0.5, 0.2])
"""In images 4, 7 and 9 of a table."""


def test_what_was_found_is_read_again_and_images_in_any_order_are_told_apart(tmp_path):
    save_detections(tmp_path / "found.npz", FOUND)
    found = read_detections(tmp_path / "found.npz", np.array([7, 9, 4]), 2)
    assert found.image.tolist() == [1, 2, 0, 2] and found.label.tolist() == [0, 1, 0, 0]
    assert found.xyxy.tolist() == FOUND.xyxy.tolist()
    assert found.confidence.tolist() == pytest.approx([0.9, 0.8, 0.5, 0.2])


def test_less_confident_ones_are_left_out(tmp_path):
    save_detections(tmp_path / "found.npz", FOUND)
    images = np.array([4, 7, 9])
    assert read_detections(tmp_path / "found.npz", images, 2, 0.5).image.tolist() == [2, 0, 1]
    assert len(read_detections(tmp_path / "found.npz", images, 2, 0.95)) == 0


def test_a_network_that_finds_nothing_leaves_a_file_that_says_so(tmp_path):
    save_detections(tmp_path / "found.npz", FOUND.take(np.zeros(4, bool)))
    assert len(read_detections(tmp_path / "found.npz", np.array([4, 7, 9]), 2)) == 0
    assert len(read_detections(tmp_path / "found.npz", np.array([], np.int64), 2)) == 0


def test_a_box_takes_26_bytes(tmp_path):
    """As text it takes 96: 300 boxes in each of 26,800 images, the test images of GTAV, would be 0.8 GB."""
    many = FOUND.take(np.zeros(10_000, np.int64))
    save_detections(tmp_path / "found.npz", many)
    assert (tmp_path / "found.npz").stat().st_size == pytest.approx(26 * len(many), rel=0.01)


def test_as_coco_has_them_classes_count_from_one_and_boxes_are_corner_and_sides():
    first, *_ = coco_results(FOUND)
    assert first == {"image_id": 9, "category_id": 1, "bbox": [0.0, 1.0, 2.0, 2.5], "score": 0.9}
    assert json.loads(json.dumps(coco_results(FOUND))) == coco_results(FOUND)


COLUMN = {
    "image": np.array([4, 7], np.int32),
    "label": np.array([0, 1], np.int16),
    "xyxy": np.array([[0, 0, 1, 1], [1, 1, 2, 3]], np.float32),
    "confidence": np.array([0.5, 0.4], np.float32),
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": np.array([4, 5], np.int32)}, "image 5 is none of the 3 test images"),
        ({"label": np.array([0, 3], np.int16)}, "class 3 is none of 0 to 1"),
        ({"label": np.array([-1, 0], np.int16)}, "class -1 is none of 0 to 1"),
        ({"label": np.array([0], np.int16)}, r"shapes .*not one row per box"),
        ({"xyxy": COLUMN["xyxy"][:, :3]}, r"xyxy has shape \(2, 3\), not \(2, 4\)"),
        ({"xyxy": COLUMN["xyxy"] * np.nan}, "no finite number"),
        ({"confidence": np.array([np.inf, 0], np.float32)}, "no finite number"),
        ({"confidence": None}, "confidence is not a file in the archive"),
    ],
)
def test_wrong_columns_are_refused_by_name(tmp_path, changed, said):
    columns = {name: value for name, value in (COLUMN | changed).items() if value is not None}
    np.savez(tmp_path / "found.npz", **columns)
    with pytest.raises(InputError, match=said) as refused:
        read_detections(tmp_path / "found.npz", np.array([4, 7, 9]), 2)
    assert "found.npz cannot be read as detections" in str(refused.value)
    assert "run the study again" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"PK\x03\x04 cut short"])
def test_a_file_of_another_kind_or_cut_short_is_refused_by_name(tmp_path, content):
    (tmp_path / "found.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"found\.npz cannot be read as detections"):
        read_detections(tmp_path / "found.npz", np.array([4]), 2)
