"""Weights files: what goes in comes out, and what is not ours is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gapscope.detector.network import YOLOv3, fingerprint, yolov3
from gapscope.detector.weights import load_backbone, load_weights, read_weights, save_weights
from gapscope.errors import InputError


def trained(classes: list[str], seed: int = 0, width: float = 0.0625) -> YOLOv3:
    """A network whose batch statistics differ from a new one's."""
    generator = torch.Generator().manual_seed(seed)
    network = yolov3(classes, width=width, anchor_scale=0.5, generator=generator)
    with torch.no_grad():
        network(torch.rand(2, 3, 32, 32, generator=generator))
    return network


@pytest.fixture
def saved(tmp_path) -> tuple[YOLOv3, Path]:
    network = trained(["person", "car"])
    path = tmp_path / "weights.safetensors"
    save_weights(network, path, {"arm": "u-real", "seed": "0"})
    return network, path


def test_a_network_comes_back_as_it_was(saved):
    network, path = saved
    loaded = load_weights(path)
    assert fingerprint(loaded) == fingerprint(network)
    assert (loaded.class_names, loaded.width) == (("person", "car"), 0.0625)
    assert torch.equal(loaded.anchors, network.anchors)
    assert not loaded.training
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(loaded(x), network.eval()(x), strict=True))


def test_a_file_says_where_its_weights_come_from(saved):
    assert read_weights(saved[1]).provenance == {"arm": "u-real", "seed": "0"}


def test_the_same_weights_are_the_same_bytes_in_any_memory_format(saved, tmp_path):
    network, path = saved
    other = tmp_path / "other.safetensors"
    save_weights(network.to(memory_format=torch.channels_last), other, {"seed": "0", "arm": "u-real"})
    assert other.read_bytes() == path.read_bytes()


def test_a_backbone_starts_a_network_of_other_classes(saved):
    network, path = saved
    other = trained(["a", "b", "c"], seed=1)
    head = fingerprint(other, 75, 106)
    load_backbone(other, path)
    assert fingerprint(other, 0, 74) == fingerprint(network, 0, 74)
    assert fingerprint(other, 75, 106) == head


def test_half_precision_keeps_a_backbone_to_three_digits_in_half_the_bytes(saved, tmp_path):
    network, _ = saved
    half, whole = tmp_path / "half.safetensors", tmp_path / "whole.safetensors"
    save_weights(network, half, {}, dtype=torch.float16, layers=range(75))
    save_weights(network, whole, {}, layers=range(75))
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    other = trained(["a"], seed=1)
    load_backbone(other, half)
    assert {p.dtype for p in other.parameters()} == {torch.float32}
    for new, old in zip(list(other.layers)[:75], list(network.layers)[:75], strict=True):
        for a, b in zip(new.parameters(), old.parameters(), strict=True):
            assert torch.allclose(a, b, rtol=1e-3, atol=1e-6)


def test_a_backbone_alone_is_no_network(saved, tmp_path):
    path = tmp_path / "backbone.safetensors"
    save_weights(saved[0], path, {}, layers=range(75))
    with pytest.raises(InputError, match=r"holds 75 of 107 layers \(0-74\) - expected a whole network"):
        load_weights(path)
    with pytest.raises(InputError, match=r"holds no weights of layer 75 \(conv.weight\)"):
        load_backbone(trained(["a"]), path, last=80)


def test_another_width_is_refused_with_layer_and_shapes_and_changes_nothing(saved):
    wide = trained(["a"], width=0.125)
    before = fingerprint(wide)
    message = r"layer 5 \(conv.weight\): its shape is \(8, 8, 3, 3\), the network's \(16, 8, 3, 3\)"
    with pytest.raises(InputError, match=message):
        load_backbone(wide, saved[1])
    assert fingerprint(wide) == before


def test_other_classes_do_not_fit_the_detection_layers(saved):
    with pytest.raises(InputError, match=r"layer 81 \(conv.weight\): its shape is \(21, .*the network's \(18, "):
        load_backbone(trained(["a"]), saved[1], last=106)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.safetensors: there is no such weights file"):
        load_weights(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("content", [b"", b"weights", b"\x00" * 100])
def test_a_file_that_is_no_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken.safetensors is no whole safetensors file"):
        load_weights(path)


def test_a_file_cut_short_is_refused(saved):
    _, path = saved
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"is no whole safetensors file .* Copy it again"):
        load_weights(path)


def test_somebody_elses_safetensors_is_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="says its format is 'unknown' - expected 'gapscope yolov3 1'"):
        load_weights(path)
