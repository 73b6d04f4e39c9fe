"""The loss of a head without anchors: which boxes should its cells have said, and how sure of which class be?"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gapscope.boxes import paired_ciou
from gapscope.detector.protocol import Target
from gapscope.detector.sim_ota import cheapest, objects_of

BOX_GAIN = 5.0
"""How much boxes count beside classes (Ge et al. 2021, arXiv:2107.08430), and beside offsets."""
OFFSETS = range(-2, 14)
"""How many strides a side of a box may lie from its point. Below 0 the box lies beside the point: a place answers for
objects whose center is up to two and a half strides away."""
INSIDE = 0.01
"""How far below the largest offset one that lies beyond it is taught, in strides."""


class Said(NamedTuple):
    """What every cell says; the coarsest map first, row by row."""

    classes: Tensor
    """(b, c, N) logits, independent of each other."""
    boxes: Tensor
    """(b, c, 4) `xyxy` in pixels of the network's input, not cut at its border."""
    offsets: Tensor
    """(b, c, 4, 16) logits of how many strides, -2 to 13, left, top, right and bottom lie from the point."""
    points: Tensor
    """(c, 2) the centers of the cells, x and y in pixels."""
    strides: Tensor
    """(c,) their sides in pixels."""


def anchor_free_losses(said: Said, targets: Sequence[Target]) -> dict[str, Tensor]:
    """The parts of the loss of a batch, with their gains in them.

        box = 5 mean over p of (1 - CIoU_p)
        classification = sum over cells and classes of the cross-entropy with IoU_p at the right class, else 0; by k
        offset = mean over p and the four sides of `offset_errors`

    over the k cells p that answer for an object, see `sim_ota.cheapest`; no cell counts as one. There is no objectness:
    what is said of a class is how well its box fits, so that detections sort by both.

    Args:
        said: By the network.
        targets: One for each image.

    Source:
        Ge et al. 2021, arXiv:2107.08430 (gain, IoU as the target of classes); Zheng et al. 2020, arXiv:1911.08287
        (CIoU); Li et al. 2020, arXiv:2006.04388, section 3 (one score for class and quality, offsets).
    """
    sure, boxes = said.classes.detach().sigmoid(), said.boxes.detach()
    answers = cheapest(sure, boxes, said.points, said.strides, objects_of(targets))
    positive = answers.positive
    count = positive.sum().clamp(min=1)
    right = said.classes.new_zeros(said.classes.shape)
    right.scatter_(2, answers.classes[..., None], answers.overlap[..., None])
    classification = binary_cross_entropy_with_logits(said.classes, right, reduction="sum")
    wanted = answers.boxes[positive]
    box = (1 - paired_ciou(said.boxes[positive], wanted)).sum()
    point, stride = said.points.expand(*positive.shape, 2)[positive], said.strides.expand(positive.shape)[positive]
    far = torch.cat([point - wanted[:, :2], wanted[:, 2:] - point], 1) / stride[:, None]
    offset = offset_errors(said.offsets[positive], far).mean(-1).sum()
    return {"box": BOX_GAIN * box / count, "classification": classification / count, "offset": offset / count}


def offset_errors(logits: Tensor, far: Tensor) -> Tensor:
    """How wrong distributions (..., 16) over `OFFSETS` are of offsets (...): their cross-entropy with the two whole
    numbers of strides around each, which share 1 by how near they are.

    Source:
        Li et al. 2020, arXiv:2006.04388, equation 6 (distribution focal loss).
    """
    place = (far - OFFSETS[0]).clamp(0, len(OFFSETS) - 1 - INSIDE)
    below = place.long()
    rest = place - below
    said = logits.log_softmax(-1)
    at = [said.gather(-1, (below + step)[..., None])[..., 0] for step in (0, 1)]
    return -(at[0] * (1 - rest) + at[1] * rest)
