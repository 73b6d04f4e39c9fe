"""The network: its size, its shapes, its randomness, and what freezing keeps."""

import pytest
import torch

from gapscope.detector.layers import IMAGE, YOLO_LAYERS, layer_ranges, parse_layer_ranges
from gapscope.detector.network import YOLOv3, fingerprint, freeze, yolov3
from gapscope.errors import InputError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def thin(classes: int = 2, seed: int = 0) -> YOLOv3:
    return yolov3(classes, width=0.0625, generator=seeded(seed))


def images(n: int = 2, size: int = 64, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=seeded(seed))


def learn(network: YOLOv3) -> None:
    """One step that moves every weight that can move."""
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    sum(raw.square().mean() for raw in network(images())).backward()
    optimizer.step()


@pytest.mark.parametrize(("classes", "parameters"), [(80, 61_949_149), (5, 61_545_274)])
def test_the_published_number_of_parameters(classes, parameters):
    with torch.device("meta"):
        network = YOLOv3([str(i) for i in range(classes)])
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("size", [32, 96])
def test_raw_maps_have_three_strides(size):
    raw = thin(classes=5).eval()(images(1, size))
    assert [tuple(one.shape) for one in raw] == [(1, 30, size // s, size // s) for s in (32, 16, 8)]


def test_oblong_images_are_fine():
    assert thin().eval()(torch.rand(1, 3, 64, 96))[0].shape[2:] == (2, 3)


def test_layer_by_layer_is_the_whole_pass_and_no_layer_touches_its_inputs():
    network, x = thin().eval(), images()
    with torch.no_grad():
        outputs, copies = {IMAGE: x}, {IMAGE: x.clone()}
        for layer in network.table:
            outputs[layer.index] = network.run_layer(layer.index, *(outputs[i] for i in layer.inputs))
            copies[layer.index] = outputs[layer.index].clone()
            assert outputs[layer.index].shape == (2, layer.filters, 64 // layer.stride, 64 // layer.stride)
        raw = network(x)
    assert all(torch.equal(outputs[i], copies[i]) for i in outputs)
    assert all(torch.equal(one, outputs[i]) for one, i in zip(raw, YOLO_LAYERS, strict=True))


def test_a_layer_is_recorded_after_its_leaky_relu():
    network = thin().eval()
    with torch.no_grad():
        after = network.run_layer(0, images())
        linear = network.layers[0].norm(network.layers[0].conv(images()))
    assert torch.allclose(after, torch.where(linear > 0, linear, 0.1 * linear))
    assert (after < 0).any()


def test_the_seed_alone_decides_the_weights():
    before = torch.random.get_rng_state()
    assert fingerprint(thin(seed=1)) == fingerprint(thin(seed=1)) != fingerprint(thin(seed=2))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_weights_are_drawn_as_pytorch_draws_them():
    network = yolov3(5, width=0.25)
    weight = network.layers[64].conv.weight
    bound = 1 / weight[0].numel() ** 0.5
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=bound / 50)


def test_the_prior_is_what_objectness_says_where_the_evidence_is_zero():
    with_prior, without = yolov3(2, width=0.0625, prior=0.02), yolov3(2, width=0.0625, prior=None)
    for index in YOLO_LAYERS:
        biases = with_prior.layers[index - 1].conv.bias.detach().view(3, 7)
        drawn = without.layers[index - 1].conv.bias.detach().view(3, 7)
        assert biases[:, 4].sigmoid().tolist() == pytest.approx([0.02] * 3)
        others = [0, 1, 2, 3, 5, 6]
        assert torch.equal(biases[:, others], drawn[:, others])
        assert drawn.abs().max() < 1


def test_anchors_scale_and_classes_keep_their_order():
    network = yolov3(["person", "car"], width=0.0625, anchor_scale=0.5)
    assert network.anchors[0].tolist() == [5, 6.5]
    assert network.anchors[8].tolist() == [186.5, 163]
    assert network.class_names == ("person", "car")


def test_frozen_layers_stay_what_they_were_through_training():
    network = thin()
    freeze(network, 0, 74)
    backbone, head = fingerprint(network, 0, 74), fingerprint(network, 75, 106)
    network.eval()
    network.train()
    learn(network)
    assert fingerprint(network, 0, 74) == backbone
    assert fingerprint(network, 75, 106) != head
    assert not any(module.training for layer in list(network.layers)[:75] for module in layer.modules())
    assert network.layers[80].norm.training


def test_freezing_nothing_lets_everything_learn():
    network = thin()
    before = [fingerprint(network, i, i) for i in range(107)]
    learn(network)
    changed = [fingerprint(network, i, i) != before[i] for i in range(107)]
    assert changed == [layer.kind == "conv" for layer in network.table]


def test_a_second_freeze_adds_to_the_first():
    network = thin()
    freeze(network, 0, 10)
    freeze(network, 75, 80)
    assert network.frozen == {*range(11), *range(75, 81)}


def test_the_fingerprint_changes_with_one_weight_or_one_batch_statistic():
    network = thin()
    before = fingerprint(network, 0, 74)
    assert fingerprint(network.to(memory_format=torch.channels_last), 0, 74) == before
    with torch.no_grad():
        network.layers[75].conv.weight[0, 0, 0, 0] += 1e-3
    assert fingerprint(network, 0, 74) == before
    network.layers[3].norm.running_var[0] += 1e-3
    assert fingerprint(network, 0, 74) != before


@pytest.mark.parametrize(
    ("text", "layers", "written"),
    [
        ("0-3", (0, 1, 2, 3), "0-3"),
        (" 5 - 5 ", (5,), "5"),
        ("104-106, 7,0-1, 1-2", (0, 1, 2, 7, 104, 105, 106), "0-2, 7, 104-106"),
    ],
)
def test_ranges_of_layers_are_rising_layers_and_back(text, layers, written):
    assert parse_layer_ranges(text) == layers
    assert layer_ranges(layers) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0-200", "layers 0-200 are out of range - YOLOv3 has layers 0-106"),
        ("74-0", "layers 74-0 are out of range"),
        ("x", "'x' is no list of layers - expected ranges or numbers, such as '62-74, 81'"),
        ("7, ", "'7, ' is no list"),
        ("-1-5", "'-1-5' is no list"),
        ("", "'' is no list"),
    ],
)
def test_a_range_the_network_does_not_have_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_layer_ranges(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": []}, "asked for 0 classes"),
        ({"classes": ["car", "bus", "car"]}, "class 'car' is listed more than once"),
        ({"classes": ["car", ""]}, "a class has an empty name"),
        ({"classes": 2, "anchor_scale": 0.0}, "anchor_scale = 0.0 - expected a factor above 0"),
        ({"classes": 2, "prior": 1.0}, "prior = 1.0 - expected a probability between 0 and 1"),
    ],
)
def test_a_network_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        yolov3(**arguments, width=0.0625)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(1, 3, 100, 96), "images are 96 x 100 pixels - this network needs sides that are multiples of 32"),
        (torch.zeros(1, 3, 0, 0), "images are 0 x 0 pixels"),
        (torch.zeros(3, 64, 64), r"images have the shape \(3, 64, 64\)"),
        (torch.zeros(1, 1, 64, 64), r"expected \(images, 3, height, width\)"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "images are torch.uint8 - expected float values from 0 to 1"),
    ],
)
def test_images_the_network_cannot_read_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        thin()(x)
