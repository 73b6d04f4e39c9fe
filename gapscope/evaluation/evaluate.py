"""A network and labelled images -> detections -> average precision under both rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from gapscope.config import Evaluate
from gapscope.data.batches import batches
from gapscope.data.letterbox import letterbox_geometry
from gapscope.data.samples import Samples
from gapscope.detector.decode import Detections, detect
from gapscope.detector.guests import Network
from gapscope.detector.network import Darknet
from gapscope.evaluation.average_precision import (
    RULES,
    AveragePrecision,
    coco_average_precision,
    paper_average_precision,
)
from gapscope.evaluation.columns import Array, Boxes
from gapscope.evaluation.shares import ALONE, Share, gathered, positions_of
from gapscope.kept_memory import kept_memory
from gapscope.progress import Progress, silent
from gapscope.showing import first_few, text_table

MAX_DETECTIONS = 300
"""Per image. The coco rule looks at the 100 most confident of each class, the paper rule at all."""


@dataclass(frozen=True)
class Evaluation:
    """What a network finds in a set of images, and how good that is.

    Boxes are in pixels of the network's input (those of a run's evaluation files in pixels of the original images), cut
    at the border of their image, not of the square that it is letterboxed to; areas are in square pixels of the
    original image. `image` counts the samples from 0.
    """

    targets: Boxes
    detections: Boxes
    rules: dict[str, AveragePrecision]
    classes: tuple[str, ...]
    num_images: int

    def __repr__(self) -> str:
        facts = [
            ("images", str(self.num_images)),
            ("targets", str(int((~self.targets.ignore).sum()))),
            ("detections", str(len(self.detections))),
            ("classes", first_few(self.classes)),
            *((f"mAP@0.5, {rule}", str(ap.mean50())) for rule, ap in self.rules.items()),
        ]
        return text_table("Evaluation", facts)


@kept_memory()
def evaluate(
    network: Network,
    samples: Samples,
    config: Evaluate,
    *,
    rules: Sequence[str] = RULES,
    device: torch.device | str = "cpu",
    batch_size: int = 16,
    share: Share = ALONE,
    what: str = "evaluating",
    progress: Progress = silent,
) -> Evaluation:
    """Detect in every image and score the detections against the labels.

    Boxes are compared in pixels of the network's input; IoU does not change by letterboxing. Only one batch is on the
    device at a time; what is found there is kept on the CPU.

    Args:
        network: Is put on the device, run in evaluation mode, and left in the mode it was in.
        samples: Images and boxes, as they are: without augmentation. Their classes are the network's.
        config: Confidence and overlap thresholds; a guest suppresses overlaps in its own way.
        rules: Which of `coco` and `paper` to compute; none of them leaves `rules` empty, see `scores`.
        share: Of processes that call this together, each detects in its share of the batches; all return the same.
    """
    network.to(device)
    found: list[Detections] = []
    mine = positions_of(len(samples), batch_size, share)
    for batch in batches(samples, batch_size, seed=0, epoch=0, order=mine):
        images = batch.images.to(device).contiguous()
        if isinstance(network, Darknet):
            limits = (config.confidence, config.nms_iou, MAX_DETECTIONS)
            detected = detect(network, images, *limits, multi_label=config.multi_label)
        else:
            detected = network.detect(images, config.confidence, MAX_DETECTIONS)
        found += [Detections(one.boxes.cpu(), one.confidences.cpu(), one.classes.cpu()) for one in detected]
        progress(what, len(found), len(mine))
    found = gathered(found, len(samples), batch_size, share)
    targets, detections = target_columns(samples), detection_columns(found, samples)
    classes, n = network.class_names, len(samples)
    results = {}
    if "coco" in rules:
        results["coco"] = coco_average_precision(targets, detections, n, classes)
    if "paper" in rules:
        results["paper"] = paper_average_precision(targets, detections, n, classes)
    return Evaluation(targets, detections, results, classes, n)


def target_columns(samples: Samples) -> Boxes:
    """The labelled boxes of samples, as the network is shown them."""
    table = samples.table.select(samples.indices)
    scale, offset = letterboxed(samples)
    image = table.box_image.astype(np.int64)
    xyxy = table.xyxy.astype(np.float64) * scale[image] + offset[image]
    return Boxes.of(image, table.box_class, xyxy, ignore=table.ignore, area=table.object_areas, crowd=table.crowd)


def detection_columns(found: Sequence[Detections], samples: Samples) -> Boxes:
    """What was found in each of the samples, in their order.

    Boxes are cut at the border of their image: what lies on the letterbox bars is nothing that a label could say. Those
    that lie wholly on the bars are left out.
    """
    scale, offset = letterboxed(samples)
    image = np.repeat(np.arange(len(found)), [len(one.boxes) for one in found])
    empty = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    whole = {name: torch.cat([getattr(one, name) for one in (empty, *found)]).numpy() for name in vars(empty)}
    table, indices = samples.table, samples.indices
    sides = np.stack([table.widths, table.heights] * 2, axis=1)[indices] * scale
    xyxy = whole["boxes"].astype(np.float64).clip(offset[image], (sides + offset)[image])
    seen = np.all(xyxy[:, 2:] > xyxy[:, :2], axis=1)
    boxes = Boxes.of(image, whole["classes"], xyxy, whole["confidences"]).take(seen)
    return replace(boxes, area=boxes.area / scale[boxes.image, 0] ** 2)


def letterboxed(samples: Samples) -> tuple[Array, Array]:
    """How each sample is letterboxed: scales (n, 1), network pixels per image pixel, and offsets (n, 4) of xyxy."""
    table, indices = samples.table, samples.indices
    sizes = zip(table.widths[indices].tolist(), table.heights[indices].tolist(), strict=True)
    geometry = [letterbox_geometry(width, height, samples.size) for width, height in sizes]
    scale = np.array([one for one, _ in geometry]).reshape(-1, 1)
    return scale, np.array([[left, top, left, top] for _, (left, top) in geometry]).reshape(-1, 4)
