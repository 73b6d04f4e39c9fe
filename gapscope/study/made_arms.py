"""An arm that needs no training: other arms' networks averaged, or one with batch statistics of unlabelled images."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from torch import Tensor

from gapscope.arms import all_before, arms_before, labelled_domains, statistics_domains
from gapscope.config import Experiment
from gapscope.detector.guests import Network, load_network, save_network
from gapscope.evaluation.evaluate import evaluate
from gapscope.files import hash_file, write_json
from gapscope.grafting.batch_statistics import estimate_statistics
from gapscope.networks import layer_map, layers_of
from gapscope.run_folder import RunName
from gapscope.study.diets import domain_samples
from gapscope.study.given_arms import network_in
from gapscope.study.study import Study, weights_file
from gapscope.study.units import UnitKeys
from gapscope.study.unlabelled import unlabelled_images
from gapscope.training.averaging import average_of

PATH = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the second of two arms that are tried where the best is to be chosen."""
BATCH = 16
"""Images that go through a layer at a time."""


@dataclass(frozen=True)
class PathPoint:
    """The average of two arms at one share."""

    shares: dict[str, float]
    val_map50: dict[str, float]
    """By domain: mAP@0.5 of the headline classes on its validation images."""


def make_run(study: Study, keys: UnitKeys, *, run: RunName) -> None:
    """Make the network of an arm that is not trained, and write its weights and what it was made of.

    Raises:
        InputError: A weights file does not fit the study, or another process makes this arm with this seed.
    """
    folder, arm = study.folder, study.experiment.arms[run.arm]
    with folder.locked(folder.training(run)):
        started = time.perf_counter()
        images = statistics_images(study, run.arm)
        networks = [start_of(study, RunName(one, run.seed)) for one in arms_before(study.experiment, run.arm)]
        path: list[PathPoint] = []
        if not arm.average:
            network = with_statistics(study, run.arm, networks[0] if networks else start_file(study, run.arm), images)
            shares: dict[str, float] = {}
        else:
            shares, path = chosen_shares(study, run.arm, networks, images)
            network = averaged(study, run.arm, networks, list(shares.values()), images)
        facts = {"arm": run.arm, "seed": str(run.seed), "experiment": study.experiment.name, "made_from": keys.now}
        facts["classes"] = json.dumps(study.experiment.data.classes)
        for path_of_training in (folder.metrics(run), folder.last_weights(run), folder.end_state(run)):
            path_of_training.unlink(missing_ok=True)  # of an arm of this name that was trained
        save_network(network.cpu(), folder.weights(run), facts)
        seconds = time.perf_counter() - started
        write_json(folder.training_summary(run), made_summary(study, run, network, images, shares, path, seconds))


def statistics_images(study: Study, name: str) -> dict[str, Tensor]:
    """By domain: training images (n, 3, s, s), bytes, that give an arm its batch statistics."""
    domains, count = statistics_domains(study.experiment, name), study.experiment.arms[name].adapt.images
    shares = [count // len(domains) + (number < count % len(domains)) for number in range(len(domains))]
    return {
        domain: unlabelled_images(study, domain, share) for domain, share in zip(domains, shares, strict=True) if share
    }


def start_of(study: Study, run: RunName) -> Network:
    """The network of an arm of this study."""
    return load_network(study.folder.weights(run), study.experiment.model_of(run.arm).name).to(study.device)


def start_file(study: Study, name: str) -> Network:
    """The whole network in the file that an arm starts from.

    Raises:
        InputError: It holds another network than the study's, or other classes.
    """
    path = weights_file(study.experiment.arms[name].start)
    return network_in(study, name, f"[arms.{name}] start", path).to(study.device)


def with_statistics(study: Study, name: str, network: Network, images: dict[str, Tensor]) -> Network:
    """A network with batch statistics of these images, as far as the arm asks for them."""
    adapt = study.experiment.arms[name].adapt
    batches = [part.to(study.device) for one in images.values() for part in one.split(BATCH)]
    layers = layers_of(adapt.layers, layer_map(study.experiment, name)) if adapt.layers else None
    return estimate_statistics(network, batches, layers, adapt.keep)


def averaged(
    study: Study, name: str, networks: Sequence[Network], shares: Sequence[float], images: dict[str, Tensor]
) -> Network:
    """The average with statistics of its own; with one share of 1 that network as it is, unless it is to be adapted."""
    average = average_of(networks, shares)
    is_one = sum(share > 0 for share in shares) == 1
    if is_one and not study.experiment.arms[name].adapt.batchnorm:
        return average
    return with_statistics(study, name, average, images)


def chosen_shares(
    study: Study, name: str, networks: Sequence[Network], images: dict[str, Tensor]
) -> tuple[dict[str, float], list[PathPoint]]:
    """Each arm's share: as given, or the best of `PATH` on the validation images of the domain that chooses.

    What is best is the mean over the domains that choose; of several that are as good, the one nearest to equal shares.
    The path is empty where shares are given.
    """
    experiment, arm = study.experiment, study.experiment.arms[name]
    if isinstance(arm.average, dict):
        return dict(arm.average), []
    samples = {one: domain_samples(study, one, "val") for one in judging_domains(experiment, name)}
    rule, points = experiment.evaluate.model_copy(update={"rule": "coco"}), list[PathPoint]()
    for number, share in enumerate(PATH):
        shares = dict(zip(arm.average, (1 - share, share), strict=True))
        network = averaged(study, name, networks, list(shares.values()), images)
        found = {}
        for domain, images_of_domain in samples.items():
            judged = evaluate(network, images_of_domain, rule, rules=["coco"], device=study.device)
            found[domain] = judged.rules["coco"].mean50(experiment.headline_classes) or 0.0
        points.append(PathPoint(shares, found))
        study.progress(f"averaging for {name}", number + 1, len(PATH))
    second = arm.average[1]
    best = max(
        points,
        key=lambda one: (fmean(one.val_map50[domain] for domain in arm.chosen_on), -abs(one.shares[second] - 0.5)),
    )
    return best.shares, points


def judging_domains(experiment: Experiment, name: str) -> list[str]:
    """Domains on whose validation images averages are judged: those that choose, then those of the two arms."""
    choose = experiment.arms[name].chosen_on
    return list(dict.fromkeys([*choose, *labelled_domains(experiment, name)])) if choose else []


def made_summary(
    study: Study,
    run: RunName,
    network: Network,
    images: dict[str, Tensor],
    shares: dict[str, float],
    path: Sequence[PathPoint],
    seconds: float,
) -> dict[str, Any]:
    """What `arms/<arm>/seed<k>/summary.json` holds of an arm that was not trained: as of a training of no epoch."""
    experiment, arm = study.experiment, study.experiment.arms[run.arm]
    return {
        "arm": run.arm,
        "title": arm.title or run.arm,
        "seed": run.seed,
        "trained": False,
        "made_of": all_before(experiment, run.arm) or [arm.start],
        "domains": [],
        "start": "" if arm.average else arm.start,
        "freeze": "",
        "epochs": 0,
        "best_epoch": -1,
        "best_val_map50": None,
        "stopped_early": False,
        "train_images": 0,
        "unlabelled_images": {domain: len(one) for domain, one in images.items()},
        "average": shares,
        "path": [asdict(point) for point in path],
        "chosen_on": arm.chosen_on,
        "parameters": sum(value.numel() for value in network.parameters()),
        "trainable_parameters": 0,
        "weights_sha256": hash_file(study.folder.weights(run)),
        "seconds": round(seconds, 1),
        "device": study.device,
    }
