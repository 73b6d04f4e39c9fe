"""What each stage does: reads files of the stages before it, calls one part of the toolkit, writes its own files."""

import json

import torch

from gapscope.data.samples import Samples
from gapscope.data.splits import read_list
from gapscope.detector.weights import load_weights
from gapscope.evaluation.evaluate import coco_results, evaluate
from gapscope.evaluation.scores import scores
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
from gapscope.study.study import Run, Study, run_name


def prepare_data(study: Study, key: str, *, name: str) -> None:
    """One domain: render it if it is generated, read, map, filter, split, check for leaks."""
    experiment, domain = study.experiment, study.experiment.domains[name]
    if domain.generate:
        render_domain(name, domain, study.folder, study.progress)
    prepared = study.prepared.pop(name, None)
    if prepared is None:
        root = domain_root(name, domain, study.folder, study.data_root)
        prepared = prepare_domain(name, domain, experiment.data, root)
    write_domain_files(name, experiment, prepared, study.folder, study.progress)


def evaluate_run(study: Study, key: str, *, name: str, seed: int, domain: str) -> None:
    """One trained network on one domain's test images."""
    experiment, weights = study.experiment, study.folder.weights(name, seed)
    table = load_domain(domain, experiment.domains[domain], study.folder, study.data_root)
    test = load_split(table, domain, "test", study.folder)
    samples = Samples(table, test, size=experiment.data.image_size, cache=study.image_cache or False)
    run, settings = f"{name} seed {seed} on {domain}", experiment.evaluate
    found = evaluate(
        load_weights(weights),
        samples,
        settings,
        rules=(),
        device=study.device,
        what=f"evaluating {run}",
        progress=study.progress,
    )
    path = study.folder.evaluation(name, seed, domain)
    write_text(path.with_suffix(".detections.json"), json.dumps(coco_results(found, samples)))
    numbers = scores(found, experiment.headline_classes, settings, what=f"intervals of {run}", progress=study.progress)
    facts = {"arm": name, "seed": seed, "domain": domain, "split": "test", **numbers}
    write_json(path, facts | {"weights_sha256": hash_file(weights), "image_size": samples.size})


def record_run(study: Study, key: str, *, name: str, seed: int, size: int) -> None:
    """One trained network on the probe at one input size."""
    experiment, folder = study.experiment, study.folder
    probe = experiment.probe.domain
    table = load_domain(probe, experiment.domains[probe], folder, study.data_root)
    paths = read_list(folder.probe(probe))
    samples = Samples(table, indices_of(table, paths), size=size, cache=study.image_cache or False)
    images = torch.stack([samples[i].image for i in range(len(samples))])
    network = load_weights(folder.weights(name, seed))
    recording = record(
        network.to(memory_format=torch.channels_last) if study.device == "cpu" else network,  # quicker there
        images,
        size=size,
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
