"""Two small sets of labelled images, "real" and "game", and an experiment with them."""

from pathlib import Path

import torch
from small_data import noise

from gapscope.config import Experiment
from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.files import hash_file, write_json, write_text
from gapscope.run_folder import RunFolder
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import ledger, note_done

TEXT = """
name = "probes"
seeds = [0, 1]
[data]
classes = ["car", "bus"]
image_size = 32
[model]
width = 0.0625
[domains.real]
role = "real"
root = "real"
[domains.game]
role = "synthetic"
root = "game"
[arms.u-real]
domains = ["real"]
[arms.f-game]
domains = ["game"]
start = "streets"
freeze = "0-74"
[train]
device = "cpu"
[probe]
domain = "real"
also = ["game"]
images = 5
[record]
sizes = [32]
[similarity]
measures = ["cka_debiased", "rsa"]
permutations = 20
bootstraps = 20
"""


def write_two_domains(root: Path) -> Path:
    """In YOLO's form, 30 images each, of which 6 become test images."""
    for number, domain in enumerate(("real", "game")):
        for i in range(30):
            noise(root / domain / f"images/{i:03}.png", (48, 32), seed=100 * number + i)
            label = root / domain / f"labels/{i:03}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(f"{i % 2} 0.5 0.5 0.5 0.5\n")
        (root / domain / "data.yaml").write_text("names: [car, bus]\n")
    return root


def noted_as_done(study: Study, seconds: float = 0.0) -> None:
    """Everything after the data stage is put on record as finished; its files hold next to nothing."""
    units = units_of(study)
    for unit in units:
        if unit.stage != "data":
            for path in unit.outputs:
                write_json(path, {"weights_sha256": unit.name})
            if unit.run is not None and unit.stage == "train":
                write_text(study.folder.metrics(unit.run), "")
            note_done(ledger(units, study.folder)[unit.name], study.folder, seconds)


SUMMARY = {
    "freeze": "",
    "epochs": 0,
    "best_epoch": 0,
    "best_val_map50": 0.0,
    "stopped_early": False,
    "train_images": 0,
    "parameters": 0,
    "trainable_parameters": 0,
    "seconds": 0.0,
    "device": "cpu",
}
"""Of a training that never was."""


def drawn_as_trained(study: Study) -> None:
    """Every training is put on record as finished; its network is as it was drawn."""
    units, classes, model = units_of(study), study.experiment.data.classes, study.experiment.model
    for unit in units:
        if unit.run is not None and unit.stage == "train":
            number = sum(map(ord, unit.run.arm)) + unit.run.seed
            drawn = yolov3(classes, model.width, model.anchor_scale, torch.Generator().manual_seed(number))
            save_weights(drawn, unit.outputs[0], {})
            study.folder.metrics(unit.run).touch()
            summary = SUMMARY | {"weights_sha256": hash_file(unit.outputs[0])}
            write_json(study.folder.training_summary(unit.run), summary)
            note_done(ledger(units, study.folder)[unit.name], study.folder, 0.0)


def study_of(chosen: Experiment, folder: Path, data_root: Path) -> Study:
    return Study(chosen, RunFolder(folder), data_root)
