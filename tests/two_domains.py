"""Two small sets of labelled images, "real" and "game", and an experiment with them."""

from pathlib import Path

from small_data import noise

from gapscope.config import Experiment
from gapscope.files import write_json, write_text
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


def study_of(chosen: Experiment, folder: Path, data_root: Path) -> Study:
    return Study(chosen, RunFolder(folder), data_root)
