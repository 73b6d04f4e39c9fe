"""What each stage does: reads files of the stages before it, calls one part of the toolkit, writes its own files."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gapscope.data.augment import Augment
from gapscope.data.batches import batches
from gapscope.data.samples import Samples
from gapscope.data.splits import read_list
from gapscope.data.table import AnnotationTable
from gapscope.detector.darknet_weights import load_darknet_weights
from gapscope.detector.layers import BACKBONE_LAST, parse_layer_range
from gapscope.detector.network import YOLOv3, fingerprint, freeze, yolov3
from gapscope.detector.weights import load_backbone, load_weights, save_weights
from gapscope.errors import InputError
from gapscope.evaluation.evaluate import coco_results, evaluate
from gapscope.files import hash_file, write_json, write_text
from gapscope.recording.layer_sync import record
from gapscope.recording.recording import read_recording
from gapscope.similarity.compare import compare, write_similarity
from gapscope.study.domains import (
    domain_root,
    indices_of,
    load_domain,
    load_split,
    prepare_domain,
    render_domain,
    write_domain_files,
)
from gapscope.study.study import Run, Study, run_name, weights_file
from gapscope.training.optimization import num_parameters
from gapscope.training.train import Trained, train


def prepare_data(study: Study, key: str, *, name: str) -> None:
    """One domain: render it if it is generated, read, map, filter, split, check for leaks."""
    experiment, domain = study.experiment, study.experiment.domains[name]
    if domain.generate:
        render_domain(name, domain, study.folder, study.progress)
    prepared = study.prepared.pop(name, None)
    if prepared is None:
        root = domain_root(name, domain, study.folder, study.data_root)
        prepared = prepare_domain(name, domain, experiment.data.classes, root)
    write_domain_files(name, experiment, prepared, study.folder, study.progress)


def train_run(study: Study, key: str, *, name: str, seed: int) -> None:
    """One arm with one seed: start weights, frozen layers, training, the weights of the best epoch."""
    experiment, arm = study.experiment, study.experiment.arms[name]
    here = study.folder.arm(name, seed)
    network = start_network(study, name, seed)
    frozen = parse_layer_range(arm.freeze) if arm.freeze else None
    if frozen:
        freeze(network, *frozen)
    frozen_before = fingerprint(network, *frozen) if frozen else None
    samples = arm_samples(study, name, "train")
    validation = arm_samples(study, name, "val")
    config = experiment.train
    augment = Augment(**config.augment.model_dump())
    rule = experiment.evaluate.model_copy(update={"rule": "coco"})

    def epoch_batches(epoch: int) -> Any:
        return batches(
            samples,
            config.batch_size,
            seed=seed,
            epoch=epoch,
            augment=augment,
            shuffle=True,
            workers=config.workers,
        )

    def validate(candidate: YOLOv3) -> float:
        found = evaluate(candidate, validation, rule, rules=["coco"], device=study.device)
        return found.rules["coco"].mean50(headline(study)) or 0.0

    trained = train(
        network,
        epoch_batches,
        -(-len(samples) // config.batch_size),
        validate,
        config,
        folder=here,
        key=key,
        what=f"training {name} seed {seed}",
        report=study.progress,
    )
    provenance = {
        "arm": name,
        "seed": str(seed),
        "experiment": experiment.name,
        "made_from": key,
        "classes": json.dumps(experiment.data.classes),
        "best_epoch": str(trained.best_epoch),
    }
    save_weights(trained.network, here / "weights.safetensors", provenance)
    frozen_hashes = (frozen_before, fingerprint(trained.network, *frozen) if frozen else None)
    write_json(here / "summary.json", training_summary(study, name, seed, trained, len(samples), frozen_hashes))
    (here / "checkpoint.pt").unlink(missing_ok=True)


def start_network(study: Study, name: str, seed: int) -> YOLOv3:
    """The network as training finds it: the head at random (by the seed), the backbone from where the arm starts."""
    experiment, start = study.experiment, study.experiment.arms[name].start
    model = experiment.model
    generator = torch.Generator().manual_seed(seed)
    network = yolov3(experiment.data.classes, model.width, model.anchor_scale, generator, model.prior or None)
    if start == "scratch":
        return network
    if start in experiment.arms:
        load_backbone(network, study.folder.weights(start, seed))
        return network
    path = weights_file(start)
    if path.suffix == ".safetensors":
        load_backbone(network, path)
    else:
        load_darknet_weights(network, path, last=BACKBONE_LAST)
    return network


def training_summary(
    study: Study, name: str, seed: int, trained: Trained, num_images: int, frozen: tuple[str | None, str | None]
) -> dict[str, Any]:
    """What `arms/<arm>/seed<k>/summary.json` holds."""
    arm = study.experiment.arms[name]
    learnable, free = num_parameters(trained.network)
    return {
        "arm": name,
        "title": arm.title or name,
        "seed": seed,
        "domains": arm.domains,
        "start": arm.start,
        "freeze": arm.freeze,
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "best_val_map50": trained.best_map50,
        "stopped_early": trained.stopped_early,
        "train_images": num_images,
        "parameters": learnable,
        "trainable_parameters": free,
        "frozen_hash_before": frozen[0],
        "frozen_hash_after": frozen[1],
        "weights_sha256": hash_file(study.folder.weights(name, seed)),
        "seconds": round(trained.seconds, 1),
        "device": study.device,
    }


def evaluate_run(study: Study, key: str, *, name: str, seed: int, domain: str) -> None:
    """One trained network on one domain's test images."""
    experiment, weights = study.experiment, study.folder.weights(name, seed)
    table = load_domain(domain, experiment.domains[domain], study.folder, study.data_root)
    test = load_split(table, domain, "test", study.folder)
    samples = Samples(table, test, size=experiment.data.image_size, cache=False)
    what = f"evaluating {name} seed {seed} on {domain}"
    found = evaluate(
        load_weights(weights), samples, experiment.evaluate, device=study.device, what=what, progress=study.progress
    )
    path = study.folder.evaluation(name, seed, domain)
    write_text(path.with_suffix(".detections.json"), json.dumps(coco_results(found, samples)))
    facts = {"arm": name, "seed": seed, "domain": domain, "split": "test", **found.summary(headline(study))}
    write_json(path, facts | {"weights_sha256": hash_file(weights), "image_size": samples.size})


def record_run(study: Study, key: str, *, name: str, seed: int, size: int) -> None:
    """One trained network on the probe at one input size."""
    experiment, folder = study.experiment, study.folder
    probe = experiment.probe.domain
    table = load_domain(probe, experiment.domains[probe], folder, study.data_root)
    paths = read_list(folder.probe(probe))
    samples = Samples(table, indices_of(table, paths), size=size, cache=False)
    images = torch.stack([samples[i].image for i in range(len(samples))])
    recording = record(
        load_weights(folder.weights(name, seed)),
        images,
        size=size,
        batch_size=max(8, min(len(images), 2**22 // size**2)),
        memory=experiment.record.memory,
        device=study.device,
        progress=study.progress,
        paths=paths,
        provenance={"arm": name, "seed": str(seed), "probe": probe},
    )
    recording.save(folder.recording(name, seed, probe, size))


def compare_runs(study: Study, key: str, *, a: Run, b: Run, size: int) -> None:
    """All layers of one recording against all layers of another."""
    probe, plan = study.experiment.probe.domain, study.experiment.similarity
    first, second = (read_recording(study.folder.recording(*run, probe, size)) for run in (a, b))
    grid = compare(first, second, permutations=plan.permutations, bootstraps=plan.bootstraps)
    write_similarity(grid, study.folder.similarity(run_name(a), run_name(b), probe, size))


def report_run(study: Study, key: str) -> None:
    """Tables, figures and the page."""
    from gapscope.reporting.page import write_report

    write_report(study.folder.root, progress=study.progress)


def arm_samples(study: Study, name: str, split: str) -> Samples:
    """The images of one split of all domains that an arm is trained on."""
    experiment, size = study.experiment, study.experiment.data.image_size
    parts = []
    for domain in experiment.arms[name].domains:
        table = load_domain(domain, experiment.domains[domain], study.folder, study.data_root)
        parts.append(table.select(load_split(table, domain, split, study.folder)))
    return Samples(joined(parts), size=size)


def joined(tables: list[AnnotationTable]) -> AnnotationTable:
    """Several tables of the same classes as one, with absolute paths where there are several."""
    if len(tables) == 1:
        return tables[0]
    if len({table.class_names for table in tables}) > 1:
        raise InputError("domains of one arm have different classes; map them to the same ones.")
    starts = np.cumsum([0] + [len(table) for table in tables[:-1]])

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(table, name) for table in tables])

    return replace(
        tables[0],
        paths=np.array([str(table.path(i)) for table in tables for i in range(len(table))], np.str_),
        box_image=np.concatenate([t.box_image + start for t, start in zip(tables, starts, strict=True)]).astype(
            np.int32
        ),
        widths=column("widths"),
        heights=column("heights"),
        groups=column("groups"),
        box_class=column("box_class"),
        xyxy=column("xyxy"),
        ignore=column("ignore"),
    )


def headline(study: Study) -> list[str]:
    """The classes whose mean is the headline number."""
    return study.experiment.evaluate.headline or study.experiment.data.classes
