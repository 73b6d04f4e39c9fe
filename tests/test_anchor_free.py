"""YOLOv3 without anchors: what its cells say, which of them answer for an object, and what that costs."""

import math

import pytest
import torch

from gapscope.boxes import paired_ciou
from gapscope.detector.anchor_free import anchor_free_layers, read_maps
from gapscope.detector.anchor_free_loss import BOX_GAIN, OFFSETS, Said, anchor_free_losses, offset_errors
from gapscope.detector.guest_layers import hash_of_layers
from gapscope.detector.guests import build_guest, start_guest
from gapscope.detector.layers import yolov3_layers
from gapscope.detector.network import yolov3
from gapscope.detector.protocol import Target, layers_offered
from gapscope.detector.sim_ota import REACH, cheapest, objects_of
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
    offsets = torch.randn(images, cells, 4, len(OFFSETS), generator=g)
    return Said(classes, boxes, offsets, points, torch.full((cells,), float(stride)))


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
    assert net.map.blocks == layers_offered(net.model, NAME, 32)[1].blocks
    assert net.map.joins == (90, 106) and net.map.detections == (82, 86, 98, 102, 114, 118)
    assert net.map.layers[62] == "62: conv 3x3, 48 channels, stride 32, stage 5"


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
                    mean = sum((n - 2) * chance for n, chance in enumerate(chances)) / sum(chances)
                    far.append(stride * mean)
                x, y = stride * (column + 0.5), stride * (row + 0.5)
                wanted = torch.tensor([x - far[0], y - far[1], x + far[2], y + far[3]])
                assert torch.allclose(said.boxes[1, at], wanted, atol=1e-3)
                assert torch.equal(said.classes[1, at], logits[1, :, row, column])
                assert torch.equal(said.offsets[1, at].flatten(), values[1, :, row, column])
                assert said.points[at].tolist() == [x, y] and said.strides[at] == stride
                at += 1
    assert at == said.boxes.shape[1]


def test_answers_by_hand():
    """Three cells of 8 pixels in a row and an object over the first two. Both of them say half of it, all alike: their
    overlaps add up to 1, so one of them answers, the surer second. The third costs less, but is nowhere near."""
    sure = torch.tensor([[[0.5], [0.9], [0.99]]])
    boxes = torch.tensor([[[0.0, 0, 8, 8], [8, 0, 16, 8], [100, 0, 108, 8]]])
    points = torch.tensor([[4.0, 4], [12, 4], [60, 4]])
    objects = objects_of([target([0, 0, 16, 8, 0])])
    found = cheapest(sure, boxes, points, torch.full((3,), 8.0), objects)
    assert found.positive.tolist() == [[False, True, False]]
    assert found.overlap[0].tolist() == [0, 0.5, 0] and found.boxes[0, 1].tolist() == [0, 0, 16, 8]
    boxes[0, 0] = boxes[0, 1] = torch.tensor([0.0, 0, 16, 8])  # now they add up to 2
    assert cheapest(sure, boxes, points, torch.full((3,), 8.0), objects).positive.tolist() == [[True, True, False]]


def test_answers_are_those_of_the_definition():
    """Worked out object by object and place by place."""
    said = a_map(6, 8, seed=3)
    here = said.boxes[0, 14]
    targets = [
        target([5, 5.3, 30, 22, 1], [20.2, 20, 23, 23, 0], [8, 2, 28.6, 25, 0], [*here.tolist(), 1]),
        target([0, 0, 47, 46.4, 1]),
    ]
    sure = said.classes.sigmoid()
    found = cheapest(sure, said.boxes, said.points, said.strides, objects_of(targets))
    for image, one in enumerate(targets):
        answers = {}
        for number, (box, label) in enumerate(zip(one.boxes.tolist(), one.classes.tolist(), strict=True)):
            may, overlaps = [], []
            for place, (x, y) in enumerate(said.points.tolist()):
                middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
                inside = box[0] < x < box[2] and box[1] < y < box[3]
                near = max(abs(x - middle[0]), abs(y - middle[1])) < REACH * 8
                if inside or near:
                    overlap = iou(said.boxes[image, place].tolist(), box)
                    cost = -3 * math.log(overlap + 1e-7) + (0 if inside and near else 1e5)
                    for kind, p in enumerate(sure[image, place].tolist()):
                        cost -= math.log(p if kind == label else 1 - p)
                    may.append((cost, place, overlap))
                    overlaps.append(overlap)
            count = max(1, int(sum(sorted(overlaps)[-10:])))
            for cost, place, overlap in sorted(may)[:count]:
                if place not in answers or cost < answers[place][0]:
                    answers[place] = cost, number, overlap
        assert found.positive[image].nonzero()[:, 0].tolist() == sorted(answers)
        for place, (_, number, overlap) in answers.items():
            assert torch.equal(found.boxes[image, place], one.boxes[number])
            assert found.classes[image, place] == one.classes[number]
            assert float(found.overlap[image, place]) == pytest.approx(overlap, rel=1e-4, abs=1e-6)
        assert not found.overlap[image][~found.positive[image]].any()


def test_an_object_that_no_box_overlaps_still_has_an_answer_near_it():
    said = a_map(6, 8)
    boxes = said.boxes * 0 + torch.tensor([100.0, 100, 108, 108])
    one = target([22, 22, 25, 24, 1])  # holds no cell's center
    found = cheapest(said.classes.sigmoid(), boxes, said.points, said.strides, objects_of([one, target()]))
    assert found.positive[0].sum() == 1 and not found.positive[1].any()
    apart = (said.points[found.positive[0]] - torch.tensor([23.5, 23.0])).abs()
    assert apart.max() < REACH * 8 and float(found.overlap.sum()) == 0


def test_errors_of_offsets_by_hand():
    said = torch.full((16,), 1e-9)
    said[2:6] = torch.tensor([0.5, 0.25, 0.125, 0.125])  # of 0, 1, 2 and 3 strides
    said = said.log()

    def error(far):
        return float(offset_errors(said, torch.tensor(far)))

    assert error(1.25) == pytest.approx(-(0.75 * math.log(0.25) + 0.25 * math.log(0.125)), rel=1e-5)
    assert error(0.0) == pytest.approx(math.log(2)) and error(3.0) == pytest.approx(math.log(8))
    nothing = -math.log(1e-9)
    assert error(-0.5) == pytest.approx((math.log(2) + nothing) / 2, rel=1e-5)
    assert error(-2.0) == error(-70.0) == pytest.approx(nothing, rel=1e-5)  # taught as the least there is
    assert error(13.0) == error(70.0) == pytest.approx(nothing, rel=1e-5)  # and as nearly the most


@pytest.mark.parametrize("far", [-1.7, 0.0, 1.25, 12.9])
def test_the_distribution_that_says_an_offset_is_least_wrong_of_it(far):
    """Two whole numbers of strides share it, and its mean is the offset."""
    right = torch.zeros(16)
    below = math.floor(far)
    right[below + 2], right[below + 3] = 1 - (far - below), far - below
    assert float(right @ torch.tensor(OFFSETS).float()) == pytest.approx(far, abs=1e-5)
    logits = right.clamp(min=1e-12).log()
    least = float(offset_errors(logits, torch.tensor(far)))
    others = [logits + torch.randn(16, generator=drawn(seed)) for seed in range(50)]
    assert all(float(offset_errors(other, torch.tensor(far))) >= least - 1e-5 for other in others)


def test_a_box_beside_its_point_can_be_said():
    """Of 4 pixels, two cells of 8 pixels left of the point and one above it."""
    chances = torch.zeros(4, 16)
    for side, (low, share) in enumerate([(3, 0.75), (2, 1.0), (0, 0.75), (1, 0.5)]):  # 1.25, 0, -1.75, -0.5 strides
        chances[side, low], chances[side, low + 1] = share, 1 - share
    values = chances.clamp(min=1e-12).log().flatten()[None, :, None, None]
    said = read_maps([(torch.zeros(1, 1, 1, 1), values)], [8])
    assert said.boxes[0, 0].tolist() == pytest.approx([4 - 10, 4, 4 - 14, 0], abs=1e-3)


def test_the_loss_term_by_term():
    said = a_map(5, 8, seed=4)
    here = said.boxes[1, 12].tolist()  # one object lies where a cell says
    targets = [target([5, 5.3, 30, 22, 1], [20.2, 20, 23, 23, 0]), target([0, 0, 37, 36.4, 1], [*here, 0])]
    found = cheapest(said.classes.sigmoid(), said.boxes, said.points, said.strides, objects_of(targets))
    box, classification, offset, count = 0.0, 0.0, 0.0, int(found.positive.sum())
    for image in range(2):
        for place in range(25):
            positive = bool(found.positive[image, place])
            for label in range(2):
                p = float(said.classes[image, place, label].double().sigmoid())
                right = positive and label == found.classes[image, place]
                q = float(found.overlap[image, place]) if right else 0.0
                classification -= q * math.log(p) + (1 - q) * math.log(1 - p)
            if not positive:
                continue
            wanted, (x, y) = found.boxes[image, place], said.points[place].tolist()
            box += 1 - float(paired_ciou(said.boxes[image, place], wanted))
            left, top, right, bottom = wanted.tolist()
            for side, far in enumerate([x - left, y - top, right - x, bottom - y]):
                chances = said.offsets[image, place, side].double().softmax(0).tolist()
                low = math.floor(far / 8)
                near = far / 8 - low
                error = (1 - near) * math.log(chances[low + 2]) + near * math.log(chances[low + 3])
                offset -= error / 4
    losses = anchor_free_losses(said, targets)
    assert list(losses) == ["box", "classification", "offset"] and count > 2
    assert float(losses["box"]) == pytest.approx(BOX_GAIN * box / count, rel=1e-5)
    assert float(losses["classification"]) == pytest.approx(classification / count, rel=1e-5)
    assert float(losses["offset"]) == pytest.approx(offset / count, rel=1e-5)


def test_images_without_objects_teach_that_there_are_none():
    net = small_net()
    losses = net.losses(torch.rand(2, 3, 32, 32, generator=drawn(0)), [target(), target()])
    assert float(losses["box"].detach()) == float(losses["offset"].detach()) == 0
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
