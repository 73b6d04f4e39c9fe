"""What counts as a layer of any model, what it is called, and how layers are chosen."""

from collections import namedtuple

import numpy as np
import pytest
import torch
import torchvision
from full_features import (
    full_features,
    probe,
)
from torch import nn
from torch.nn import functional as F

from gapscope.detector.network import yolov3
from gapscope.errors import InputError
from gapscope.recording.outputs import named_tensors
from gapscope.recording.record import record

pytestmark = pytest.mark.slow

IMAGES = probe(n=12)


Both = namedtuple("Both", ["scores", "boxes"])


def test_every_tensor_in_an_output_has_a_name():
    one, two = torch.zeros(1), torch.ones(1)
    ring = [one]
    ring.append(ring)
    cases = [
        (one, [""]),
        ([one, (two, one)], [".0", ".1.0", ".1.1"]),
        ({"a": one, 3: {"b": [two]}, "none": None, "n": 7}, ["[a]", "[3][b].0"]),
        (Both(one, [two]), [".scores", ".boxes.0"]),
        (torchvision.models.detection.image_list.ImageList(one, [(1, 1)]), [".tensors"]),
        (ring, [".0"]),
        ("text", []),
        (None, []),
    ]
    for value, expected in cases:
        assert [name for name, _ in named_tensors(value)] == expected


def test_a_model_of_tokens_is_pooled_over_tokens_and_one_of_maps_over_places():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.linear, self.gelu = nn.Conv2d(3, 6, 4, stride=4), nn.Linear(6, 10), nn.GELU()
            self.last, self.act = nn.Linear(10, 7), nn.ReLU()

        def forward(self, x):
            maps = self.conv(x)
            tokens = self.gelu(self.linear(maps.flatten(2).transpose(1, 2)))
            return self.act(self.last(tokens.unflatten(1, (8, 8))))  # channels last, as Swin has them

    model = Mixed()
    recording, full = record(model, IMAGES, size=32), full_features(model, IMAGES)
    places = {"conv": (2, 3), "linear": 1, "gelu": 1, "last": (1, 2), "act": (1, 2)}
    assert recording.layers.tolist() == list(places)
    assert recording.channels.tolist() == [6, 10, 10, 7, 7]
    for name, axes in places.items():
        np.testing.assert_allclose(recording.pooled_of(name), torch.cat(full[name]).mean(axes), rtol=1e-4, atol=1e-5)


def test_a_module_that_has_two_names_goes_by_the_first():
    shared = nn.Conv2d(3, 3, 1)
    recording = record(nn.Sequential(shared, nn.ReLU(), shared), IMAGES, size=32)
    assert recording.layers.tolist() == ["0#0", "1", "0#1"]


def test_no_two_layers_have_the_same_name():
    class Blocks(nn.ModuleList):
        def forward(self, x):
            return [block(x).square() for block in self]

    class Counting(nn.Module):
        def forward(self, x):
            return len(x)

    model = nn.Module()
    model.output, model.count = Blocks([nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)]), Counting()
    model.forward = lambda x: sum(model.output(x)) / model.count(x[0])
    for method in ("graph", "hooks"):
        recording = record(model, IMAGES, size=32, method=method)
        assert recording.layers.tolist() == ["output.0", "output.1", "output().0", "output().1", "output_"]
        assert (recording.min >= 0).tolist() == [False, False, True, True, True]
        assert recording.skipped == {}  # a module that puts out a number was called, though nothing can be recorded


def test_a_block_that_changes_what_its_last_part_made_is_a_layer_of_its_own():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return F.relu(self.conv(x), inplace=True)

    model = nn.Sequential(Block(), nn.Sequential(nn.Conv2d(3, 3, 1)))
    for method in ("graph", "hooks"):
        recording = record(model, IMAGES, size=32, method=method)
        assert recording.layers.tolist() == ["0.conv", "0", "1.0"]
        assert recording.min[0] < 0 and recording.min[1] == 0


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("fc", ["fc"]),
        (["fc", "conv1"], ["conv1", "fc"]),
        ("layer?", ["layer1", "layer2", "layer3", "layer4"]),
        ("layer1.0.relu", ["layer1.0.relu#0", "layer1.0.relu#1"]),
        ("layer1.0.relu#1", ["layer1.0.relu#1"]),
        ("*downsample*", [f"layer{i}.0.downsample.{j}" for i in (2, 3, 4) for j in (0, 1)]),
        ("output", ["output"]),
    ],
)
def test_layers_are_chosen_by_name_and_pattern(resnet, layers, found):
    recording = record(resnet, IMAGES, size=32, layers=layers)
    assert recording.layers.tolist() == found


def test_a_block_that_is_asked_for_holds_what_its_last_part_put_out(resnet, resnet_recording):
    block = record(resnet, IMAGES, size=32, batch_size=5, layers="layer2")
    at = resnet_recording.layers.tolist().index("layer2.1.relu#1")
    np.testing.assert_array_equal(block.gram[0], resnet_recording.gram[at])


def test_hooks_stop_the_model_behind_the_last_layer_that_is_wanted(resnet):
    calls = []
    handle = resnet.layer4.register_forward_hook(lambda *_: calls.append(1))
    record(resnet, IMAGES, size=32, layers="layer2.*", method="hooks")
    handle.remove()
    assert len(calls) == 3  # while it was explored


def test_layers_of_our_own_network_are_chosen_by_index():
    network = yolov3(2, width=0.0625)
    images = probe(n=4)
    whole = record(network, images, size=32)
    for layers, expected in [("0-2", [0, 1, 2]), (82, [82]), ([range(1, 3), "82"], [1, 2, 82])]:
        part = record(network, images, size=32, layers=layers)
        assert part.layers.tolist() == expected
        np.testing.assert_array_equal(part.gram, whole.gram[expected])
        np.testing.assert_array_equal(part.pooled_of(expected[-1]), whole.pooled_of(expected[-1]))


@pytest.mark.parametrize(
    ("layers", "wording"),
    [
        ("layer1.0.conv3", r"no layer of the model matches 'layer1.0.conv3'\. Did you mean .*'layer1.0.conv1'"),
        ("zzz*", r"matches 'zzz\*'. There are conv1, bn1, relu, .*, fc"),
        (82, "layers = 82: the layers of this model have names, such as 'conv1'"),
        ([], "layers is an empty list"),
    ],
)
def test_layers_that_are_not_there_are_refused(resnet, layers, wording):
    with pytest.raises(InputError, match=wording):
        record(resnet, IMAGES, size=32, layers=layers)


@pytest.mark.parametrize(
    ("layers", "wording"),
    [
        ("layer1.*", "the layers of gapscope's networks are numbered from 0 to 106"),
        ("100-200", "layers 100-200 are out of range"),
        ("5-3", r"range\(5, 4\) is empty"),
    ],
)
def test_indices_that_are_not_there_are_refused(layers, wording):
    with pytest.raises(InputError, match=wording):
        record(yolov3(2, width=0.0625), probe(n=4), size=32, layers=layers)


def test_a_pattern_that_only_what_was_left_out_matches_is_refused_with_the_reason():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Softmax(1))
    model.unused = nn.Linear(2, 2)
    model.forward = lambda x: model[1](model[0](x))
    with pytest.raises(InputError, match=r"layers 'unu\*' cannot be recorded: unused is never called"):
        record(model, IMAGES, size=32, layers="unu*")
