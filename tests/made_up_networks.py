"""A run folder full of MADE-UP numbers of two networks, YOLOv3 and yolov3-tiny. Nothing in it was measured."""

import json
import shutil
from pathlib import Path
from typing import cast

import numpy as np
from made_up_run import write_made_up_run
from small_recordings import recorded

from gapscope.config import Experiment
from gapscope.experiment_file import read_config
from gapscope.networks import layer_map
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.stages import compare_units
from gapscope.study.study import Study
from gapscope.study.units import UnitKeys

N, SIZE = 12, 160
"""Images of a recording, and their side in pixels."""
TWINS = {"u-real-tiny": "u-real", "u-synthetic-tiny": "u-synthetic", "f-synthetic-tiny": "f-synthetic"}
"""Arms of yolov3-tiny, and those of YOLOv3 that are alike but for the network."""
MORE = """
[models.tiny]
name = "yolov3-tiny"
width = 0.25

[arms.u-real-tiny]
title = "U-Real (tiny)"
model = "tiny"
domains = ["camera"]

[arms.u-synthetic-tiny]
title = "U-Synthetic (tiny)"
model = "tiny"
domains = ["engine"]

[arms.f-synthetic-tiny]
title = "F-Synthetic (tiny)"
model = "tiny"
domains = ["engine"]
freeze = "backbone"
record = false

[similarity]
measures = ["cka_debiased", "cka_biased"]
permutations = 20
bootstraps = 20
"""


def write_made_up_networks(run: Path, *, lose: float = 0.05, seeds: tuple[int, ...] = (0, 1)) -> Path:
    """Write a whole run folder; yolov3-tiny loses so much more mAP where its arms were not trained."""
    write_made_up_run(run, seeds=seeds, sizes=(SIZE,), title="Made-up networks")
    shutil.rmtree(run / "similarity")
    shutil.rmtree(run / "recordings")
    for name in ("experiment.toml", "experiment.resolved.toml"):
        text = (run / name).read_text()
        text = text.replace('start = "streets"\nfreeze', 'start = "streets"\nrecord = false\nfreeze')
        (run / name).write_text(text.replace('start = "base"\n', "") + MORE)
    for twin, arm in TWINS.items():
        shutil.copytree(run / "arms" / arm, run / "arms" / twin)
        for path in sorted((run / "evaluation").glob(f"{arm}-seed*")):
            shutil.copy(path, path.with_name(path.name.replace(arm, twin)))
        for path in (run / "evaluation").glob(f"{twin}-seed*.json"):
            _lose(path, twin, lose)
        for path in (run / "arms" / twin).glob("*/summary.json"):
            found = json.loads(path.read_text())
            path.write_text(json.dumps(found | {"weights_sha256": f"{twin} {found['seed']}", "start": "scratch"}))
    write_similarity(run)
    return run


def _lose(path: Path, twin: str, lose: float) -> None:
    found = json.loads(path.read_text())
    at_home = found["domain"] == ("camera" if "real" in twin else "engine")
    away = 0 if at_home else lose
    found |= {"arm": twin, "weights_sha256": f"{twin} {found['seed']}"}
    for rule in found["rules"].values():
        rule["headline_map50"] -= away
        rule["headline_draws"] = [None if d is None else round(d - away, 5) for d in rule["headline_draws"]]
    path.write_text(json.dumps(found))


def write_similarity(run: Path) -> None:
    """Recordings of made-up features, and all that the compare stage makes of them."""
    experiment, folder = read_config(run / "experiment.resolved.toml"), RunFolder(run)
    for arm in experiment.recorded_arms:
        for seed in experiment.seeds:
            _recording(experiment, RunName(arm, seed)).save(folder.recording(RunName(arm, seed), "camera", SIZE))
    study = Study(experiment, folder, None)
    for unit in compare_units(study):
        unit.work(study, cast(UnitKeys, None))


def _recording(experiment: Experiment, run: RunName):
    """Features that all networks share at the same depth, and more of their own the deeper, in the head most."""
    network = layer_map(experiment, run.arm)
    layers = []
    for layer in range(len(network.layers)):
        depth = layer / (len(network.layers) - 1)
        shared = np.random.default_rng(int(20 * depth)).standard_normal((N, 6))
        own = np.random.default_rng([layer, run.seed, *run.arm.encode()]).standard_normal((N, 6))
        layers.append(shared + (0.3 + depth + (layer > network.backbone_last)) * own)
    about = {"arm": run.arm, "seed": str(run.seed), "probe": "camera"}
    images = tuple(f"images/camera-{48 + i:05d}.png" for i in range(N))
    return recorded(*layers, size=SIZE, images=images, network_sha256=str(run), provenance=about)
