"""The loss of a head without anchors: which boxes should its cells have said, and how sure of which class be?"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gapscope.boxes import paired_ciou
from gapscope.detector.protocol import Target
from gapscope.detector.sim_ota import cheapest, objects_of

BOX_GAIN = 5.0
"""How much boxes count beside classes (Ge et al. 2021, arXiv:2107.08430)."""


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

        box = 5 mean over p of (1 - CIoU_p)
        classification = sum over cells and classes of the cross-entropy with IoU_p at the right class, else 0; by k

    over the k cells p that answer for an object, see `sim_ota.cheapest`; no cell counts as one. There is no objectness:
    what is said of a class is how well its box fits, so that detections sort by both.

    Args:
        said: By the network.
        targets: One for each image.

    Source:
        Ge et al. 2021, arXiv:2107.08430 (gain, IoU as the target of classes); Zheng et al. 2020, arXiv:1911.08287
        (CIoU); Li et al. 2020, arXiv:2006.04388, section 3 (one score for class and quality).
    """
    sure, boxes = said.classes.detach().sigmoid(), said.boxes.detach()
    answers = cheapest(sure, boxes, said.points, said.strides, objects_of(targets))
    positive = answers.positive
    count = positive.sum().clamp(min=1)
    right = said.classes.new_zeros(said.classes.shape)
    right.scatter_(2, answers.classes[..., None], answers.overlap[..., None])
    classification = binary_cross_entropy_with_logits(said.classes, right, reduction="sum")
    box = (1 - paired_ciou(said.boxes[positive], answers.boxes[positive])).sum()
    return {"box": BOX_GAIN * box / count, "classification": classification / count}
