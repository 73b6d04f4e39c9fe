"""What is each graft worth on labelled images? mAP@0.5 with its draws of images, all grafts in one walk per batch."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from gapscope.config import Evaluate
from gapscope.data.batches import batches
from gapscope.data.samples import Samples
from gapscope.detector.decode import Detections, decode, found_in
from gapscope.detector.guests import AnyNetwork, Network
from gapscope.detector.network import Darknet
from gapscope.detector.protocol import Guest
from gapscope.errors import InputError
from gapscope.evaluation.average_precision import weighted_ap
from gapscope.evaluation.bootstrap import bootstrap
from gapscope.evaluation.columns import Array, Boxes
from gapscope.evaluation.evaluate import MAX_DETECTIONS, detection_columns, target_columns
from gapscope.evaluation.matching import Matches, coco_candidates, match_coco, match_paper
from gapscope.evaluation.scores import SEED
from gapscope.grafting.batch_statistics import Statistics, layer_output
from gapscope.grafting.channel_statistics import as_input
from gapscope.grafting.guest_grafts import detect_guests
from gapscope.grafting.guest_statistics import GuestStatistics
from gapscope.grafting.walk import Recipe, walk
from gapscope.progress import Progress, silent

AnyStatistics = Statistics | Mapping[Recipe, GuestStatistics]
"""Of Darknet's networks, or of guests."""
BATCH = 16
"""Images that go through all grafts together; as many as in an evaluation, so that detections are the same bits."""


@dataclass(frozen=True)
class Score:
    """One network on a set of images, over the headline classes."""

    map50: float
    draws: Array
    """(draws,) the same over images drawn anew; draw i takes the same images for every network; NaN without targets"""


def on_device(networks: Sequence[AnyNetwork], device: torch.device | str) -> list[AnyNetwork]:
    """Copies of the networks in evaluation mode; they themselves stay as they are."""
    copies = [deepcopy(network) for network in networks]
    for copy in copies:
        copy.eval().to(device)
    return copies


@torch.no_grad()
def detect_all(
    networks: Sequence[Network],
    recipes: Sequence[Recipe],
    samples: Samples,
    settings: Evaluate,
    *,
    statistics: AnyStatistics | None = None,
    device: torch.device | str = "cpu",
    what: str = "grafts",
    progress: Progress = silent,
) -> dict[Recipe, Boxes]:
    """What every graft finds in all samples, in pixels of the networks' input: as `evaluate` of each would.

    Args:
        networks: What the recipes number; in evaluation mode, on the device.
        recipes: Grafts; those that are named twice are computed once.
        samples: Images and boxes; their classes are the networks'.
        settings: Confidence and overlap thresholds.
        statistics: Batch statistics in place of the networks' own, from `recipe_statistics` of the same recipes, or for
            guests `statistics_of_guests`.
    """
    own = [one for one in networks if isinstance(one, Darknet)]
    if guests := [one for one in networks if isinstance(one, Guest)]:
        return detect_guests(
            guests,
            recipes,
            samples,
            settings,
            batch_size=BATCH,
            statistics=cast("Mapping[Recipe, GuestStatistics] | None", statistics),
            device=device,
            what=what,
            progress=progress,
        )
    host, given = own[0], cast("Statistics", statistics or {})
    found: dict[Recipe, list[Detections]] = {recipe: [] for recipe in recipes}
    done = 0

    def compute(beginning: Recipe, inputs: list[Tensor]) -> Tensor:
        return layer_output(own, beginning, inputs, given)

    for batch in batches(samples, BATCH, seed=0, epoch=0):
        images = as_input(batch.images.to(device).contiguous())
        for recipe, maps in walk(host, found, images, compute):
            found[recipe] += detections_in(host, maps, samples.size, settings)
        done += len(batch)
        progress(what, done, len(samples))
    return {recipe: detection_columns(some, samples) for recipe, some in found.items()}


def detections_in(host: Darknet, maps: list[Tensor], side: int, settings: Evaluate) -> list[Detections]:
    """What the maps of the detection layers hold, image by image, on the CPU."""
    decoded = decode(maps, host.anchors, host.yolo_layers)
    limits = (settings.confidence, settings.nms_iou, MAX_DETECTIONS)
    found = found_in(decoded, (side, side), *limits, multi_label=settings.multi_label)
    return [Detections(one.boxes.cpu(), one.confidences.cpu(), one.classes.cpu()) for one in found]


def score_boxes(detections: Boxes, samples: Samples, settings: Evaluate, headline: Sequence[str]) -> Score:
    """The headline mAP@0.5 of detections under the rule of the settings.

    Raises:
        InputError: No headline class has a target, so there is nothing to score.
    """
    classes, targets, n = samples.table.class_names, target_columns(samples), len(samples)
    matches = match(settings.rule, targets, detections, n, len(classes))
    labels, once = [list(classes).index(name) for name in headline], np.ones((1, n))
    each = [float(weighted_ap(settings.rule, matches, label, once)[0, 0]) for label in labels]
    known = [ap for ap in each if not np.isnan(ap)]
    if not known:
        raise InputError(
            f"none of the classes {', '.join(headline)} has a box in these {n} images - expected some to score on. "
            "Give images with labels."
        )
    drawn = bootstrap(settings.rule, matches, settings.bootstraps, SEED)
    return Score(sum(known) / len(known), drawn.mean50(labels))


def match(rule: str, targets: Boxes, detections: Boxes, num_images: int, num_classes: int) -> Matches:
    """What became of the detections under a rule at IoU 0.5, which is all that mAP@0.5 and its draws need."""
    if rule == "paper":
        return match_paper(targets, detections, num_images, num_classes)
    every = match_coco(coco_candidates(targets, detections, num_images, num_classes))
    return replace(every, thresholds=every.thresholds[:1], status=every.status[:1], target=every.target[:1])


def unlabelled_batches(samples: Samples, most: int, device: torch.device | str) -> list[Tensor]:
    """Up to so many images for statistics, spread evenly over the samples, in batches; labels play no part."""
    places = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(np.int64))
    some = batches(samples, BATCH, seed=0, epoch=0, order=places)
    return [as_input(batch.images.to(device).contiguous()) for batch in some]
