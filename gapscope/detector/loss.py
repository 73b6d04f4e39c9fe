"""The loss (GIoU, objectness, classes): how wrong are the raw maps, given where the objects are?"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gapscope.boxes import paired_giou
from gapscope.detector.decode import MAP_LAYERS, box_from_logits, split_map
from gapscope.detector.stack import BOX_CHANNELS, Layer
from gapscope.detector.targets import MapTargets, assign, map_targets
from gapscope.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LossGains:
    """How much each part counts; the defaults are those of the training code of early 2020 that the paper used."""

    box: float = 3.54
    objectness: float = 64.3
    classification: float = 37.4


class LossParts(NamedTuple):
    """The loss and what it is made of; each part has its gain in it, and `total` is their sum. Scalars."""

    total: Tensor
    box: Tensor
    objectness: Tensor
    classification: Tensor


Counts = Sequence[float | Tensor]
"""What sums are divided by, to make means of them; never 0."""


def nonzero(counts: Sequence[float]) -> Counts:
    """Counts to divide by: 1 for 0, since a sum of nothing is 0 already."""
    return [count or 1.0 for count in counts]


class Loss(ABC):
    """What the two losses share: raw maps and the boxes of a batch -> one number and its parts.

    Cells whose center lies in an ignored box say nothing about objectness, unless they answer for an object.

    Args:
        anchors: `network.anchors`, (a, 2) in pixels.
        gains: Weights of the parts.
        iou_threshold: Least shape IoU of an anchor that answers for a target, see `targets.assign`.
        always_best: Whether targets that fit no anchor get their best one.
        label_smoothing: Classes are taught as e / 2 and 1 - e / 2 instead of 0 and 1.
        layers: The yolo layers of the maps: their strides, which anchors each has, and its `scale_x_y`, see
            `box_from_logits`. Those of YOLOv3 by default.
        counts: Makes the counts that sums are divided by from those of this batch. Where a batch is spread over
            processes it gives their mean over the processes: then the mean of their losses, and of their gradients,
            is what one process would have made of the whole batch.
    """

    def __init__(
        self,
        anchors: Tensor,
        gains: LossGains | None = None,
        *,
        iou_threshold: float,
        always_best: bool,
        label_smoothing: float = 0.0,
        layers: Sequence[Layer] = MAP_LAYERS,
        counts: Callable[[Sequence[float]], Counts] = nonzero,
    ) -> None:
        _check_share("label_smoothing", label_smoothing)
        self.anchors = anchors.detach().cpu().clone()
        self.gains = gains or LossGains()
        self.iou_threshold = iou_threshold
        self.always_best = always_best
        self.label_smoothing = label_smoothing
        self.layers = tuple(layers)
        self.counts = counts
        self._constants: dict[tuple[torch.device, int], tuple[list[Tensor], Tensor]] = {}

    def __call__(
        self, raw: Sequence[Tensor], boxes: Tensor, classes: Tensor, ignore: Tensor, image_index: Tensor
    ) -> LossParts:
        """The loss of one batch.

        Boxes and what belongs to them best stay on the CPU, also when the maps are on a GPU: see `map_targets`.

        Args:
            raw: The raw maps of the network.
            boxes: All boxes of the batch (m, 4), `xyxy` in pixels of the network's input.
            classes: Their class indices (m,), int64.
            ignore: Which of them (m,) are regions to ignore.
            image_index: Their images (m,), as positions in the batch.
        """
        device, num_images = raw[0].device, len(raw[0])
        height, width = (side * self.layers[0].stride for side in raw[0].shape[-2:])
        kept = ~ignore
        positives = assign(
            boxes[kept],
            image_index[kept],
            self.anchors.to(boxes.device),
            (height, width),
            iou_threshold=self.iou_threshold,
            always_best=self.always_best,
            layers=self.layers,
        )
        regions = boxes[ignore], image_index[ignore]
        size = height, width
        targets = map_targets(positives, boxes[kept], classes[kept], *regions, num_images, size, device, self.layers)
        maps = [split_map(one, len(layer.anchors)) for one, layer in zip(raw, self.layers, strict=True)]
        anchors, gains = self._on(device, maps[0].shape[-1] - BOX_CHANNELS)
        sums = self.sums(maps, targets, anchors, boxes[kept], image_index[kept])
        weighted = sums * gains
        return LossParts(weighted.sum(), *weighted.unbind())

    @abstractmethod
    def sums(
        self, maps: list[Tensor], targets: list[MapTargets], anchors: list[Tensor], boxes: Tensor, image_index: Tensor
    ) -> Tensor:
        """Box, objectness and classification loss (3,) of all maps together, without gains.

        Args:
            maps: Split maps (b, a, h, w, 5 + N).
            targets: What each map is taught.
            anchors: The anchors (a, 2) of each map, in pixels.
            boxes: All targets (m, 4) in pixels, where they came from; also those that no anchor answers for.
            image_index: Their images (m,).
        """

    def gain_values(self, num_classes: int) -> tuple[float, float, float]:
        """The weights of the three parts."""
        return self.gains.box, self.gains.objectness, self.gains.classification

    def _on(self, device: torch.device, num_classes: int) -> tuple[list[Tensor], Tensor]:
        """Anchors of each map, and gains, where the maps are: sent there once, since sending waits for a GPU."""
        if (device, num_classes) not in self._constants:
            anchors = [self.anchors[list(layer.anchors)].to(device) for layer in self.layers]
            gains = torch.tensor(self.gain_values(num_classes), device=device)
            self._constants[device, num_classes] = anchors, gains
        return self._constants[device, num_classes]

    def class_errors(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Sum of the cross-entropies of class logits (k, N) with the right classes (k,)."""
        right = torch.zeros_like(logits).scatter_(1, classes[:, None], 1.0)
        if self.label_smoothing:
            right = right * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        return binary_cross_entropy_with_logits(logits, right, reduction="sum")


class YoloLoss(Loss):
    """The training loss of the code that the paper used: GIoU for boxes, cross-entropy for objectness and classes.

    For each of the maps: box = mean over the positives of 1 - GIoU; objectness = mean over all cells and anchors
    of the cross-entropy with 1 at positives and 0 elsewhere; classification = mean over positives and classes of the
    cross-entropy, left out if there is one class. Each is summed over the maps and multiplied by its gain; the gain of
    classification is for 80 classes and scaled by N / 80. `Loss` explains the arguments that are not listed here.

    Args:
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
        label_smoothing: float = 0.0,
        giou_ratio: float = 0.0,
        layers: Sequence[Layer] = MAP_LAYERS,
        counts: Callable[[Sequence[float]], Counts] = nonzero,
    ) -> None:
        _check_share("giou_ratio", giou_ratio)
        super().__init__(
            anchors,
            gains,
            iou_threshold=iou_threshold,
            always_best=always_best,
            label_smoothing=label_smoothing,
            layers=layers,
            counts=counts,
        )
        self.giou_ratio = giou_ratio

    def gain_values(self, num_classes: int) -> tuple[float, float, float]:
        return self.gains.box, self.gains.objectness, self.gains.classification * num_classes / 80

    def sums(
        self, maps: list[Tensor], targets: list[MapTargets], anchors: list[Tensor], boxes: Tensor, image_index: Tensor
    ) -> Tensor:
        num_classes = maps[0].shape[-1] - 5
        answers = self.counts([float(len(one)) for one in targets] + [float(one.num_counted) for one in targets])
        parts = []
        for number, (values, one) in enumerate(zip(maps, targets, strict=True)):
            layer = self.layers[number]
            scaled = anchors[number] / layer.stride
            box, objectness, classification = self.map_sums(values, one, scaled, layer.stride, layer.scale_xy)
            positive, counted = answers[number], answers[len(maps) + number]
            parts.append(torch.stack([box / positive, objectness / counted, classification / (positive * num_classes)]))
        return torch.stack(parts).sum(0)

    def map_sums(
        self, values: Tensor, targets: MapTargets, anchors: Tensor, stride: int, scale_xy: float = 1.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Box, objectness and class errors of one split map (b, a, h, w, 5 + N), summed; anchors (a, 2) in cells."""
        box = classification = values.new_zeros(())
        is_object = torch.zeros_like(values[..., 0])
        if len(targets):
            answers = values[targets.place]
            cell = torch.stack([targets.column, targets.row], dim=-1)
            found = box_from_logits(answers, cell, anchors[targets.anchor], scale_xy)
            giou = paired_giou(found, targets.boxes / stride)
            box = (1 - giou).sum()
            taught = 1 - self.giou_ratio + self.giou_ratio * giou.detach().clamp(min=0)
            is_object.index_put_(targets.place, taught)
            if answers.shape[1] > 6:
                classification = self.class_errors(answers[:, 5:], targets.classes)
        return box, objectness_errors(values, is_object, targets.counted), classification


def objectness_errors(values: Tensor, is_object: Tensor, counted: Tensor | None) -> Tensor:
    """Sum of the cross-entropies of a split map's objectness with what it should be, over the places that count."""
    errors = binary_cross_entropy_with_logits(values[..., 4], is_object, reduction="none")
    return errors.sum() if counted is None else (errors * counted).sum()


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{name} = {value} - expected a value from 0 to 1.")
