"""Weights change their format and nothing else."""

from pathlib import Path

import pytest
import torch

from gapscope.detector.convert_weights import convert_weights
from gapscope.detector.darknet_weights import DarknetHeader, load_darknet_weights, save_darknet_weights
from gapscope.detector.network import Darknet, darknet, fingerprint, yolov3
from gapscope.detector.weights import load_backbone, load_weights, read_weights, save_weights
from gapscope.detector.weights_info import weights_facts
from gapscope.errors import InputError

CFG = """[net]
width=64
height=64
# a comment that must survive
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=8
activation=linear
[yolo]
anchors=10,20
classes=3
"""


@pytest.fixture
def own(tmp_path) -> tuple[Darknet, Path, Path]:
    """A small network of its own .cfg, and its Darknet file."""
    cfg, weights = tmp_path / "own.cfg", tmp_path / "own.weights"
    cfg.write_text(CFG)
    network = darknet(cfg)
    save_darknet_weights(network, weights, DarknetHeader(0, 2, 5, seen=12_800))
    return network, cfg, weights


@pytest.mark.parametrize("header", [DarknetHeader(0, 2, 5, 2**33), DarknetHeader(0, 1, 0, 7)])
def test_there_and_back_gives_the_same_bytes_and_the_cfg_with_them(own, tmp_path, header):
    network, cfg, weights = own
    save_darknet_weights(network, weights, header)
    ours, back = tmp_path / "ours.safetensors", tmp_path / "new" / "back.weights"
    assert convert_weights(weights, ours, cfg, ["a", "b", "c"]) == [ours]
    assert convert_weights(ours, back) == [back, back.with_suffix(".cfg")]
    assert back.read_bytes() == weights.read_bytes()
    assert back.with_suffix(".cfg").read_text() == CFG
    assert load_weights(ours).class_names == ("a", "b", "c")
    assert fingerprint(load_weights(ours)) == fingerprint(network)


def test_tiny_goes_there_and_back(shared_data, tmp_path):
    weights = shared_data / "weights_darknet" / "yolov3-tiny.weights"
    ours, back = tmp_path / "tiny.safetensors", tmp_path / "tiny.weights"
    convert_weights(weights, ours)
    convert_weights(ours, back)
    assert back.read_bytes() == weights.read_bytes()
    facts = dict(weights_facts(ours))
    assert facts["network"] == "yolov3-tiny, 24 layers"
    assert facts["layers"] == "0-23, 8,852,366 parameters"
    assert (facts["origin: images_seen"], facts["origin: darknet_version"]) == ("32013312", "0.2.0")


def test_a_network_trained_here_is_one_that_darknet_can_read(tmp_path):
    network = yolov3(["a", "b"], width=0.05, anchor_scale=0.5)
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.weights"
    save_weights(network, ours, {})
    convert_weights(ours, theirs)
    again = load_weights(theirs, theirs.with_suffix(".cfg"))
    assert fingerprint(again) == fingerprint(network)
    assert torch.equal(again.anchors, network.anchors)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(again(x), network.eval()(x), strict=True))


def test_the_first_layers_stay_the_first_layers(shared_data, tmp_path):
    whole = load_weights(shared_data / "weights_darknet" / "yolov3-tiny.weights")
    part, ours, back = tmp_path / "tiny.conv.15", tmp_path / "part.safetensors", tmp_path / "back.conv.15"
    save_darknet_weights(whole, part, last=14)
    convert_weights(part, ours)
    assert read_weights(ours).layers == tuple(range(15))
    with pytest.raises(InputError, match=r"holds 15 of 24 layers \(0-14\) - expected a whole network"):
        load_weights(ours)
    network = darknet("yolov3-tiny", 2)
    load_backbone(network, ours, last=14)
    assert fingerprint(network, 0, 14) == fingerprint(whole, 0, 14)
    convert_weights(ours, back)
    header = load_darknet_weights(darknet("yolov3-tiny"), back, last=14)
    assert (header, back.read_bytes()) == (DarknetHeader(), part.read_bytes())


def test_what_cannot_be_converted_is_refused_and_writes_nothing(own, tmp_path):
    _, cfg, weights = own
    before = sorted(tmp_path.iterdir())
    ours = tmp_path / "ours.safetensors"
    with pytest.raises(InputError, match=r"which are no built-in network nor the first layers of one .* Give the .cfg"):
        convert_weights(weights, ours)
    with pytest.raises(InputError, match=r"own.weights is the file to convert - name another"):
        convert_weights(weights, weights, cfg)
    with pytest.raises(InputError, match=r"own.weights is a Darknet file already"):
        convert_weights(weights, tmp_path / "other.weights", cfg)
    with pytest.raises(InputError, match=r"1 class names are given, but own.cfg tells 3"):
        convert_weights(weights, ours, cfg, ["a"])
    assert sorted(tmp_path.iterdir()) == before


def test_another_cfg_beside_the_target_is_not_written_over(own, tmp_path):
    _, cfg, weights = own
    ours, target = tmp_path / "ours.safetensors", tmp_path / "net.weights"
    convert_weights(weights, ours, cfg)
    target.with_suffix(".cfg").write_text("[net]\nmine\n")
    with pytest.raises(InputError, match=r"net.cfg is there and says something else"):
        convert_weights(ours, target)
    assert target.with_suffix(".cfg").read_text() == "[net]\nmine\n"
    assert not target.exists()


def test_a_slope_that_darknet_does_not_know_stays_out_of_its_files(tmp_path):
    network, ours = darknet("darknet53", width=0.05), tmp_path / "ours.safetensors"
    network.set_leaks({0: 0.01})
    save_weights(network, ours, {})
    with pytest.raises(InputError, match=r"layer 0 has a leaky ReLU of slope 0.01, .* Keep these weights as .safetens"):
        convert_weights(ours, tmp_path / "theirs.weights")
    assert dict(weights_facts(ours))["leaky slope"] == "0.01 in layers 0, instead of 0.1"


def test_a_file_as_long_as_the_published_backbone_is_told_by_its_length(tmp_path):
    path = tmp_path / "darknet53.conv.74"
    with path.open("wb") as stream:
        stream.write(b"\0\0\0\0\2\0\0\0\0\0\0\0" + (32_013_312).to_bytes(8, "little"))
        stream.truncate(162_482_580)
    facts = weights_facts(path)
    assert [value for name, value in facts if name == "network"] == [
        "yolov3: layers 0-74 of 107",
        "yolov3-spp: layers 0-74 of 114",
        "darknet53: all 75 layers",
    ]
    assert dict(facts)["images seen"] == "32,013,312"


def test_facts_of_a_file_and_the_cfg_it_is_said_to_belong_to(own, tmp_path):
    _, cfg, weights = own
    facts = dict(weights_facts(weights, cfg))
    assert facts["network"] == "own.cfg with 3 classes: all 3 layers"
    assert facts["values"] == "320 after a header of 20 bytes"
    assert dict(weights_facts(weights))["network"] == "no built-in one; name its .cfg with --cfg"
    cut = tmp_path / "cut.weights"
    cut.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"end inside layer 1 \(8 filters\): 2 of its 72 lack"):
        weights_facts(cut, cfg)
