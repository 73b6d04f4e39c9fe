"""One layer's numbers against float64 over all values at once."""

import numpy as np
import pytest
import torch

from gapscope.errors import InputError
from gapscope.recording import device_chunks, layer_numbers as layer_numbers_module, median
from gapscope.recording.chunks import pass_over
from gapscope.recording.device_chunks import pass_over_on_device
from gapscope.recording.layer_numbers import centered_gram, check_statistics, exact_median, layer_numbers
from gapscope.recording.live_tensors import LiveTensors, as_features, parse_memory
from gapscope.similarity.cka import cka_from_grams, linear_cka
from gapscope.words import byte_size


def features(n, p, seed):
    return torch.randn(n, p, generator=torch.Generator().manual_seed(seed))


def plain_gram(x):
    x = x.double().numpy()
    x = x - x.mean(0)
    return x @ x.T


@pytest.mark.parametrize("p", [1, 7, 50, 130])
def test_the_gram_is_that_of_the_centred_features_whatever_the_chunks(p):
    x = features(9, p, seed=0)
    for chunk in (1, 50, 8192):
        gram, means = centered_gram(x, chunk=chunk)
        np.testing.assert_allclose(gram, plain_gram(x), atol=1e-6 * p)
        np.testing.assert_allclose(means, x.double().mean(0).numpy(), atol=1e-6)  # means in float32


def test_a_common_offset_of_300_deviations_costs_no_digits():
    x = features(40, 3000, seed=0) + 300 * features(1, 3000, seed=2).sign()
    y = features(40, 3000, seed=1) + 0.5 * x - 300
    recorded = [centered_gram(one)[0] for one in (x, y)]
    for debiased in (True, False):
        wanted = linear_cka(x.double().numpy(), y.double().numpy(), debiased=debiased)
        assert cka_from_grams(*recorded, debiased=debiased) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-25, 1e-6, 1e6, 1e25])
def test_cka_does_not_feel_the_unit_of_the_activations(scale):
    x, y = features(20, 400, seed=0), features(20, 300, seed=1) + features(20, 400, seed=0)[:, :300]
    wanted = linear_cka(x.numpy(), y.numpy())
    assert cka_from_grams(layer_numbers(x * scale).gram, layer_numbers(y).gram) == pytest.approx(wanted, abs=1e-6)


def test_statistics_are_those_of_numpy_over_all_values():
    x = torch.nn.functional.leaky_relu(features(12, 333, seed=0) * 3 + 5, 0.1)
    got, values = layer_numbers(x), x.double().numpy()
    for name in ("mean", "median", "std", "min", "max"):
        assert getattr(got, name) == pytest.approx(getattr(np, name)(values), rel=1e-6), name


def test_a_layer_with_one_value_has_no_spread_and_a_gram_of_exact_zeros():
    got = layer_numbers(torch.full((7, 100), 0.1))
    assert got.mean == got.median == got.min == got.max == pytest.approx(0.1)
    assert got.std == 0
    assert not got.gram.any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_not_finite_leaves_nothing_defined(bad):
    x = features(5, 10, seed=0)
    x[3, 4] = bad
    got = layer_numbers(x)
    assert np.isnan(got.gram).all()
    assert np.isnan([got.mean, got.median, got.std, got.min, got.max]).all()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(torch.arange(101.0), id="odd"),
        pytest.param(torch.arange(100.0), id="even"),
        pytest.param(torch.zeros(500), id="constant"),
        pytest.param(torch.cat([torch.zeros(50), torch.ones(50)]), id="two values, half each"),
        pytest.param(torch.cat([torch.zeros(51), torch.ones(50)]), id="two values"),
        pytest.param(torch.cat([torch.zeros(300), features(1, 701, seed=3)[0]]), id="ties"),
        pytest.param(torch.tensor([3.0, 1.0]), id="two numbers"),
    ],
)
@pytest.mark.parametrize("sample", [8, 2**16])
def test_the_median_is_exact_also_when_values_are_not_copied_at_once(values, sample, monkeypatch):
    wanted = float(np.median(values.double().numpy()))
    assert exact_median(values) == pytest.approx(wanted)
    monkeypatch.setattr(layer_numbers_module, "SMALL", 1)
    monkeypatch.setattr(layer_numbers_module, "CHUNK", 64)
    monkeypatch.setattr(median, "SAMPLE", sample)
    assert exact_median(values) == pytest.approx(wanted)


@pytest.mark.parametrize("ties", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_accelerator_is_given_the_same_sums_in_larger_steps(ties, dtype, monkeypatch):
    monkeypatch.setattr(device_chunks, "STEP_VALUES", 9 * 200)
    x = features(9, 1111, seed=0)
    x[torch.rand(9, 1111, generator=torch.Generator().manual_seed(1)) < ties] = 0
    bracket = (-0.1, 0.1) if ties < 0.5 else (0.0, 0.0)
    one, other = (way(x, dtype, 100, bracket) for way in (pass_over, pass_over_on_device))
    np.testing.assert_allclose(other.gram, one.gram, rtol=1e-5, atol=1e-4 if dtype is np.float32 else 1e-9)
    np.testing.assert_allclose(other.means, one.means, atol=1e-6)
    assert (other.low, other.high) == (one.low, one.high)
    assert other.counted.median(x.numel()) == one.counted.median(x.numel()) == np.median(x.numpy())


def test_the_numbers_do_not_depend_on_the_number_of_threads():
    x = features(20, 50000, seed=0)
    alone = layer_numbers(x)
    torch.set_num_threads(3)
    try:
        together = layer_numbers(x)
    finally:
        torch.set_num_threads(1)
    assert np.array_equal(alone.gram, together.gram)
    assert (alone.median, alone.std) == (together.median, together.std)


@pytest.mark.parametrize(
    ("text", "wanted"), [("8GiB", 8 * 2**30), ("500 MB", 500 * 10**6), ("1.5kib", 1536), (4096, 4096), ("12", 12)]
)
def test_memory_is_read_in_the_units_people_write(text, wanted):
    assert parse_memory(text) == wanted


@pytest.mark.parametrize("text", ["", "much", "8 GiBi", "-1GB", "0", "0GiB"])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(InputError, match="is no amount of memory"):
        parse_memory(text)


def test_an_amount_in_an_error_message_can_be_pasted_back():
    for num_bytes in (1, 1023, 5000, 1_023_999, 123_456_789, 8 * 2**30):
        assert num_bytes <= parse_memory(byte_size(num_bytes, up=True)) <= 1.01 * num_bytes


def test_what_does_not_fit_lives_in_a_file_until_it_is_freed(tmp_path):
    live = LiveTensors(1000, torch.device("cpu"), tmp_path)
    live.allocate(0, (2, 3, 4, 4), channels_last=False, reserve=500).fill_(1)
    live.allocate(1, (2, 3, 4, 4), channels_last=False, reserve=500).fill_(2)
    assert live.spilled == [1]
    assert live.peak_in_memory == 2 * 3 * 4 * 4 * 4
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [384]
    assert live[1].unique().tolist() == [2]
    live.free(0)
    live.allocate(2, (2, 3, 4, 4), channels_last=False, reserve=500)
    assert live.spilled == [1]
    live.clear()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("channels_last", [True, False])
def test_features_are_one_row_per_image_in_either_layout(channels_last, tmp_path):
    live = LiveTensors(10**6, torch.device("cpu"), tmp_path)
    stored = live.allocate(0, (3, 5, 2, 2), channels_last=channels_last, reserve=0)
    stored[:] = features(3, 20, seed=0).view(3, 5, 2, 2)
    rows = as_features(stored)
    assert rows.data_ptr() == stored.data_ptr()
    assert torch.equal(rows.sort(1).values, features(3, 20, seed=0).sort(1).values)


def test_statistics_cost_what_is_asked_for_and_leave_the_gram_alone():
    x = torch.randn(40, 30_000, generator=torch.Generator().manual_seed(0)) + 3
    exact, sampled, none = (layer_numbers(x, statistics) for statistics in ("exact", "sampled", None))
    for other in (sampled, none):
        np.testing.assert_array_equal(other.gram, exact.gram)
        assert (other.mean, other.std) == (exact.mean, exact.std)
    assert sampled.median == pytest.approx(exact.median, abs=0.02) and sampled.median != exact.median
    assert (sampled.min, sampled.max) == (exact.min, exact.max)
    assert np.isnan([none.median, none.min, none.max]).all()
    few = x[:, :1000]
    assert layer_numbers(few, "sampled").median == layer_numbers(few).median
    for odd in (x * 1e-30, x.index_fill(0, torch.tensor([3]), torch.nan), torch.ones(4, 5)):
        np.testing.assert_array_equal(layer_numbers(odd, None).gram, layer_numbers(odd).gram)
    with pytest.raises(InputError, match="statistics = 'fast' is unknown - expected 'exact', 'sampled' or None"):
        check_statistics("fast")
