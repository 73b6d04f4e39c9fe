"""How wrong are the raw maps, given where the objects are?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gapscope.boxes import paired_giou
from gapscope.detector.decode import MAP_ANCHORS, MAP_STRIDES, box_from_logits, split_map
from gapscope.detector.targets import Positives, assign, ignored_cells
from gapscope.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LossGains:
    """How much each part counts; the defaults are those of the training code of early 2020 that the paper used."""

    box: float = 3.54
    objectness: float = 64.3
    classification: float = 37.4
    """For 80 classes; scaled by N / 80."""


class LossParts(NamedTuple):
    """The loss and what it is made of; each part has its gain in it, and `total` is their sum. Scalars."""

    total: Tensor
    box: Tensor
    objectness: Tensor
    classification: Tensor


class YoloLoss:
    """The training loss of YOLOv3: GIoU for boxes, binary cross-entropy for objectness and classes.

    For each of the three maps: box = mean over the positives of 1 - GIoU; objectness = mean over all cells and anchors
    of the cross-entropy with 1 at positives and 0 elsewhere; classification = mean over positives and classes of the
    cross-entropy, left out if there is one class. Each is summed over the maps and multiplied by its gain.

    Cells whose center lies in an ignored box say nothing about objectness, unless they answer for an object.

    Args:
        anchors: `network.anchors`, (9, 2) in pixels.
        gains: Weights of the parts.
        iou_threshold: Least shape IoU of an anchor that answers for a target, see `targets.assign`.
        always_best: Targets that fit no anchor get their best one. A deviation from the paper, which lost them;
            False is the paper's way.
        giou_ratio: Objectness of a positive is taught as 1 - ratio + ratio * GIoU (at least 0) instead of 1.

    Source:
        Redmon and Farhadi 2018, arXiv:1804.02767; Rezatofighi et al. 2019, arXiv:1902.09630 (GIoU loss).
    """

    def __init__(
        self,
        anchors: Tensor,
        gains: LossGains | None = None,
        *,
        iou_threshold: float = 0.225,
        always_best: bool = True,
        giou_ratio: float = 0.0,
    ) -> None:
        if not 0 <= giou_ratio <= 1:
            raise InputError(f"giou_ratio = {giou_ratio} - expected a value from 0 to 1.")
        self.anchors = anchors.detach().clone()
        self.gains = gains or LossGains()
        self.iou_threshold = iou_threshold
        self.always_best = always_best
        self.giou_ratio = giou_ratio

    def __call__(
        self, raw: Sequence[Tensor], boxes: Tensor, classes: Tensor, ignore: Tensor, image_index: Tensor
    ) -> LossParts:
        """The loss of one batch.

        Args:
            raw: The three raw maps of the network.
            boxes: All boxes of the batch (m, 4), `xyxy` in pixels of the network's input.
            classes: Their class indices (m,), int64.
            ignore: Which of them (m,) are regions to ignore.
            image_index: Their images (m,), as positions in the batch.
        """
        anchors = self.anchors.to(raw[0].device)
        target_boxes, target_classes = boxes[~ignore], classes[~ignore]
        height, width = (side * MAP_STRIDES[0] for side in raw[0].shape[-2:])
        positives = assign(
            target_boxes,
            image_index[~ignore],
            anchors,
            (height, width),
            iou_threshold=self.iou_threshold,
            always_best=self.always_best,
        )
        parts = [
            torch.stack(
                self.map_loss(
                    split_map(one),
                    places,
                    target_boxes / stride,
                    target_classes,
                    anchors[list(mask)] / stride,
                    ignored_cells(boxes[ignore], image_index[ignore], len(one), (one.shape[2], one.shape[3]), stride),
                )
            )
            for one, places, mask, stride in zip(raw, positives, MAP_ANCHORS, MAP_STRIDES, strict=True)
        ]
        num_classes = raw[0].shape[1] // 3 - 5
        gains = self.gains.box, self.gains.objectness, self.gains.classification * num_classes / 80
        weighted = torch.stack(parts).sum(0) * torch.tensor(gains, device=anchors.device)
        return LossParts(weighted.sum(), *weighted.unbind())

    def map_loss(
        self, values: Tensor, places: Positives, boxes: Tensor, classes: Tensor, anchors: Tensor, ignored: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Box, objectness and classification loss of one split map (b, 3, h, w, 5 + N); boxes and anchors in cells."""
        box_loss = class_loss = values.new_zeros(())
        is_object = torch.zeros_like(values[..., 0])
        counted = (~ignored)[:, None].expand_as(is_object).to(values)
        if len(places.target):
            at = places.image, places.anchor, places.row, places.column
            answers = values[at]
            cell = torch.stack([places.column, places.row], dim=-1)
            giou = paired_giou(box_from_logits(answers, cell, anchors[places.anchor]), boxes[places.target])
            box_loss = (1 - giou).mean()
            is_object[at] = 1 - self.giou_ratio + self.giou_ratio * giou.detach().clamp(min=0)
            counted[at] = 1.0
            class_loss = classification_loss(answers[:, 5:], classes[places.target])
        errors = binary_cross_entropy_with_logits(values[..., 4], is_object, reduction="none")
        return box_loss, (errors * counted).sum() / counted.sum().clamp(min=1), class_loss


def classification_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Mean cross-entropy of class logits (k, N) with the right classes (k,); 0 where there is but one class."""
    if logits.shape[1] == 1:
        return logits.new_zeros(())
    right = torch.zeros_like(logits).scatter_(1, classes[:, None], 1.0)
    return binary_cross_entropy_with_logits(logits, right)
