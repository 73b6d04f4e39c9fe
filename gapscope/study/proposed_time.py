"""How long will a proposed study take here? A few steps of its own trainings, timed, and the rest by proportion."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from gapscope.config import Experiment
from gapscope.data.augment import Augmentation
from gapscope.data.batches import Batch, batches
from gapscope.data.samples import Samples
from gapscope.data.splits import Splits
from gapscope.data.table import AnnotationTable
from gapscope.detector.guest_layers import freeze_any
from gapscope.detector.guests import Network
from gapscope.evaluation.evaluate import evaluate
from gapscope.networks import layer_map, layers_of
from gapscope.study.new_networks import begin, new_network
from gapscope.study.study import weights_file
from gapscope.training.processes import device_kind, make_fabric
from gapscope.training.step import Learner

STEPS = 3
"""That are timed, after one that is not; fewer where they take long."""
LONGEST = 8.0
"""Seconds after which no further step is timed."""
FEW_IMAGES = 2
"""A batch for timing wide networks on a processor, whose time grows with the number of images."""


@dataclass(frozen=True)
class Estimate:
    """Seconds, were every training to go through all of its epochs."""

    training: float
    """All trainings with their validations."""
    scoring: float
    """All networks on all test images."""
    device: str
    """Such as `2 cores of a processor`."""


def estimate_time(experiment: Experiment, tables: dict[str, AnnotationTable], splits: dict[str, Splits]) -> Estimate:
    """Time a few steps of each kind of training, and a few images without training.

    Args:
        experiment: The proposed study.
        tables: Domain -> its mapped boxes.
        splits: Domain -> its splits.

    Raises:
        InputError: A start does not fit the network, or an image cannot be decoded.
    """
    size, config = experiment.data.image_size, experiment.train
    training = 0.0
    per_image = 0.0
    for name, arm in experiment.arms.items():
        domain = arm.domains[0]
        table, images = tables[domain], splits[domain]["train"]
        network = _network(experiment, name)
        samples = Samples(table, images[: 4 * config.batch_size], size=size, cache=True)
        step = _seconds_per_image(experiment, network, samples)
        if not per_image:
            held_out = Samples(table, images[: config.batch_size], size=size, cache=True)
            per_image = _timed(partial(_score, experiment, network, held_out)) / len(held_out)
        epochs = config.epochs * (step * len(images) + per_image * len(splits[domain]["val"]))
        training += epochs * len(experiment.seeds)
    tested = sum(len(splits[name]["test"]) for name in experiment.evaluated_domains)
    scoring = per_image * tested * len(experiment.arms) * len(experiment.seeds)
    return Estimate(training, scoring, _device(experiment))


def _network(experiment: Experiment, arm: str) -> Network:
    """As the arm's training finds it."""
    plan, network = experiment.arms[arm], new_network(experiment, arm, 0)
    if plan.start != "scratch":
        begin(network, weights_file(plan.start), keep_head=plan.keep_head)
    if plan.freeze:
        freeze_any(network, layers_of(plan.freeze, layer_map(experiment, arm)))
    return network


def _seconds_per_image(experiment: Experiment, network: Network, samples: Samples) -> float:
    """Of a training step, decoding and augmentation in it."""
    config = experiment.train
    few = device_kind(config) == "cpu" and experiment.model.width > 0.5
    size = FEW_IMAGES if few else config.batch_size
    learner = Learner(make_fabric(config), network, config)
    learner.training_mode()
    augment = Augmentation(**config.augment.model_dump())
    taken: list[float] = []
    seen = 0
    for batch in batches(samples, size, seed=0, epoch=0, augment=augment, shuffle=True):
        taken.append(_timed(partial(_step, learner, batch, config.learning_rate)))
        seen = max(seen, len(batch))
        if len(taken) > STEPS or sum(taken) > LONGEST:
            break
    timed = taken[1:] or taken
    return sum(timed) / len(timed) / seen


def _step(learner: Learner, batch: Batch, rate: float) -> float:
    """The loss, whose value is there only once the device has done the step."""
    return float(learner.step([batch], rate)[0])


def _score(experiment: Experiment, network: Network, samples: Samples) -> None:
    evaluate(network, samples, experiment.evaluate, rules=(), device=device_kind(experiment.train))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _device(experiment: Experiment) -> str:
    kind = device_kind(experiment.train)
    return torch.cuda.get_device_name() if kind == "cuda" else f"{kind}, {os.cpu_count()} cores"
