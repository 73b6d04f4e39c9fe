"""A network and labelled images -> detections -> average precision under both rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gapscope.config import Evaluate
from gapscope.data.batches import batches
from gapscope.data.letterbox import letterbox_geometry
from gapscope.data.samples import Samples
from gapscope.detector.decode import detect
from gapscope.detector.network import YOLOv3
from gapscope.evaluation.average_precision import (
    AveragePrecision,
    Boxes,
    coco_average_precision,
    paper_average_precision,
)
from gapscope.progress import Progress, silent

MAX_DETECTIONS = 300
"""Per image. The coco rule looks at the 100 most confident of them, the paper rule at all."""


@dataclass(frozen=True)
class Evaluation:
    """What a network finds in a set of images, and how good that is. Boxes are in pixels of the network's input."""

    targets: Boxes
    detections: Boxes
    rules: dict[str, AveragePrecision]
    classes: tuple[str, ...]
    num_images: int

    def summary(self, headline: Sequence[str]) -> dict[str, Any]:
        """The parts of an evaluation file that are numbers."""
        scored = self.targets.label[~self.targets.ignore]
        rules = {}
        for name, ap in self.rules.items():
            rules[name] = {
                "map50": ap.mean50(),
                "map50_95": ap.mean50_95(),
                "headline_map50": ap.mean50(headline),
                "ap50": ap.ap50,
            }
        return {
            "num_images": self.num_images,
            "classes": list(self.classes),
            "targets": {name: int((scored == c).sum()) for c, name in enumerate(self.classes)},
            "headline": list(headline),
            "rules": rules,
        }


def evaluate(
    network: YOLOv3,
    samples: Samples,
    config: Evaluate,
    *,
    rules: Sequence[str] = ("coco", "paper"),
    device: torch.device | str = "cpu",
    batch_size: int = 16,
    what: str = "evaluating",
    progress: Progress = silent,
) -> Evaluation:
    """Detect in every image and score the detections against the labels.

    Boxes are compared in pixels of the network's input; IoU does not change by letterboxing.

    Args:
        network: Is put on the device, run in evaluation mode, and left in the mode it was in.
        samples: Images and boxes, as they are: without augmentation.
        config: Confidence and overlap thresholds.
        rules: Which of `coco` and `paper` to compute.
    """
    found = Found()
    network.to(device)
    loader = batches(samples, batch_size, seed=0, epoch=0, shuffle=False)
    for batch in loader:
        detections = detect(network, batch.images.to(device), config.confidence, config.nms_iou, MAX_DETECTIONS)
        for index, one in zip(batch.indices.tolist(), detections, strict=True):
            found.add_detections(index, one.boxes.cpu(), one.classes.cpu(), one.confidences.cpu())
        found.add_targets(batch.indices[batch.image_index], batch.boxes, batch.classes, batch.ignore)
        progress(what, found.num_images, len(samples))
    targets, detected = found.targets(), found.detections()
    positions = {int(index): position for position, index in enumerate(samples.indices)}
    truth, found_boxes = _renumbered(targets, positions), _renumbered(detected, positions)
    results = {}
    if "coco" in rules:
        results["coco"] = coco_average_precision(truth, found_boxes, len(samples), network.class_names)
    if "paper" in rules:
        results["paper"] = paper_average_precision(truth, found_boxes, network.class_names)
    return Evaluation(targets, detected, results, network.class_names, len(samples))


class Found:
    """Targets and detections as they come in, image by image."""

    def __init__(self) -> None:
        self.detected: list[tuple[np.ndarray, ...]] = []
        self.labelled: list[tuple[np.ndarray, ...]] = []
        self.num_images = 0

    def add_detections(self, index: int, boxes: torch.Tensor, classes: torch.Tensor, confidences: torch.Tensor) -> None:
        self.num_images += 1
        self.detected.append((np.full(len(boxes), index), classes.numpy(), boxes.numpy(), confidences.numpy()))

    def add_targets(self, *columns: torch.Tensor) -> None:
        index, boxes, classes, ignore = (column.numpy() for column in columns)
        self.labelled.append((index, classes, boxes, ignore))

    def detections(self) -> Boxes:
        image, label, xyxy, confidence = _joined(self.detected)
        return Boxes.of(image, label, xyxy, confidence)

    def targets(self) -> Boxes:
        image, label, xyxy, ignore = _joined(self.labelled)
        return Boxes.of(image, label, xyxy, ignore=ignore)


def coco_results(evaluation: Evaluation, samples: Samples) -> list[dict[str, Any]]:
    """The detections as a COCO results list, in pixels of the original images, best first within an image.

    `image_id` is the image's index in the domain's table; `category_id` counts the classes from 1.
    """
    detections, table = evaluation.detections, samples.table
    sides = np.stack([table.widths, table.heights] * 2, axis=1)[detections.image].astype(np.float64)
    geometry = [letterbox_geometry(int(width), int(height), samples.size) for width, height in sides[:, :2]]
    scale = np.array([one for one, _ in geometry]).reshape(-1, 1)
    offset = np.array([[left, top, left, top] for _, (left, top) in geometry]).reshape(-1, 4)
    xyxy = ((detections.xyxy - offset) / scale).clip(0, sides)
    seen = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)  # others lie wholly inside the letterbox bars
    bbox = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1).round(2)
    columns = (detections.image, detections.label + 1, bbox, detections.confidence.round(5))
    rows = zip(*(column[seen].tolist() for column in columns), strict=True)
    return [{"image_id": i, "category_id": c, "bbox": box, "score": score} for i, c, box, score in rows]


def _joined(parts: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _renumbered(boxes: Boxes, positions: dict[int, int]) -> Boxes:
    """The same boxes, images counted from 0 in the order of the samples."""
    image = np.array([positions[int(i)] for i in boxes.image], np.int64)
    return Boxes.of(image, boxes.label, boxes.xyxy, boxes.confidence, boxes.ignore)
