"""Other scores of the same detections need no network, and are what a network gives, bit for bit."""

import json
from unittest import mock

import numpy as np
import pytest
import torch
from two_domains import TEXT, study_of, write_two_domains

from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.experiment_file import parse_config
from gapscope.files import hash_file, write_json
from gapscope.run_folder import RunName
from gapscope.study import work
from gapscope.study.plan import reasons
from gapscope.study.run import do
from gapscope.study.stages import units_of
from gapscope.study.units import ledger, note_done

RUN, UNIT = RunName("u-real", 0), "evaluate/u-real/seed0/real"


def study_with(place, changes=""):
    text = TEXT.replace("[record]", f"[evaluate]\nbootstraps = 20\nconfidence = 0.00001\n{changes}[record]")
    return study_of(parse_config(text), place / "run", place / "data")


def train(study, seed):
    """A network that never learned, put on record as trained."""
    network = yolov3(["car", "bus"], 0.0625, 1.0, torch.Generator().manual_seed(seed), None)
    save_weights(network, study.folder.weights(RUN), {})
    study.folder.metrics(RUN).write_text("")
    write_json(study.folder.training_summary(RUN), {"weights_sha256": hash_file(study.folder.weights(RUN))})
    note_done(ledger(units_of(study), study.folder)["train/u-real/seed0"], study.folder, 1.0)


def evaluate(study):
    """Do this one evaluation; how often a network was run for it."""
    wanted = [unit for unit in units_of(study) if unit.name in ("data/real", "train/u-real/seed0", UNIT)]
    with mock.patch.object(work, "evaluate", wraps=work.evaluate) as run:
        assert UNIT in do(wanted, study, only="evaluate")
    return run.call_count


@pytest.fixture
def scored(tmp_path):
    write_two_domains(tmp_path / "data")
    study = study_with(tmp_path)
    do(units_of(study), study, only="data")
    train(study, 0)
    assert evaluate(study) == 1
    return tmp_path


def left_by(study):
    with np.load(study.folder.detections(RUN, "real")) as file:
        columns = {name: file[name].tolist() for name in file.files}
    return json.loads(study.folder.evaluation(RUN, "real").read_text()), columns


@pytest.mark.parametrize("change", ["operating_confidence = 0.00002\n", "operating_confidence = 0.3\n"])
def test_other_scores_of_the_same_detections_are_those_that_the_network_gives(scored, change):
    study = study_with(scored, change)
    before, boxes = left_by(study)
    why = list(reasons(ledger(units_of(study), study.folder)[UNIT], study))
    assert why[0] == "stored detections are scored anew, no network is run"
    assert why[1].startswith("[evaluate] operating_confidence 0.25 -> ")
    assert evaluate(study) == 0
    again, same = left_by(study)
    assert again != before and same == boxes and len(boxes["label"]) > 20
    for folder in (study.folder.before(UNIT), study.folder.root / "evaluation"):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    assert evaluate(study) == 1
    assert left_by(study) == (again, boxes)


@pytest.mark.parametrize("what", ["threshold", "weights", "test labels"])
def test_detections_that_may_be_others_are_made_anew(scored, what):
    changes = "operating_confidence = 0.3\n" + ("nms_iou = 0.3\n" if what == "threshold" else "")
    study = study_with(scored, changes)
    if what in ("threshold", "weights"):
        train(study, 1 if what == "weights" else 0)
    elif what == "test labels":
        relabel(study, "test")
    assert evaluate(study) == 1


def relabel(study, split):
    """Another box in the first image of a split, and the data read again."""
    image = study.folder.split("real", split).read_text().split()[0]
    label = study.data_root / "real" / image.replace("images", "labels").replace(".png", ".txt")
    label.write_text("0 0.5 0.5 0.4 0.4\n")
    do(units_of(study), study, only="data")


def test_another_training_image_voids_no_evaluation_of_another_arm(scored):
    study = study_with(scored)
    relabel(study, "train")
    found = ledger(units_of(study), study.folder)
    own, other = "evaluate/u-real/seed0/real", "evaluate/f-game/seed0/real"
    assert not found[own].known  # its training has other images
    assert found[other].needs["data/real"] == found[own].needs["data/real"]
    record = study.folder.read_record(own)
    assert record["needs"]["data/real"] == found[other].needs["data/real"]
