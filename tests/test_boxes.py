"""Boxes against torchvision, by hand, and where they have no area."""

import math

import pytest
import torch
import torchvision.ops

from gapscope.boxes import box_area, box_iou, cxcywh_to_xyxy, paired_ciou, paired_giou, paired_iou


def some_boxes(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, 2, generator=generator) * 50
    return torch.cat([corner, corner + 1 + torch.rand(n, 2, generator=generator) * 40], dim=1)


def test_a_box_by_hand():
    assert cxcywh_to_xyxy(torch.tensor([10.0, 20.0, 4.0, 6.0])).tolist() == [8, 17, 12, 23]


def test_iou_is_torchvisions():
    a, b = some_boxes(30, seed=1), some_boxes(20, seed=2)
    assert torch.allclose(box_iou(a, b), torchvision.ops.box_iou(a, b), atol=1e-6)


def test_giou_is_torchvisions():
    a, b = some_boxes(40, seed=3), some_boxes(40, seed=4)
    assert torch.allclose(paired_giou(a, b), torchvision.ops.generalized_box_iou(a, b).diagonal(), atol=1e-6)


def test_paired_iou_is_the_diagonal_of_all_pairs():
    a, b = some_boxes(40, seed=3), some_boxes(40, seed=4)
    assert torch.equal(paired_iou(a, b), box_iou(a, b).diagonal())


def test_ciou_is_torchvisions_and_so_is_its_gradient():
    a, b = some_boxes(40, seed=5).requires_grad_(), some_boxes(40, seed=6)
    theirs = 1 - torchvision.ops.complete_box_iou_loss(a, b)
    assert torch.allclose(paired_ciou(a, b), theirs, atol=1e-5)
    ours, expected = (torch.autograd.grad(one.sum(), a)[0] for one in (paired_ciou(a, b), theirs))
    assert torch.allclose(ours, expected, atol=1e-5)


def test_ciou_by_hand():
    """Squares of 2 a side, 3 apart: no overlap, centers 3 apart, a diagonal of 29; the same center, 4 x 1 in 4 x 4."""
    left, right = torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[3.0, 0.0, 5.0, 2.0]])
    assert paired_ciou(left, right).item() == pytest.approx(-9 / 29)
    bar, square = torch.tensor([[0.0, 1.5, 4.0, 2.5]]), torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    v = 4 / math.pi**2 * (math.pi / 4 - math.atan(4)) ** 2
    assert paired_ciou(bar, square).item() == pytest.approx(0.25 - v**2 / (0.75 + v))


def test_giou_of_two_squares_a_square_apart():
    left, right = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]])
    assert paired_giou(left, right).item() == pytest.approx(-1 / 3)
    assert paired_giou(left, left).item() == pytest.approx(1)


def test_no_boxes_agree_with_nothing():
    assert box_iou(torch.zeros(0, 4), some_boxes(3, seed=0)).shape == (0, 3)
    assert paired_giou(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0,)


def test_boxes_without_area_give_finite_numbers_and_gradients():
    flat = torch.tensor([[5.0, 5.0, 5.0, 9.0]], requires_grad=True)
    assert box_iou(flat, flat).item() == 0
    for agreement in (paired_giou, paired_ciou):
        agreement(flat, torch.tensor([[5.0, 5.0, 5.0, 9.0]])).sum().backward()
        assert flat.grad is not None
        assert flat.grad.isfinite().all()


def test_a_box_turned_inside_out_has_no_area():
    assert box_area(torch.tensor([[4.0, 4.0, 1.0, 1.0]])).item() == 0
