"""From raw maps to boxes: by hand, and which of two overlapping boxes stays."""

import math

import pytest
import torch

from gapscope.detector.cfg_plan import parse_cfg
from gapscope.detector.decode import (
    Detections,
    box_from_logits,
    decode,
    detect,
    select_candidates,
    suppress_overlaps,
)
from gapscope.detector.network import Darknet, darknet, yolov3
from gapscope.errors import InputError

NOTHING = -20.0


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def raw_maps(classes: int = 2, size: int = 64) -> list[torch.Tensor]:
    """Maps that see nothing anywhere."""
    return [torch.full((1, 3 * (5 + classes), size // s, size // s), NOTHING) for s in (32, 16, 8)]


def anchors() -> torch.Tensor:
    return yolov3(2, width=0.0625).anchors


def test_one_cell_by_hand():
    raw = raw_maps()
    # Map of stride 16 (layer 94), its second anchor (62 x 45), row 2, column 1.
    raw[1][0, 7:14, 2, 1] = torch.tensor(
        [logit(0.25), logit(0.5), math.log(2), 0.0, logit(0.9), logit(0.2), logit(0.7)]
    )
    boxes, objectness, classes = decode(raw, anchors())
    assert boxes.shape == (1, 3 * (4 + 16 + 64), 4)
    index = 3 * 4 + 16 + 2 * 4 + 1
    x, y, w, h = (1 + 0.25) * 16, (2 + 0.5) * 16, 2 * 62, 45
    assert boxes[0, index].tolist() == pytest.approx([x - w / 2, y - h / 2, x + w / 2, y + h / 2], abs=1e-4)
    assert objectness[0].argmax() == index
    assert objectness[0, index].item() == pytest.approx(0.9)
    assert classes[0, index].tolist() == pytest.approx([0.2, 0.7])


@pytest.mark.parametrize(("number", "stride", "first_anchor"), [(0, 32, 6), (1, 16, 3), (2, 8, 0)])
def test_each_map_has_its_stride_and_anchors(number, stride, first_anchor):
    raw = raw_maps(size=96)
    raw[number][:] = 0.0
    boxes, objectness, _ = decode(raw, anchors())
    mine = boxes[objectness == 0.5].view(3, 96 // stride, 96 // stride, 4)
    for a in range(3):
        centers = (mine[a, ..., :2] + mine[a, ..., 2:]) / 2
        assert torch.allclose(centers[1, 2], torch.tensor([2.5, 1.5]) * stride)
        extent = mine[a, 0, 0, 2:] - mine[a, 0, 0, :2]
        assert torch.allclose(extent, anchors()[first_anchor + a])


def test_a_scale_lets_centers_reach_beyond_their_cell():
    logits = torch.tensor([[logit(0.25), 30.0, 0.0, 0.0], [-30.0, logit(0.5), 0.0, 0.0]])
    boxes = box_from_logits(logits, torch.tensor([4.0, 7.0]), torch.tensor([2.0, 1.0]), scale_xy=1.2)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    expected = [[4 + 1.2 * 0.25 - 0.1, 7 + 1.2 - 0.1], [4 - 0.1, 7.5]]
    assert torch.allclose(centers, torch.tensor(expected))


def test_maps_are_decoded_by_the_layers_they_come_from_whatever_their_order():
    text = "[net]\n" + "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n" * 3
    for source, mask in ((-1, "1"), (0, "2,0")):
        count = 1 + mask.count(",")
        text += f"[route]\nlayers={source}\n[convolutional]\nfilters={6 * count}\nactivation=linear\n"
        text += f"[yolo]\nmask={mask}\nanchors=3,4, 10,20, 30,7\nclasses=1\nscale_x_y={count}\n"
    network = Darknet(parse_cfg(text, "two.cfg", "two.cfg"), ["thing"])
    raw = [torch.zeros(1, 6, 2, 2), torch.zeros(1, 12, 8, 8)]
    boxes, _, classes = decode(raw, network.anchors, network.yolo_layers)
    sides = (boxes[..., 2:] - boxes[..., :2])[0]
    assert classes.shape == (1, 4 + 2 * 64, 1)
    assert torch.allclose(sides[:4], torch.tensor([10.0, 20.0]))
    assert torch.allclose(sides[4:68], torch.tensor([30.0, 7.0]), atol=1e-5)
    assert torch.allclose(sides[68:], torch.tensor([3.0, 4.0]), atol=1e-5)
    centers = ((boxes[..., 2:] + boxes[..., :2]) / 2)[0]
    assert centers[1].tolist() == [12, 4]
    assert centers[4 + 9].tolist() == pytest.approx([3, 3])


def test_a_network_without_detection_layers_finds_nothing_and_says_so():
    with pytest.raises(InputError, match="darknet53 has no detection layers"):
        detect(darknet("darknet53", width=0.05), torch.zeros(1, 3, 64, 64))


def test_absurd_logits_still_give_finite_boxes_and_gradients():
    raw = [torch.full_like(one, 1e4).requires_grad_() for one in raw_maps()]
    boxes = decode(raw, anchors()).boxes
    boxes.sum().backward()
    assert boxes.isfinite().all()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in raw)


def candidates(rows: list[tuple[list[float], float, int]]) -> Detections:
    boxes, confidences, classes = zip(*rows, strict=True)
    return Detections(torch.tensor(boxes), torch.tensor(confidences), torch.tensor(classes))


def test_of_two_boxes_on_one_object_the_more_confident_stays_unless_their_classes_differ():
    found = suppress_overlaps(
        candidates(
            [
                ([0.0, 0.0, 10.0, 10.0], 0.9, 0),
                ([0.0, 0.0, 10.0, 9.0], 0.8, 0),
                ([0.0, 0.0, 10.0, 10.0], 0.7, 1),
                ([0.0, 0.0, 10.0, 5.0], 0.6, 0),
            ]
        ),
        iou=0.6,
        most=100,
    )
    assert found.confidences.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert found.classes.tolist() == [0, 1, 0]


def test_no_more_boxes_than_asked_for():
    rows = [([20.0 * i, 0.0, 20.0 * i + 10, 10.0], 0.9 - 0.1 * i, 0) for i in range(5)]
    assert suppress_overlaps(candidates(rows), iou=0.6, most=2).confidences.tolist() == pytest.approx([0.9, 0.8])


def test_a_box_speaks_for_its_best_class_or_for_each_above_the_threshold():
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [8.0, 8.0, 12.0, 12.0]])
    confidences = torch.tensor([[0.5, 0.4, 0.0], [0.0, 0.2, 0.6]])
    best = select_candidates(boxes, confidences, 0.3, 10, multi_label=False)
    assert best.classes.tolist() == [2, 0]
    every = select_candidates(boxes, confidences, 0.3, 10, multi_label=True)
    assert every.classes.tolist() == [2, 0, 1]
    assert every.boxes[:, 0].tolist() == [8, 0, 0]
    assert len(select_candidates(boxes, confidences, 0.0, 1, multi_label=True).boxes) == 1


def test_boxes_end_at_the_border():
    found = candidates([([-5.0, 3.0, 70.0, 40.0], 0.9, 0)]).inside(64, 32)
    assert found.boxes.tolist() == [[0, 3, 64, 32]]


@pytest.mark.parametrize("training", [True, False])
def test_detecting_leaves_the_network_as_it_was(training):
    network = yolov3(2, width=0.0625).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = detect(network, torch.full((2, 3, 64, 64), 200, dtype=torch.uint8), max_detections=7)
    assert [len(one.boxes) for one in found] == [7, 7]
    assert network.training is training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_bytes_and_unit_floats_are_the_same_image():
    network = yolov3(2, width=0.0625)
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    as_bytes, as_floats = detect(network, image)[0], detect(network, image.float() / 255)[0]
    assert torch.equal(as_bytes.boxes, as_floats.boxes)
    assert as_bytes.confidences.tolist() == sorted(as_bytes.confidences.tolist(), reverse=True)


def test_a_network_that_is_sure_of_nothing_finds_nothing():
    found = detect(yolov3(2, width=0.0625, prior=1e-6), torch.zeros(1, 3, 64, 64), confidence=0.5)[0]
    assert found.boxes.shape == (0, 4)
    assert found.confidences.shape == found.classes.shape == (0,)


@pytest.mark.parametrize("setting", ["confidence", "iou"])
def test_a_threshold_out_of_range_is_refused(setting):
    with pytest.raises(InputError, match=f"{setting} = 60 - expected a value from 0 to 1"):
        detect(yolov3(2, width=0.0625), torch.zeros(1, 3, 64, 64), **{setting: 60})
