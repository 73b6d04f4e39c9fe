"""The loss of a head without anchors: which boxes should its cells have said, and how sure of which class be?"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gapscope.boxes import paired_ciou
from gapscope.detector.protocol import Target
from gapscope.detector.task_alignment import best_aligned, objects_of

BOX_GAIN, CLASS_GAIN, DISTANCE_GAIN = 7.5, 0.5, 1.5
"""How much each part counts."""
INSIDE = 0.01
"""How far below the largest distance one that lies beyond it is taught, in strides."""


class Said(NamedTuple):
    """What every cell says; the coarsest map first, row by row."""

    classes: Tensor
    """(b, c, N) logits, independent of each other."""
    boxes: Tensor
    """(b, c, 4) `xyxy` in pixels of the network's input, not cut at its border."""
    distances: Tensor
    """(b, c, 4, D) logits of how far left, top, right and bottom lie from the point, 0 to D - 1 strides."""
    points: Tensor
    """(c, 2) the centers of the cells, x and y in pixels."""
    strides: Tensor
    """(c,) their sides in pixels."""


def anchor_free_losses(said: Said, targets: Sequence[Target]) -> dict[str, Tensor]:
    """The parts of the loss of a batch, with their gains in them.

        box = 7.5 sum over p of w_p (1 - CIoU_p); by W
        classification = 0.5 sum over cells and classes of the cross-entropy with w_p at the right class, else 0; by W
        distance = 1.5 sum over p of w_p times the mean over the sides of `distance_errors`; by W

    over the cells p that answer for an object, see `task_alignment.best_aligned`; w_p is the worth of the answer, W the
    sum of them, at least 1. There is no objectness: what is said of a class is how well its box fits, so that
    detections sort by both.

    Args:
        said: By the network.
        targets: One for each image.

    Source:
        Feng et al. 2021, arXiv:2108.07755, section 3.2 (worth); Zheng et al. 2020, arXiv:1911.08287 (CIoU); Li et al.
        2020, arXiv:2006.04388, section 3 (distances).
    """
    sure, boxes = said.classes.detach().sigmoid(), said.boxes.detach()
    answers = best_aligned(sure, boxes, said.points, said.strides, objects_of(targets))
    positive, worth = answers.positive, answers.worth[answers.positive]
    total = worth.sum().clamp(min=1)
    right = torch.zeros_like(said.classes)
    right.scatter_(2, answers.classes[..., None], answers.worth[..., None])
    classification = binary_cross_entropy_with_logits(said.classes, right, reduction="sum")
    found, wanted = said.boxes[positive], answers.boxes[positive]
    box = (worth * (1 - paired_ciou(found, wanted))).sum()
    point, stride = said.points.expand(*positive.shape, 2)[positive], said.strides.expand(positive.shape)[positive]
    far = torch.cat([point - wanted[:, :2], wanted[:, 2:] - point], 1) / stride[:, None]
    distance = (worth * distance_errors(said.distances[positive], far).mean(-1)).sum()
    return {
        "box": BOX_GAIN * box / total,
        "classification": CLASS_GAIN * classification / total,
        "distance": DISTANCE_GAIN * distance / total,
    }


def distance_errors(logits: Tensor, far: Tensor) -> Tensor:
    """How wrong distributions (..., D) over 0 to D - 1 strides are of distances (...): their cross-entropy with the two
    whole numbers of strides around each, which share 1 by how near they are.

    Source:
        Li et al. 2020, arXiv:2006.04388, equation 6 (distribution focal loss).
    """
    far = far.clamp(0, logits.shape[-1] - 1 - INSIDE)
    below = far.long()
    rest = far - below
    said = logits.log_softmax(-1)
    at = [said.gather(-1, (below + step)[..., None])[..., 0] for step in (0, 1)]
    return -(at[0] * (1 - rest) + at[1] * rest)
