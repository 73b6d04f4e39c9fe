"""gapscope init: two folders become a study that can be run as it stands, and every guess in it is to be confirmed."""

import json
import shutil
import tomllib
from unittest import mock

import pytest
import torch
from command import gapscope
from small_data import noise
from torchvision.models import mobilenet_v3_small

from gapscope.data.images import find_images
from gapscope.detector.darknet_weights import save_darknet_weights
from gapscope.detector.guests import build_guest, save_network
from gapscope.detector.network import darknet
from gapscope.experiment_file import read_config
from gapscope.run_folder import RunFolder, RunName
from gapscope.study import proposal
from gapscope.study.proposed_network import epochs_for
from gapscope.study.proposed_time import Estimate
from gapscope.study.run import check_start, planned
from gapscope.study.study import Study


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def roboflow(root, classes=("car", "person"), splits=("train", "valid", "test"), per_split=8):
    """A YOLO export of Roboflow: a folder per split, data.yaml and two read-me's beside them."""
    for split in splits:
        for i in range(per_split):
            name = f"{split}_{i}_jpg.rf.{i:032x}"
            noise(root / split / f"images/{name}.jpg", seed=100 * sum(map(ord, split)) + i)
            write(root / split / f"labels/{name}.txt", f"{i % len(classes)} 0.5 0.5 0.4 0.5\n")
    names = json.dumps(list(classes))
    write(
        root / "data.yaml",
        f"train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: {names}\n",
    )
    write(root / "README.roboflow.txt", "exported\n")
    return root


def voc(root, classes=("car", "pedestrian"), images=20):
    """Pascal VOC with its lists."""
    for i in range(images):
        noise(root / f"JPEGImages/{i:06}.jpg", seed=500 + i)
        write(
            root / f"Annotations/{i:06}.xml",
            f"<annotation><folder>VOC</folder><filename>{i:06}.jpg</filename>"
            "<size><width>100</width><height>60</height><depth>3</depth></size>"
            f"<object><name>{classes[i % len(classes)]}</name><difficult>0</difficult>"
            "<bndbox><xmin>21</xmin><ymin>11</ymin><xmax>60</xmax><ymax>50</ymax></bndbox></object></annotation>",
        )
    for split, some in {"train": range(12), "val": range(12, 16), "test": range(16, images)}.items():
        write(root / f"ImageSets/Main/{split}.txt", "".join(f"{i:06}\n" for i in some))
    return root


@pytest.fixture
def two(tmp_path):
    return roboflow(tmp_path / "photos"), voc(tmp_path / "renders")


def run_init(tmp_path, *arguments):
    return gapscope("init", *arguments, "--no-time", cwd=tmp_path)


def test_from_a_roboflow_export_and_voc_to_a_run_that_could_begin(two, tmp_path):
    done = run_init(tmp_path, "photos", "renders")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "written: study.toml. Look at it, then: gapscope run study.toml"
    assert len(done.stdout.splitlines()) <= 24
    dry = gapscope("run", "study.toml", "--dry", cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert "data/real: not done yet" in dry.stdout
    assert "train/u-real/seed0, train/u-real/seed1, train/u-synthetic/seed0 and 3 more: not done yet" in dry.stdout
    assert not (tmp_path / "runs").exists()
    experiment = read_config(tmp_path / "study.toml")
    assert experiment.data.classes == ["car"] and experiment.probe.images == 8
    todo = planned(experiment, tmp_path / "runs/study")
    assert {one.unit.stage for one in todo} == {"data", "train", "evaluate", "record", "compare", "report"}


def test_what_is_proposed_passes_the_checks_that_come_before_a_run(two, tmp_path):
    run_init(tmp_path, "photos", "renders", "--guesses")
    done = gapscope("run", "study.toml", "--only", "data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "real: 8 train, 8 val, 8 test images (by the folders train, val and test that are there)" in done.stdout
    assert "synthetic: 12 train, 4 val, 4 test images (by lists of image names)" in done.stdout


def test_a_guess_is_a_comment_that_is_in_force_once_the_word_is_taken_away(two, tmp_path):
    done = run_init(tmp_path, "photos", "renders")
    assert "guesses, not taken; they stand in the file to be confirmed (--guesses takes all):" in done.stdout
    assert "    person = person (real), pedestrian (synthetic)" in done.stdout
    text = (tmp_path / "study.toml").read_text()
    content = tomllib.loads(text)
    assert content["data"]["classes"] == ["car"]
    assert content["domains"]["synthetic"]["labels"] == {"car": ["car"]}
    assert content["domains"]["synthetic"]["drop"] == ["*"]
    confirmed = "\n".join(
        line.removeprefix("# GUESS ")
        for line in text.splitlines()
        if line != 'classes = ["car"]             # the common labels'
    )
    confirmed = confirmed.replace('classes = ["car"] ', "# ")
    content = tomllib.loads(confirmed)
    assert sorted(content["data"]["classes"]) == ["car", "person"]
    assert content["domains"]["synthetic"]["labels"]["person"] == ["pedestrian"]
    write(tmp_path / "confirmed.toml", confirmed)
    assert gapscope("run", "confirmed.toml", "--only", "data", cwd=tmp_path).returncode == 0


def test_names_that_are_said_to_belong_together_are_no_guesses(two, tmp_path):
    done = run_init(tmp_path, "photos", "renders", "--map", "person=person,pedestrian")
    assert "guesses" not in done.stdout
    assert set(read_config(tmp_path / "study.toml").data.classes) == {"person", "car"}


def test_splits_leaks_files_not_read_and_broken_rows_are_told(two, tmp_path):
    real, synthetic = two
    first = find_images(real / "train")[0]
    shutil.copyfile(first, real / "test/images" / "copy.jpg")
    noise(real / "more/x.png")
    shutil.rmtree(synthetic / "ImageSets")
    write(synthetic / "Annotations/000001.xml", "<annotation><object><name>car</name></object></annotation>")
    done = run_init(tmp_path, "photos", "renders")
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "train 8, val 8, test 9 - by the folders train, val and test that are there" in said
    assert "1 of 9 test images (11.1 %) have a near-duplicate in train, such as test/images/copy.jpg" in said
    assert "1 file (.png; the first is x.png) is not part of it" in said
    assert "drawn anew, image by image: no splits are there, and no groups are known" in said
    assert "1 broken row or image left out" in said
    assert read_config(tmp_path / "study.toml").domains["synthetic"].skip_bad


def test_two_of_three_splits_are_used_and_the_third_comes_from_training(tmp_path):
    roboflow(tmp_path / "photos", splits=("train", "valid"), per_split=10)
    voc(tmp_path / "renders", classes=("car", "person"))
    assert run_init(tmp_path, "photos", "renders").returncode == 0
    split = read_config(tmp_path / "study.toml").domains["real"].split
    assert (split.method, split.train, split.test, split.val_from_train) == ("folders", "train", "valid", 0.2)


def test_what_cannot_be_run_as_it_stands_is_told_with_what_to_do(tmp_path):
    roboflow(tmp_path / "photos", per_split=2)
    voc(tmp_path / "renders", classes=("car", "person"))
    done = run_init(tmp_path, "photos", "renders")
    assert done.returncode == 2
    assert "study.toml is written, but cannot be run as it stands:" in done.stderr
    assert "study.toml [probe]: images = 2: input should be greater than or equal to 4." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "renders"], "nowhere is missing - expected the folder of a data set"),
        (["photos", "renders", "--start", "x.conv.74"], "--start x.conv.74: there is no such file."),
        (["photos", "renders", "--map", "car"], '--map "car" - expected a name and what it stands for'),
        (["photos", "renders", "--model", "yolov3-tony"], "there is no such network. Did you mean 'yolov3-tiny'?"),
        (["photos", "renders", "--model", "lost.py:Net"], "there is no Python module lost.py"),
        (["photos", "renders", "--model", "yolov3-tiny", "--start", "streets"], "a backbone of YOLOv3's, which yolov3"),
        (["photos", "renders", "--classes", "car"], "--classes says how trained detectors number theirs"),
        (["photos", "renders", "--out", "there.toml"], "there.toml is there already. Name another with --out"),
    ],
)
def test_wrong_arguments_are_one_message_and_write_nothing(two, tmp_path, arguments, message):
    write(tmp_path / "there.toml", "mine")
    done = run_init(tmp_path, *arguments)
    assert done.returncode == 2 and message in done.stderr
    assert not (tmp_path / "study.toml").exists() and (tmp_path / "there.toml").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "weights"), [("fcos_mobilenet_v3_small_fpn", "classifier.pth"), ("yolov3-tiny", "tiny.weights")]
)
def test_another_network_from_weights_of_its_backbone_is_proposed_and_could_begin(two, tmp_path, model, weights):
    """A classifier of torchvision, or Darknet's own file; layers are frozen by name."""
    if weights == "classifier.pth":
        torch.save(mobilenet_v3_small(weights=None).state_dict(), tmp_path / weights)
    else:
        save_darknet_weights(darknet("yolov3-tiny", [str(at) for at in range(80)]), tmp_path / weights)
    done = run_init(tmp_path, "photos", "renders", "--model", model, "--start", weights, "--size", "192")
    assert done.returncode == 0, done.stderr
    assert f"network    {model}\n" in done.stdout and "the backbone comes from there" in done.stdout
    study = read_config(tmp_path / "study.toml")
    assert (study.model.name, study.model.width, study.data.image_size) == (model, 1.0, 192)
    assert study.arms["f-synthetic"].freeze == "backbone"
    assert {arm.start for arm in study.arms.values()} == {str(tmp_path / weights)}
    for arm in study.arms:
        check_start(Study(study, RunFolder(tmp_path / "out")), RunName(arm, 0))
    assert planned(study, tmp_path / "out")


@pytest.mark.slow
def test_the_width_of_a_network_without_anchors_is_that_of_its_own_file(two, tmp_path):
    save_network(build_guest("yolov3-anchor-free", ["car"], 64, width=0.05), tmp_path / "mine.safetensors", {})
    done = run_init(tmp_path, "photos", "renders", "--model", "yolov3-anchor-free", "--start", "mine.safetensors")
    assert done.returncode == 0, done.stderr
    study = read_config(tmp_path / "study.toml")
    assert study.model.width == 0.05
    check_start(Study(study, RunFolder(tmp_path / "out")), RunName("u-real", 0))


def test_another_network_without_weights_starts_at_random_and_that_is_said(two, tmp_path):
    done = run_init(tmp_path, "photos", "renders", "--model", "yolov3-tiny")
    assert "start      scratch: at random, and a network learns little of some hundred images that way" in done.stdout
    assert read_config(tmp_path / "study.toml").arms["u-real"].start == "scratch"


def test_few_images_are_gone_through_more_often():
    def epochs(*images):
        return epochs_for([mock.Mock(splits={"train": range(count)}) for count in images])

    assert [epochs(480, 9000), epochs(10_000, 10_000), epochs(96, 480), epochs(3, 8)] == [20, 20, 100, 100]
    assert epochs(240, 1000) == 40


def test_a_root_below_the_data_root_is_named_from_there(two, tmp_path, monkeypatch):
    monkeypatch.setenv("GAPSCOPE_DATA", str(tmp_path))
    run_init(tmp_path, "photos", "renders")
    assert read_config(tmp_path / "study.toml").domains["real"].root == "photos"


def test_drives_that_names_tell_are_a_guess(tmp_path):
    roboflow(tmp_path / "photos")
    for town in range(6):
        for i in range(4):
            noise(tmp_path / f"renders/images/Town0{town}_{i:06}.png", seed=town * 10 + i)
            write(tmp_path / f"renders/labels/Town0{town}_{i:06}.txt", "0 0.5 0.5 0.2 0.2\n")
    write(tmp_path / "renders/classes.txt", "car\n")
    assert "names may tell drives or sequences" in run_init(tmp_path, "photos", "renders").stdout
    text = (tmp_path / "study.toml").read_text()
    (tmp_path / "study.toml").write_text(text.replace("# GUESS groups", "groups"))
    done = gapscope("run", "study.toml", "--only", "data", cwd=tmp_path)
    assert "synthetic: 16 train, 4 val, 4 test images (whole groups, about 60/20/20 %, seed 0)" in done.stdout


def test_the_time_is_that_of_all_trainings_and_says_how_to_have_less(two, tmp_path):
    found = Estimate(training=9 * 3600.0, scoring=60.0, device="cpu, 2 cores")
    with mock.patch("gapscope.study.proposed_time.estimate_time", return_value=found):
        shown = proposal.propose(tmp_path / "photos", tmp_path / "renders").shown
    (line,) = [line for line in shown if line.startswith("time")]
    assert "at most 9 h 00 min of training (6 trainings, 100 epochs each) and 1 min of scoring, measured on cpu" in line
    assert line.endswith("less with max_train in split, fewer epochs, one seed, or a smaller image_size")


@pytest.mark.slow
def test_the_time_is_measured_by_steps_of_the_study_itself(two, tmp_path):
    shown = proposal.propose(tmp_path / "photos", tmp_path / "renders").shown
    assert [line for line in shown if line.startswith("time       at most ") and "measured on" in line]
