"""How are boxes written down, and how far do two boxes agree?

Boxes are rows of float tensors, in pixels unless said otherwise: continuous `xyxy` with pixel edges and an exclusive
maximum, so that width = x2 - x1, or `cxcywh` (center, width, height).
"""

import math

import torch
from torch import Tensor

TINY = 1e-9
"""Keeps a division by the area of an empty box finite; far below the area of any real box."""


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Center, width and height (..., 4) to corners (..., 4).

    >>> cxcywh_to_xyxy(torch.tensor([[5.0, 4.0, 6.0, 2.0]])).tolist()
    [[2.0, 3.0, 8.0, 5.0]]
    """
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    """Area (...) of `xyxy` boxes (..., 4), in squared units of the boxes; a box turned inside out has none."""
    width, height = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).unbind(-1)
    return width * height


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union (n, m) of every `xyxy` box of a (n, 4) with every one of b (m, 4).

    Two boxes without any area have an IoU of 0, also with themselves.

    >>> left, right = torch.tensor([[0.0, 0.0, 6.0, 4.0]]), torch.tensor([[2.0, 0.0, 8.0, 4.0]])
    >>> box_iou(left, torch.cat([left, right])).tolist()
    [[1.0, 0.5]]
    """
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = box_area(a)[:, None] + box_area(b)[None, :] - shared
    return shared / union.clamp(min=TINY)


def paired_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union (...) of box i of a with box i of b, both `xyxy` (..., 4), which are broadcast."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    return shared / (box_area(a) + box_area(b) - shared).clamp(min=TINY)


def paired_giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalized IoU (...) of box i of a with box i of b, both `xyxy` (..., 4); from -1 (far apart) to 1 (equal).

        GIoU = IoU - (area(C) - area(A or B)) / area(C), with C the smallest box around both

    Source:
        Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1.
    """
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    union = (box_area(a) + box_area(b) - shared).clamp(min=TINY)
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1).clamp(min=TINY)
    return shared / union - (around - union) / around


def paired_ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU (...) of box i of a with box i of b, both `xyxy` (..., 4); at most 1, for equal boxes.

        CIoU = IoU - d^2 / c^2 - alpha v,  v = 4 / pi^2 (arctan(w_b / h_b) - arctan(w_a / h_a))^2,
        alpha = v / (1 - IoU + v), which no gradient goes through

    d is the distance of the centers, c the diagonal of the smallest box around both.

    Source:
        Zheng et al. 2020, arXiv:1911.08287, equations 8 to 11.
    """
    iou = paired_iou(a, b)
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2).square().sum(-1)
    around = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    v = 4 / math.pi**2 * (_slant(b) - _slant(a)).square()
    alpha = (v / (1 - iou + v).clamp(min=TINY)).detach()
    return iou - apart / around.square().sum(-1).clamp(min=TINY) - alpha * v


def _slant(boxes: Tensor) -> Tensor:
    """arctan(width / height) (...), 0 to pi / 2; a box turned inside out is taken for an empty one."""
    width, height = (boxes[..., 2:] - boxes[..., :2]).clamp(min=TINY).unbind(-1)
    return (width / height).atan()
