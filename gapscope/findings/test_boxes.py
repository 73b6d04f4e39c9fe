"""The labelled boxes of a domain's test images, and what a network's detections there are: right, or which mistake."""

import numpy as np
from numpy.typing import NDArray

from gapscope.data.splits import read_list
from gapscope.data.table import AnnotationTable
from gapscope.evaluation.detection_files import labelled_boxes, read_detections
from gapscope.findings.judged import Judged, judge
from gapscope.findings.results import Results
from gapscope.run_folder import RunName


def split_images(results: Results, table: AnnotationTable, domain: str, split: str) -> NDArray[np.int64]:
    """Indices in the table of a split's images, in the order of its list."""
    path = results.run_folder.split(domain, split)
    index = {str(name): i for i, name in enumerate(table.paths)}
    names = read_list(path) if path.is_file() else []
    return np.array([index[name] for name in names if name in index], np.int64)


def domain_table(results: Results, domain: str) -> AnnotationTable | None:
    """All annotations of a domain, whether its images are on this machine or not; None before the stage `data`."""
    path = results.run_folder.annotations(domain)
    return AnnotationTable.load(path, results.image_folder(domain)) if path.is_file() else None


def judged_boxes(
    results: Results, table: AnnotationTable, images: NDArray[np.int64], run: RunName, domain: str, least: float = 0.0
) -> Judged | None:
    """What a network's detections of at least a confidence are; None where it has not been evaluated there.

    Args:
        results: The run folder.
        table: `domain_table`.
        images: The test images' rows in it.
        run: The network.
        domain: Where it looked.
        least: Less confident detections are left out.

    Raises:
        InputError: If the file of detections is broken.
    """
    path, classes = results.run_folder.detections(run, domain), len(results.experiment.data.classes)
    if not path.is_file():
        return None
    found = read_detections(path, images, classes, least)
    return judge(labelled_boxes(table.select(images)), found, len(images), classes)
