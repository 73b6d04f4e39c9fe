"""What labelling tools export is read as it is: right counts, splits where there are any, and nothing left untold."""

import json

import pytest
from command import gapscope
from small_exports import EXPORTS, coco, cvat_coco, datumaro, dumped, put_image, several_coco

from gapscope.data.check import check_folder
from gapscope.data.readers.detect import read_annotations
from gapscope.data.splits_there import auto_split, found_splits
from gapscope.errors import InputError

IMAGES = 12
WITH_SPLITS = {"Roboflow YOLO": "folders", "Roboflow COCO": "folders", "Ultralytics segmentation": "folders"}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    place = tmp_path_factory.mktemp("exports")
    for number, (make, _) in enumerate(EXPORTS.values()):
        make(place / str(number), IMAGES)
    return {name: place / str(number) for number, name in enumerate(EXPORTS)}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_with_all_of_its_images_and_boxes(exports, name):
    found = check_folder(exports[name], labels_only=True)
    assert found.table is not None and found.problems == ()
    table = found.table
    assert (table.format, len(table), table.num_boxes) == (EXPORTS[name][1], IMAGES, IMAGES + IMAGES // 2)
    counts = {label: boxes for label, boxes in table.counts().items() if boxes}
    assert counts == {"car": IMAGES, "person": IMAGES // 2}
    corners = {tuple(map(round, box)) for box in table.xyxy.tolist()}
    assert corners == {(10, 20, 40, 50), (55, 10, 65, 40)}
    assert not [note for note in table.notes if "not part of it" in note]


@pytest.mark.parametrize("name", EXPORTS)
def test_a_check_of_an_export_sums_it_up_and_ends_well(exports, name, tmp_path):
    done = gapscope("data", "check", exports[name], "--labels-only", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"format: {EXPORTS[name][1]}; 12 images, 18 boxes" in done.stdout
    assert "classes: car 12, person 6" in done.stdout
    assert "12 images, all of them read" in done.stdout


@pytest.mark.parametrize("name", EXPORTS)
def test_splits_of_an_export_are_taken_or_it_is_said_that_they_are_drawn(exports, name):
    table = read_annotations(exports[name])
    splits, how = auto_split(table, (0.6, 0.2, 0.2), 0)
    if name in WITH_SPLITS:
        assert {split: len(images) for split, images in splits.items()} == {"train": 8, "val": 2, "test": 2}
        assert how == "by the folders train, val and test that are there"
    else:
        assert how.startswith("single images at random")
    if name == "several COCO files":
        assert how.endswith("drawn anew, since there are only folders for train, val")
    if name == "Pascal VOC":
        assert found_splits(table)[0].places["val"] == "ImageSets/Main/val.txt"
        assert how.endswith('ImageSets/Main/test.txt), which method = "lists" takes')


def test_coco_files_of_splits_are_one_set_and_their_sidecars_are_told(tmp_path):
    several_coco(tmp_path, IMAGES)
    (note, *_) = read_annotations(tmp_path).notes
    assert note == (
        "Read together: instances_train2017.json, instances_val2017.json. Not read: person_keypoints_train2017.json, "
        "person_keypoints_val2017.json."
    )
    alone = read_annotations(tmp_path, labels=tmp_path / "annotations/instances_val2017.json")
    assert len(alone) == 4


def test_splits_that_only_the_coco_files_tell_are_taken(tmp_path):
    for split, numbers in {"train": [0, 1], "val": [2], "test": [3]}.items():
        for i in numbers:
            put_image(tmp_path / f"images/{i}.jpg", i)
        dumped(tmp_path / f"annotations/instances_{split}.json", coco(numbers, "{}.jpg".format))
    table = read_annotations(tmp_path)
    splits, how = auto_split(table, (0.6, 0.2, 0.2), 0)
    names = {split: [table.path(i).name for i in images] for split, images in splits.items()}
    assert names == {"train": ["0.jpg", "1.jpg"], "val": ["2.jpg"], "test": ["3.jpg"]}
    assert how == "by the subsets that the labels name"


@pytest.mark.parametrize("names", [("one", "two"), ("train_a", "train_b"), ("train", "other")])
def test_coco_files_that_are_no_splits_lead_to_naming_one(tmp_path, names):
    put_image(tmp_path / "images/0.jpg", 0)
    for name in names:
        dumped(tmp_path / f"{name}.json", coco([0], "{}.jpg".format))
    with pytest.raises(
        InputError, match=r"holds several COCO files: .* Say which: --labels \(in a study annotations\)"
    ):
        read_annotations(tmp_path)


def test_datumaro_reads_polygons_flags_and_subsets_and_counts_the_rest(tmp_path):
    datumaro(tmp_path, 2)
    path = tmp_path / "annotations/default.json"
    content = json.loads(path.read_text())
    item = content["items"][0]
    item["annotations"] = [
        {
            "type": "polygon",
            "label_id": 1,
            "points": [10.0, 5.0, 30.0, 5.0, 20.0, 25.0],
            "attributes": {"occluded": True},
        },
        {"type": "bbox", "label_id": 0, "bbox": [1.0, 2.0, 3.0, 4.0], "attributes": {"is_crowd": True}},
        {"type": "label", "label_id": 0},
        {"type": "points", "label_id": 0, "points": [1.0, 1.0]},
    ]
    dumped(path, content)
    table = read_annotations(tmp_path)
    assert table.boxes_of(0)[0].tolist() == [[10, 5, 30, 25], [1, 2, 4, 6]]
    assert table.crowd.tolist()[:2] == [False, True] and table.occlusion.tolist()[0] == 1
    assert table.attributes["subset"].tolist() == ["default", "default"]
    assert "Annotations that are no boxes are left out: 1 label, 1 points." in table.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_id": 2}, r"item frame_000000, annotation 1: label_id 2 - expected 0 to 1, one per label\."),
        ({"bbox": [1, 2, "x", 4]}, r"annotation 1: bbox \[1, 2, 'x', 4\] - expected four numbers"),
        ({"type": "polygon", "points": [1, 2]}, r"annotation 1: points \[1, 2\] - expected x, y, x, y"),
        ({"type": 3}, r"annotation 1: 'type' is 3 - expected a text\."),
    ],
)
def test_a_broken_annotation_of_datumaro_is_named_with_its_place(tmp_path, change, message):
    datumaro(tmp_path, 2)
    path = tmp_path / "annotations/default.json"
    content = json.loads(path.read_text())
    content["items"][0]["annotations"][0] |= change
    dumped(path, content)
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)
    assert check_folder(tmp_path, labels_only=True).table.num_boxes == 2


def test_a_missing_image_of_datumaro_is_told_with_where_it_was_looked_for(tmp_path):
    datumaro(tmp_path, 2)
    (tmp_path / "images/default/frame_000001.jpg").unlink()
    with pytest.raises(
        InputError, match=r"item frame_000001: the image file is missing - expected it in .*images/default"
    ):
        read_annotations(tmp_path)


def test_labels_without_their_images_lead_to_exporting_them(tmp_path):
    cvat_coco(tmp_path, 2)
    for path in (tmp_path / "images/default").iterdir():
        path.unlink()
    done = gapscope("data", "check", tmp_path, "--labels-only", cwd=tmp_path)
    assert done.returncode == 2
    assert "image file frame_000000.jpg is missing" in done.stdout
    assert "or give its folder" in done.stdout
