"""YOLOv3 without anchors: what its cells say, which of them answer for an object, and what that costs."""

import math

import pytest
import torch

from gapscope.boxes import paired_ciou
from gapscope.detector.anchor_free import anchor_free_layers, read_maps
from gapscope.detector.anchor_free_loss import Said, anchor_free_losses, distance_errors
from gapscope.detector.guest_layers import hash_of_layers
from gapscope.detector.guests import build_guest, start_guest
from gapscope.detector.layers import yolov3_layers
from gapscope.detector.network import yolov3
from gapscope.detector.protocol import Target
from gapscope.detector.task_alignment import best_aligned, objects_of
from gapscope.detector.weights import save_weights
from gapscope.errors import InputError

NAME = "yolov3-anchor-free"


def drawn(seed):
    return torch.Generator().manual_seed(seed)


def target(*rows):
    """Rows of x1, y1, x2, y2, class."""
    table = torch.tensor(rows).view(-1, 5)
    return Target(table[:, :4].float(), table[:, 4].long())


def small_net(seed=0, **changes):
    return build_guest(NAME, ["a", "b"], 32, seed, **({"width": 0.05} | changes))


def a_map(side, stride, num_classes=2, images=2, seed=0):
    """What the cells of one square map say, at random."""
    g, cells = drawn(seed), side * side
    points = torch.tensor([[(c + 0.5) * stride, (r + 0.5) * stride] for r in range(side) for c in range(side)])
    low = points - stride * torch.rand(images, cells, 2, generator=g)
    boxes = torch.cat([low, low + stride * (0.2 + 2 * torch.rand(images, cells, 2, generator=g))], dim=-1)
    classes = torch.randn(images, cells, num_classes, generator=g)
    distances = torch.randn(images, cells, 4, 5, generator=g)
    return Said(classes, boxes, distances, points, torch.full((cells,), float(stride)))


def iou(a, b):
    (x1, y1, x2, y2), (u1, v1, u2, v2) = a, b
    shared = max(0, min(x2, u2) - max(x1, u1)) * max(0, min(y2, v2) - max(y1, v1))
    return shared / ((x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared)


def test_the_backbone_is_yolov3s_layer_for_layer_and_a_branch_ends_where_it_says():
    layers, ends = anchor_free_layers(3, 0.25)
    assert layers[:75] == yolov3_layers(3, 0.25)[:75]
    assert [(layers[one.classes].filters, layers[one.boxes].filters) for one in ends] == [(3, 64)] * 3
    assert [layers[one.boxes].stride for one in ends] == [32, 16, 8]
    net = small_net()
    assert net.map.words_of("backbone") == "0-74" and net.map.words_of("head 8") == "103-118"
    assert [len(path.split(".")) for path in net.paths] == [2] * 119


def test_cells_mean_what_an_independent_reader_reads():
    g = drawn(1)
    maps = [(torch.randn(2, 3, 2, 3, generator=g), torch.randn(2, 64, 2, 3, generator=g)) for _ in range(2)]
    said, at = read_maps(maps, [16, 8]), 0
    for (logits, values), stride in zip(maps, [16, 8], strict=True):
        for row in range(2):
            for column in range(3):
                far = []
                for side in range(4):
                    chances = [math.exp(one) for one in values[1, 16 * side : 16 * side + 16, row, column].tolist()]
                    far.append(stride * sum(n * chance for n, chance in enumerate(chances)) / sum(chances))
                x, y = stride * (column + 0.5), stride * (row + 0.5)
                wanted = torch.tensor([x - far[0], y - far[1], x + far[2], y + far[3]])
                assert torch.allclose(said.boxes[1, at], wanted, atol=1e-3)
                assert torch.equal(said.classes[1, at], logits[1, :, row, column])
                assert torch.equal(said.distances[1, at].flatten(), values[1, :, row, column])
                assert said.points[at].tolist() == [x, y] and said.strides[at] == stride
                at += 1
    assert at == said.boxes.shape[1]


def test_answers_by_hand():
    """Four cells of 8 pixels in a row, an object over the first three. The second says the whole of it, the first half
    and is as sure, the third nothing of it; the fourth says the whole, but its point is outside."""
    sure = torch.full((1, 4, 1), 0.25)
    boxes = torch.tensor([[[0.0, 0, 12, 8], [0, 0, 24, 8], [50, 0, 60, 8], [0, 0, 24, 8]]])
    points = torch.tensor([[4.0, 4], [12, 4], [20, 4], [28, 4]])
    objects = objects_of([target([0, 0, 24, 8, 0])])
    found = best_aligned(sure, boxes, points, torch.full((4,), 8.0), objects)
    assert found.positive.tolist() == [[True, True, False, False]]
    assert found.worth[0].tolist() == pytest.approx([1 / 64, 1, 0, 0])  # 0.5 ** 6 of the best one's
    assert found.boxes[0, 1].tolist() == [0, 0, 24, 8]
    sure[0, 0, 0] = 1.0  # four times as sure
    worth = best_aligned(sure, boxes, points, torch.full((4,), 8.0), objects).worth
    assert worth[0].tolist() == pytest.approx([2 / 64, 1, 0, 0])


def test_an_object_takes_ten_places_at_most_and_the_best():
    said = a_map(6, 8, images=1, seed=5)
    found = best_aligned(said.classes.sigmoid(), said.boxes, *said[3:], objects_of([target([0, 0, 48, 48, 1])]))
    assert found.positive.sum() == 10
    fits = torch.tensor([iou(box, [0, 0, 48, 48]) for box in said.boxes[0].tolist()])
    alignment = said.classes[0, :, 1].sigmoid().sqrt() * fits**6
    assert sorted(found.positive[0].nonzero()[:, 0].tolist()) == sorted(alignment.topk(10).indices.tolist())


def test_answers_are_those_of_the_definition():
    """Worked out object by object and place by place."""
    said = a_map(6, 8, seed=3)
    here = said.boxes[0, 14]
    targets = [
        target([5, 5.3, 30, 22, 1], [20.2, 20, 23, 23, 0], [8, 2, 28.6, 25, 0], [*here.tolist(), 1]),
        target([0, 0, 47, 46.4, 1]),
    ]
    sure = said.classes.sigmoid()
    found = best_aligned(sure, said.boxes, said.points, said.strides, objects_of(targets))
    for image, one in enumerate(targets):
        answers = {}
        for number, (box, label) in enumerate(zip(one.boxes.tolist(), one.classes.tolist(), strict=True)):
            may = []
            for place, (x, y) in enumerate(said.points.tolist()):
                overlap = iou(said.boxes[image, place].tolist(), box)
                reach = [max(high - low, 8) / 2 for low, high in ((box[0], box[2]), (box[1], box[3]))]
                apart = abs(x - (box[0] + box[2]) / 2), abs(y - (box[1] + box[3]) / 2)
                if apart[0] <= reach[0] and apart[1] <= reach[1] and overlap:
                    may.append((float(sure[image, place, label]) ** 0.5 * overlap**6, overlap, place))
            for alignment, overlap, place in sorted(may)[-10:]:
                if place not in answers or overlap > answers[place][1]:
                    answers[place] = alignment, overlap, number
        assert found.positive[image].nonzero()[:, 0].tolist() == sorted(answers)
        for place, (alignment, _, number) in answers.items():
            mine = [one for one in answers.values() if one[2] == number]
            worth = alignment / max(one[0] for one in mine) * max(one[1] for one in mine)
            assert torch.equal(found.boxes[image, place], one.boxes[number])
            assert found.classes[image, place] == one.classes[number]
            assert float(found.worth[image, place]) == pytest.approx(worth, rel=1e-3, abs=1e-6)
        assert not found.worth[image][~found.positive[image]].any()


def test_an_object_that_holds_no_point_has_the_nearest_ones_to_answer():
    """Of 3 pixels where cells are 8 wide, in a corner of its cell; and another where four cells meet."""
    points = torch.tensor([[4.0, 4], [12, 4], [4, 12], [12, 12]])
    boxes, strides = torch.tensor([[[0.0, 0, 16, 16]] * 4]), torch.full((4,), 8.0)
    for where, answer in ((1.0, [True, False, False, False]), (6.5, [True] * 4)):
        one = target([where, where, where + 3, where + 3, 0])
        found = best_aligned(torch.full((1, 4, 1), 0.5), boxes, points, strides, objects_of([one]))
        assert found.positive[0].tolist() == answer and float(found.worth.amax()) == pytest.approx(9 / 256)


def test_errors_of_distances_by_hand_and_least_where_the_mean_is_right():
    said = torch.tensor([0.5, 0.25, 0.125, 0.125]).log()
    assert float(distance_errors(said, torch.tensor(1.25))) == pytest.approx(
        -(0.75 * math.log(0.25) + 0.25 * math.log(0.125))
    )
    assert float(distance_errors(said, torch.tensor(0.0))) == pytest.approx(math.log(2))
    for beyond in (3.0, 70.0):  # taught as nearly the largest one
        assert float(distance_errors(said, torch.tensor(beyond))) == pytest.approx(math.log(8))
    assert float(distance_errors(said, torch.tensor(-2.0))) == pytest.approx(math.log(2))  # no box is left of its point
    right = torch.tensor([1e-9, 0.75, 0.25, 1e-9]).log()
    least = distance_errors(right, torch.tensor(1.25))
    for seed in range(20):
        other = right + 0.3 * torch.randn(4, generator=drawn(seed))
        assert distance_errors(other, torch.tensor(1.25)) >= least - 1e-6


def test_the_loss_term_by_term():
    said = a_map(5, 8, seed=4)
    here = said.boxes[1, 12].tolist()  # one object lies where a cell says
    targets = [target([5, 5.3, 30, 22, 1], [20.2, 20, 23, 23, 0]), target([0, 0, 37, 36.4, 1], [*here, 0])]
    found = best_aligned(said.classes.sigmoid(), said.boxes, said.points, said.strides, objects_of(targets))
    box, classification, distance, total = 0.0, 0.0, 0.0, float(found.worth.sum())
    for image in range(2):
        for place in range(25):
            positive, worth = bool(found.positive[image, place]), float(found.worth[image, place])
            for label in range(2):
                p = float(said.classes[image, place, label].double().sigmoid())
                q = worth if positive and label == found.classes[image, place] else 0.0
                classification -= q * math.log(p) + (1 - q) * math.log(1 - p)
            if not positive:
                continue
            wanted, (x, y) = found.boxes[image, place], said.points[place].tolist()
            box += worth * (1 - float(paired_ciou(said.boxes[image, place], wanted)))
            left, top, right, bottom = wanted.tolist()
            for side, far in enumerate([x - left, y - top, right - x, bottom - y]):
                far = min(max(far / 8, 0), 3.99)
                chances = said.distances[image, place, side].double().softmax(0).tolist()
                low = int(far)
                error = -((low + 1 - far) * math.log(chances[low]) + (far - low) * math.log(chances[low + 1]))
                distance += worth * error / 4
    losses = anchor_free_losses(said, targets)
    assert list(losses) == ["box", "classification", "distance"] and total > 1
    assert float(losses["box"]) == pytest.approx(7.5 * box / total, rel=1e-5)
    assert float(losses["classification"]) == pytest.approx(0.5 * classification / total, rel=1e-5)
    assert float(losses["distance"]) == pytest.approx(1.5 * distance / total, rel=1e-5)


def test_images_without_objects_teach_that_there_are_none():
    net = small_net()
    losses = net.losses(torch.rand(2, 3, 32, 32, generator=drawn(0)), [target(), target()])
    assert float(losses["box"].detach()) == float(losses["distance"].detach()) == 0
    sum(losses.values()).backward()
    bias = net.model.layers[net.model.ends[0].classes].conv.bias.grad
    assert (bias > 0).all() and all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_detections_are_the_cells_boxes_most_confident_first_without_those_that_overlap():
    net = small_net().eval()
    images = torch.rand(2, 3, 64, 64, generator=drawn(2))
    with torch.no_grad():
        said = net.model.said(images)
    for found, boxes, sure in zip(net.detect(images, 0.0, 1000), said.boxes, said.classes.sigmoid(), strict=True):
        left, kept = sorted(range(len(boxes)), key=lambda place: -float(sure[place].max())), []
        for place in left:
            label = int(sure[place].argmax())
            box = boxes[place].tolist()
            if all(label != other or iou(box, boxes[at].tolist()) <= 0.6 for at, other in kept):
                kept.append((place, label))
        assert found.classes.tolist() == [label for _, label in kept]
        assert torch.equal(found.boxes, boxes[[place for place, _ in kept]].clamp(0, 64))
        assert torch.equal(found.confidences, sure.amax(1)[[place for place, _ in kept]])


def test_its_backbone_starts_from_any_darknet_53(tmp_path):
    trained = yolov3(["x"], 0.05, 1.0, drawn(7))
    save_weights(trained, tmp_path / "w.safetensors", {}, layers=range(75))
    net = small_net()
    start_guest(net, tmp_path / "w.safetensors", keep_head=False)
    theirs = [one for layer in trained.layers[:75] for one in layer.state_dict().values()]
    ours = [one for layer in net.model.layers[:75] for one in layer.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert hash_of_layers(net, range(75, 119)) == hash_of_layers(small_net(), range(75, 119))
    with pytest.raises(InputError, match=r"layer 5 .*: its shape is"):
        start_guest(small_net(width=0.1), tmp_path / "w.safetensors", keep_head=False)
    with pytest.raises(InputError, match="holds weights of another make - expected those of yolov3-anchor-free"):
        start_guest(net, tmp_path / "w.safetensors", keep_head=True)


def test_what_it_cannot_be_told_is_refused():
    with pytest.raises(InputError, match=r"anchor_scale = 0\.5: yolov3-anchor-free has no anchors\. Leave it out"):
        small_net(anchor_scale=0.5)
    with pytest.raises(InputError, match="this network needs sides that are multiples of 32"):
        small_net()(torch.rand(1, 3, 40, 40))
    with pytest.raises(InputError, match=r"width = 5\.0 - expected a factor above 0 and up to 4"):
        small_net(width=5.0)
