"""An arm that was trained elsewhere: its network is taken over from a file, or what it has found from COCO results."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.data.table import AnnotationTable
from gapscope.detector.factories import is_guest
from gapscope.detector.file_kind import file_kind
from gapscope.detector.foreign_weights import fill_guest
from gapscope.detector.guests import Network, save_network
from gapscope.detector.network import Darknet
from gapscope.detector.protocol import Guest
from gapscope.detector.weights import load_weights
from gapscope.errors import InputError
from gapscope.evaluation.coco_results import read_results
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.placed_results import place_results
from gapscope.files import hash_file, hash_value, write_json
from gapscope.networks import plan_of_model
from gapscope.run_folder import RunName
from gapscope.study.new_networks import new_network
from gapscope.study.scoring_results import coco_labels
from gapscope.study.study import Study
from gapscope.study.units import UnitKeys

FILES = {"trained", "detections", "ids"}
"""Keys of an arm that name files: what is in these decides."""


def given_files(study: Study, run: RunName) -> dict[str, Path]:
    """The files that an arm of this seed comes from, by the keys that name them, such as `detections.camera`.

    Raises:
        InputError: One is not there.
    """
    arm, seeds = study.experiment.arms[run.arm], study.experiment.seeds
    named = {"trained": arm.files_of(arm.trained, seeds)[run.seed]} if arm.trained else {}
    named |= {f"detections.{domain}": arm.files_of(some, seeds)[run.seed] for domain, some in arm.detections.items()}
    named |= {f"ids.{domain}": one for domain, one in arm.ids.items()}
    for key, path in named.items():
        if not Path(path).is_file():
            raise InputError(f"[arms.{run.arm}] {key} = '{path}': there is no such file. Check the path.")
    return {key: Path(path) for key, path in named.items()}


def take_over(study: Study, keys: UnitKeys, *, run: RunName) -> None:
    """Note where an arm comes from.

    Raises:
        InputError: A file is not there, or another process takes over this arm with this seed.
    """
    folder, started = study.folder, time.perf_counter()
    with folder.locked(folder.training(run)):
        for path in (folder.metrics(run), folder.last_weights(run), folder.end_state(run), folder.weights(run)):
            path.unlink(missing_ok=True)  # of an arm of this name that was trained
        files = {str(path): hash_file(path) for path in given_files(study, run).values()}
        summary = given_summary(study, run, files)
        if study.experiment.arms[run.arm].has_network:
            network = given_network(study, run)
            facts = {"arm": run.arm, "seed": str(run.seed), "experiment": study.experiment.name, "made_from": keys.now}
            facts["classes"] = json.dumps(study.experiment.data.classes)
            save_network(network, folder.weights(run), facts)
            summary |= {
                "weights_sha256": hash_file(folder.weights(run)),
                "parameters": sum(value.numel() for value in network.parameters()),
            }
        write_json(folder.training_summary(run), summary | {"seconds": round(time.perf_counter() - started, 1)})


def given_network(study: Study, run: RunName) -> Network:
    """The network of an arm that was trained elsewhere.

    Raises:
        InputError: Its file is not there, or holds another network or other classes, or would have to be unpickled.
    """
    return network_in(study, run.arm, f"[arms.{run.arm}] trained", given_files(study, run)["trained"])


def network_in(study: Study, arm: str, place: str, path: Path) -> Network:
    """The whole network in a file, which must be the arm's, in the study's classes.

    Args:
        arm: Says by its model which network it is.
        place: Where the experiment file names the file, such as `[arms.x] trained`.

    Raises:
        InputError: It holds another network or other classes, or would have to be unpickled.
    """
    if not is_guest(study.experiment.model_of(arm).name):
        return darknet_in(study, arm, place, path)
    network = new_network(study.experiment, arm, 0)
    assert isinstance(network, Guest)
    fill_guest(network, path, place)
    return network.eval()


def darknet_in(study: Study, arm: str, place: str, path: Path) -> Darknet:
    """The same of one of Darknet's networks."""
    experiment = study.experiment
    if file_kind(path) == "torch":
        raise InputError(
            f"{place} = '{path}': a PyTorch file holds no network of gapscope's - expected .safetensors or Darknet's "
            ".weights. If it is of another make, say which: [model] name, one of torchvision's or module:factory."
        )
    is_darknet, model = file_kind(path) == "darknet", experiment.model_of(arm)
    network = load_weights(
        path,
        model.name if is_darknet and model.name.endswith(".cfg") else None,
        class_names=experiment.data.classes if is_darknet else None,
    )
    wanted = plan_of_model(model, len(experiment.data.classes))
    if network.plan.name != wanted.name or network.width != wanted.width or len(network.table) != len(wanted.layers):
        raise InputError(
            f"{place} = '{path}': it holds {network.plan.name} of width {network.width} - expected {wanted.name} of "
            f"width {wanted.width}, that of [model]. Use weights of this study's network."
        )
    if list(network.class_names) != experiment.data.classes:
        raise InputError(
            f"{place} = '{path}': its classes are {', '.join(network.class_names)} - expected those of [data], "
            f"{', '.join(experiment.data.classes)}, in this order. Use weights for these classes."
        )
    return network


def given_summary(study: Study, run: RunName, files: Mapping[str, str]) -> dict[str, Any]:
    """What `arms/<arm>/seed<k>/summary.json` holds of an arm that was trained elsewhere: as of a training of no epoch.

    Args:
        files: Each file with its SHA-256; in place of weights, they are what the arm is.
    """
    arm = study.experiment.arms[run.arm]
    return {
        "arm": run.arm,
        "title": arm.title or run.arm,
        "seed": run.seed,
        "trained": False,
        "given": dict(files),
        "domains": arm.domains,
        "start": "",
        "freeze": "",
        "epochs": 0,
        "best_epoch": -1,
        "best_val_map50": None,
        "stopped_early": False,
        "train_images": 0,
        "parameters": 0,
        "trainable_parameters": 0,
        "weights_sha256": hash_value(list(files.values())),
        "device": study.device,
    }


def given_detections(study: Study, run: RunName, domain: str, table: AnnotationTable, test: NDArray[np.int64]) -> Boxes:
    """What an arm has found in a domain's test images, by its file; `image` is the index in the domain's table.

    Raises:
        InputError: The file does not fit the domain; the first image, category or box that does not is named.
    """
    experiment, files = study.experiment, given_files(study, run)
    ids = [files[f"ids.{domain}"]] if f"ids.{domain}" in files else coco_labels(experiment.domains[domain], table)
    read = read_results(files[f"detections.{domain}"], ids)
    placed = place_results(read, table, experiment.data.classes, experiment.arms[run.arm].names, test)
    return placed.boxes.take(placed.boxes.confidence >= experiment.evaluate.confidence)
