"""The loss of a head without anchors: which boxes should its cells have said, and how sure of which class be?"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gapscope.boxes import paired_ciou
from gapscope.detector.protocol import Target
from gapscope.detector.task_aligned import align, objects_of

BOX_GAIN, CLASS_GAIN = 7.5, 0.5
"""How much each part counts."""


class Said(NamedTuple):
    """What every cell says; the coarsest map first, row by row."""

    classes: Tensor
    """(b, c, N) logits, independent of each other."""
    boxes: Tensor
    """(b, c, 4) `xyxy` in pixels of the network's input, not cut at its border."""
    points: Tensor
    """(c, 2) the centers of the cells, x and y in pixels."""
    strides: Tensor
    """(c,) their sides in pixels."""


def anchor_free_losses(said: Said, targets: Sequence[Target]) -> dict[str, Tensor]:
    """The parts of the loss of a batch, with their gains in them.

        box = sum_p q_p (1 - CIoU_p) / sum_p q_p
        classification = sum over cells and classes of the cross-entropy with q_p at the right class, else 0 / sum_p q_p

    over the cells p that answer for an object, each with its quality q_p, see `task_aligned.align`; a sum of
    qualities below 1 counts as 1.

    Args:
        said: By the network.
        targets: One for each image.

    Source:
        Feng et al. 2021, arXiv:2108.07755, equations 5 to 7, with CIoU and without focal weights.
    """
    sure, boxes = said.classes.detach().sigmoid(), said.boxes.detach()
    answers = align(sure, boxes, said.points, said.strides, objects_of(targets))
    quality, positive = answers.quality, answers.positive
    total = quality.sum().clamp(min=1)
    right = said.classes.new_zeros(said.classes.shape)
    right.scatter_(2, answers.classes[..., None], quality[..., None])
    classification = binary_cross_entropy_with_logits(said.classes, right, reduction="sum")
    badness = 1 - paired_ciou(said.boxes[positive], answers.boxes[positive])
    box = (quality[positive] * badness).sum()
    return {"box": BOX_GAIN * box / total, "classification": CLASS_GAIN * classification / total}
