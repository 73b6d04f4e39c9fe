"""Recording layer by layer against a plain forward pass that keeps everything."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gapscope.detector.cfg_plan import parse_cfg
from gapscope.detector.network import YOLOv3, darknet, fingerprint, freeze, yolov3
from gapscope.errors import InputError
from gapscope.recording.layer_sync import record_by_layers
from gapscope.recording.recording import read_recording
from gapscope.recording.schedule import Schedule
from gapscope.similarity.compare import compare

pytestmark = pytest.mark.slow

NUM_IMAGES, SIZE = 12, 32


def probe(seed=0, n=NUM_IMAGES, size=SIZE):
    """Blurred noise: images whose neighbouring pixels agree, as those of photographs do."""
    coarse = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(coarse, size=size, mode="bilinear") * 255).byte()


def awake_network(seed=0):
    """A thin random network whose batch statistics fit, so that no layer is asleep."""
    network = yolov3(5, width=0.0625, generator=torch.Generator().manual_seed(seed))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network(probe(seed=99, n=16).float() / 255)
    return network.eval()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Layers this thin spend their time waiting for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network():
    return awake_network()


@pytest.fixture(scope="module")
def recording(network):
    return record_by_layers(network, probe(), size=SIZE, provenance={"arm": "u-real", "seed": "0", "probe": "real"})


@torch.no_grad()
def all_activations(network, images):
    held = {-1: images.float() / 255}
    for layer in network.table:
        held[layer.index] = network.run_layer(layer.index, *(held[i].clone() for i in layer.inputs))
    return [held[i] for i in range(len(network.table))]


def test_a_recording_holds_what_a_plain_forward_pass_gives(network, recording):
    activations = all_activations(network, probe())
    np.testing.assert_array_equal(recording.layers, np.arange(107))
    assert recording.kind[[0, 4, 82, 83, 85]].tolist() == ["conv", "shortcut", "yolo", "route", "upsample"]
    for i, activation in enumerate(activations):
        x = activation.flatten(1).double().numpy()
        assert recording.p[i] == x.shape[1] == network.table[i].num_features(SIZE)
        centered = x - x.mean(0)
        wanted = centered @ centered.T
        np.testing.assert_allclose(recording.gram[i], wanted, atol=1e-5 * np.abs(wanted).max())
        for name in ("mean", "median", "std", "min", "max"):
            got = getattr(recording, name)[i]
            assert got == pytest.approx(getattr(np, name)(x), rel=1e-4, abs=1e-5), (i, name)
        np.testing.assert_allclose(recording.pooled_of(i), activation.mean((2, 3)).numpy(), rtol=1e-4, atol=1e-5)


STAGES = """[net]
width=32
height=32
[convolutional]
filters=8
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=32
size=3
stride=2
pad=1
activation=linear
[shortcut]
from=-2
[convolutional]
filters=12
size=1
activation=linear
[shortcut]
from=-2
activation=leaky
[avgpool]
[convolutional]
filters=5
size=1
activation=linear
"""


def test_shortcuts_of_unequal_layers_are_recorded_as_the_network_computes_them():
    """Layers 0 and 1 hold equally many numbers in other shapes, so that one must not be written over the other."""
    network = darknet(parse_cfg(STAGES, "stages.cfg", "stages.cfg")).eval()
    recording = record_by_layers(network, probe(), size=SIZE)
    for i, activation in enumerate(all_activations(network, probe())):
        x = activation.flatten(1).double().numpy()
        assert recording.p[i] == x.shape[1] == network.table[i].num_features(SIZE)
        centered = x - x.mean(0)
        wanted = centered @ centered.T
        np.testing.assert_allclose(recording.gram[i], wanted, atol=1e-5 * np.abs(wanted).max())


def test_the_detection_layers_are_the_raw_maps_that_forward_returns(network, recording):
    with torch.no_grad():
        maps = network(probe().float() / 255)
    for index, raw in zip((82, 94, 106), maps, strict=True):
        np.testing.assert_allclose(recording.pooled_of(index), raw.mean((2, 3)).numpy(), rtol=1e-4, atol=1e-5)


def largest_difference(a, b):
    assert not np.isnan(a.gram).any()
    grids = [compare(a, one, permutations=0, bootstraps=0)["value"] for one in (a, b)]
    return float(np.abs(grids[0] - grids[1]).max())


class Exact(YOLOv3):
    """A network that computes in float64, so that batch size and layout change none of a layer's float32 output."""

    def run_layer(self, index, *inputs):
        return super().run_layer(index, *(tensor.double() for tensor in inputs)).float()


@pytest.fixture(scope="module")
def exact(network):
    own = Exact(network.class_names, network.width)
    own.load_state_dict(network.state_dict())
    return own.double().eval()


@pytest.mark.parametrize("batch_size", [1, 5, NUM_IMAGES])
def test_similarity_does_not_depend_on_the_batch_size(network, recording, exact, batch_size):
    ours = [record_by_layers(exact, probe(), size=SIZE, batch_size=size) for size in (8, batch_size)]
    assert largest_difference(*ours) < 1e-8
    # in float32 the convolutions themselves round differently, which this network with its few images amplifies
    assert largest_difference(recording, record_by_layers(network, probe(), size=SIZE, batch_size=batch_size)) < 1e-4


def test_similarity_does_not_depend_on_the_order_of_the_images(exact):
    order = np.random.default_rng(0).permutation(NUM_IMAGES)
    recordings = [record_by_layers(exact, images, size=SIZE) for images in (probe(), probe()[order])]
    grids = [compare(one, one, permutations=0, bootstraps=0)["value"] for one in recordings]
    np.testing.assert_allclose(grids[0], grids[1], atol=1e-6)


def test_a_small_memory_budget_changes_no_digit(network, recording, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    spilled = record_by_layers(
        network,
        probe(),
        size=SIZE,
        memory="1700KiB",
        batch_size=NUM_IMAGES,  # as many as with more memory: convolutions round differently otherwise
        progress=lambda *_: seen.append(len(list(tmp_path.glob("gapscope-record-*/layer*")))),
    )
    assert max(seen) > 0, "nothing was spilled: the budget of this test is too generous"
    np.testing.assert_array_equal(spilled.gram, recording.gram)
    np.testing.assert_array_equal(spilled.median, recording.median)
    np.testing.assert_array_equal(spilled.pooled, recording.pooled)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("batch_size", [5, None])
def test_writing_over_what_is_read_for_the_last_time_changes_no_digit(network, batch_size, monkeypatch):
    over = record_by_layers(network, probe(), size=SIZE, batch_size=batch_size)
    assert Schedule(network.table, NUM_IMAGES, SIZE, 2**30, torch.device("cpu"))._may_overwrite()
    monkeypatch.setattr(Schedule, "_may_overwrite", lambda self: {})
    apart = record_by_layers(network, probe(), size=SIZE, batch_size=batch_size)
    for name in ("gram", "median", "std", "pooled"):
        np.testing.assert_array_equal(getattr(over, name), getattr(apart, name))


def test_channels_last_networks_record_the_same(network, recording):
    other = record_by_layers(awake_network().to(memory_format=torch.channels_last), probe(), size=SIZE)
    np.testing.assert_allclose(other.std, recording.std, rtol=1e-3)
    np.testing.assert_allclose(other.pooled, recording.pooled, rtol=1e-3, atol=1e-3)
    assert largest_difference(recording, other) < 1e-4


class Overwriting(YOLOv3):
    """A network that spoils every tensor it is given."""

    def run_layer(self, index, *inputs):
        output = super().run_layer(index, *inputs).clone()
        for tensor in inputs:
            tensor.fill_(-7)
        return output


def test_a_network_that_overwrites_its_inputs_is_recorded_right(network, recording):
    overwriting = Overwriting(network.class_names, network.width)
    overwriting.load_state_dict(network.state_dict())
    images = probe()
    np.testing.assert_array_equal(record_by_layers(overwriting, images, size=SIZE).gram, recording.gram)
    assert torch.equal(images, probe())


def test_the_network_is_handed_back_as_it_was(network):
    own = awake_network().train()
    freeze(own, 0, 74)
    modes, before = [module.training for module in own.modules()], fingerprint(own)
    assert len(set(modes)) == 2
    record_by_layers(own, probe(), size=SIZE)
    assert [module.training for module in own.modules()] == modes
    assert fingerprint(own) == before
    assert not any(module._forward_hooks for module in own.modules())
    assert torch.is_grad_enabled()


def test_the_network_is_handed_back_also_after_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = awake_network().train()

    def stop(what, done, total, note=""):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_by_layers(own, probe(), size=SIZE, memory="1250KiB", batch_size=1, progress=stop)
    assert all(module.training for module in own.modules())
    assert not list(tmp_path.iterdir())
    assert not torch.is_inference_mode_enabled()


def test_progress_counts_the_layers(network):
    seen = []
    record_by_layers(
        network,
        probe(n=4),
        size=SIZE,
        provenance={"arm": "u-real"},
        progress=lambda what, done, total, note="": seen.append((what, done, total)),
    )
    assert seen[0] == ("recording u-real at 32 px", 1, 107)
    assert seen[-1][1:] == (107, 107)


def test_a_layer_that_puts_out_nan_stays_undefined_and_the_rest_is_recorded():
    broken = awake_network()
    with torch.no_grad():
        broken.layers[105].conv.bias[0] = float("nan")
    got = record_by_layers(broken, probe(n=4), size=SIZE)
    assert np.isnan(got.gram[[105, 106]]).all()
    assert np.isfinite(got.gram[:105]).all()
    grid = compare(got, got, permutations=5, bootstraps=5).sel(measure="cka_debiased")
    assert grid["reason_a"].sel(layer_a=105) == "holds values that are not finite"
    assert np.isnan(grid["value"].sel(layer_a=105)).all()
    assert np.isnan(grid["interval_low"].sel(layer=105))


def test_a_file_gives_back_what_was_saved(recording, tmp_path):
    path = tmp_path / "recordings" / "u-real-seed0--real-32.nc"
    recording.save(path)
    back = read_recording(path)
    for name, value in vars(recording).items():
        np.testing.assert_array_equal(getattr(back, name), value)
    assert back.name == "u-real-seed0"
    assert back.provenance == {"arm": "u-real", "seed": "0", "probe": "real"}
    assert [path.name for path in path.parent.iterdir()] == [path.name]


def test_a_recording_says_what_it_was_made_from(network, recording):
    assert recording.network_sha256 == fingerprint(network)
    assert record_by_layers(network, probe(seed=1), size=SIZE).pixels_sha256 != recording.pixels_sha256
    assert recording.to_dataset().attrs["images_sha256"] == recording.images_sha256


def test_a_cut_off_file_is_refused_by_name(recording, tmp_path):
    path = tmp_path / "cut.nc"
    recording.save(path)
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut\.nc cannot be read: it is broken or cut off"):
            read_recording(path)


def test_a_missing_file_and_a_file_of_another_kind_are_refused(recording, tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*none\.nc"):
        read_recording(tmp_path / "none.nc")
    recording.to_dataset().assign_attrs(format="else").to_netcdf(tmp_path / "else.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"else\.nc is not a recording: its format is 'else'"):
        read_recording(tmp_path / "else.nc")
    recording.to_dataset().drop_vars("median").to_netcdf(tmp_path / "half.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"half\.nc is a recording without .*median"):
        read_recording(tmp_path / "half.nc")


def test_parts_that_do_not_fit_together_are_refused(recording):
    with pytest.raises(InputError, match=r"recording's mean has shape \(3,\), but 107 layers and 12 images need"):
        replace(recording, mean=np.zeros(3))
    with pytest.raises(InputError, match="provenance holds size, which a recording sets itself"):
        replace(recording, provenance={"size": "3"})


@pytest.mark.parametrize(
    ("images", "options", "wording"),
    [
        (probe(n=3), {}, "3 images are too few: comparing layers needs at least 4"),
        (probe().int(), {}, "images are int32 of shape .* takes uint8"),
        (probe(size=64), {}, r"shape \(12, 3, 64, 64\), but recording at size 32"),
        (probe(), {"paths": ["a.png"]}, "1 paths for 12 images"),
        (probe(), {"batch_size": 0}, "batch_size is 0"),
        (probe(), {"memory": "lots"}, "'lots' is no amount of memory"),
        (
            probe(),
            {"memory": "100KiB"},
            r"'100 KiB' is too little: the recording and one step of layer 0 for 12 images at 32 pixels take",
        ),
    ],
)
def test_what_cannot_be_recorded_is_refused(network, images, options, wording):
    with pytest.raises(InputError, match=wording):
        record_by_layers(network, images, size=SIZE, **options)


def test_a_size_that_the_strides_do_not_divide_is_refused(network):
    with pytest.raises(InputError, match="multiples of 32"):
        record_by_layers(network, probe(size=48), size=48)


def test_the_amount_that_a_refusal_asks_for_is_enough(network):
    with pytest.raises(InputError) as caught:
        record_by_layers(network, probe(), size=SIZE, memory="100KiB")
    asked = str(caught.value).split("take ")[1].split(". ")[0]
    assert record_by_layers(network, probe(), size=SIZE, memory=asked).gram.shape == (107, NUM_IMAGES, NUM_IMAGES)


def test_paths_become_the_names_of_the_rows(network):
    got = record_by_layers(network, probe(n=4), size=SIZE, paths=["b/1.png", "b/2.png", "a/ü.png", "a/9.png"])
    assert got.images == ("b/1.png", "b/2.png", "a/ü.png", "a/9.png")
    assert Path(got.images[0]).name == "1.png"


def test_layers_behind_the_last_wanted_one_are_not_computed(network, recording):
    seen = []
    some = record_by_layers(
        network, probe(), size=SIZE, layers=[3, 36], progress=lambda what, done, total, note="": seen.append(total)
    )
    assert some.layers.tolist() == [3, 36]
    assert len(seen) == 37 and set(seen) == {37}
    np.testing.assert_array_equal(some.gram, recording.gram[[3, 36]])
    np.testing.assert_array_equal(some.pooled_of(36), recording.pooled_of(36))


def test_bfloat16_gives_nearly_the_same_and_says_so(network, recording):
    short = record_by_layers(network, probe(), size=SIZE, precision="bf16")
    assert (short.dtype, recording.dtype) == ("bfloat16", "float32")
    assert 0 < largest_difference(recording, short) < 0.5  # random layers blow rounding up; trained ones do not
