"""One network, or what one has found, and one set of labelled images -> all its scores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from gapscope.config import Evaluate
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.detector.guests import Network
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import coco_content, labelled_boxes
from gapscope.evaluation.evaluate import Evaluation, evaluate
from gapscope.evaluation.merging import merge_classes, merged_names
from gapscope.evaluation.scores import scores
from gapscope.evaluation.shown import Scores
from gapscope.files import write_text
from gapscope.progress import Progress, silent


def scored_classes(classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The classes that labels may have: the network's, and those that some of them are merged into.

    Raises:
        InputError: The groups do not fit the network's classes.
    """
    merged_names(classes, groups)
    return [*classes, *(name for name in groups if name not in classes)]


def score_network(
    network: Network,
    table: AnnotationTable,
    size: int,
    settings: Evaluate,
    *,
    groups: Mapping[str, Sequence[str]],
    headline: Sequence[str],
    device: torch.device | str = "cpu",
    detections: Path | str | None = None,
    progress: Progress = silent,
) -> Scores:
    """Detect in all images of a table and say everything that `scores` does.

    Args:
        table: Its classes are `scored_classes(network.class_names, groups)`.
        size: Side of the network's input in pixels.
        groups: New class -> classes of the network that are scored as one, see `merge_classes`.
        headline: Classes whose mean is the headline; those that were merged into others are passed over.
        detections: Where to write what was found (.json), as COCO has it, in pixels of the images.

    Raises:
        InputError: The images do not fit the network.
    """
    detections = None if detections is None else Path(detections)
    samples = Samples(table, size=size, cache=False)
    found = evaluate(network, samples, settings, rules=(), device=device, progress=progress)
    found = _merged(found, tuple(table.class_names), groups, settings.nms_iou)
    if detections is not None:
        write_text(detections, json.dumps(coco_content(found, samples)))
    leading = [name for name in headline if name in found.classes]
    return Scores(scores(found, leading or found.classes, settings, progress=progress))


def score_boxes(
    boxes: Boxes,
    table: AnnotationTable,
    settings: Evaluate,
    *,
    groups: Mapping[str, Sequence[str]],
    headline: Sequence[str],
    progress: Progress = silent,
) -> Scores:
    """The same of detections that are there already.

    Args:
        boxes: In pixels of the images; `image` counts through the table, `label` through its classes.
        table: All images that the detector was run on, and their labels.
        groups: As above, and likewise the rest.
    """
    classes = tuple(table.class_names)
    sure = boxes.take(boxes.confidence >= settings.confidence)
    found = Evaluation(labelled_boxes(table), sure, {}, classes, len(table))
    found = _merged(found, classes, groups, settings.nms_iou)
    leading = [name for name in headline if name in found.classes]
    return Scores(scores(found, leading or found.classes, settings, progress=progress))


def _merged(
    found: Evaluation, classes: tuple[str, ...], groups: Mapping[str, Sequence[str]], nms_iou: float
) -> Evaluation:
    """The evaluation with merged classes; labels may name the new class themselves."""
    whole = {name: list(dict.fromkeys([*members, name])) for name, members in groups.items()}
    targets, detections, names = merge_classes(found.targets, found.detections, classes, whole, nms_iou)
    return replace(found, targets=targets, detections=detections, classes=names)
