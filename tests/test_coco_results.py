"""COCO results of any detector: scored as pycocotools scores them, matched by name, refused where they do not fit."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from command import gapscope
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from small_data import noise

from gapscope.config import Evaluate
from gapscope.errors import InputError
from gapscope.evaluation.coco_results import read_results
from gapscope.evaluation.placed_results import place_results
from gapscope.study import scoring_results
from gapscope.study.scoring import LabelledFolder, Scored

SIZE = (100, 60)
CATEGORIES = [{"id": 7, "name": "car"}, {"id": 9, "name": "van"}, {"id": 12, "name": "person"}]
NAMES = ["street/000139.png", "street/000140.png", "000141.png", "rest.png"]


def scattered(num: int, seed: int = 0) -> list[dict]:
    """Boxes of three categories in four images, whole pixels, wholly inside."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(num):
        corner, side = rng.integers(0, (60, 30)), rng.integers(5, 30, 2)
        entry = {"image_id": 100 + int(rng.integers(4)), "category_id": int(rng.choice([7, 9, 12]))}
        rows.append(entry | {"id": number + 1, "bbox": [*corner.tolist(), *side.tolist()], "iscrowd": 0})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO folder whose image ids are not the numbers in its images' names."""
    root = tmp_path_factory.mktemp("photos")
    for name in NAMES:
        noise(root / "images" / name, SIZE)
    images = [{"id": 100 + i, "file_name": name, "width": 100, "height": 60} for i, name in enumerate(NAMES)]
    labels = scattered(24)
    for one in labels:
        one["area"] = one["bbox"][2] * one["bbox"][3]
    (root / "labels.json").write_text(
        json.dumps({"images": images, "categories": CATEGORIES, "annotations": labels}), encoding="utf-8"
    )
    return root


def found(seed: int = 1) -> list[dict]:
    """Detections near the labels, and a few elsewhere; none leaves its image."""
    rng = np.random.default_rng(seed)
    rows = []
    for one in [*scattered(24), *scattered(12, seed=5)]:
        x, y, width, height = one["bbox"]
        box = [x + float(rng.uniform(0, 4)), y + float(rng.uniform(0, 3)), float(width), float(height)]
        rows.append(
            {key: one[key] for key in ("image_id", "category_id")} | {"bbox": box, "score": float(rng.random())}
        )
    return rows


def score_results(path: Path, images: LabelledFolder, **more: object) -> Scored:
    return scoring_results.score_results(path, images, Evaluate(bootstraps=20), **more)


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_plain_list_scores_as_pycocotools_scores_it_with_the_ids_of_the_folders_labels(folder, tmp_path):
    path = written(tmp_path / "results.json", found())
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "labels.json"))
        oracle = COCOeval(truth, truth.loadRes(str(path)), "bbox")
        oracle.evaluate()
        oracle.accumulate()
        oracle.summarize()
    ours = score_results(path, LabelledFolder(folder)).scores["rules"]["coco"]
    assert ours["map50_95"] == pytest.approx(oracle.stats[0], abs=1e-9)
    assert ours["map50"] == pytest.approx(oracle.stats[1], abs=1e-9)
    assert ours["mar"]["100"] == pytest.approx(oracle.stats[8], abs=1e-9)


def test_the_command_says_ap_intervals_and_kinds_of_errors(folder, tmp_path):
    path, out = written(tmp_path / "results.json", found()), tmp_path / "scores.json"
    done = gapscope("evaluate", path, "--data", folder, "--bootstraps", "20", "--out", out)
    assert done.returncode == 0, done.stderr
    scores = json.loads(out.read_text())
    assert scores["num_images"] == 4 and set(scores["targets"]) == {"car", "van", "person"}
    assert scores["rules"]["coco"]["interval"]["map50"] and scores["errors"]["kinds"]
    assert "results.json" in done.stdout


def test_ids_may_be_explained_by_the_results_themselves_by_file_names_or_by_a_list_of_classes(folder, tmp_path):
    plain = found()
    whole = score_results(written(tmp_path / "a.json", plain), LabelledFolder(folder)).scores
    images = [{"id": i, "file_name": f"/elsewhere/images/{NAMES[i]}"} for i in range(4)]
    renumbered = [one | {"image_id": one["image_id"] - 100} for one in plain]
    itself = written(tmp_path / "b.json", {"images": images, "categories": CATEGORIES, "results": renumbered})
    assert score_results(itself, LabelledFolder(folder)).scores == whole
    stems = [139, "street/000140", "000141.png", "rest"]
    names = {7: "car", 9: "van", 12: "person"}
    by_name = [
        {"image_id": stems[one["image_id"] - 100], "category_name": names[one["category_id"]]}
        | {key: one[key] for key in ("bbox", "score")}
        for one in plain
    ]
    classes = tmp_path / "classes.txt"
    classes.write_text("car\nvan\nperson\n")
    written(tmp_path / "c.json", by_name)
    assert score_results(tmp_path / "c.json", LabelledFolder(folder), ids=[classes]).scores == whole
    for first in (0, 1):
        number = {7: first, 9: first + 1, 12: first + 2}
        counted = [one | {"category_id": number[old["category_id"]]} for one, old in zip(by_name, plain, strict=True)]
        path = written(tmp_path / "d.json", counted)
        assert score_results(path, LabelledFolder(folder), ids=[classes]).scores == whole


def test_results_of_other_images_of_the_folder_are_left_out_and_counted(folder, tmp_path):
    listed = tmp_path / "some.txt"
    listed.write_text("rest.png\n")
    done = score_results(written(tmp_path / "r.json", found()), LabelledFolder(folder, split_list=listed))
    elsewhere = sum(one["image_id"] != 103 for one in found())
    assert done.scores["num_images"] == 1
    assert done.notes == [f"{elsewhere} boxes of r.json lie in images that are not scored."]


def shares(rows):
    return [one | {"bbox": [one["bbox"][0] / 100, one["bbox"][1] / 60, 0.2, 0.2]} for one in rows]


def corners(rows):
    return [one | {"bbox": [(b := one["bbox"])[0], b[1], b[0] + b[2], b[1] + b[3]]} for one in rows]


def larger(rows):
    return [one | {"bbox": [4 * side for side in one["bbox"]]} for one in rows]


def smaller(rows):
    return [one | {"bbox": [side / 4 for side in one["bbox"]]} for one in rows] * 3


def changed(**given):
    return lambda rows: [rows[0], rows[1] | given, *rows[2:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(image_id=4), r"image_id 4 stands for no image - expected one of the ids that are explained, such as"),
        (changed(category_id=1), r"category_id 1 has no name - expected one of 7 car, 9 van, 12 person\."),
        (changed(bbox=[1, 2, 3]), r"result 1: bbox \[1, 2, 3\] - expected four numbers \[x, y, width, height\]"),
        (changed(score=17.5), r"result 1: score 17\.5 - expected a confidence from 0 to 1\. Write probabilities"),
        (lambda rows: [{"image_id": 100}], r"result 0: has no 'bbox' but only \['image_id'\]"),
        (lambda rows: {"loss": 1}, r"holds an object with \['loss'\] - expected COCO results, a list of"),
        (lambda rows: {"annotations": [], "images": []}, r"holds labels, not results: its annotations have no 'score'"),
        (shares, r"is in shares of its sides - expected .* Multiply by width and height\."),
        (corners, r"leaves it, and would fit as corners \[x1, y1, x2, y2\] - expected .* Subtract the first corner\."),
        (larger, r"has its middle outside - expected .* Take boxes back from the size that the network sees"),
        (changed(bbox=[30, 30, -20, 10]), r"result 1: .* has a negative side"),
        (
            lambda rows: {"images": [{"id": 100, "file_name": "rest.png", "width": 640, "height": 640}],
                          "categories": CATEGORIES, "results": [rows[0] | {"image_id": 100}]},
            r"image 'rest.png' has 640 x 640 pixels there and 100 x 60 in .* in pixels of the same image",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_first_that_does_not(folder, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        score_results(written(tmp_path / "results.json", change(found())), LabelledFolder(folder))


def test_boxes_of_a_smaller_image_are_refused_where_labels_reach_farther(folder, tmp_path):
    table_labels = [{"image_id": 100, "category_id": 7, "id": i, "bbox": [70 + i, 50, 19, 9]} for i in range(12)]
    labels = json.loads((folder / "labels.json").read_text()) | {"annotations": table_labels}
    for name in NAMES:
        noise(tmp_path / "images" / name, SIZE)
    written(tmp_path / "labels.json", labels)
    path = tmp_path / "found" / "results.json"
    path.parent.mkdir()
    with pytest.raises(InputError, match="lies farthest right and down of all, and labels lie farther"):
        score_results(written(path, smaller(found())), LabelledFolder(tmp_path))


def test_a_category_without_a_class_of_its_name_is_refused_and_may_be_given_one(folder, tmp_path):
    from gapscope.data.readers.detect import read_annotations

    table = read_annotations(folder)
    read = read_results(written(tmp_path / "r.json", found()), [folder / "labels.json"])
    with pytest.raises(InputError, match=r"category 'van' is none of the classes car, person - expected the same"):
        place_results(read, table, ["car", "person"])
    placed = place_results(read, table, ["car", "person"], {"car": ["car", "van"]})
    assert set(placed.boxes.label.tolist()) == {0}
    people = sum(one["category_id"] == 12 for one in found())
    assert placed.notes == [f"{people} boxes of r.json are of classes that are not scored."]
    with pytest.raises(InputError, match=r"it has no category 'vam', which is to be 'car'\. Did you mean 'van'\?"):
        place_results(read, table, ["car"], {"car": ["vam"]})


def test_a_detector_that_found_nothing_has_an_empty_list_and_scores_0(folder, tmp_path):
    scores = score_results(written(tmp_path / "r.json", []), LabelledFolder(folder)).scores
    assert scores["rules"]["coco"]["map50"] == 0


def test_an_empty_list_whose_classes_nobody_names_is_refused(folder, tmp_path, monkeypatch):
    (tmp_path / "results.json").write_text("[]")
    monkeypatch.setattr(scoring_results, "labels_of", lambda images: [])  # as for labels that are no COCO file
    with pytest.raises(InputError, match=r"results\.json holds no result, and nothing names its classes"):
        score_results(tmp_path / "results.json", LabelledFolder(folder))


def test_options_of_networks_say_nothing_about_results(folder, tmp_path):
    done = gapscope("evaluate", written(tmp_path / "r.json", found()), "--data", folder, "--size", "64")
    assert done.returncode == 2
    assert (
        "holds COCO results, which are scored as they are: --size says nothing about it. Leave it out." in done.stderr
    )
