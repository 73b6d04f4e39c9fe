"""convert: what is written and read again is what was there; the old folder stays as it is."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pycocotools.coco import COCO
from small_data import noise, table_of

from gapscope.data.convert import convert, image_names
from gapscope.data.readers.detect import read_annotations
from gapscope.data.table import ANY_CLASS, AnnotationTable
from gapscope.errors import InputError

SIZE = (96, 64)


@st.composite
def tables(draw, root: Path):
    """Any table of three images that lie in `root`: crowds, ignore regions of any class, shares, attributes."""
    n = draw(st.integers(0, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = rng.uniform(0, 0.9, (n, 2)) * SIZE
    high = np.minimum(low + rng.uniform(0.5, 40, (n, 2)), SIZE)
    crowd = rng.random(n) < 0.2
    ignore = crowd | (rng.random(n) < 0.3)
    labels = rng.integers(0, 3, n)
    labels[ignore & (rng.random(n) < 0.3)] = ANY_CLASS
    shares = rng.random((2, n)).astype(np.float16)
    shares[:, rng.random(n) < 0.4] = np.nan
    return AnnotationTable(
        root=root,
        class_names=("car", "naïve bus", "person"),
        paths=np.array(["train/images/a.png", "train/images/b.png", "val/images/a.png"]),
        widths=np.full(3, SIZE[0], np.int32),
        heights=np.full(3, SIZE[1], np.int32),
        groups=np.array(draw(st.sampled_from([("", "", ""), ("ride 1", "ride 1", "")]))),
        box_image=np.sort(rng.integers(0, 3, n)).astype(np.int32),
        box_class=labels.astype(np.int16),
        xyxy=np.concatenate([low, high], axis=1).astype(np.float32),
        ignore=ignore,
        crowd=crowd,
        occlusion=shares[0],
        truncation=shares[1],
        attributes=draw(st.sampled_from([{}, {"weather": np.array(["rain", "", "sun"])}])),
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for name in ("train/images/a.png", "train/images/b.png", "val/images/a.png"):
        noise(root / name, size=SIZE)
    return root


def assert_same(found: AnnotationTable, expected: AnnotationTable) -> None:
    assert found.class_names == expected.class_names
    for column in ("widths", "heights", "groups", "box_image", "box_class", "ignore", "crowd"):
        assert getattr(found, column).tolist() == getattr(expected, column).tolist(), column
    np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=1e-4)
    for column in ("occlusion", "truncation"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
    assert {k: v.tolist() for k, v in found.attributes.items()} == {
        k: v.tolist() for k, v in expected.attributes.items()
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_coco_keeps_all_that_a_table_knows(pictures, tmp_path_factory, data):
    table = data.draw(tables(pictures))
    out = tmp_path_factory.mktemp("coco") / "new"
    convert(table, "coco", out)
    found = read_annotations(out)
    assert_same(found, table)
    assert found.paths.tolist() == ["images/train/a.png", "images/train/b.png", "images/val/a.png"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_yolo_keeps_classes_and_boxes_and_no_more(pictures, tmp_path_factory, data):
    table = data.draw(tables(pictures))
    out = tmp_path_factory.mktemp("yolo") / "new"
    convert(table, "yolo", out)
    found = read_annotations(out)
    scored = table.keep_boxes(~table.ignore)
    assert found.class_names == scored.class_names and not found.ignore.any() and not found.attributes
    assert found.box_image.tolist() == scored.box_image.tolist()
    assert found.box_class.tolist() == scored.box_class.tolist()
    np.testing.assert_allclose(found.xyxy, scored.xyxy, atol=1e-4)


def test_pycocotools_reads_what_is_written(pictures, tmp_path, capsys):
    table = table_of([[("car", 1, 2, 11.5, 22)], [("person", 0, 0, 96, 64)]], root=pictures, size=SIZE)
    table = AnnotationTable(**vars(table) | {"paths": np.array(["train/images/a.png", "val/images/a.png"])})
    convert(table, "coco", tmp_path / "new")
    oracle = COCO(str(tmp_path / "new/annotations.json"))
    first = oracle.loadAnns(oracle.getAnnIds(imgIds=[1]))[0]
    assert (first["bbox"], first["area"], first["iscrowd"]) == ([1, 2, 10.5, 20], 210, 0)
    assert oracle.loadCats([first["category_id"]])[0]["name"] == "car"


def test_the_old_folder_stays_as_it_is_and_images_are_links_or_copies(shared_data, tmp_path):
    root = shared_data / "synth_carla_danielhfnr"
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    table = read_annotations(root).select(range(5))
    convert(table, "yolo", tmp_path / "links")
    convert(table, "yolo", tmp_path / "copies", copy=True)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    for i, name in enumerate(image_names(table)):
        link, copy = (tmp_path / kind / "images" / name for kind in ("links", "copies"))
        assert link.is_symlink() and not copy.is_symlink()
        assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(table.path(i).read_bytes()).digest()
    np.testing.assert_allclose(read_annotations(tmp_path / "links").xyxy, table.xyxy, atol=1e-3)


def test_what_cannot_be_written_leaves_nothing_behind(pictures, tmp_path):
    noise(pictures / "train/images/a.jpg", size=SIZE)
    paths = np.array(["train/images/a.jpg", "train/images/a.png"])
    table = AnnotationTable(**vars(table_of([[], []], root=pictures, size=SIZE)) | {"paths": paths})
    with pytest.raises(InputError, match=r"a\.png differs from another image only in its suffix"):
        convert(table, "yolo", tmp_path / "new")
    missing = AnnotationTable(**vars(table) | {"paths": np.array(["train/images/a.jpg", "gone.png"])})
    with pytest.raises(InputError, match=r"gone\.png cannot be put into .*No such file"):
        convert(missing, "coco", tmp_path / "new", copy=True)
    with pytest.raises(InputError, match=r"is inside .* - expected a place outside the data"):
        convert(table, "coco", pictures / "new")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="there is there already - expected a new folder"):
        convert(table, "coco", tmp_path / "there")
    with pytest.raises(InputError, match="format 'kitti' cannot be written - expected one of coco, yolo"):
        convert(table, "kitti", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_names_that_would_fall_together_keep_their_folders():
    paths = ["a/images/0.png", "a/0.png"]
    assert image_names(table_of([[], []], paths=paths)) == paths
    assert image_names(table_of([[], []], paths=["images/0.png", "b/JPEGImages/0.png"])) == ["0.png", "b/0.png"]


def test_an_ignore_region_of_every_class_has_a_category_that_is_not_listed(pictures, tmp_path):
    table = table_of([[("car", 1, 2, 11, 22)]], root=pictures, size=SIZE, paths=["val/images/a.png"], ignore=[True])
    table = AnnotationTable(**vars(table) | {"box_class": np.array([ANY_CLASS], np.int16)})
    convert(table, "coco", tmp_path / "new")
    content = json.loads((tmp_path / "new/annotations.json").read_text())
    assert content["annotations"][0]["category_id"] == 0
    assert [category["id"] for category in content["categories"]] == [1, 2, 3]
