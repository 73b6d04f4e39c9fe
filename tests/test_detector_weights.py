"""Weights files: what goes in comes out, and what is not ours is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gapscope.detector.darknet_weights import save_darknet_weights
from gapscope.detector.network import Darknet, YOLOv3, darknet, fingerprint, yolov3
from gapscope.detector.weights import load_backbone, load_weights, read_weights, save_weights
from gapscope.errors import InputError

pytestmark = pytest.mark.slow


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


def test_a_network_of_a_cfg_file_comes_back_with_the_text_it_was_made_from(tmp_path):
    cfg, path = tmp_path / "own.cfg", tmp_path / "own.safetensors"
    cfg.write_text(
        "[net]\n# ours\n[convolutional]\nfilters=14\nactivation=mish\n"
        "[yolo]\nanchors=3,4,5,6\nclasses=2\nscale_x_y=1.1\n"
    )
    network = darknet(cfg, ["a", "b"])
    save_weights(network, path, {"made": "here"})
    loaded = load_weights(path)
    assert (fingerprint(loaded), loaded.table, loaded.class_names) == (fingerprint(network), network.table, ("a", "b"))
    assert (loaded.plan.cfg, loaded.plan.name) == (cfg.read_text(), "own.cfg")
    assert torch.equal(loaded.anchors, network.anchors)


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny", "yolov3-spp", "darknet53"])
def test_built_in_networks_come_back_under_their_names(tmp_path, name):
    network, path = darknet(name, 3, width=0.05), tmp_path / "w.safetensors"
    save_weights(network, path, {})
    loaded = load_weights(path)
    assert (loaded.plan, fingerprint(loaded)) == (network.plan, fingerprint(network))
    assert isinstance(loaded, YOLOv3) is (name == "yolov3")


def test_a_darknet_file_is_recognized_by_its_length_or_read_by_its_cfg(shared_data):
    folder = shared_data / "weights_darknet"
    tiny = load_weights(folder / "yolov3-tiny.weights")
    assert (tiny.plan.name, len(tiny.class_names), tiny.training) == ("yolov3-tiny", 80, False)
    by_cfg = load_weights(folder / "yolov3-tiny.weights", folder / "yolov3-tiny.cfg", [str(i) for i in range(80)])
    assert fingerprint(by_cfg) == fingerprint(tiny)
    assert [layer.anchors for layer in by_cfg.yolo_layers] == [(3, 4, 5), (0, 1, 2)]
    assert [layer.anchors for layer in tiny.yolo_layers] == [(3, 4, 5), (1, 2, 3)]
    with pytest.raises(InputError, match=r"holds 346,062 values .* no whole built-in network .* Give the .cfg"):
        load_weights(folder / "yolo-fastest-1.1.weights")
    with pytest.raises(InputError, match=r"2 class names are given, but yolov3-tiny tells 80 classes apart"):
        load_weights(folder / "yolov3-tiny.weights", class_names=["a", "b"])
    with pytest.raises(
        InputError, match=r"values after its header, which end inside layer .* It is as long as a yolov3-t"
    ):
        load_weights(folder / "yolov3-tiny.weights", "yolov3")


def test_a_backbone_comes_from_a_file_of_any_format(saved, tmp_path):
    source, ours = saved
    theirs = tmp_path / "darknet53.conv.74"
    save_darknet_weights(source, theirs, last=74)
    for path in (ours, theirs):
        network = trained(["a", "b", "c"], seed=5)
        head = fingerprint(network, 75)
        load_backbone(network, path)
        assert fingerprint(network, 75) == head
        for ours_, theirs_ in zip(list(network.layers)[:75], list(source.layers)[:75], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(ours_.parameters(), theirs_.parameters(), strict=True))


def test_a_file_that_says_its_network_needs_no_cfg(saved):
    with pytest.raises(InputError, match=r"says itself which network it holds - leave out yolov3-tiny"):
        load_weights(saved[1], "yolov3-tiny")


def test_a_layers_own_slope_is_kept(tmp_path):
    network, path = darknet("darknet53", width=0.05).eval(), tmp_path / "w.safetensors"
    x = torch.rand(1, 3, 64, 64) - 0.5
    before = network(x)[0]
    network.set_leaks({0: 0.01, 73: 0.01})
    after = network(x)[0]
    assert not torch.equal(before, after)
    save_weights(network, path, {})
    loaded = load_weights(path)
    assert torch.equal(loaded(x)[0], after)
    assert [layer.index for layer in loaded.table if layer.leak != 0.1] == [0, 73]
    assert isinstance(loaded, Darknet)
