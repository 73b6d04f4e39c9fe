"""A network on labelled images: what is compared with what, what the evaluation file holds, and the command."""

import contextlib
import io
import json
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from command import COMMAND, gapscope
from detections import CLASSES, random_case
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from small_data import noise, table_of

from gapscope.config import Evaluate
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.detector.decode import Detections
from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import coco_results, in_original_pixels
from gapscope.evaluation.evaluate import Evaluation, detection_columns, evaluate, target_columns
from gapscope.evaluation.labelled import labelled_folder
from gapscope.evaluation.scores import scores
from gapscope.files import write_json
from gapscope.study.scoring import LabelledFolder, score_weights

pytestmark = pytest.mark.slow

FEW = Evaluate(bootstraps=20)
NAMES = ("car", "van", "person")


def photos(root: Path, sizes: list[tuple[int, int]]) -> AnnotationTable:
    """One image of noise of each size, with a box of each class."""
    rows = []
    for i, size in enumerate(sizes):
        noise(root / f"images/{i:03}.png", size, seed=i)
        rows.append([(name, 4 * k, 4, 4 * k + 20 + i, 30) for k, name in enumerate(NAMES)])
    table = table_of(rows, root=root)
    widths, heights = np.array(sizes, np.int32).T
    return AnnotationTable(
        **{name: getattr(table, name) for name in ("root", "class_names", "paths", "groups", "box_image", "box_class")},
        widths=widths,
        heights=heights,
        xyxy=table.xyxy,
        ignore=table.ignore,
    )


@pytest.fixture(scope="module")
def network():
    return yolov3(NAMES, 0.0625, 0.2, torch.Generator().manual_seed(0), 0.5).eval()


@pytest.fixture(scope="module")
def found(network, tmp_path_factory) -> tuple[Evaluation, Samples]:
    table = photos(tmp_path_factory.mktemp("photos"), [(100, 60), (60, 100), (64, 64), (90, 80), (50, 40)])
    samples = Samples(table, [4, 0, 2, 1], size=64, cache=False)
    return evaluate(network, samples, FEW), samples


def test_targets_are_those_that_the_network_is_shown_with_areas_of_the_original_image(found):
    _, samples = found
    targets = target_columns(samples)
    shown = [samples[i] for i in range(len(samples))]
    assert targets.xyxy == pytest.approx(torch.cat([one.boxes for one in shown]).numpy(), abs=1e-4)
    assert targets.label.tolist() == torch.cat([one.classes for one in shown]).tolist()
    assert targets.image.tolist() == sorted([0, 1, 2, 3] * 3)
    assert targets.area.tolist() == [24 * 26] * 3 + [20 * 26] * 3 + [22 * 26] * 3 + [21 * 26] * 3


def test_areas_of_detections_are_those_in_the_original_image(found):
    _, samples = found
    one = Detections(torch.tensor([[0.0, 0, 32, 16]]), torch.tensor([0.5]), torch.tensor([1]))
    none = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    boxes = detection_columns([one, none, one, one], samples)
    assert boxes.image.tolist() == [0, 2, 3]
    # Letterboxed to 64: images of 50 x 40, 64 x 64 and 60 x 100 pixels; bars above and left of them are cut off.
    seen = [32 * (16 - 5 * 64 / 50) * (50 / 64) ** 2, 32 * 16, (32 - 20 * 64 / 100) * 16 * (100 / 64) ** 2]
    assert boxes.area == pytest.approx(seen)


def test_the_detections_on_disk_score_what_the_evaluation_says(network, tmp_path):
    # Scores rounded to 5 digits may tie, hence the margin.
    table = photos(tmp_path, [(100, 60), (60, 100), (80, 80)])
    samples = Samples(table, size=64, cache=False)
    # Detections about the targets, since an untrained network finds nothing.
    targets, rng = target_columns(samples), np.random.default_rng(0)
    picked = rng.integers(len(targets), size=40)
    xyxy = (targets.xyxy[picked] + rng.normal(0, 6, (40, 4))).clip(0, 64)  # some reach onto the bars
    xyxy[:, 2:] = np.maximum(xyxy[:, 2:], xyxy[:, :2] + 1)
    confidence, label = rng.random(40), targets.label[picked]
    seen = detection_columns(
        [
            Detections(
                *(torch.from_numpy(column[mine]).float() for column in (xyxy, confidence)),
                torch.from_numpy(label[mine]),
            )
            for mine in (np.flatnonzero(targets.image[picked] == i) for i in range(3))
        ],
        samples,
    )
    assert len(seen) < 40 or not np.allclose(np.sort(seen.xyxy, 0), np.sort(xyxy, 0), atol=1e-4)  # cut at their images
    evaluation = Evaluation(targets, seen, {}, NAMES, 3)
    ours = scores(evaluation, NAMES, FEW)["rules"]["coco"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": i} for i in range(3)],
            "categories": [{"id": c + 1} for c in range(3)],
            "annotations": [
                {
                    "id": i + 1,
                    "image_id": int(table.box_image[i]),
                    "category_id": int(table.box_class[i]) + 1,
                    "bbox": [float(x), float(y), float(x2 - x), float(y2 - y)],
                    "area": float((x2 - x) * (y2 - y)),
                    "iscrowd": 0,
                }
                for i, (x, y, x2, y2) in enumerate(table.xyxy)
            ],
        }
        truth.createIndex()
        reference = COCOeval(truth, truth.loadRes(coco_results(in_original_pixels(evaluation, samples))), "bbox")
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    assert ours["map50_95"] == pytest.approx(reference.stats[0], abs=5e-3)
    assert ours["map50"] == pytest.approx(reference.stats[1], abs=5e-3)
    assert ours["by_size"]["small"]["map50_95"] == pytest.approx(reference.stats[3], abs=5e-3)


def test_evaluating_leaves_network_and_results_on_the_cpu_and_does_not_depend_on_the_batch(network, found):
    evaluation, samples = found
    network.train()
    single = evaluate(network, samples, FEW, batch_size=1)
    assert network.training
    network.eval()
    assert len(single.detections) == len(evaluation.detections) > 0
    assert single.detections.confidence == pytest.approx(evaluation.detections.confidence, abs=1e-5)
    assert {type(getattr(evaluation.detections, name)) for name in ("xyxy", "confidence", "area")} == {np.ndarray}


def test_a_rule_alone_is_computed_alone(network, found):
    _, samples = found
    assert list(evaluate(network, samples, FEW, rules=["coco"]).rules) == ["coco"]
    assert evaluate(network, samples, FEW, rules=[]).rules == {}


def test_scores_hold_what_their_docstring_says_and_stay_small():
    targets, detections, num_images = random_case(0, ties=False)
    result = scores(Evaluation(targets, detections, {}, tuple(CLASSES), num_images), ["car", "cycle"], Evaluate())
    text = json.dumps(result, indent=1, allow_nan=False)
    assert len(text) < 100_000
    result = json.loads(text)
    assert set(result) == {
        *("num_images", "classes", "targets", "headline", "rules", "bootstrap"),
        *("curves", "confusion", "calibration", "errors"),
    }
    assert all(f"    {key}" in scores.__doc__ or f", {key}" in scores.__doc__ for key in result)
    for rule in ("coco", "paper"):
        one = result["rules"][rule]
        low, high = one["interval"]["headline_map50"]
        assert low < one["headline_map50"] < high
        assert len(one["headline_draws"]) == 1000
        assert one["headline_map50"] == pytest.approx((one["ap50"]["car"] + one["ap50"]["cycle"]) / 2)
        assert len(result["curves"]["recall"]) == len(result["curves"][rule]["car"]["precision"]) == 101
    assert result["rules"]["paper"]["map50_95"] is None and "by_size" not in result["rules"]["paper"]
    sizes = result["rules"]["coco"]["by_size"]
    assert sum(size["targets"] for size in sizes.values()) == sum(result["targets"].values())
    true = {name: sum(row.values()) for name, row in result["confusion"]["counts"].items() if name != "background"}
    assert true == result["targets"]


def test_eighty_classes_and_no_boxes_stay_small_too():
    names = tuple(f"class {i}" for i in range(80))
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 300, (3000, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(5, 90, (3000, 2))], 1)
    image, label = rng.integers(300, size=3000), rng.integers(80, size=3000)
    targets = Boxes.of(image, label, xyxy)
    detections = Boxes.of(
        image, np.where(rng.random(3000) < 0.7, label, rng.integers(80, size=3000)), xyxy + 1, rng.random(3000)
    )
    large = json.dumps(scores(Evaluation(targets, detections, {}, names, 300), names, FEW), indent=1, allow_nan=False)
    assert len(large) < 200_000
    none = Boxes.of([], [], [])
    empty = scores(Evaluation(none, none, {}, names, 3), names, FEW)
    assert json.loads(json.dumps(empty, allow_nan=False))["rules"]["coco"]["map50"] is None


def test_two_networks_on_the_same_images_can_be_subtracted_draw_by_draw():
    targets, detections, num_images = random_case(0, ties=False)
    better = Boxes.of(targets.image, targets.label, targets.xyxy, np.ones(len(targets)))
    one, other = (
        scores(Evaluation(targets, found, {}, tuple(CLASSES), num_images), CLASSES, FEW)["rules"]["coco"]
        for found in (detections, better)
    )
    differences = np.subtract(other["headline_draws"], one["headline_draws"])
    assert (differences > 0).all()
    same = scores(Evaluation(targets, detections, {}, tuple(CLASSES), num_images), CLASSES, FEW)["rules"]["coco"]
    assert same["headline_draws"] == one["headline_draws"]


@pytest.fixture
def by_hand(network, tmp_path) -> Path:
    """A folder with weights and a COCO data set of three images of 64 pixels."""
    save_weights(network, tmp_path / "best.safetensors", {})
    table = photos(tmp_path / "photos", [(64, 64), (96, 64), (64, 96)])
    content = {
        "images": [
            {"id": i, "file_name": Path(str(path)).name, "width": int(w), "height": int(h)}
            for i, (path, w, h) in enumerate(zip(table.paths, table.widths, table.heights, strict=True))
        ],
        "annotations": [
            {
                "id": i + 1,
                "image_id": int(table.box_image[i]),
                "category_id": int(table.box_class[i]) + 1,
                "bbox": [float(x), float(y), float(x2 - x), float(y2 - y)],
            }
            for i, (x, y, x2, y2) in enumerate(table.xyxy)
        ],
        "categories": [{"id": c + 1, "name": name} for c, name in enumerate(NAMES)],
    }
    write_json(tmp_path / "photos/annotations.json", content)
    return tmp_path


@pytest.fixture
def run_folder(by_hand) -> Path:
    """What the data stage of a run leaves of a domain: one test image of three."""
    text = """
        name = "small"
        data = { classes = ["person", "car", "van"], image_size = 64 }
        domains = { street = { role = "real", root = "photos" }, later = { role = "real", root = "photos" } }
        arms = { one = { domains = ["street"] } }
        probe = { domain = "street" }
        evaluate = { headline = ["car"] }
    """
    run = by_hand / "run"
    (run / "data/street").mkdir(parents=True)
    (run / "experiment.resolved.toml").write_text(text)
    table = labelled_folder(by_hand / "photos", ["person", "car", "van"])
    table.save(run / "data/street/annotations.npz")
    (run / "data/street/test.txt").write_text(f"{table.paths[1]}\n")
    return run


EVALUATE = ("evaluate", "best.safetensors", "--size", "64", "--bootstraps", "20", "--device", "cpu")


def test_the_command_scores_a_labelled_folder(by_hand):
    done = gapscope(*EVALUATE, "--data", "photos", "-o", "scores.json", "--detections", "found.json", cwd=by_hand)
    assert done.returncode == 0, done.stderr
    found = json.loads((by_hand / "found.json").read_text())
    assert {row["id"]: row["file_name"] for row in found["images"]} and len(found["categories"]) == 3
    images, classes = ({row["id"] for row in found[name]} for name in ("images", "categories"))
    assert found["results"] and all(row["image_id"] in images for row in found["results"])
    assert all(row["category_id"] in classes for row in found["results"])
    assert "AP: best.safetensors on photos" in done.stdout and "classification" in done.stdout
    assert done.stdout.splitlines()[-1] == "scores, curves and the confusion matrix: scores.json"
    result = json.loads((by_hand / "scores.json").read_text())
    assert result["targets"] == {"car": 3, "van": 3, "person": 3}
    assert result["image_size"] == 64 and len(result["weights_sha256"]) == 64


def test_the_command_scores_the_test_images_of_a_run(run_folder, by_hand):
    arguments = ["--run", "run", "--domain", "street", "--data-root", ".", "-o", "scores.json"]
    done = gapscope(*[word for word in EVALUATE if word not in ("--size", "64")], *arguments, cwd=by_hand)
    assert done.returncode == 0, done.stderr
    result = json.loads((by_hand / "scores.json").read_text())
    # In the network's order of classes, at the run's image size, with the run's headline.
    assert result["num_images"] == 1 and result["targets"] == {"car": 1, "van": 1, "person": 1}
    assert result["classes"] == list(NAMES) and result["headline"] == ["car"] and result["image_size"] == 64


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ("streat", "run has no domain 'streat'. Did you mean 'street'?"),
        ("later", "the data stage of 'later' is not done"),
    ],
)
def test_a_domain_that_the_run_does_not_have_is_refused(run_folder, by_hand, domain, message):
    done = gapscope(*EVALUATE, "--run", "run", "--domain", domain, "--data-root", ".", cwd=by_hand)
    assert done.returncode == 2 and message in done.stderr


def test_a_notebook_scores_as_the_command_does(by_hand, monkeypatch):
    monkeypatch.chdir(by_hand)
    done = gapscope(*EVALUATE, "--data", "photos", "--drop", "van", "-o", "scores.json", cwd=by_hand)
    assert done.returncode == 0, done.stderr
    images = LabelledFolder(Path("photos"), drop=["van"])
    score_weights(Path("best.safetensors"), images, Evaluate(bootstraps=20), size=64).write(Path("mine.json"))
    assert json.loads(Path("mine.json").read_text()) == json.loads(Path("scores.json").read_text())


def test_the_command_merges_classes_and_matches_names(by_hand):
    arguments = ["--merge", "vehicle=car,van", "--map", "vehicle=car,van", "--drop", "person", "-o", "scores.json"]
    done = gapscope(*EVALUATE, "--data", "photos", *arguments, cwd=by_hand)
    assert done.returncode == 0, done.stderr
    result = json.loads((by_hand / "scores.json").read_text())
    assert result["classes"] == ["vehicle", "person"] and result["targets"] == {"vehicle": 6, "person": 0}
    assert "No targets, so no AP: person." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which images? Give either --run FOLDER with --domain NAME, or --data FOLDER."),
        (["--data", "photos", "--run", "r", "--domain", "d"], "which images?"),
        (["--run", "r"], "which images?"),
        (["--run", "r", "--domain", "d", "--drop", "van"], "say how to read --data"),
        (["--run", "photos", "--domain", "d"], "photos holds no run: experiment.resolved.toml is missing"),
        (
            ["--data", "photos", "--merge", "vehicle=car,lorry"],
            "'lorry' is no class of the network. It has: car, van, person.",
        ),
        (["--data", "photos", "--merge", "vehicle"], "--merge"),
        (["--data", "photos", "--map", "lorry=car"], "target 'lorry' is no class"),
        (["--data", "photos", "--bootstraps", "3"], "Invalid value for '--bootstraps'"),
        (["--data", "photos", "--size", "50"], "50"),
        (["--data", "nowhere"], "nowhere"),
        (["--data", "photos", "--format", "paper"], "format 'paper' is unknown"),
        (["--data", "photos", "--split-list", "lost.txt"], "lost.txt"),
        (["--data", "photos", "--detections", "photos"], "photos is a folder. Name a file"),
    ],
)
def test_wrong_arguments_give_one_message_and_nothing_is_written(by_hand, arguments, message):
    before = sorted(by_hand.rglob("*"))
    done = gapscope(*EVALUATE, *arguments, "-o", "scores.json", cwd=by_hand)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert sorted(by_hand.rglob("*")) == before


@pytest.mark.slow
def test_a_disk_that_takes_no_more_ends_the_command_with_one_sentence_and_leaves_what_was_there(by_hand):
    """A limit on the size of files stands in for a full disk: the system refuses in the same way."""
    (by_hand / "scores.json").write_text("older")
    command = shlex.join([*COMMAND, *EVALUATE, "--data", "photos", "-o", "scores.json"])
    done = subprocess.run(["bash", "-c", f"ulimit -f 1 && {command}"], cwd=by_hand, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("gapscope: ")]
    assert "File too large. Make room, allow writing or name another place, and" in said
    assert "Traceback" not in done.stderr and (by_hand / "scores.json").read_text() == "older"
    assert not list(by_hand.glob(".scores*"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused(by_hand):
    done = gapscope(*EVALUATE[:-1], "cuda", "--data", "photos", cwd=by_hand)
    assert done.returncode == 2 and "there is no CUDA device here. Use cpu." in done.stderr


def test_weights_whose_classes_are_called_otherwise_are_refused_with_both_lists(by_hand):
    save_weights(yolov3(["Car", "Person"], 0.0625), by_hand / "best.safetensors", {})
    done = gapscope(*EVALUATE, "--data", "photos", cwd=by_hand)
    assert done.returncode == 2
    assert "network: Car, Person; data: car, van, person" in done.stderr
