"""BDD100K, Scalabel, SHIFT: what their files say is what the table holds, checked by counting it another way."""

import json
from pathlib import Path

import numpy as np
import pytest
from bdd_data import BDD_SIZE, LANE, NAME, bdd_folder, blank, box2d, det20_label, frame, label_2018
from small_data import noise

from gapscope.data.problems import Problems
from gapscope.data.readers import json_stream
from gapscope.data.readers.bdd import CLASSES_2018, CLASSES_DET20
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError


def count_boxes(path: Path) -> dict[str, int]:
    """Boxes per category by looking for every object with a box2d, wherever in the file it is."""
    counts: dict[str, int] = {}

    def visit(value):
        if isinstance(value, dict):
            if isinstance(value.get("box2d"), dict):
                counts[value["category"]] = counts.get(value["category"], 0) + 1
            value = list(value.values())
        for inner in value if isinstance(value, list) else ():
            visit(inner)

    visit(json.loads(path.read_text()))
    return counts


def nonzero(table) -> dict[str, int]:
    return {name: count for name, count in table.counts().items() if count}


# ---- the real files


@pytest.mark.parametrize(
    ("folder", "file", "classes"),
    [
        ("bdd100k_2018", "excerpt_bdd100k_labels_images_val.json", CLASSES_2018),
        ("bdd100k_det20", "det_train.json", CLASSES_DET20),
        ("bdd100k_scalabel", "example_annotation.json", ()),
    ],
)
def test_a_real_file_has_as_many_boxes_of_each_class_as_are_counted_in_its_json(shared_data, folder, file, classes):
    root = shared_data / "format_samples" / folder
    table = read_annotations(root, sizes=BDD_SIZE)
    assert nonzero(table) == count_boxes(root / file)
    assert table.class_names == classes
    assert len(table) == len(json.loads((root / file).read_text()))


def test_the_real_labels_of_2020_lie_in_their_real_images(shared_data):
    table = read_annotations(shared_data / "format_samples/bdd100k_det20")
    assert table.paths.tolist() == ["images/0000f77c-6257be58.jpg", "images/0000f77c-62c2a288.jpg"]
    assert set(table.groups.tolist()) == {"0000f77c"}
    assert table.attributes["timeofday"].tolist() == ["daytime", "dawn/dusk"]
    car = table.xyxy[table.box_class == table.class_names.index("car")][0]
    assert car == pytest.approx([49.444767, 254.530367, 358.805838, 488.906215], abs=1e-3)  # ends one pixel later
    assert table.truncation.tolist().count(1) == 2


def test_the_real_label_of_2018_is_kept_to_the_digit(shared_data):
    table = read_annotations(shared_data / "format_samples/bdd100k_2018", sizes=BDD_SIZE)
    assert table.xyxy[0] == pytest.approx([1000.698742, 281.992415, 1040.626872, 326.91156], abs=1e-4)
    assert table.groups.tolist() == ["b1c66a42"]
    assert {name: values[0] for name, values in table.attributes.items()} == {
        "weather": "overcast",
        "scene": "city street",
        "timeofday": "daytime",
    }


# ---- the same picture in four formats


def test_one_picture_is_the_same_boxes_in_all_releases_but_for_the_last_pixel(tmp_path):
    bdd_folder(tmp_path / "2018", [frame(labels=[label_2018(), LANE])])
    bdd_folder(tmp_path / "det20", [frame(labels=[det20_label(truncated=True)])], "labels/det_20/det_train.json")
    old = {"name": NAME, "attributes": frame()["attributes"]}
    old["frames"] = [{"timestamp": 10000, "objects": [label_2018(), LANE]}]
    path = tmp_path / f"old/labels/100k/train/{NAME}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(old))
    blank(tmp_path / f"old/images/100k/train/{NAME}.jpg")
    tables = {name: read_annotations(tmp_path / name) for name in ("2018", "det20", "old")}
    for name, table in tables.items():
        assert table.paths.tolist() == [f"images/100k/train/{NAME}.jpg"], name
        assert table.groups.tolist() == ["b1c66a42"]
        assert table.attributes["weather"].tolist() == ["clear"]
        assert nonzero(table) == {"car": 1}
        assert (table.occlusion[0], table.truncation[0]) == (0, 1)
    assert tables["2018"].xyxy.tolist() == tables["old"].xyxy.tolist() == [[100, 200, 150, 260]]
    assert tables["det20"].xyxy.tolist() == [[100, 200, 151, 261]]
    edges = read_annotations(tmp_path / "det20", options={"pixels": "edges"})
    assert edges.xyxy.tolist() == [[100, 200, 150, 260]]


def test_a_last_pixel_at_the_border_ends_at_the_border(tmp_path):
    labels = [det20_label(box=(0, 0, 1279, 719)), det20_label(box=(1, 0, 1279.8, 719.5))]
    bdd_folder(tmp_path, [frame(labels=labels)], "det_val.json")
    assert read_annotations(tmp_path).xyxy.tolist() == [[0, 0, 1280, 720], [1, 0, 1280, 720]]


def test_train_and_val_are_read_together_and_each_image_is_found_in_its_split(tmp_path):
    bdd_folder(tmp_path, [frame("a1b2c3d4-00000000", [label_2018()])])
    where = "labels/bdd100k_labels_images_val.json"
    bdd_folder(tmp_path, [frame("a1b2c3d5-00000000", [label_2018("person")])], where, split="val")
    table = read_annotations(tmp_path)
    assert [Path(path).parts[2] for path in table.paths] == ["train", "val"]
    assert nonzero(table) == {"car": 1, "person": 1}


# ---- rows


def test_labels_may_be_missing_null_or_empty_and_the_image_then_has_no_objects(tmp_path):
    frames = [frame(f"a1b2c3d4-{i:08x}", [det20_label()]) for i in range(4)]
    frames[0]["labels"] = None
    del frames[1]["labels"]
    frames[2]["labels"] = []
    table = read_annotations(bdd_folder(tmp_path, frames, "det_train.json"))
    assert len(table) == 4
    assert table.box_image.tolist() == [3]


def test_an_image_without_a_record_is_not_part_of_the_table(tmp_path):
    bdd_folder(tmp_path, [frame(labels=[label_2018()])])
    blank(tmp_path / "images/100k/train/ffffffff-00000000.jpg")
    assert read_annotations(tmp_path).paths.tolist() == [f"images/100k/train/{NAME}.jpg"]


def test_boxes_that_end_before_they_begin_are_counted_and_left_out(tmp_path):
    labels = [label_2018(box=(10, 10, 10, 20)), label_2018(box=(30, 10, 20, 20)), label_2018(box=(10, 20, 20, 10))]
    table = read_annotations(bdd_folder(tmp_path / "2018", [frame(labels=[*labels, label_2018()])]))
    assert (table.num_boxes, table.no_area) == (1, 3)
    labels = [det20_label(box=(10, 10, 10, 20)), det20_label(box=(30, 10, 20, 20))]
    table = read_annotations(bdd_folder(tmp_path / "2020", [frame(labels=labels)], "det_val.json"))
    assert table.xyxy.tolist() == [[10, 10, 11, 21]]  # one pixel wide, where the last pixel belongs to the box
    assert table.no_area == 1


def test_crowds_ignored_boxes_and_the_id_minus_one_are_ignore_regions(tmp_path):
    labels = [
        det20_label(),
        det20_label(crowd=True),
        det20_label(ignored=True),
        det20_label(id="-1"),
        det20_label("other vehicle"),
    ]
    table = read_annotations(bdd_folder(tmp_path, [frame(labels=labels)], "det_train.json"))
    assert table.ignore.tolist() == [False, True, True, True, False]
    assert table.crowd.tolist() == [False, True, False, False, False]
    assert nonzero(table) == {"car": 1, "other vehicle": 1}


@pytest.mark.parametrize("keys", [("occluded", "truncated"), ("Occluded", "Truncated"), ("OCCLUDED", "truncated")])
def test_attributes_are_read_in_any_case(tmp_path, keys):
    label = label_2018(attributes={keys[0]: True, keys[1]: "False"})
    table = read_annotations(bdd_folder(tmp_path, [frame(labels=[label, label_2018(attributes=None)])]))
    assert table.occlusion[0] == 1
    assert table.truncation[0] == 0
    assert np.isnan(table.occlusion[1])


def test_a_category_beyond_the_known_ones_is_a_class_behind_them(tmp_path):
    labels = [label_2018("tram"), label_2018("cart"), label_2018("bus")]
    table = read_annotations(bdd_folder(tmp_path, [frame(labels=labels)]))
    assert table.class_names == (*CLASSES_2018, "cart", "tram")
    assert [table.class_names[label] for label in table.box_class] == ["tram", "cart", "bus"]


# ---- Scalabel and SHIFT


def test_an_object_with_frames_and_a_bare_list_of_frames_are_the_same(tmp_path):
    for i, content in enumerate([[frame("x", [det20_label()])], {"frames": [frame("x", [det20_label()])]}]):
        noise(tmp_path / f"{i}/images/x.jpg")
        content = content if isinstance(content, list) else {"config": {"categories": []}, **content, "groups": None}
        (tmp_path / f"{i}/labels.json").write_text(json.dumps(content))
    first, second = (read_annotations(tmp_path / name, clip=True) for name in "01")
    assert first.paths.tolist() == second.paths.tolist() == ["images/x.jpg"]
    assert first.class_names == second.class_names == ("car",)
    assert first.no_area == second.no_area == 1  # the box lies outside of the small image


def test_shift_is_read_for_every_split_and_view_from_det_2d_alone(tmp_path):
    for split, view in [("train", "front"), ("train", "left_45"), ("val", "front")]:
        here, video = tmp_path / split / view, "007b-4e72"
        shots = [
            {
                "name": f"0000000{i}_img_{view}.jpg",
                "videoName": video,
                "frameIndex": i,
                "attributes": {"weather_coarse": "rainy", "timeofday_coarse": "night", "sun_altitude_angle": -3.5},
                "labels": [det20_label("pedestrian", id=str(i))],
            }
            for i in range(2)
        ]
        for shot in shots:
            blank(here / "img" / video / shot["name"], (1280, 800))
        (here / "det_2d.json").write_text(json.dumps({"frames": shots, "config": {}}))
        (here / "det_3d.json").write_text(json.dumps({"frames": shots, "config": {}}))
    table = read_annotations(tmp_path)
    assert (len(table), table.num_boxes) == (6, 6)
    assert set(table.groups.tolist()) == {"007b-4e72"}
    assert table.paths[0] == "train/front/img/007b-4e72/00000000_img_front.jpg"
    assert table.attributes["weather_coarse"][0] == "rainy"
    assert table.attributes["sun_altitude_angle"][0] == "-3.5"
    assert table.heights.tolist() == [800] * 6


def test_a_folder_of_one_file_per_video_is_read_whole_and_videos_of_one_ride_share_a_group(tmp_path):
    for i in range(25):
        video = f"b1c81faa-{i:08x}"
        path = tmp_path / f"labels/track/{video}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([frame(f"{video}-0000001", [det20_label()], videoName=video)]))
        noise(tmp_path / f"images/{video}/{video}-0000001.jpg", BDD_SIZE)
    table = read_annotations(tmp_path)
    assert (len(table), set(table.groups.tolist())) == (25, {"b1c81faa"})


# ---- labels alone


def test_labels_alone_have_the_stated_size_or_the_one_that_is_given(tmp_path):
    frames = [frame("a1b2c3d4-00000000", [det20_label()], size={"width": 640, "height": 360})]
    frames.append(frame("a1b2c3d4-00000001", [det20_label()]))
    path = tmp_path / "det_train.json"
    path.write_text(json.dumps(frames))
    for root in (tmp_path, path):
        table = read_annotations(root, sizes=BDD_SIZE)
        assert table.widths.tolist() == [640, 1280]
        assert table.heights.tolist() == [360, 720]
        assert table.paths[0] == "images/100k/train/a1b2c3d4-00000000.jpg"


# ---- refusals


def test_frames_without_image_files_are_told_with_their_number_and_the_first(tmp_path):
    frames = [frame(f"a1b2c3d4-{i:08x}", [label_2018()]) for i in range(5)]
    bdd_folder(tmp_path, frames)
    for i in (1, 3):
        (tmp_path / f"images/100k/train/a1b2c3d4-{i:08x}.jpg").unlink()
    with pytest.raises(
        InputError, match=r"2 of 5 frames have no image file, the first is a1b2c3d4-00000001\.jpg - exp"
    ):
        read_annotations(tmp_path)
    problems = Problems(strict=False)
    table = read_annotations(tmp_path, problems=problems)
    assert len(table) == 3
    assert [problem.wrong for problem in problems.found] == [
        f"image file a1b2c3d4-{i:08x}.jpg is missing" for i in (1, 3)
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"box2d": box2d(1, 2, "3", 4)},
            r"frame b1c66a42-6f7d68ca\.jpg, label 7: box2d is .* - expected numbers x1, y1",
        ),
        ({"box2d": [1, 2, 3, 4]}, r"label 7: box2d is \[1, 2, 3, 4\] - expected numbers"),
        ({"box2d": box2d(1, 2, float("nan"), 4)}, r"label 7: box \[1, 2, nan, 4\] - expected four finite numbers"),
        ({"box2d": box2d(1, 2, 1300, 4)}, r"leaves its image of 1280 x 720 pixels by 20 - .*clip=True"),
        ({"category": None}, r"label 7: 'category' is None - expected a text"),
        ({"attributes": {"occluded": "perhaps"}}, r"label 7: 'occluded' is 'perhaps' - expected true or false"),
        ({"attributes": [1]}, r"label 7: 'attributes' is \[1\] - expected an object"),
    ],
)
def test_a_broken_label_is_named_or_left_out(tmp_path, change, message):
    bdd_folder(tmp_path, [frame(labels=[label_2018(), label_2018(**change)])])
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)
    problems = Problems(strict=False)
    assert read_annotations(tmp_path, problems=problems).num_boxes == 1
    assert len(problems.found) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": 3}, r"frame b1c66a42-6f7d68ca\.jpg: 'labels' is 3 - expected a list, or null"),
        ({"labels": ["car"]}, r"frame b1c66a42-6f7d68ca\.jpg, label 0: is 'car' - expected an object"),
        ({"name": 12}, r"frame 2: 'name' is 12 - expected a text"),
        ({"name": "../../etc/passwd"}, r"name '\.\./\.\./etc/passwd', videoName '' - expected names of files below"),
        ({"videoName": "/etc"}, r"videoName '/etc' - expected names of files below the image folder"),
        ({"attributes": "wet"}, r"'attributes' is 'wet' - expected an object"),
        ({"size": {"width": 100, "height": 60}}, r"says 100 x 60 pixels, but .* has 1280 x 720 - expected the same"),
    ],
)
def test_a_broken_frame_is_named(tmp_path, change, message):
    good = frame("a1b2c3d4-00000000", [label_2018()])
    bdd_folder(tmp_path, [good, frame(labels=[label_2018()])])
    (tmp_path / "labels/bdd100k_labels_images_train.json").write_text(json.dumps([good, frame() | change]))
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path, "bdd100k-2018")


def test_an_image_with_two_frames_is_refused(tmp_path):
    bdd_folder(tmp_path, [frame(labels=[label_2018()])] * 2)
    with pytest.raises(InputError, match=r"frame b1c66a42-6f7d68ca\.jpg: the image has two frames - expected one"):
        read_annotations(tmp_path)


def test_a_file_that_is_cut_short_is_refused_small_or_large(tmp_path, monkeypatch):
    path = bdd_folder(tmp_path, [frame(labels=[label_2018()])]) / "labels/bdd100k_labels_images_train.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(InputError, match=r"train\.json cannot be read as JSON: .*line 1 column \d+"):
        read_annotations(tmp_path)
    monkeypatch.setattr(json_stream, "WHOLE", -1)
    with pytest.raises(
        InputError, match=r"train\.json cannot be read as JSON: parse error: premature EOF \(after byte"
    ):
        read_annotations(tmp_path)


def test_two_releases_in_one_folder_need_to_be_told_apart(tmp_path):
    bdd_folder(tmp_path, [frame(labels=[label_2018()])])
    bdd_folder(tmp_path, [frame(labels=[det20_label()])], "labels/det_20/det_train.json")
    message = r"labels of two releases: bdd100k_labels_images_train\.json \(bdd100k-2018\) and det_train\.json"
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)
    for name, x2 in [("bdd100k-2018", 150), ("bdd100k-det20", 151)]:
        assert read_annotations(tmp_path, name).xyxy[0, 2] == x2


def test_a_file_of_the_old_kind_with_several_moments_is_refused(tmp_path):
    path = tmp_path / f"labels/{NAME}.json"
    path.parent.mkdir()
    moment = {"timestamp": 1, "objects": [label_2018()]}
    path.write_text(json.dumps({"name": NAME, "frames": [moment, moment]}))
    blank(tmp_path / f"images/{NAME}.jpg")
    with pytest.raises(InputError, match=rf"{NAME}\.json: holds 2 frames - expected one image per file"):
        read_annotations(tmp_path)
