"""The loss of YOLOv3's authors: how wrong are the raw maps by Darknet's own rule?"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils.rnn import pad_sequence

from gapscope.boxes import TINY, box_area
from gapscope.detector.decode import MAP_LAYERS, decode_map
from gapscope.detector.loss import Counts, Loss, LossGains, nonzero, objectness_errors
from gapscope.detector.stack import Layer
from gapscope.detector.targets import MapTargets, send

PLAIN = LossGains(box=1.0, objectness=1.0, classification=1.0)

AT_ONCE = 16
"""Objects per image that all predictions are compared with at once: bounds the memory."""


class DarknetLoss(Loss):
    """YOLOv3's loss as its authors trained with it: errors of the logits, summed, per image of the batch.

    Every object has one answer: the anchor, of all, whose shape fits it best. With w and h its share of the image,
    box = (2 - w h) (cross-entropy of sigmoid(tx, ty) with the place within the cell + squared error of (tw, th) / 2);
    classification = cross-entropy of its N classes. Objectness = cross-entropy with 1 at answers and 0 elsewhere,
    but places whose predicted box overlaps any object by more than `ignore_threshold` are left alone. All are sums,
    divided by the number of images. Their gradients are the differences t* - t that Darknet propagates.
    Where a yolo layer has a `scale_x_y` s, sigmoid(tx, ty) is taught (place + (s - 1) / 2) / s, which decodes to the
    place.
    `Loss` explains the arguments that are not listed here; gains are 1 when left out.

    Args:
        ignore_threshold: 0.5 in the paper, 0.7 in the file yolov3.cfg that came with it.

    Source:
        Redmon and Farhadi 2018, arXiv:1804.02767, section 2; the weight 2 - w h and the cross-entropy of the place are
        in the authors' program only.
    """

    def __init__(
        self,
        anchors: Tensor,
        gains: LossGains | None = None,
        *,
        ignore_threshold: float = 0.7,
        label_smoothing: float = 0.0,
        layers: Sequence[Layer] = MAP_LAYERS,
        counts: Callable[[Sequence[float]], Counts] = nonzero,
    ) -> None:
        super().__init__(
            anchors,
            gains or PLAIN,
            iou_threshold=1.0,
            always_best=True,
            label_smoothing=label_smoothing,
            layers=layers,
            counts=counts,
        )
        self.ignore_threshold = ignore_threshold

    def sums(
        self, maps: list[Tensor], targets: list[MapTargets], anchors: list[Tensor], boxes: Tensor, image_index: Tensor
    ) -> Tensor:
        (num_images,) = self.counts([float(len(maps[0]))])
        truth = send(boxes_by_image(boxes, image_index, len(maps[0])), maps[0].device)
        parts = []
        for number, (values, one) in enumerate(zip(maps, targets, strict=True)):
            stride, scale = self.layers[number].stride, self.layers[number].scale_xy
            near = overlapping(values.detach(), anchors[number], stride, truth, self.ignore_threshold, scale)
            parts.append(torch.stack(self.map_sums(values, one, anchors[number], stride, near, scale)))
        return torch.stack(parts).sum(0) / num_images

    def map_sums(
        self,
        values: Tensor,
        targets: MapTargets,
        anchors: Tensor,
        stride: int,
        near: Tensor,
        scale_xy: float = 1.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Box, objectness and class errors of one split map (b, a, h, w, 5 + N), summed; anchors (a, 2) in pixels."""
        _, _, h, w, _ = values.shape
        is_object = torch.zeros_like(values[..., 0])
        is_object.index_put_(targets.place, is_object.new_ones(()))
        counted = ~near | (is_object > 0)
        if targets.counted is not None:
            counted &= targets.counted
        answers = values[targets.place]
        center = (targets.boxes[:, :2] + targets.boxes[:, 2:]) / 2 / stride
        extent = targets.boxes[:, 2:] - targets.boxes[:, :2]
        place = center - torch.stack([targets.column, targets.row], dim=-1)
        if scale_xy != 1:  # the sigmoid that decodes to this place, as near as one does
            place = ((place + (scale_xy - 1) / 2) / scale_xy).clamp(0, 1)
        weight = 2 - extent.prod(-1, keepdim=True) / (h * w * stride**2)
        growth = (extent / anchors[targets.anchor]).log()
        box = (weight * binary_cross_entropy_with_logits(answers[:, :2], place, reduction="none")).sum()
        box = box + (weight * (answers[:, 2:4] - growth) ** 2).sum() / 2
        return box, objectness_errors(values, is_object, counted), self.class_errors(answers[:, 5:], targets.classes)


def boxes_by_image(boxes: Tensor, image_index: Tensor, num_images: int) -> Tensor:
    """The boxes (m, 4) of a batch as (b, most per image, 4); what is left over is zeros, which overlap nothing."""
    return pad_sequence([boxes[image_index == image] for image in range(num_images)], batch_first=True)


def overlapping(
    values: Tensor, anchors: Tensor, stride: int, truth: Tensor, threshold: float, scale_xy: float = 1.0
) -> Tensor:
    """Which places (b, a, h, w) of a split map predict a box whose IoU with any of its image's objects is above this.

    Args:
        values: Split map (b, a, h, w, 5 + N).
        anchors: Its anchors (a, 2) in pixels.
        truth: Objects (b, t, 4) `xyxy` in pixels, see `boxes_by_image`.
        scale_xy: Of the map's yolo layer.
    """
    found, _, _ = decode_map(values, anchors, stride, scale_xy)
    best = found.new_zeros(found.shape[:2])
    for first in range(0, truth.shape[1], AT_ONCE):
        some = truth[:, first : first + AT_ONCE]
        low = torch.maximum(found[:, :, None, :2], some[:, None, :, :2])
        high = torch.minimum(found[:, :, None, 2:], some[:, None, :, 2:])
        shared = (high - low).clamp(min=0).prod(-1)
        union = box_area(found)[:, :, None] + box_area(some)[:, None, :] - shared
        best = torch.maximum(best, (shared / union.clamp(min=TINY)).amax(-1))
    return (best > threshold).view(values.shape[:4])
