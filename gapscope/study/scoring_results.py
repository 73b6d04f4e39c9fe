"""COCO results of any detector, and a run's test images or a labelled folder -> scores by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.config import Domain, Evaluate
from gapscope.data.readers.coco import find_coco
from gapscope.data.readers.format import Request
from gapscope.data.splits import read_list, split_from_lists
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.evaluation.by_hand import score_boxes, scored_classes
from gapscope.evaluation.coco_results import Results, is_results, read_results
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.labelled import with_classes
from gapscope.evaluation.placed_results import place_results
from gapscope.files import hash_file
from gapscope.progress import Progress, silent
from gapscope.run_folder import RunFolder
from gapscope.study.domain_files import load_domain, load_split
from gapscope.study.scoring import Images, LabelledFolder, RunDomain, Scored, chosen_images, run_test_images


def score_results(
    results: Path | str,
    images: Images,
    settings: Evaluate | None = None,
    *,
    ids: Sequence[Path | str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    progress: Progress = silent,
) -> Scored:
    """Score what any detector has found in labelled images; images and classes are matched by name.

    Args:
        results: COCO results (.json): the plain list, or an object that holds it with its images and categories.
        images: Where the images are.
        settings: Thresholds and draws; the headline is the run's, or all classes.
        ids: Files that explain the ids; left out, the results themselves, else COCO labels of the images.
        groups: New class -> classes of the results that are scored as one.

    Raises:
        InputError: They do not fit each other, with the first image, category or box that does not.
    """
    results, groups = Path(results), groups or {}
    read = read_results(results, ids or labels_of(images))
    if not read.classes:
        raise InputError(
            f"{results} holds no result, and nothing names its classes - expected at least their names. Give a file "
            "that has them, one a line: --ids classes.txt."
        )
    classes = scored_classes(read.classes, groups)
    table, wanted, headline = labelled(images, classes)
    placed = place_results(read, table, classes, wanted=wanted)
    scores = score_boxes(
        among(placed.boxes, wanted, len(table)),
        table.select(wanted),
        settings or Evaluate(),
        groups=groups,
        headline=headline,
        progress=progress,
    )
    about = {"results": str(results), "results_sha256": hash_file(results), "images": str(images), "merged": groups}
    return Scored(scores, about, placed.notes)


def labelled(images: Images, classes: Sequence[str]) -> tuple[AnnotationTable, NDArray[np.int64], Sequence[str]]:
    """All images of a data set in these classes, which of them are scored, and the headline classes."""
    if isinstance(images, RunDomain):
        experiment, _ = run_test_images(images.run, images.domain, images.data_root)
        folder, root = RunFolder(Path(images.run)), None if images.data_root is None else Path(images.data_root)
        table = load_domain(images.domain, experiment.domains[images.domain], folder, root)
        wanted = load_split(table, images.domain, "test", folder)
        return with_classes(table, classes, str(images)), wanted, experiment.headline_classes
    table = chosen_images(replace(images, split_list=None), classes).table
    if images.split_list is None:
        return table, np.arange(len(table)), classes
    listed = split_from_lists(table, {"test": read_list(Path(images.split_list))})["test"]
    return table, listed, classes


def among(boxes: Boxes, wanted: NDArray[np.int64], num_images: int) -> Boxes:
    """Boxes with `image` as the place among the wanted ones."""
    place = np.full(num_images, -1)
    place[wanted] = np.arange(len(wanted))
    return replace(boxes, image=place[boxes.image])


def labels_of(images: Images) -> tuple[Path, ...]:
    """COCO files of the labels, which explain the ids of results that were made with them; none of other formats."""
    if isinstance(images, LabelledFolder):
        return coco_files(Path(images.folder), images.format)
    experiment, table = run_test_images(images.run, images.domain, images.data_root)
    return coco_labels(experiment.domains[images.domain], table)


def coco_labels(domain: Domain, table: AnnotationTable) -> tuple[Path, ...]:
    """Those of a domain; none if it is of another format."""
    if table.format != "coco":
        return ()
    return coco_files(table.root, "coco", table.root / domain.annotations if domain.annotations else None)


def coco_files(root: Path, format: str | None = None, labels: Path | None = None) -> tuple[Path, ...]:
    """COCO files in a folder, or the one that the folder is named by."""
    if format not in (None, "coco"):
        return ()
    root, labels = (root.parent, root) if root.is_file() and labels is None else (root, labels)
    found = find_coco(Request(root, labels=labels))
    return found.read if found else ()


def read_with_labels(path: Path, ids: Sequence[Path | str], domain: Domain, table: AnnotationTable) -> Results:
    """Results for a domain's images; their ids are explained by these files, by themselves, or by its COCO labels."""
    return read_results(path, ids or coco_labels(domain, table))


def refuse_options(file: Path, of_networks: Mapping[str, Any], of_results: Mapping[str, Any]) -> None:
    """Refuse options that say nothing about a file of this kind.

    Raises:
        InputError: Naming the first.
    """
    given = of_networks if is_results(file) else of_results
    first = next((name for name, value in given.items() if value), None)
    if first is not None:
        what = "COCO results, which are scored as they are" if is_results(file) else "weights, not COCO results"
        raise InputError(f"{file} holds {what}: {first} says nothing about it. Leave it out.")
