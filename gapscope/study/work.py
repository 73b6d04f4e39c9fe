"""What each stage does: reads files of the stages before it, calls one part of the toolkit, writes its own files."""

import shutil
from itertools import combinations

import torch

from gapscope.arms import trained_layers
from gapscope.data.samples import Samples
from gapscope.data.source_files import note_source_files
from gapscope.detector.guests import Network, load_network
from gapscope.evaluation.detection_files import in_original_pixels, labelled_boxes, read_detections, save_detections
from gapscope.evaluation.evaluate import Evaluation, evaluate
from gapscope.evaluation.scores import scores
from gapscope.files import atomic_path, write_json
from gapscope.networks import layer_map
from gapscope.recording.layer_axis import record_layers
from gapscope.recording.recording import Recording, read_recording, write_dataset
from gapscope.run_folder import RunName
from gapscope.similarity.compare import write_similarity
from gapscope.similarity.separability import write_separability
from gapscope.study.arm_training import training_left
from gapscope.study.domain_files import indices_of, load_domain, load_split, write_domain_files
from gapscope.study.domains import domain_root, prepare_domain, render_domain
from gapscope.study.file_list import write_file_list
from gapscope.study.given_arms import given_detections
from gapscope.study.kept import find_kept
from gapscope.study.new_networks import new_network
from gapscope.study.probe import probe_groups, read_probe, write_probe
from gapscope.study.separabilities import in_domain, separability_of
from gapscope.study.similarities import effect_of, grid_across, grid_of, read_again, with_images_and_blocks
from gapscope.study.study import Study
from gapscope.study.units import UnitKeys
from gapscope.study.untrained import UNTRAINED_SEEDS, untrained_runs


def prepare_data(study: Study, keys: UnitKeys, *, name: str) -> None:
    """One domain: render it if it is generated, read, map, filter, split, check for leaks."""
    experiment, domain = study.experiment, study.experiment.domains[name]
    if domain.generate:
        render_domain(name, domain, study.folder, study.progress)
    prepared = study.prepared.pop(name, None)
    if prepared is None:
        root = domain_root(name, domain, study.folder, study.data_root)
        prepared = prepare_domain(name, domain, experiment.data, root)
    if domain.generate is None:
        root = domain_root(name, domain, study.folder, study.data_root)
        note_source_files(study.folder.source_files(name), root)
    write_domain_files(name, experiment, prepared, study.folder, study.progress)
    if domain.generate:
        write_file_list(study.folder.file_list(name))


def evaluate_run(study: Study, keys: UnitKeys, *, run: RunName, domain: str) -> None:
    """One network on one domain's test images: its detections are written down, and what was written is scored.

    Where an older version, or other settings of scores, left the detections that are wanted, the network is not run
    again.
    """
    experiment, folder, size = study.experiment, study.folder, study.experiment.data.image_size
    table = load_domain(domain, experiment.domains[domain], folder, study.data_root)
    test = load_split(table, domain, "test", folder)
    what, settings, place = (
        f"{run.arm} seed {run.seed} on {domain}",
        experiment.evaluate,
        folder.detections(run, domain),
    )
    unit = f"evaluate/{run.arm}/seed{run.seed}/{domain}"
    kept = find_kept(folder, unit, (*keys.detected, *keys.rescored))
    if kept is not None:
        with atomic_path(place) as temporary:
            shutil.copyfile(kept.parent / place.relative_to(folder.root), temporary)
    elif experiment.arms[run.arm].detections:
        save_detections(place, given_detections(study, run, domain, table, test))
    else:
        samples = Samples(table, test, size=size, cache=study.image_cache or False)
        found = evaluate(
            network_of(study, run),
            samples,
            settings,
            rules=(),
            device=study.device,
            what=f"evaluating {what}",
            progress=study.progress,
        )
        save_detections(place, in_original_pixels(found, samples))
    classes = tuple(experiment.data.classes)
    boxes = read_detections(place, test, len(classes))
    evaluation = Evaluation(labelled_boxes(table.select(test)), boxes, {}, classes, len(test))
    leading = experiment.headline_classes
    numbers = scores(evaluation, leading, settings, what=f"intervals of {what}", progress=study.progress)
    facts = {"arm": run.arm, "seed": run.seed, "domain": domain, "split": "test", **numbers}
    facts |= {"weights_sha256": training_left(folder, run), "image_size": size}
    write_json(study.folder.evaluation(run, domain), facts)


def draw_probe(study: Study, keys: UnitKeys, *, name: str) -> None:
    """Which of a further domain's test images the networks look at."""
    table = load_domain(name, study.experiment.domains[name], study.folder, study.data_root)
    write_probe(study.experiment, name, table, load_split(table, name, "test", study.folder), study.folder)


def record_run(study: Study, keys: UnitKeys, *, run: RunName, probe: str, size: int) -> None:
    """One trained network on one domain's probe at one input size."""
    record_network(study, network_of(study, run), run, probe, size)


def record_untrained(study: Study, keys: UnitKeys, *, arm: str, run: RunName, probe: str, size: int) -> None:
    """A network of an arm's shape that was never trained, likewise."""
    network = new_network(study.experiment, arm, UNTRAINED_SEEDS + run.seed)
    record_network(study, network.eval(), run, probe, size)


def network_of(study: Study, run: RunName) -> Network:
    """The trained network of an arm."""
    return load_network(study.folder.weights(run), study.experiment.model_of(run.arm).name)


def record_network(study: Study, network: Network, run: RunName, probe: str, size: int) -> None:
    """A network on one domain's probe, recorded under a run's name."""
    experiment, folder = study.experiment, study.folder
    table = load_domain(probe, experiment.domains[probe], folder, study.data_root)
    paths = read_probe(folder.probe(probe))
    samples = Samples(table, indices_of(table, paths, folder.probe(probe)), size=size, cache=study.image_cache or False)
    images = torch.stack([samples[i].image for i in range(len(samples))])
    recording = record_layers(
        network,
        images,
        size=size,
        memory=experiment.record.memory,
        device=study.device,
        progress=study.progress,
        paths=paths,
        provenance={"arm": run.arm, "seed": str(run.seed), "probe": probe},
        statistics="exact" if size in experiment.record.sizes[:2] else "sampled",  # which Tables 3 and 4 show
    )
    recording.save(folder.recording(run, probe, size))


def record_both(study: Study, keys: UnitKeys, *, run: RunName, other: str, size: int) -> None:
    """One trained network on the main probe and another domain's, one after the other."""
    experiment, folder, main = study.experiment, study.folder, study.experiment.probe.domain
    names, images = [], []
    for domain in (main, other):
        table = load_domain(domain, experiment.domains[domain], folder, study.data_root)
        paths = read_probe(folder.probe(domain))
        samples = Samples(
            table, indices_of(table, paths, folder.probe(domain)), size=size, cache=study.image_cache or False
        )
        images += [samples[i].image for i in range(len(samples))]
        names += [in_domain(domain, path) for path in paths]
    recording = record_layers(
        network_of(study, run),
        torch.stack(images),
        size=size,
        memory=experiment.record.memory,
        device=study.device,
        progress=study.progress,
        paths=names,
        provenance={"arm": run.arm, "seed": str(run.seed), "probe": f"{main} and {other}"},
        statistics=None,
    )
    recording.save(folder.recording_of_both(run, main, other, size))


def tell_apart(study: Study, keys: UnitKeys, *, run: RunName, other: str, size: int) -> None:
    """How well each layer of a network tells the main probe from another domain's; by group where both have groups."""
    experiment, folder, main = study.experiment, study.folder, study.experiment.probe.domain
    tables = {name: load_domain(name, experiment.domains[name], folder, study.data_root) for name in (main, other)}
    probes = {name: read_probe(folder.probe(name)) for name in (main, other)}
    found = separability_of(
        read_recording(folder.recording_of_both(run, main, other, size)),
        {
            name: tables[name].groups[indices_of(tables[name], paths, folder.probe(name))].tolist()
            for name, paths in probes.items()
        },
        experiment.similarity,
    )
    write_separability(found, folder.separability(run, main, other, size))


def compare_runs(study: Study, keys: UnitKeys, *, a: RunName, b: RunName, probe: str, size: int) -> None:
    """All layers of one recording against all layers of another; of different arms of one network, images and blocks
    too; of two networks without counterparts."""
    first = read_again(study.folder.recording(a, probe, size))
    second = first if a == b else read_again(study.folder.recording(b, probe, size))
    groups, number = groups_of_probe(study, probe, first)
    experiment, plan = study.experiment, study.experiment.similarity
    is_one_network = experiment.network_of(a.arm) == experiment.network_of(b.arm)
    grid = (grid_of if is_one_network else grid_across)(first, second, plan, groups)
    if a.arm != b.arm and is_one_network:
        grid = with_images_and_blocks(grid, first, second, groups)
    grid = grid.assign_attrs(known_groups=number)
    write_similarity(grid, study.folder.grid(a, b, probe, size))


def groups_of_probe(study: Study, probe: str, recording: Recording) -> tuple[list[str] | None, int]:
    """What each recorded image was taken with, if it is known, see `probe_groups`."""
    table = load_domain(probe, study.experiment.domains[probe], study.folder, study.data_root)
    return probe_groups(table, list(recording.images))


def effect_of_runs(study: Study, keys: UnitKeys, *, a: RunName, b: RunName, probe: str, size: int) -> None:
    """Each layer of two arms, between shuffled images and what another seed changes."""
    experiment, arms = study.experiment, (a.arm, b.arm)
    runs = [RunName(arm, seed) for arm in arms for seed in experiment.seeds]
    read = {run: read_again(study.folder.recording(run, probe, size)) for run in runs}
    of_arm = {arm: [read[run] for run in runs if run.arm == arm] for arm in arms}
    seeds = {arm: list(combinations(recordings, 2)) for arm, recordings in of_arm.items()}
    layers = read[a].layers.astype(int)
    trained = {arm: trained_layers(experiment, arm)[layers] for arm in arms}
    groups, number = groups_of_probe(study, probe, read[a])
    untrained = untrained_runs(experiment, experiment.network_of(a.arm))
    never = [read_again(study.folder.recording(run, probe, size)) for run in untrained]
    plan = experiment.similarity
    network = layer_map(experiment, a.arm)
    effect = effect_of(read[a], read[b], seeds, trained, plan, network=network, untrained=never, groups=groups)
    effect = effect.assign_attrs(known_groups=number)
    write_dataset(effect, study.folder.effect(a, b, probe, size))


def report_run(study: Study, keys: UnitKeys) -> None:
    """Tables, figures and the page."""
    from gapscope.several.report import write_report

    write_report(study.folder.root, progress=study.progress)
