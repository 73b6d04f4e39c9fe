"""A model is looked at in evaluation mode and handed back as it was, whatever its forward pass does to it."""

import collections
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.ao.nn.quantized import Conv2d as QuantizedConv2d

from gapscope.detector.network import yolov3
from gapscope.errors import InputError
from gapscope.recording.evaluating import evaluating
from gapscope.recording.handed_back import Flags, Remembered, remembered
from gapscope.recording.record import model_fingerprint, record

CPU = torch.device("cpu")


def images(n: int = 5, size: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


class Cache:
    """A plain object that a model keeps."""

    def __init__(self) -> None:
        self.calls, self.seen = 0, [torch.zeros(2)]


class Restless(nn.Module):
    """Changes whatever it can reach each time it is called; its outputs stay the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.gone = nn.ReLU()
        self.register_buffer("count", torch.zeros(3))
        self.plain, self.array = torch.ones(2), np.ones(2)
        self.log, self.queue, self.names = [], collections.deque(maxlen=3), {"a"}
        self.memory, self.cache = {"last": None, "all": []}, Cache()

    def forward(self, x):
        self.count += 1
        self.plain.mul_(2)
        self.array += 1
        self.log.append(x)
        self.queue.append(float(x.mean()))
        self.names.add(len(self.log))
        self.memory["last"] = x
        self.memory["all"].append(len(x))
        self.cache.calls += 1
        self.cache.seen[0] += 1
        self.cache.seen.append(x)
        if "gone" in self._modules:
            del self.gone
        self.made = nn.Identity()
        random.random()
        np.random.rand(3)
        torch.rand(3)
        return self.made(self.conv(x))


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_a_model_that_changes_itself_is_recorded_and_handed_back(method):
    model = Restless()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    parts, last = dict(model.named_modules()), model.memory["all"]
    recording = (
        record(model, images(), size=32, method=method) if method == "hooks" else record(model, images(), size=32)
    )
    assert recording.layers.tolist() == ["conv"]
    assert dict(model.named_modules()) == parts and not hasattr(model, "made") and model.training
    assert model.count.tolist() == [0, 0, 0] and model.plain.tolist() == [1, 1] and model.array.tolist() == [1, 1]
    assert (model.log, list(model.queue), model.names) == ([], [], {"a"})
    assert model.memory == {"last": None, "all": []} and model.memory["all"] is last
    assert model.cache.calls == 0 and len(model.cache.seen) == 1 and model.cache.seen[0].tolist() == [0, 0]
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_a_model_whose_parts_appear_with_the_first_call_is_recorded_with_them():
    class Late(nn.Module):
        def forward(self, x):
            if not hasattr(self, "conv"):
                self.conv = nn.Conv2d(3, 2, 1)
            return self.conv(x)

    model = Late()
    assert record(model, images(), size=32, method="hooks").layers.tolist() == ["conv"]
    assert list(model.children()) == []


def test_an_error_in_putting_back_one_part_keeps_no_other_from_it():
    class Stubborn(list):
        def clear(self):
            raise RuntimeError("not me")

    model = nn.Sequential(nn.ReLU(), nn.ReLU())
    model[0].kept = Stubborn()
    before = Remembered(model)
    model[0].kept.append(1)
    model[1].training = False
    model[1].more = 3
    with pytest.raises(RuntimeError, match="not me"):
        before.put_back()
    assert model[1].training and not hasattr(model[1], "more")


class WithScript(nn.Module):
    """A model around a part that is TorchScript, which in turn has parts."""

    def __init__(self) -> None:
        super().__init__()
        part = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.backbone = torch.jit.trace(part.eval(), torch.zeros(1, 3, 8, 8)).train()
        self.act = nn.SiLU()
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return self.head(self.act(self.backbone(x)))


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_a_part_that_is_torchscript_is_left_out_and_the_rest_is_recorded(method):
    model = WithScript()
    flags = [module.training for module in model.modules()]
    recording = record(model, images(), size=32, method=method)
    assert recording.layers.tolist() == ["act", "head"]
    assert recording.skipped == {"backbone": "is TorchScript, which does not show what its layers put out"}
    assert [module.training for module in model.modules()] == flags
    with torch.no_grad():
        wanted = model.eval()(images().float() / 255).mean((2, 3))
    np.testing.assert_allclose(recording.pooled_of("head"), wanted, rtol=1e-4, atol=1e-6)


class Quantized(nn.Module):
    """As eager-mode quantization leaves a model: floats in, eight bits inside, floats out."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = torch.ao.nn.quantized.Quantize(0.01, 0, torch.quint8)
        self.conv = QuantizedConv2d(3, 4, 3)
        self.conv.scale, self.conv.zero_point = 0.02, 60
        weight = torch.quantize_per_tensor(torch.randn(4, 3, 3, 3) / 5, 0.01, 0, torch.qint8)
        self.conv.set_weight_bias(weight, torch.zeros(4))
        self.dequant = torch.ao.nn.quantized.DeQuantize()
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return self.head(self.dequant(self.conv(self.quant(x))))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_quantized_outputs_are_recorded_as_the_values_that_they_stand_for(method):
    torch.manual_seed(0)
    model = Quantized().eval()
    recording = record(model, images(), size=32, method=method)
    assert recording.layers.tolist() == ["quant", "conv", "dequant", "head"]
    assert recording.channels.tolist() == [3, 4, 4, 2]
    with torch.no_grad():
        x = model.conv(model.quant(images().float() / 255)).dequantize()
    centered = (x.flatten(1) - x.flatten(1).mean(0)).double()
    for name in ("conv", "dequant"):
        place = recording.layers.tolist().index(name)
        np.testing.assert_allclose(recording.gram[place], (centered @ centered.T).numpy(), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(recording.pooled_of(name), x.mean((2, 3)).numpy(), rtol=1e-4, atol=1e-5)
    before = model_fingerprint(model)
    model.conv.set_weight_bias(torch.quantize_per_tensor(torch.randn(4, 3, 3, 3), 0.01, 0, torch.qint8), torch.zeros(4))
    assert model_fingerprint(model) != before


def test_dropout_and_identity_are_no_layers_of_their_own_unless_asked_for():
    model = nn.Sequential(nn.Identity(), nn.Conv2d(3, 2, 1), nn.Dropout(0.5), nn.Identity(), nn.ReLU(inplace=True))
    assert record(model, images(), size=32).layers.tolist() == ["1", "4"]
    left_out = record(model, images(), size=32).provenance["handing_on"]
    assert left_out == "3 left out, which hand on what they are given: 2 Identity, 1 Dropout"
    asked = record(model, images(), size=32, layers=["1", "2", "3"])
    assert asked.layers.tolist() == ["1", "2", "3"]
    np.testing.assert_array_equal(asked.gram[0], asked.gram[1])
    assert "handing_on" not in asked.provenance


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_products_are_in_full_precision_while_a_model_is_looked_at_and_as_set_afterwards(precision):
    model, seen = nn.Linear(3, 2), []
    model.register_forward_hook(lambda *_: seen.append(torch.get_float32_matmul_precision()))
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        with evaluating(model, CPU):
            model(torch.zeros(1, 3))
            assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
        assert seen == ["highest"]
        assert torch.get_float32_matmul_precision() == precision and torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)


def test_one_guard_serves_our_own_networks_too():
    network = yolov3(2, width=0.0625)
    network.layers[0].kept = [1]
    seen = []

    def change(module, args, output):
        seen.append((module.training, torch.is_grad_enabled(), torch.get_float32_matmul_precision()))
        network.layers[0].kept.append(2)

    network.layers[0].conv.register_forward_hook(change)
    record(network, images(), size=32, layers=[0, 1])
    assert set(seen) == {(False, False, "highest")}
    assert network.layers[0].kept == [1] and all(module.training for module in network.modules())


@pytest.mark.parametrize("ours", [True, False])
def test_images_may_be_a_tensor_an_array_or_a_list_and_anything_else_is_one_sentence(ours):
    model = yolov3(2, width=0.0625) if ours else nn.Conv2d(3, 2, 3)
    layers = [0] if ours else None
    wanted = record(model, images(), size=32, layers=layers).gram
    for given in (images().numpy(), list(images()), list(images().numpy())):
        np.testing.assert_array_equal(record(model, given, size=32, layers=layers).gram, wanted)
    for odd in ([], [images()[0], images(size=64)[0]], [{"label": 3}], 3, None):
        with pytest.raises(
            InputError,
            match=r"images are a \w+ that makes no tensor .* expected \(n, channels, height, width\), a list",
        ):
            record(model, odd, size=32, layers=layers)
    with pytest.raises(InputError, match=r"images are uint8 of shape \(5, 32, 32, 3\)"):
        record(model, images().permute(0, 2, 3, 1).numpy(), size=32, layers=layers)


class OwnStep(nn.Conv2d):
    """Of somebody's own, which may do whatever it likes."""


def test_of_a_network_of_ours_the_flags_are_put_back():
    network = yolov3(2, width=0.0625)
    network.eval()
    network.layers[3].train()
    flags = [module.training for module in network.modules()]
    assert isinstance(remembered(network), Flags)
    with evaluating(network, CPU):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == flags


@pytest.mark.parametrize("own", ["hook", "before", "forward", "part", "class"])
def test_where_code_of_others_runs_everything_is_remembered(own):
    network = yolov3(2, width=0.0625)
    place = network.layers[5]
    match own:
        case "hook":
            place.register_forward_hook(lambda *_: None)
        case "before":
            place.register_forward_pre_hook(lambda *_: None)
        case "forward":
            place.forward = place.forward
        case "part":
            place.conv = OwnStep(1, 1, 1)
        case "class":
            network = nn.Sequential(network, type("Own", (nn.Module,), {})())
    assert isinstance(remembered(network), Remembered)
