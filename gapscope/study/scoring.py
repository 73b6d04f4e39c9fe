"""A weights file, and a run's test images or a labelled folder -> scores by hand, with what was done to get them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapscope.config import Evaluate, Experiment
from gapscope.data.table import AnnotationTable
from gapscope.detector.guests import guest_file, load_network
from gapscope.detector.plans import input_side, reading_notes
from gapscope.detector.protocol import Guest
from gapscope.detector.weights import load_weights
from gapscope.errors import InputError
from gapscope.evaluation.by_hand import score_network, scored_classes
from gapscope.evaluation.labelled import labelled_folder, with_classes
from gapscope.evaluation.shown import Scores
from gapscope.experiment_file import read_run_config
from gapscope.files import hash_file, write_json
from gapscope.progress import Progress, silent
from gapscope.run_folder import RunFolder
from gapscope.study.domain_files import load_domain, load_split
from gapscope.words import did_you_mean


@dataclass(frozen=True)
class RunDomain:
    """The test images of one domain of a run."""

    run: Path | str
    domain: str
    data_root: Path | str | None = None

    def __str__(self) -> str:
        return f"{self.domain} of {self.run}"


@dataclass(frozen=True)
class LabelledFolder:
    """All images of a folder, or those of a list; `labelled_folder` says what the rest means."""

    folder: Path | str
    format: str | None = None
    label_map: str = ""
    labels: Mapping[str, Sequence[str]] | None = None
    drop: Sequence[str] = ()
    ignore: Sequence[str] = ()
    names: Sequence[str] = ()
    split_list: Path | str | None = None

    def __str__(self) -> str:
        return str(self.folder)


Images = RunDomain | LabelledFolder


@dataclass(frozen=True)
class Chosen:
    """Images that networks are scored on."""

    table: AnnotationTable
    """In the networks' classes and their order."""
    headline: Sequence[str]
    """The run's headline classes; all classes of a folder."""
    size: int | None
    """Side of the input at which the run's networks were trained, in pixels; None for a folder."""
    settings: Evaluate
    """How the run evaluates; the defaults for a folder."""


@dataclass(frozen=True)
class Scored:
    """Scores of a weights file, and how they came about."""

    scores: Scores
    about: dict[str, Any]
    """The weights with their hash, the images, the side of the input, what was merged."""
    notes: list[str]
    """How a .cfg file was followed."""

    def write(self, path: Path | str) -> None:
        """Everything into one JSON file."""
        path = Path(path)
        write_json(path, self.about | self.scores)


def score_weights(
    weights: Path | str,
    images: Images,
    settings: Evaluate | None = None,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    size: int | None = None,
    cfg: str | None = None,
    names: list[str] | None = None,
    device: str = "cpu",
    detections: Path | str | None = None,
    progress: Progress = silent,
) -> Scored:
    """Score a network on labelled images; classes are matched by name, never by number.

    Args:
        weights: A .safetensors or .weights file.
        images: Where they are.
        settings: Thresholds and draws; the headline is the run's, or all classes.
        groups: New class -> classes of the network that are scored as one.
        size: Side of the network's input in pixels; left out, the .cfg's, the run's, or 416.
        cfg: A Darknet file's network: a .cfg, or a built-in name.
        names: Class names, for a Darknet file.
        device: Where the network runs.
        detections: Where to write all boxes, as COCO results (.json).

    Raises:
        InputError: Weights, images and groups do not fit each other, or cannot be read.
    """
    weights = Path(weights)
    detections = None if detections is None else Path(detections)
    groups = groups or {}
    network = load_weights(weights, cfg, names) if guest_file(weights) is None else load_network(weights)
    classes = scored_classes(network.class_names, groups)
    chosen = chosen_images(images, classes)
    if isinstance(network, Guest):
        notes, side = [], size or chosen.size or int(network.settings["size"])
    else:
        if size is None and not network.plan.cfg:
            size = chosen.size
        notes, side = reading_notes(network.plan, size), input_side(network.plan, size)
    scores = score_network(
        network,
        chosen.table,
        side,
        settings or Evaluate(),
        groups=groups,
        headline=chosen.headline,
        device=device,
        detections=detections,
        progress=progress,
    )
    about = {"weights": str(weights), "weights_sha256": hash_file(weights), "images": str(images)}
    return Scored(scores, about | {"image_size": side, "merged": groups}, notes)


def run_test_images(run: Path | str, domain: str, data_root: Path | str | None) -> tuple[Experiment, AnnotationTable]:
    """The experiment of a run folder, and the table of a domain's test images in their order.

    Raises:
        InputError: The folder is no run, it has no such domain, or its data stage has not been done.
    """
    folder, data_root = RunFolder(Path(run)), None if data_root is None else Path(data_root)
    if not folder.config.is_file():
        raise InputError(f"{run} holds no run: {folder.config.name} is missing. Name a folder that a study was run in.")
    folder.refuse_links()
    experiment = read_run_config(folder)
    if domain not in experiment.domains:
        known = did_you_mean(domain, list(experiment.domains))
        raise InputError(f"{run} has no domain '{domain}'.{known}")
    if not (folder.split(domain, "test")).is_file():
        raise InputError(f"{run}: the data stage of '{domain}' is not done. Do it with: gapscope run ... --only data")
    table = load_domain(domain, experiment.domains[domain], folder, data_root)
    return experiment, table.select(load_split(table, domain, "test", folder))


def check_outputs(*paths: Path | None) -> None:
    """Refuse folders where files are to be written, before an image is looked at."""
    for path in paths:
        if path is not None and path.is_dir():
            raise InputError(f"{path} is a folder. Name a file, such as {path / 'scores.json'}.")


def named_images(
    run: Path | None, domain: str | None, data: Path | None, data_root: Path | None, **reading: Any
) -> Images:
    """A run's domain or a labelled folder, whichever is named.

    Args:
        run: A run folder, with `domain`.
        domain: One of its domains.
        data: A labelled folder in place of a run.
        data_root: Where relative roots of the run start.
        reading: How to read a folder, as `LabelledFolder` has it.

    Raises:
        InputError: Neither or both are named, or it is said how to read a run.
    """
    if (data is None) == (run is None) or (run is None) != (domain is None):
        raise InputError("which images? Give either --run FOLDER with --domain NAME, or --data FOLDER.")
    if data is not None:
        return LabelledFolder(data, **reading)
    if any(reading.values()):
        raise InputError(
            "--format, --label-map, --map, --drop, --ignore, --label-names and --split-list say how to read --data. "
            "Leave them out."
        )
    assert run is not None and domain is not None
    return RunDomain(run, domain, data_root)


def chosen_images(images: Images, classes: Sequence[str]) -> Chosen:
    """Read the images, their boxes in these classes.

    Raises:
        InputError: They cannot be read, or a class has no place among these.
    """
    if isinstance(images, RunDomain):
        experiment, table = run_test_images(images.run, images.domain, images.data_root)
        table = with_classes(table, classes, str(images))
        return Chosen(table, experiment.headline_classes, experiment.data.image_size, experiment.evaluate)
    table = labelled_folder(
        images.folder,
        classes,
        format=images.format,
        label_map=images.label_map,
        labels=images.labels,
        drop=images.drop,
        ignore=images.ignore,
        names=images.names,
        split_list=images.split_list,
    )
    return Chosen(table, classes, None, Evaluate())
