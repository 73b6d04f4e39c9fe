"""The built-in networks: their layers and sizes, counted by hand and against the published files."""

from collections import Counter

import pytest
import torch

from gapscope.detector.darknet_weights import stored_tensors
from gapscope.detector.fits import built_in_fits, stored_values
from gapscope.detector.layers import YOLO_LAYERS, yolov3_layers
from gapscope.detector.network import Darknet, darknet
from gapscope.detector.plans import BUILT_IN, built_in_plan
from gapscope.errors import InputError


def num_parameters(name: str, classes: int = 80) -> int:
    plan = built_in_plan(name, classes)
    with torch.device("meta"):
        return sum(p.numel() for p in Darknet(plan, range(plan.classes)).parameters())


@pytest.mark.parametrize(
    ("name", "layers", "parameters", "stored"),
    [
        ("yolov3", 107, 61_949_149, 62_001_757),
        # One 1x1 convolution of 2048 -> 512 more than YOLOv3 has.
        ("yolov3-spp", 114, 62_998_749, 63_052_381),
        ("yolov3-tiny", 24, 8_852_366, 8_858_734),
        ("darknet53", 75, 40_584_928, 40_620_640),
    ],
)
def test_the_published_sizes(name, layers, parameters, stored):
    plan = built_in_plan(name, 80)
    assert len(plan.layers) == layers
    assert num_parameters(name) == parameters
    assert sum(stored_values(layer) for layer in plan.layers) == stored
    # A Darknet file also holds a mean and a variance for each normalized channel.
    assert stored - parameters == 2 * sum(layer.filters for layer in plan.layers if layer.normalized)


def test_pyramid_pooling_adds_one_convolution_counted_by_hand():
    kernels, normalization = 2048 * 512, 2 * 512
    assert num_parameters("yolov3-spp") - num_parameters("yolov3") == kernels + normalization


def test_tiny_counted_by_hand():
    def conv(read, write, size, normalized=True):
        return read * write * size**2 + (2 if normalized else 1) * write

    trunk = [conv(a, b, 3) for a, b in [(3, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]]
    coarse = [conv(1024, 256, 1), conv(256, 512, 3), conv(512, 255, 1, normalized=False)]
    fine = [conv(256, 128, 1), conv(128 + 256, 256, 3), conv(256, 255, 1, normalized=False)]
    assert num_parameters("yolov3-tiny") == sum(trunk + coarse + fine)


def test_yolov3_is_75_convolutions_and_32_others():
    assert Counter(layer.kind for layer in built_in_plan("yolov3").layers) == {
        "conv": 75,
        "shortcut": 23,
        "route": 4,
        "upsample": 2,
        "yolo": 3,
    }


def test_pyramid_pooling_looks_5_9_and_13_cells_wide():
    table = built_in_plan("yolov3-spp").layers
    pools = [layer for layer in table if layer.kind == "maxpool"]
    assert [(layer.index, layer.size, layer.inputs) for layer in pools] == [
        (78, 5, (77,)),
        (80, 9, (79,)),
        (82, 13, (81,)),
    ]
    assert [(layer.inputs, layer.filters) for layer in table if layer.kind == "route"][:3] == [
        ((77,), 512),
        ((77,), 512),
        ((82, 80, 78, 77), 2048),
    ]
    assert [(layer.index, layer.stride) for layer in table if layer.kind == "yolo"] == [(89, 32), (101, 16), (113, 8)]


def test_a_shared_trunk_is_the_same_in_all_three():
    trunk = built_in_plan("darknet53").layers
    assert built_in_plan("yolov3").layers[:75] == trunk == built_in_plan("yolov3-spp").layers[:75]
    assert [layer.index for layer in yolov3_layers(80) if layer.kind == "yolo"] == list(YOLO_LAYERS)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_thin_network_runs_and_has_the_shapes_of_its_table(name):
    network = darknet(name, None if name == "darknet53" else ["person", "car"], width=0.05).eval()
    held = {-1: torch.rand(1, 3, 64, 64)}
    with torch.no_grad():
        for layer in network.table:
            held[layer.index] = network.run_layer(layer.index, *(held[i] for i in layer.inputs))
            assert held[layer.index].shape == (1, layer.filters, 64 // layer.stride, 64 // layer.stride)
            assert held[layer.index].numel() == layer.num_features(64)
        raw = network(held[-1])
    assert all(torch.equal(one, held[layer.index]) for one, layer in zip(raw, network.yolo_layers, strict=False))
    assert len(raw) == (len(network.yolo_layers) or 1)


def test_counting_from_the_table_is_counting_the_tensors():
    network = darknet("yolov3-spp", 3, width=0.05)
    assert sum(stored_values(layer) for layer in network.table) == sum(
        tensor.numel() for tensor in stored_tensors(network, len(network.table) - 1)
    )


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        (62_001_757, [("yolov3", 80, 106)]),
        (61_597_882, [("yolov3", 5, 106)]),
        (63_052_381, [("yolov3-spp", 80, 113)]),
        (8_858_734, [("yolov3-tiny", 80, 23)]),
        # darknet53.conv.74, which trainings start from
        (40_620_640, [("yolov3", 80, 74), ("yolov3-spp", 80, 74), ("darknet53", 0, 74)]),
        (62_001_758, []),
        (0, []),
    ],
)
def test_a_number_of_values_tells_the_network(values, fits):
    assert [(plan.name, plan.classes, last) for plan, last in built_in_fits(values)] == fits


def test_the_start_of_tiny_is_known_by_its_length():
    start = sum(stored_values(layer) for layer in built_in_plan("yolov3-tiny").layers[:15])
    assert [(plan.name, last) for plan, last in built_in_fits(start)] == [("yolov3-tiny", 14)]


def test_names_must_be_as_many_as_the_network_tells_apart(shared_data):
    cfg = shared_data / "weights_darknet" / "yolo-fastest-1.1.cfg"
    with pytest.raises(InputError, match=r"2 class names are given, but yolo-fastest-1.1.cfg tells 80 classes apart"):
        darknet(cfg, ["person", "car"])
    assert len(darknet(cfg).class_names) == 80
