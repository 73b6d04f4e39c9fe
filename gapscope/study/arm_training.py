"""One arm with one seed: its images, start weights, frozen layers, training, and what is kept of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from gapscope.arms import frozen_layers, frozen_ranges
from gapscope.data.augment import Augmentation
from gapscope.data.batches import Batch, batches
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.data.views import views
from gapscope.detector.guest_layers import freeze_any
from gapscope.detector.guests import Network, save_network
from gapscope.errors import InputError
from gapscope.evaluation.evaluate import evaluate
from gapscope.files import OTHER_CONTENT, hash_file, read_json, write_json
from gapscope.intact import check_intact, remedy
from gapscope.leftovers import remove_left_files
from gapscope.networks import layer_map
from gapscope.progress import Progress
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.diets import Diet, diet_of, samples_of, split_table
from gapscope.study.new_networks import begin, new_network
from gapscope.study.study import Study, weights_file
from gapscope.study.units import UnitKeys
from gapscope.training.freezing import frozen_hash
from gapscope.training.logs import MetricLogs
from gapscope.training.optimization import num_parameters
from gapscope.training.processes import launch, make_fabric
from gapscope.training.train import Trained, Training


def train_run(study: Study, keys: UnitKeys, *, run: RunName) -> None:
    """Train on as many devices as the experiment asks for.

    Raises:
        InputError: If the devices are not there, or another process trains this arm with this seed.
    """
    with study.folder.locked(study.folder.training(run)):
        remove_left_files(study.folder.training(run))
        fabric = make_fabric(study.experiment.train)
        if fabric.world_size > 1:
            launch(fabric, train_arm, study, keys, run, report=study.progress)
        else:
            train_arm(fabric, study.progress, study, keys, run)


def train_arm(fabric: Fabric, report: Progress, study: Study, keys: UnitKeys, run: RunName) -> None:
    """Train in this process, alone or as one of several; the first one writes."""
    experiment, config = study.experiment, study.experiment.train_of(run.arm)
    arm, here = experiment.arms[run.arm], study.folder.training(run)
    network = start_network(study, run)
    frozen = np.flatnonzero(frozen_layers(experiment, run.arm)).tolist()
    freeze_any(network, frozen)
    if not num_parameters(network)[1]:
        raise InputError(
            f"[arms.{run.arm}] freeze = '{frozen_ranges(experiment, run.arm)}' leaves no layer that learns. Freeze "
            f"fewer, as in '{layer_map(experiment, run.arm).words_of('backbone')}'."
        )
    frozen_before = frozen_hash(network, frozen, config) if frozen else None
    diet = diet_of(study, run, fabric.world_size)
    validation = validation_samples(study, run.arm)
    augment = Augmentation(**config.augment.model_dump())
    rule = experiment.evaluate.model_copy(update={"rule": "coco", "multi_label": False})

    def epoch_batches(epoch: int, start: int) -> Iterator[Batch]:
        order, rounds = diet.order(run.seed, epoch)
        labelled = batches(
            diet.samples,
            config.batch_size,
            seed=run.seed,
            epoch=epoch,
            augment=augment,
            shuffle=True,
            workers=config.workers,
            start=start,
            share=(fabric.global_rank, fabric.world_size),
            order=order,
            rounds=rounds,
            restyle=diet.restyle,
        )
        if diet.unlabelled is None:
            return labelled
        unlabelled = views(
            diet.unlabelled,
            config.batch_size,
            diet.batches,
            seed=run.seed,
            epoch=epoch,
            augment=augment,
            workers=config.workers,
            start=start,
            share=(fabric.global_rank, fabric.world_size),
        )
        return (replace(one, views=seen) for one, seen in zip(labelled, unlabelled, strict=True))

    def validate(candidate: Network) -> float:
        share = (fabric.global_rank, fabric.world_size)
        found = evaluate(candidate, validation, rule, rules=["coco"], device=fabric.device, share=share)
        return found.rules["coco"].mean50(experiment.headline_classes) or 0.0

    title = f"{experiment.name}/{run.arm}/seed{run.seed}"
    settings = {"arm": run.arm, "seed": run.seed} | config.model_dump()
    with MetricLogs(config.loggers, here, title, keys.now, settings) as logs:
        training = Training(
            fabric,
            network,
            epoch_batches,
            diet.batches,
            validate,
            config,
            folder=here,
            key=keys.going_on,
            other_keys={keys.former} if keys.former else (),
            what=f"training {run.arm} seed {run.seed}",
            report=report,
            logs=logs,
            seed=run.seed,
            adapt=arm.adapt,
        )
        trained = training.run()
    if fabric.is_global_zero:
        keep(study, keys.now, run, trained)
        hashes = (frozen_before, frozen_hash(trained.network, frozen, config) if frozen else None)
        summary = training_summary(study, run, trained, diet, hashes, fabric)
        if diet.unlabelled is not None:  # what its teacher taught in the last epoch
            summary["taught_boxes"] = training.at.history[-1].get("taught_boxes")
        write_json(study.folder.training_summary(run), summary)
        training.keep_end()


def keep(study: Study, key: str, run: RunName, trained: Trained) -> None:
    """Write the weights of the best epoch, and those of the last one beside them."""
    facts = {
        "arm": run.arm,
        "seed": str(run.seed),
        "experiment": study.experiment.name,
        "made_from": key,
        "classes": json.dumps(study.experiment.data.classes),
    }
    folder, best = study.folder, trained.network.state_dict()
    kept = {name: value.clone() for name, value in best.items()}
    trained.network.load_state_dict(trained.last)
    save_network(trained.network, folder.last_weights(run), facts | {"epoch": str(trained.epochs)})
    trained.network.load_state_dict(kept)
    save_network(trained.network, folder.weights(run), facts | {"best_epoch": str(trained.best_epoch)})


def start_network(study: Study, run: RunName) -> Network:
    """The network as training finds it: the head at random (by the seed) unless it is kept, the backbone from where the
    arm starts.

    Raises:
        InputError: A weights file holds other layers than the study's network, or other classes than a kept head's.
    """
    experiment, start = study.experiment, study.experiment.arms[run.arm].start
    network = new_network(experiment, run.arm, run.seed)
    if start == "scratch":
        return network
    is_arm = start in experiment.arms
    path = study.folder.weights(RunName(start, run.seed)) if is_arm else weights_file(start)
    begin(network, path, keep_head=experiment.arms[run.arm].keep_head)
    return network


def training_left(folder: RunFolder, run: RunName) -> str:
    """What of a training decides all that is made from it: the bytes of its weights.

    Raises:
        InputError: If the summary that it left is broken.
    """
    path = folder.training_summary(run)
    check_intact(path)
    try:
        return str(read_json(path)["weights_sha256"])
    except OTHER_CONTENT as error:
        advice = remedy(path, "Delete it and run again")
        raise InputError(f"{path} cannot be read as a training's summary: {error}. {advice}") from error


def training_summary(
    study: Study,
    run: RunName,
    trained: Trained,
    diet: Diet,
    frozen: tuple[str | None, str | None],
    fabric: Fabric,
) -> dict[str, Any]:
    """What `arms/<arm>/seed<k>/summary.json` holds."""
    arm, config = study.experiment.arms[run.arm], study.experiment.train_of(run.arm)
    learnable, free = num_parameters(trained.network)
    covers = "weights and batch statistics" if config.bn == "frozen" else "weights; batch statistics follow the images"
    return {
        "arm": run.arm,
        "title": arm.title or run.arm,
        "seed": run.seed,
        "domains": arm.domains,
        "start": arm.start,
        "freeze": frozen_ranges(study.experiment, run.arm),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "best_val_map50": trained.best_map50,
        "stopped_early": trained.stopped_early,
        "train_images": sum(diet.counts.values()),
        "images": diet.counts,
        "unlabelled_images": diet.seen_without_labels,
        "shares": arm.shares,
        "steps": trained.epochs * -(-diet.batches // config.accumulate),
        "learning_rate": config.learning_rate,
        "parameters": learnable,
        "trainable_parameters": free,
        "frozen_hash_before": frozen[0],
        "frozen_hash_after": frozen[1],
        "frozen_hash_covers": covers if frozen_ranges(study.experiment, run.arm) else None,
        "weights_sha256": hash_file(study.folder.weights(run)),
        "seconds": round(trained.seconds, 1),
        "device": study.device,
        "devices": fabric.world_size,
        "precision": config.precision,
    }


def validation_samples(study: Study, name: str) -> Samples:
    """The validation images of all domains that an arm is trained on."""
    tables = [split_table(study, domain, "val") for domain in study.experiment.arms[name].domains]
    return samples_of(study, AnnotationTable.joined(tables))
