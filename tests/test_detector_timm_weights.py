"""timm's Darknet-53 becomes layers 0-74: every name, the colours' normalization, the slope; nothing is unpickled."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from gapscope.detector.network import darknet, fingerprint, yolov3
from gapscope.detector.timm_weights import IMAGENET_MEAN, IMAGENET_STD, timm_modules
from gapscope.detector.weights import load_backbone, read_weights
from gapscope.errors import InputError

WIDTH = 0.05


def timm_tensors(width: float = WIDTH) -> dict[str, torch.Tensor]:
    """A state dictionary with the names that timm 1.0 gives (written out here), and shapes of a thin network."""
    convs = [layer for layer in darknet("darknet53", width=width).table if layer.kind == "conv"]
    names = ["stem.conv1"]
    for stage, blocks in enumerate((1, 2, 8, 8, 4)):
        names.append(f"stages.{stage}.conv_down")
        names += [f"stages.{stage}.blocks.{block}.{conv}" for block in range(blocks) for conv in ("conv1", "conv2")]
    generator = torch.Generator().manual_seed(0)
    tensors = {"head.fc.weight": torch.zeros(7, 3), "head.fc.bias": torch.zeros(7)}
    for name, layer in zip(names, convs, strict=True):
        shape = (layer.filters, layer.in_filters, layer.size, layer.size)
        tensors[f"{name}.conv.weight"] = torch.randn(shape, generator=generator) / shape[1]
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.bn.{part}"] = torch.rand(layer.filters, generator=generator) + 0.5
        tensors[f"{name}.bn.num_batches_tracked"] = torch.tensor(3)
    return tensors


@pytest.fixture
def safetensors(tmp_path) -> Path:
    path = tmp_path / "darknet53.c2ns_in1k.safetensors"
    save_file(timm_tensors(), path)
    return path


def test_each_of_the_52_convolutions_has_its_name():
    names = timm_modules()
    assert len(names) == len(set(names.values())) == 52
    assert sorted(names) == [layer.index for layer in darknet("darknet53", width=WIDTH).table if layer.kind == "conv"]
    assert {i: names[i] for i in (0, 1, 2, 3, 5, 37, 62, 73)} == {
        0: "stem.conv1",
        1: "stages.0.conv_down",
        2: "stages.0.blocks.0.conv1",
        3: "stages.0.blocks.0.conv2",
        5: "stages.1.conv_down",
        37: "stages.3.conv_down",
        62: "stages.4.conv_down",
        73: "stages.4.blocks.3.conv2",
    }


def theirs(x: torch.Tensor, tensors: dict[str, torch.Tensor], module: str, step: int = 1) -> torch.Tensor:
    """Convolution, normalization and leaky ReLU as timm computes them."""
    kernel = tensors[f"{module}.conv.weight"]
    x = F.conv2d(x, kernel, stride=step, padding=kernel.shape[-1] // 2)
    mean, var, scale, bias = (tensors[f"{module}.bn.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
    return F.leaky_relu(F.batch_norm(x, mean, var, scale, bias), 0.01)


def test_layers_give_what_timm_gives_on_normalized_images_but_at_the_border(safetensors):
    network = yolov3(["car"], width=WIDTH).eval()
    load_backbone(network, safetensors)
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    tensors = timm_tensors()
    with torch.no_grad():
        first = theirs((image - mean) / std, tensors, "stem.conv1")
        halved = theirs(first, tensors, "stages.0.conv_down", step=2)
        thin = theirs(halved, tensors, "stages.0.blocks.0.conv1")
        block = halved + theirs(thin, tensors, "stages.0.blocks.0.conv2")
        ours = [image]
        for index in range(4):
            ours.append(network.run_layer(index, ours[-1]))
        ours.append(network.run_layer(4, ours[4], ours[2]))
    for mine, his in zip(ours[1:3] + ours[5:], [first, halved, block], strict=True):
        assert torch.allclose(mine[..., 3:-3, 3:-3], his[..., 3:-3, 3:-3], atol=1e-4)
        assert (his < 0).any()
    assert not torch.allclose(ours[1], first, atol=1e-2)  # the border, where one pads with black, the other with grey


def test_the_head_and_its_slope_stay_what_they_were(safetensors):
    network = yolov3(["car"], width=WIDTH)
    head = fingerprint(network, 75)
    load_backbone(network, safetensors)
    assert fingerprint(network, 75) == head
    assert {layer.leak for layer in network.table[:75] if layer.kind == "conv"} == {0.01}
    assert {layer.leak for layer in network.table[75:]} == {0.1}


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}])
def test_a_checkpoint_of_pytorch_holds_the_same(tmp_path, safetensors, wrap):
    path = tmp_path / "darknet53.pth"
    torch.save(wrap(timm_tensors()), path)
    ours, theirs_ = read_weights(path), read_weights(safetensors)
    assert ours.tensors.keys() == theirs_.tensors.keys()
    assert all(torch.equal(value, theirs_.tensors[name]) for name, value in ours.tensors.items())
    assert (ours.plan.name, ours.layers, ours.leaks[0]) == ("darknet53", tuple(range(75)), 0.01)


class Trap:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    path, trace = tmp_path / "trap.pth", tmp_path / "it ran"
    torch.save({"state_dict": Trap(trace)}, path)
    with pytest.raises(
        InputError, match=r"trap.pth is broken or holds objects .* could run anything.*record my_model.py:build"
    ):
        read_weights(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02 no pickle"])
def test_a_broken_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken.pth is broken or holds objects"):
        read_weights(path)


def test_another_network_of_timm_is_refused_by_the_tensor_that_it_lacks(tmp_path):
    tensors = timm_tensors()
    del tensors["stages.2.blocks.7.conv2.bn.running_var"]
    path = tmp_path / "other.pth"
    torch.save(tensors, path)
    with pytest.raises(InputError, match=r"has no tensor 'stages.2.blocks.7.conv2.bn.running_var'"):
        load_backbone(yolov3(["car"], width=WIDTH), path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match=r"holds no state dictionary"):
        read_weights(path)


def test_another_width_is_refused(safetensors):
    with pytest.raises(InputError, match=r"layer 1 \(conv.weight\): its shape is"):
        load_backbone(yolov3(["car"], width=0.2), safetensors)
