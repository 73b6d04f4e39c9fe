"""The loss against its formula in loops, its limits, and whether a network learns from it."""

import math
from collections.abc import Iterator

import pytest
import torch
from small_training import batch, network
from torch.nn.functional import binary_cross_entropy_with_logits

from gapscope.boxes import box_iou
from gapscope.detector.darknet_loss import DarknetLoss
from gapscope.detector.decode import detect
from gapscope.detector.loss import Loss, LossGains, LossParts, YoloLoss
from gapscope.detector.network import yolov3
from gapscope.errors import InputError

pytestmark = pytest.mark.slow

ANCHORS = yolov3(1, width=0.0625).anchors
UNIT = LossGains(box=1.0, objectness=1.0, classification=80 / 3)
"""All parts as they are, for three classes."""
ONE_BOX = [[20.0, 24.0, 40.0, 56.0]]


def random_maps(classes: int = 3, n: int = 2, size: int = 64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 3 * (5 + classes), size // s, size // s, generator=generator) for s in (32, 16, 8)]


def loss_of(
    raw: list[torch.Tensor],
    boxes: list[list[float]],
    classes: list[int],
    images: list[int],
    ignore: list[bool] | None = None,
    **options,
) -> LossParts:
    return YoloLoss(ANCHORS, **{"gains": UNIT, **options})(
        raw,
        torch.tensor(boxes).view(-1, 4),
        torch.tensor(classes).long(),
        torch.tensor(ignore or [False] * len(boxes), dtype=torch.bool),
        torch.tensor(images).long(),
    )


def written_out(raw: list[torch.Tensor], box: list[float], label: int, image: int) -> tuple[float, float, float]:
    """Box, objectness and class loss of one target, one number at a time."""
    parts = [0.0, 0.0, 0.0]
    x1, y1, x2, y2 = box
    for number, (stride, first) in enumerate(((32, 6), (16, 3), (8, 0))):
        one = raw[number].double()
        positives, box_terms, class_terms = set(), [], []
        for a in range(3):
            aw, ah = ANCHORS[first + a].tolist()
            shared = min(x2 - x1, aw) * min(y2 - y1, ah)
            if shared / ((x2 - x1) * (y2 - y1) + aw * ah - shared) <= 0.225:
                continue
            column, row = int((x1 + x2) / 2 // stride), int((y1 + y2) / 2 // stride)
            positives.add((image, a, row, column))
            tx, ty, tw, th, _, *logits = one[image, 8 * a : 8 * a + 8, row, column].tolist()
            cx, cy = (column + 1 / (1 + math.exp(-tx))) * stride, (row + 1 / (1 + math.exp(-ty))) * stride
            w, h = aw * math.exp(tw), ah * math.exp(th)
            p1, q1, p2, q2 = cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
            inter = max(0, min(x2, p2) - max(x1, p1)) * max(0, min(y2, q2) - max(y1, q1))
            union = w * h + (x2 - x1) * (y2 - y1) - inter
            hull = (max(x2, p2) - min(x1, p1)) * (max(y2, q2) - min(y1, q1))
            box_terms.append(1 - (inter / union - (hull - union) / hull))
            class_terms += [
                math.log(1 + math.exp(-z)) if c == label else math.log(1 + math.exp(z)) for c, z in enumerate(logits)
            ]
        objectness = one.view(len(one), 3, 8, *one.shape[2:])[:, :, 4]
        target = torch.zeros_like(objectness)
        for place in positives:
            target[place] = 1
        parts[1] += binary_cross_entropy_with_logits(objectness, target).item()
        if positives:
            parts[0] += sum(box_terms) / len(box_terms)
            parts[2] += sum(class_terms) / len(class_terms)
    return parts[0], parts[1], parts[2]


def test_the_formula_written_out():
    raw = random_maps()
    total, *parts = loss_of(raw, ONE_BOX, [2], [1])
    assert [part.item() for part in parts] == pytest.approx(written_out(raw, ONE_BOX[0], 2, 1), rel=1e-5)
    assert total.item() == pytest.approx(sum(part.item() for part in parts), rel=1e-6)


def test_gains_weigh_the_parts_and_classes_count_by_their_number():
    raw = random_maps(classes=3)
    plain, weighed = loss_of(raw, ONE_BOX, [2], [1]), loss_of(raw, ONE_BOX, [2], [1], gains=None)
    assert weighed.box.item() == pytest.approx(3.54 * plain.box.item(), rel=1e-5)
    assert weighed.objectness.item() == pytest.approx(64.3 * plain.objectness.item(), rel=1e-5)
    assert weighed.classification.item() == pytest.approx(37.4 * 3 / 80 * plain.classification.item(), rel=1e-5)


def test_a_right_answer_costs_nothing():
    raw = [torch.full((1, 21, 64 // s, 64 // s), -30.0) for s in (32, 16, 8)]
    # A box of 16 x 30, exactly anchor 1, centered in row 4, column 2 of the map of stride 8; the fits of other anchors
    # are kept out with a threshold of 0.9.
    raw[2][0, 7:14, 4, 2] = torch.tensor([0.0, 0.0, 0.0, 0.0, 30.0, -30.0, 30.0])
    box = [20.0 - 8, 36.0 - 15, 20.0 + 8, 36.0 + 15]
    assert loss_of(raw, [box], [1], [0], iou_threshold=0.9).total.item() == pytest.approx(0, abs=1e-5)


def test_images_without_objects_only_cost_objectness():
    raw = [one.requires_grad_() for one in random_maps()]
    total, box, objectness, classification = loss_of(raw, [], [], [])
    total.backward()
    assert (box.item(), classification.item()) == (0, 0)
    expected = sum(
        binary_cross_entropy_with_logits(
            one.view(2, 3, 8, *one.shape[2:])[:, :, 4], torch.zeros(()).expand(2, 3, *one.shape[2:])
        ).item()
        for one in raw
    )
    assert objectness.item() == pytest.approx(expected, rel=1e-5)
    assert all(one.grad is not None and one.grad.isfinite().all() for one in raw)


def test_one_class_needs_no_class_loss():
    assert loss_of(random_maps(classes=1), ONE_BOX, [0], [0]).classification.item() == 0


def test_a_target_too_small_for_any_anchor_is_only_learned_with_always_best():
    speck = [[20.0, 20.0, 23.0, 23.0]]
    assert loss_of(random_maps(), speck, [0], [0]).box.item() > 0
    assert loss_of(random_maps(), speck, [0], [0], always_best=False).box.item() == 0


def test_ignored_regions_neither_teach_nor_punish():
    raw = [one.requires_grad_() for one in random_maps(n=1)]
    region = [0.0, 0.0, 32.0, 64.0]
    loss_of(raw, [region, *ONE_BOX], [0, 2], [0, 0], [True, False]).objectness.backward()
    touched = raw[2].grad.view(3, 8, 8, 8)[:, 4]
    assert (touched[:, :, 4:] != 0).all()
    column, row = 30 // 8, 40 // 8  # the target's center, inside the region
    answered = touched[:, row, column] != 0
    assert answered.any()
    touched[:, row, column] = 0
    assert not touched[:, :, :4].any()


def test_a_region_over_the_whole_image_leaves_nothing_to_learn():
    assert loss_of(random_maps(n=1), [[0.0, 0.0, 64.0, 64.0]], [0], [0], [True]).total.item() == 0


def test_objectness_can_be_taught_as_overlap():
    raw = random_maps()
    taught = [loss_of(raw, ONE_BOX, [2], [1], giou_ratio=r) for r in (0.0, 0.5, 1.0)]
    assert taught[0].box.item() == taught[2].box.item()
    steps = [taught[i + 1].objectness.item() - taught[i].objectness.item() for i in (0, 1)]
    assert steps[0] == pytest.approx(steps[1], rel=1e-3)  # linear in the target
    assert steps[0] != 0
    with pytest.raises(InputError, match=r"giou_ratio = 2.0 - expected a value from 0 to 1"):
        loss_of(raw, ONE_BOX, [2], [1], giou_ratio=2.0)


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_absurd_maps_still_give_finite_gradients(value):
    raw = [torch.full_like(one, value).requires_grad_() for one in random_maps()]
    total = loss_of(raw, ONE_BOX, [2], [1]).total
    total.backward()
    assert total.isfinite()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in raw)


def test_a_step_down_the_gradient_lowers_the_loss():
    raw = [one.requires_grad_() for one in random_maps()]
    before = loss_of(raw, ONE_BOX, [2], [1]).total
    before.backward()
    assert loss_of([(one - 0.1 * one.grad).detach() for one in raw], ONE_BOX, [2], [1]).total < before


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny layers wait for each other's threads longer than they compute, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_a_thin_network_learns_one_batch_by_heart(one_thread):
    boxes = torch.tensor([[6.0, 10, 30, 50], [40, 30, 60, 44], [10, 34, 34, 60], [36, 4, 60, 30]])
    labels, images = torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 1])
    x = torch.full((2, 3, 64, 64), 0.5)
    for (x1, y1, x2, y2), label, image in zip(boxes.int().tolist(), labels, images, strict=True):
        x[image, :, y1:y2, x1:x2] = torch.tensor([[1.0, 0.1, 0.1], [0.1, 0.1, 1.0]])[label][:, None, None]
    network = yolov3(["red", "blue"], width=0.0625, anchor_scale=0.3)
    loss, ignore = YoloLoss(network.anchors), torch.zeros(4, dtype=torch.bool)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        loss(network(x), boxes, labels, ignore, images).total.backward()
        optimizer.step()
    for i, found in enumerate(detect(network, x, confidence=0.4)):
        overlap = box_iou(boxes[images == i], found.boxes)
        assert (overlap.max(1).values > 0.5).all()
        assert found.classes[overlap.argmax(1)].tolist() == labels[images == i].tolist()
        assert len(found.boxes) <= 4


@pytest.mark.parametrize("kind", [YoloLoss, DarknetLoss])
def test_loss_and_gradients_need_no_number_from_the_device(kind: type[Loss]):
    """Tensors of the device `meta` have shapes and no numbers: who asks for one, and so would wait for a GPU, fails."""
    net, data = network(), batch(0, size=64)
    loss, shapes = kind(net.anchors), net.to("meta").train()
    data.ignore[0] = True
    raw = shapes(torch.empty(2, 3, 64, 64, device="meta"))
    parts = loss(raw, data.boxes, data.classes, data.ignore, data.image_index)
    parts.total.backward()
    assert all(parameter.grad is not None and parameter.grad.is_meta for parameter in shapes.parameters())
    with pytest.raises(RuntimeError, match="meta"):
        parts.total.item()
