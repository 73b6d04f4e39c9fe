"""Any PyTorch model: traced or hooked, the numbers are those of its full features, and it is handed back as it was."""

import copy
import tempfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from full_features import (
    assert_holds,
    assert_nothing_is_lost,
    full_features,
    largest_gram_difference,
    probe,
    settled,
)
from random_models import CHANNELS, Dictionary
from torch import nn

import gapscope
from gapscope.detector.network import yolov3
from gapscope.recording.record import model_fingerprint, record
from gapscope.recording.recording import read_recording
from gapscope.similarity.cka import cka_from_grams, linear_cka

pytestmark = pytest.mark.slow

IMAGES = probe(n=12)


class Plain(nn.Module):
    """Our YOLOv3 without its look at the images, so that it can be traced."""

    def __init__(self, network):
        super().__init__()
        self.layers, self.table = network.layers, network.table

    def forward(self, images):
        held = {-1: images}
        for layer in self.table:
            held[layer.index] = self.layers[layer.index](*[held[i] for i in layer.inputs])
        return [held[i] for i in (82, 94, 106)]


def test_layer_by_layer_traced_and_hooked_recordings_of_yolov3_agree():
    network = settled(yolov3(5, width=0.0625), IMAGES)
    names = [f"layers.{index}" for index in range(107)]
    options = {"size": 32, "batch_size": 5}
    ours = gapscope.record(network, IMAGES, **options)
    traced = record(Plain(network), IMAGES, layers=names, method="graph", **options)
    hooked = record(network, IMAGES, layers=names, method="hooks", **options)
    assert traced.layers.tolist() == hooked.layers.tolist() == names
    scale = np.abs(ours.gram).max((1, 2), keepdims=True)
    for other in (traced, hooked):
        assert np.abs((other.gram - ours.gram) / scale).max() < 1e-6
        np.testing.assert_allclose(other.std, ours.std, rtol=1e-6)
        np.testing.assert_allclose(other.pooled, ours.pooled, rtol=1e-5, atol=1e-6)


def test_resnet_has_the_numbers_of_its_full_features(resnet, resnet_recording):
    full = full_features(resnet, IMAGES, batch_size=5)
    assert resnet_recording.provenance["recorded_by"] == "graph"
    for name in resnet_recording.layers.tolist():
        assert_holds(resnet_recording, name, full[name])
    assert_nothing_is_lost(resnet_recording, full)
    assert resnet_recording.skipped == {}


def test_layers_are_named_in_the_order_in_which_they_run_and_once_for_each_call(resnet_recording):
    names = resnet_recording.layers.tolist()
    assert names[:9] == [
        "conv1", "bn1", "relu", "maxpool", "layer1.0.conv1", "layer1.0.bn1", "layer1.0.relu#0", "layer1.0.conv2",
        "layer1.0.bn2",
    ]  # fmt: skip
    assert names.index("layer2.0.downsample.1") < names.index("layer2.0.relu#1") < names.index("layer2.1.conv1")
    assert names[-2:] == ["avgpool", "fc"]
    assert len(set(names)) == len(names)
    assert resnet_recording.kind[:4].tolist() == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]


def test_traced_and_hooked_recordings_agree_with_any_memory(resnet, resnet_recording):
    for method in ("graph", "hooks"):
        for memory in ("3500KiB", "8MiB"):
            other = record(resnet, IMAGES, size=32, batch_size=5, method=method, memory=memory)
            assert largest_gram_difference(resnet_recording, other) < 1e-6
            np.testing.assert_array_equal(other.median, resnet_recording.median)
            np.testing.assert_allclose(other.pooled, resnet_recording.pooled, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_what_fits_no_memory_is_kept_in_files_that_vanish(method, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model, images, files = nn.Sequential(nn.Conv2d(3, 16, 1), nn.ReLU()), probe(size=64), []
    options = {"size": 64, "batch_size": 1, "method": method}
    spilled = record(
        model,
        images,
        memory="4MiB",
        progress=lambda *_: files.extend(tmp_path.glob("gapscope-record-*/*")),
        **options,
    )
    assert files
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(spilled.gram, record(model, images, **options).gram)


@pytest.mark.parametrize("batch_size", [1, 12])
def test_similarity_depends_neither_on_the_batch_size_nor_on_the_order(resnet, batch_size):
    exact = copy.deepcopy(resnet).double()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    one = record(exact, IMAGES, size=32, batch_size=8)
    other = record(exact, IMAGES[order], size=32, batch_size=batch_size)
    assert one.dtype == "float64"
    for layer in range(len(one.layers)):
        for debiased in (True, False):
            mine, theirs = (cka_from_grams(r.gram[0], r.gram[layer], debiased=debiased) for r in (one, other))
            assert mine == pytest.approx(theirs, abs=1e-6)


def test_compared_with_itself_a_model_is_alike_in_every_layer_and_the_grid_is_symmetric(resnet_recording):
    grid = gapscope.compare(resnet_recording, resnet_recording, permutations=0, bootstraps=0)["value"]
    for measure in ("cka_debiased", "cka_biased"):
        values = grid.sel(measure=measure).to_numpy()
        np.testing.assert_allclose(np.diagonal(values), 1, atol=1e-6)
        np.testing.assert_allclose(values, values.T, atol=1e-9)
    assert grid["layer_a"].to_numpy().tolist() == resnet_recording.layers.tolist()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_the_activations_changes_no_similarity(resnet, resnet_recording, scale):
    scaled = copy.deepcopy(resnet)
    with torch.no_grad():
        for parameter in scaled.fc.parameters():
            parameter *= scale
    other = record(scaled, IMAGES, size=32, batch_size=5, layers="fc")
    ours = resnet_recording.gram[-1]
    assert cka_from_grams(other.gram[0], ours) == pytest.approx(1, abs=1e-6)


def test_a_common_offset_of_300_deviations_changes_no_similarity(resnet, resnet_recording):
    shifted = copy.deepcopy(resnet)
    offset = 300 * resnet_recording.std[-1]
    with torch.no_grad():
        shifted.fc.bias += offset
    at = resnet_recording.layers.tolist().index("layer3.1.relu#1")
    other = record(shifted, IMAGES, size=32, batch_size=5, layers=["layer3.1.relu#1", "fc"])
    full = full_features(shifted, IMAGES, batch_size=5)
    x, y = (torch.cat([part.flatten(1) for part in full[name]]).numpy() for name in ("layer3.1.relu#1", "fc"))
    assert cka_from_grams(*other.gram) == pytest.approx(linear_cka(x, y), abs=1e-6)
    np.testing.assert_allclose(other.gram[0], resnet_recording.gram[at], rtol=1e-6, atol=1e-6 * np.abs(x).max() ** 2)


def test_a_model_is_handed_back_as_it_was(resnet):
    model = copy.deepcopy(resnet).train()
    model.layer2.eval()
    modes, before = [module.training for module in model.modules()], model_fingerprint(model)
    generator_state = torch.get_rng_state()
    for method in ("graph", "hooks"):
        record(model, IMAGES, size=32, method=method)
    assert [module.training for module in model.modules()] == modes
    assert model_fingerprint(model) == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), generator_state)


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_a_model_is_handed_back_also_after_an_error(resnet, method, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = copy.deepcopy(resnet).train()

    def stop(what, done, total, note=""):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(model, IMAGES, size=32, batch_size=2, method=method, memory="3MiB", progress=stop)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not list(tmp_path.iterdir())
    assert torch.is_grad_enabled()


class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.seen = nn.Conv2d(3, 2, 1), "nothing"

    def forward(self, x):
        self.seen = self.conv(x)
        return self.seen + 1


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_nothing_stays_behind_in_the_models_attributes(method):
    model = Remembering()
    record(model, IMAGES, size=32, method=method)
    assert model.seen == "nothing"


class Dead(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.before, self.dead, self.after = nn.Conv2d(3, 4, 1), nn.Hardtanh(), nn.Conv2d(4, 2, 1)
        self.value = value

    def forward(self, x):
        x = self.before(x)
        return self.after(self.dead(x) * 0 + self.value) + x[:, :2]


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_dead_layers_are_recorded_as_what_they_are(method):
    layers = ["before", "after", "output"]
    constant = record(Dead(0.5), IMAGES, size=32, method=method, layers=layers)
    assert not constant.gram[1].any() and constant.gram[2].any()
    assert constant.min[1] < constant.max[1]
    grid = gapscope.compare(constant, constant, permutations=0, bootstraps=0).sel(measure="cka_debiased")
    assert grid["reason_a"].sel(layer_a="after").item().startswith("tells no images apart")
    assert np.isnan(grid["value"].sel(layer_a="after")).all()
    broken = record(Dead(float("nan")), IMAGES, size=32, method=method, layers=layers)
    assert np.isfinite(broken.gram[0]).all() and np.isnan(broken.gram[1:]).all()


def test_a_recording_by_names_comes_back_from_its_file(resnet_recording, tmp_path):
    model = nn.Sequential(nn.Conv2d(3, CHANNELS, 1), Dictionary())
    recording = record(model, IMAGES, size=32, provenance={"arm": "a"})
    assert recording.skipped == {"1.both[index]": "holds int64 values, which are no activations"}
    assert recording.name == "a" and resnet_recording.name == "ResNet"
    many = replace(recording, skipped={f"part {index}": "is never called" for index in range(5000)})
    for one in (recording, resnet_recording, many):
        one.save(tmp_path / "r.nc")
        back = read_recording(tmp_path / "r.nc")
        for name, value in vars(one).items():
            np.testing.assert_array_equal(getattr(back, name), value)
        assert back.layers.dtype.kind == "U"
        assert back.pooled_of(one.layers[0]).shape == (len(one.images), one.channels[0])


def test_the_fingerprint_is_that_of_class_and_weights(resnet):
    same, other = copy.deepcopy(resnet), copy.deepcopy(resnet)
    with torch.no_grad():
        other.fc.bias[0] += 1e-3
    assert model_fingerprint(same.to(memory_format=torch.channels_last)) == model_fingerprint(resnet)
    assert model_fingerprint(other) != model_fingerprint(resnet)
    assert model_fingerprint(nn.ReLU()) != model_fingerprint(nn.Identity())
    assert model_fingerprint(nn.Linear(2, 2).bfloat16()) != model_fingerprint(nn.Linear(2, 2))


def test_wrapping_renames_no_layer(resnet, resnet_recording):
    wrapped = record(nn.DataParallel(resnet), IMAGES, size=32, batch_size=5)
    assert wrapped.layers.tolist() == resnet_recording.layers.tolist()
    assert wrapped.network_sha256 == resnet_recording.network_sha256


class ThinnedOut(nn.Module):
    """Between two layers stands a sparse tensor, which only a later one reads."""

    def __init__(self):
        super().__init__()
        self.first, self.gate, self.last = nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)

    def forward(self, x):
        y = self.first(x.flatten(1))
        sparse = self.gate(y).to_sparse()
        z = self.last(y)
        return sparse.to_dense().sum(1) + z.sum(1)


@pytest.mark.parametrize("method", ["auto", "graph"])
def test_a_sparse_tensor_that_later_layers_read_stays_what_it_is(method):
    torch.manual_seed(0)
    model, images = ThinnedOut().eval(), torch.randint(256, (20, 3, 2, 2), dtype=torch.uint8)
    found, hooked = (gapscope.record(model, images, method=how) for how in (method, "hooks"))
    assert found.provenance["recorded_by"] == "graph"
    assert list(found.layers) == list(hooked.layers) == ["first", "gate", "last", "output"]
    assert np.array_equal(found.gram, hooked.gram)


def test_one_number_for_each_image_is_a_layer_too():
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0)), probe(n=12)[..., :2, :2]
    found = gapscope.record(settled(model, images), images)
    with torch.no_grad():
        values = model(images.float() / 255).double().numpy()
    assert list(found.layers)[-1] == "2" and (found.p[-1], found.channels[-1]) == (1, 1)
    centred = values - values.mean()
    assert found.gram[-1] == pytest.approx(np.outer(centred, centred), abs=1e-6)
    assert found.pooled[:, -1] == pytest.approx(values, abs=1e-6)
