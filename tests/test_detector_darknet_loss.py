"""Darknet's loss against its formula in loops, its gradients against Darknet's differences, and its limits."""

import math

import pytest
import torch

from gapscope.boxes import box_iou
from gapscope.detector.darknet_loss import DarknetLoss, boxes_by_image
from gapscope.detector.decode import MAP_ANCHORS, MAP_STRIDES, decode_map, split_map
from gapscope.detector.loss import LossGains, LossParts, YoloLoss
from gapscope.detector.network import yolov3
from gapscope.errors import InputError

ANCHORS = yolov3(1, width=0.0625).anchors
BOXES = [[20.0, 24.0, 40.0, 56.0], [2.0, 2.0, 12.0, 15.0], [5.0, 8.0, 60.0, 62.0]]
CLASSES, IMAGES = [2, 0, 1], [1, 0, 1]


def random_maps(classes: int = 3, n: int = 2, size: int = 64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(n, 3 * (5 + classes), size // s, size // s, generator=generator) for s in (32, 16, 8)]
    return [one.requires_grad_() for one in maps]


def loss_of(raw, boxes=BOXES, classes=CLASSES, images=IMAGES, ignore=None, **options) -> LossParts:
    return DarknetLoss(ANCHORS, **options)(
        raw,
        torch.tensor(boxes).view(-1, 4),
        torch.tensor(classes).long(),
        torch.tensor(ignore or [False] * len(boxes), dtype=torch.bool),
        torch.tensor(images).long(),
    )


def sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t))


def cross_entropy(t: float, right: float) -> float:
    return -right * math.log(sigmoid(t)) - (1 - right) * math.log(1 - sigmoid(t))


def best_anchor(w: float, h: float) -> int:
    def fit(anchor: list[float]) -> float:
        shared = min(w, anchor[0]) * min(h, anchor[1])
        return shared / (w * h + anchor[0] * anchor[1] - shared)

    return max(range(9), key=lambda i: fit(ANCHORS[i].tolist()))


def written_out(raw: list[torch.Tensor], threshold: float, size: int = 64) -> tuple[float, float, float]:
    """Box, objectness and class loss of BOXES, one number at a time."""
    box_loss = objectness = classification = 0.0
    answers = {}
    for target, (x1, y1, x2, y2) in enumerate(BOXES):
        anchor = best_anchor(x2 - x1, y2 - y1)
        number = next(i for i, mask in enumerate(MAP_ANCHORS) if anchor in mask)
        stride = MAP_STRIDES[number]
        column, row = int((x1 + x2) / 2 // stride), int((y1 + y2) / 2 // stride)
        answers[number, IMAGES[target], MAP_ANCHORS[number].index(anchor), row, column] = target
    for number, stride in enumerate(MAP_STRIDES):
        anchors = ANCHORS[list(MAP_ANCHORS[number])]
        values = split_map(raw[number].detach())
        found = decode_map(values, anchors, stride)[0].view(*values.shape[:4], 4)
        for place in [tuple(p) for p in torch.ones(values.shape[:4]).nonzero().tolist()]:
            image, a, row, column = place
            tx, ty, tw, th, to, *logits = values[place].tolist()
            target = answers.get((number, *place))
            if target is None:
                truths = torch.tensor([box for box, i in zip(BOXES, IMAGES, strict=True) if i == image])
                if box_iou(found[place][None], truths).max() <= threshold:
                    objectness += cross_entropy(to, 0)
                continue
            x1, y1, x2, y2 = BOXES[target]
            weight = 2 - (x2 - x1) * (y2 - y1) / size**2
            box_loss += weight * cross_entropy(tx, (x1 + x2) / 2 / stride - column)
            box_loss += weight * cross_entropy(ty, (y1 + y2) / 2 / stride - row)
            box_loss += weight * (tw - math.log((x2 - x1) / anchors[a, 0])) ** 2 / 2
            box_loss += weight * (th - math.log((y2 - y1) / anchors[a, 1])) ** 2 / 2
            objectness += cross_entropy(to, 1)
            classification += sum(cross_entropy(t, float(c == CLASSES[target])) for c, t in enumerate(logits))
    return box_loss / 2, objectness / 2, classification / 2


@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_the_formula_written_out(threshold):
    raw = random_maps()
    total, *parts = (part.item() for part in loss_of(raw, ignore_threshold=threshold))
    assert parts == pytest.approx(written_out(raw, threshold), rel=1e-5)
    assert total == pytest.approx(sum(parts), rel=1e-6)


def test_predictions_that_overlap_an_object_are_left_alone():
    strict, lenient = (loss_of(random_maps(), ignore_threshold=t).objectness for t in (1.0, 0.1))
    assert lenient < strict


def test_gradients_are_darknets_differences():
    """d loss / d t = t - t*: in sigmoids for place, objectness and classes, in logits for the size."""
    raw, (x1, y1, x2, y2) = random_maps(n=1), BOXES[0]
    loss_of(raw, [BOXES[0]], [2], [0], ignore_threshold=1.0).total.backward()
    assert best_anchor(x2 - x1, y2 - y1) == 1  # 16 x 30: in the map of stride 8
    values, gradient = split_map(raw[2].detach()), split_map(raw[2].grad)
    place = 0, 1, 40 // 8, 30 // 8
    tx, ty, tw, th, to, *logits = values[place].tolist()
    weight = 2 - 20 * 32 / 64**2
    expected = [
        weight * (sigmoid(tx) - (30 / 8 - 3)),
        weight * (sigmoid(ty) - (40 / 8 - 5)),
        weight * (tw - math.log(20 / 16)),
        weight * (th - math.log(32 / 30)),
        sigmoid(to) - 1,
        *(sigmoid(t) - (c == 2) for c, t in enumerate(logits)),
    ]
    assert gradient[place].tolist() == pytest.approx(expected, rel=1e-4)
    assert gradient[..., 4].abs().gt(0).all()
    gradient[place] = 0
    assert not gradient[..., [0, 1, 2, 3, 5, 6, 7]].any()


def test_the_loss_is_per_image_and_a_sum_over_objects():
    raw = random_maps(n=1)
    twice = [torch.cat([one, one]) for one in raw]
    one = loss_of(raw, BOXES, CLASSES, [0, 0, 0])
    both = loss_of(twice, BOXES * 2, CLASSES * 2, [0, 0, 0, 1, 1, 1])
    assert [part.item() for part in both] == pytest.approx([part.item() for part in one], rel=1e-5)


def test_every_object_has_exactly_one_answer_be_it_ever_so_small():
    speck = loss_of(random_maps(), [[20.0, 20.0, 23.0, 23.0]], [0], [0])
    assert speck.box.item() > 0


def test_images_without_objects_only_cost_objectness():
    total, box, objectness, classification = loss_of(random_maps(), [], [], [])
    assert (box.item(), classification.item()) == (0, 0) and total == objectness > 0


def test_ignored_regions_neither_teach_nor_punish():
    raw = random_maps(n=1)
    loss_of(raw, [[0.0, 0.0, 32.0, 64.0]], [0], [0], [True]).objectness.backward()
    touched = split_map(raw[2].grad)[..., 4]
    assert not touched[..., :4].any() and touched[..., 4:].all()


def test_gains_weigh_the_parts():
    plain = [part.item() for part in loss_of(random_maps())]
    gains = LossGains(box=2.0, objectness=3.0, classification=4.0)
    weighed = loss_of(random_maps(), gains=gains)
    assert [part.item() for part in weighed[1:]] == pytest.approx([2 * plain[1], 3 * plain[2], 4 * plain[3]])


@pytest.mark.parametrize("loss", [DarknetLoss, YoloLoss])
def test_smoothed_labels_move_the_best_answer_off_the_ends(loss):
    """With e = 0.2 the class loss is least where the right class's probability is 0.9 and the others' 0.1."""

    def class_loss(p: float) -> float:
        raw = [torch.zeros(1, 24, 64 // s, 64 // s) for s in (32, 16, 8)]
        for one in raw:
            split_map(one)[..., 5:] = torch.tensor(
                [math.log((1 - p) / p), math.log((1 - p) / p), math.log(p / (1 - p))]
            )
        smoothed = loss(ANCHORS, label_smoothing=0.2)
        labels = torch.tensor([2]), torch.tensor([False]), torch.tensor([0])
        return smoothed(raw, torch.tensor([BOXES[0]]), *labels).classification.item()

    assert min([0.8, 0.85, 0.9, 0.95, 0.99], key=class_loss) == 0.9
    with pytest.raises(InputError, match=r"label_smoothing = 1.5 - expected a value from 0 to 1"):
        loss(ANCHORS, label_smoothing=1.5)


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_absurd_maps_still_give_numbers(value):
    raw = [torch.full_like(one, value).requires_grad_() for one in random_maps()]
    total = loss_of(raw).total
    total.backward()
    assert total.isfinite() and all(one.grad.isfinite().all() for one in raw)


def test_boxes_are_laid_out_image_by_image():
    boxes = torch.arange(12.0).view(3, 4)
    rows = boxes_by_image(boxes, torch.tensor([2, 0, 2]), 3)
    assert rows.shape == (3, 2, 4)
    assert torch.equal(rows[2], boxes[[0, 2]]) and torch.equal(rows[0, 0], boxes[1]) and not rows[1].any()
    assert boxes_by_image(torch.zeros(0, 4), torch.zeros(0).long(), 3).shape == (3, 0, 4)
