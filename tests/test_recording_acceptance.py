"""What recording and comparing promise, held against four models: our own, a classifier and two detectors of others.

The numbers in the names of the sections are those of one list of promises, each of which must hold for each model.
"""

import copy
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from acceptance_models import FASTER_RCNN, KINDS, SIZE, SSDLITE, Kind, in_float64, settled_model
from full_features import assert_holds, assert_nothing_is_lost, full_features, probe
from torch import nn

import gapscope
from gapscope.detector.layers import yolov3_layers
from gapscope.errors import InputError
from gapscope.recording.live_tensors import LiveTensors
from gapscope.recording.record import model_fingerprint
from gapscope.recording.recording import Recording
from gapscope.recording.schedule import Schedule
from gapscope.similarity.cka import cka_from_grams, linear_cka

pytestmark = pytest.mark.slow  # two large detectors, recorded many times

N = 12
IMAGES = probe(n=N, size=SIZE)


@dataclass(frozen=True)
class Case:
    name: str
    kind: Kind
    model: nn.Module
    recording: Recording
    full: dict[str, Any]

    def record(self, model: nn.Module, images: torch.Tensor = IMAGES, **options: Any) -> Recording:
        return gapscope.record(model, images, size=SIZE, **{"batch_size": 8} | options)


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    """A model, what was recorded of it and all of its features."""
    kind, model = KINDS[request.param], settled_model(request.param)
    recording = gapscope.record(model, IMAGES, size=SIZE, batch_size=8)
    return Case(request.param, kind, model, recording, full_features(model, IMAGES, 8, kind.to_arguments))


def grid(one, other=None):
    """All cells, biased and debiased: (measure, layer_a, layer_b)."""
    return gapscope.compare(one, one if other is None else other, permutations=0, bootstraps=0)["value"].to_numpy()


def features(full, name):
    """All of a call's features (n, p) in float64."""
    return torch.cat([part.flatten(1) for part in full[name]]).numpy()


def changed(case, change):
    """A copy of the model whose last prediction is computed otherwise."""
    model = copy.deepcopy(case.model)
    with torch.no_grad():
        change(case.kind.last(model))
    return model


# 1: batches and order


def test_the_batch_size_and_the_order_of_the_images_change_no_similarity(case):
    model, wanted = in_float64(case.model), None
    for batch_size in (8, 1, N):
        found = grid(case.record(model, batch_size=batch_size))
        wanted = found if wanted is None else wanted
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(grid(case.record(model, IMAGES[order])), wanted, atol=1e-6)


def test_in_float32_batches_change_similarity_only_by_what_convolutions_round_differently(case):
    np.testing.assert_allclose(grid(case.record(case.model, batch_size=1)), grid(case.recording), atol=1e-4)


# 2: itself, and units


def test_every_layer_is_alike_to_itself_and_the_grid_is_symmetric(case):
    for values in grid(case.recording):
        np.testing.assert_allclose(np.diagonal(values), 1, atol=1e-6)
        np.testing.assert_allclose(values, values.T, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_the_activations_changes_no_similarity(case, scale):
    def scaled(last):
        last.weight *= scale
        last.bias *= scale

    other = case.record(changed(case, scaled), layers=case.kind.layers)
    plain = case.recording.select(case.kind.layers)
    assert other.std[-1] == pytest.approx(scale * plain.std[-1], rel=1e-4)
    np.testing.assert_allclose(grid(plain, other), grid(plain), atol=1e-6)


# 3: offsets


def test_a_common_offset_of_300_deviations_changes_no_similarity(case):
    offset = 300 * float(case.recording.select(case.kind.layers).std[-1])
    model = changed(case, lambda last: last.bias.add_(offset))
    other = case.record(model, layers=case.kind.layers)
    assert other.mean[-1] > 250 * other.std[-1]
    full = full_features(model, IMAGES, 8, case.kind.to_arguments)
    wide, _, last = (features(full, name) for name in case.kind.modules)
    for debiased in (True, False):
        wanted = linear_cka(wide, last, debiased=debiased)
        assert cka_from_grams(other.gram[0], other.gram[-1], debiased=debiased) == pytest.approx(wanted, abs=1e-6)


# 4: other packages


def test_ckatorch_finds_the_same_cka_in_the_full_features(case):
    cka_base = pytest.importorskip("ckatorch.core").cka_base
    x = [torch.from_numpy(features(case.full, name)) for name in case.kind.modules]
    found = grid(case.recording.select(case.kind.layers))
    for values, debiased in zip(found, (True, False), strict=True):
        for a, b in ((0, 1), (0, 2), (1, 2)):
            theirs = float(cka_base(x[a], x[b], "linear", unbiased=debiased, method="fro_norm"))
            assert values[a, b] == pytest.approx(theirs, abs=1e-6)


def test_rsatoolbox_finds_the_same_biased_cka_in_the_full_features(case):
    rsatoolbox = pytest.importorskip("rsatoolbox")
    data = [rsatoolbox.data.Dataset(features(case.full, name)) for name in case.kind.modules]
    rdms = [rsatoolbox.rdm.calc_rdm(one, method="euclidean") for one in data]
    biased = grid(case.recording.select(case.kind.layers))[1]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert biased[a, b] == pytest.approx(rsatoolbox.rdm.compare(rdms[a], rdms[b], "cosine_cov").item(), abs=1e-6)


# 5: what overwrites, comes twice, puts out lists and dictionaries, or is never called


class Twice(nn.Module):
    """Every module is called twice, the outputs are a dictionary with a list in it, and one module is never called."""

    def __init__(self, model):
        super().__init__()
        self.model, self.spare = model, nn.Conv2d(3, 3, 1)

    def forward(self, images):
        return {"first": self.model(images), "again": [self.model(images)]}


def test_what_is_overwritten_reused_or_put_out_in_lists_and_dictionaries_is_recorded_right(case):
    twice, images = Twice(case.model).eval(), IMAGES[:6]
    options = {"batch_size": 3, "inputs": case.kind.to_arguments, "method": "hooks"}
    once, both = (case.record(model, images, **options) for model in (case.model, twice))
    full = full_features(twice, images, 3, case.kind.to_arguments)
    for name in both.layers.tolist():
        assert_holds(both, name, full[name])
    assert_nothing_is_lost(both, full)
    number = Counter(once.kind.tolist())
    assert Counter(both.kind.tolist()) == number + number
    assert all("#" in name for name in both.layers.tolist())
    assert both.skipped["spare"] == "is never called"
    put_out = {name for name in {*full, *both.skipped} if name.startswith("output")}
    assert any(name.startswith("output[first]") for name in put_out)
    assert any(name.startswith("output[again].0") for name in put_out)


def test_three_of_the_models_overwrite_activations_and_what_was_overwritten_is_recorded(case):
    overwriting = [name for name, module in case.model.named_modules() if getattr(module, "inplace", False)]
    assert bool(overwriting) == (case.name != "yolov3")
    for layer, name in zip(case.kind.layers, case.kind.modules, strict=True):
        at = case.recording.layers.tolist().index(layer)
        assert case.recording.min[at] == pytest.approx(features(case.full, name).min(), abs=1e-5)
    if overwriting:
        at = case.recording.layers.tolist().index(case.kind.layers[0])
        assert case.recording.kind[at] == "BatchNorm2d" and case.recording.min[at] < -0.5  # the next makes it 0 or more


# 6: order of execution; the model afterwards


def test_layers_are_listed_in_the_order_in_which_they_are_computed(case):
    own = case.name == "yolov3"
    names = [f"layers.{layer}" if own else layer for layer in case.recording.layers.tolist()]
    assert names == [name for name in case.full if name in set(names)]
    assert len(names) >= (107 if own else 60)


def halfway(case):
    """A copy that is partly in training mode, and what its modes are."""
    model = copy.deepcopy(case.model).train()
    next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d)).eval()
    return model, [module.training for module in model.modules()]


def assert_handed_back(model, modes, before, hooks=0):
    assert [module.training for module in model.modules()] == modes and len(set(modes)) == 2
    assert model_fingerprint(model) == before
    assert sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()) == hooks
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_a_model_is_handed_back_as_it_was(case):
    model, modes = halfway(case)
    before = model_fingerprint(model)
    case.record(model, layers=case.kind.layers)
    assert_handed_back(model, modes, before)


def test_a_model_is_handed_back_after_an_interruption(case, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model, modes = halfway(case)
    before = model_fingerprint(model)

    def stop(what, done, total, note=""):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        case.record(model, progress=stop)
    assert_handed_back(model, modes, before)
    assert not list(tmp_path.iterdir())


def test_a_model_is_handed_back_after_an_error_of_its_own(case, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model, modes = halfway(case)
    before = model_fingerprint(model)

    def fail(module, arguments, output):
        if len(output) == 4:  # in the first full batch
            raise RuntimeError("out of memory")

    case.kind.last(model).register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        case.record(model, batch_size=4)
    assert_handed_back(model, modes, before, hooks=1)
    assert not list(tmp_path.iterdir())


# 7: memory, as counted; benchmarks/cka.py measures it


def live_bytes_of_yolov3(n, size):
    """The most that is alive while a layer is computed: its inputs, what later layers still need, and its output."""
    table = yolov3_layers(5)
    last_read = {source: layer.index for layer in table for source in layer.inputs}
    alive = [
        sum(one.num_features(size) for one in table if one.index <= step <= last_read.get(one.index, one.index))
        for step in range(len(table))
    ]
    return 4 * n * max(alive)


def test_yolov3_in_full_takes_no_more_than_a_tenth_above_what_is_alive_at_most():
    cost = Schedule(yolov3_layers(5), 200, 416, 8 * 2**30, torch.device("cpu")).cost()
    assert cost.memory <= 1.1 * live_bytes_of_yolov3(200, 416)
    assert cost.disk == 0


@pytest.fixture
def kept(monkeypatch):
    """What was kept between batches during the recordings of a test."""
    found = []

    class Watched(LiveTensors):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            found.append(self)

    monkeypatch.setattr(import_module("gapscope.recording.record"), "LiveTensors", Watched)
    return found


def test_a_traced_model_keeps_no_more_than_a_tenth_above_what_is_alive_at_most(kept):
    gapscope.record(settled_model("resnet18"), IMAGES, size=SIZE)
    widest = 4 * N * 64 * (SIZE // 2) ** 2  # conv1's output; beside it, alive at once, what its norm makes of it
    assert 2 * widest <= kept[0].peak_in_memory <= 1.1 * 2 * widest
    assert not kept[0].spilled


@pytest.mark.parametrize("name", [SSDLITE, FASTER_RCNN])
def test_a_detector_keeps_no_more_than_it_may(name, kept):
    memory = 16 * 2**20
    recording = gapscope.record(settled_model(name), IMAGES, size=SIZE, batch_size=2, memory=memory)
    assert kept[0].budget == memory - kept[0].kept and kept[0].kept > recording.gram.nbytes
    assert 0.5 * kept[0].budget < kept[0].peak_in_memory <= kept[0].budget
    assert not kept[0].spilled
    assert "passes" in recording.provenance["recorded_by"]


# 8: floors, intervals, and what has no value


def test_values_come_with_a_permutation_floor_and_an_interval(case):
    other = case.record(settled_model(case.name, seed=1))
    found = gapscope.compare(case.recording, other, permutations=39, bootstraps=39).sel(measure="cka_debiased")
    value = found["value"].to_numpy().diagonal()
    assert np.isfinite(value).all()
    for name in ("floor_mean", "floor_low", "floor_high", "floor_z", "floor_p", "floor_q", "interval_low"):
        assert np.isfinite(found[name]).all(), name
    assert (found["floor_low"] <= found["floor_mean"]).all() and (found["floor_mean"] <= found["floor_high"]).all()
    assert abs(float(found["floor_mean"].mean())) < 0.1  # unrelated layers are about 0
    assert float(found["floor_p"].min()) == 1 / 40  # both see the same images
    inside = (found["interval_low"] <= value) & (value <= found["interval_high"])
    assert inside.mean() > 0.8


def test_fewer_than_four_images_are_refused_in_words(case):
    with pytest.raises(InputError, match=r"^3 images are too few: comparing layers needs at least 4, better 100"):
        case.record(case.model, IMAGES[:3])


def test_a_layer_that_is_the_same_for_all_images_has_no_value_but_a_reason(case):
    other = case.record(changed(case, lambda last: last.weight.zero_()), layers=case.kind.layers)
    found = gapscope.compare(case.recording.select(case.kind.layers), other, permutations=3, bootstraps=3)
    for measure in ("cka_debiased", "cka_biased"):
        one = found.sel(measure=measure)
        reasons = one["reason_b"].to_numpy().tolist()
        assert reasons[:2] == ["", ""] and reasons[2].startswith("tells no images apart")
        assert np.isnan(one["value"].to_numpy()[:, 2]).all() and np.isfinite(one["value"].to_numpy()[:, :2]).all()
        for name in ("floor_mean", "floor_p", "interval_low"):
            assert np.isnan(one[name].to_numpy()).tolist() == [False, False, True], name
