"""Batches that go through a model in step: the numbers of batches one after the other, whatever the model does."""

import threading

import numpy as np
import pytest
import torch
from full_features import largest_gram_difference, probe
from torch import nn

from gapscope.recording import hooks, layer_numbers, measured
from gapscope.recording.chunks import Rows, pass_over
from gapscope.recording.in_step import can_go_in_step
from gapscope.recording.record import record

IMAGES = probe(n=11)
ROOMY, TIGHT = "8GiB", "900KiB"


class Chain(nn.Module):
    """Three layers, the second of which is changed in place after it was put out."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            self.first, self.second, self.last = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 4, 3)

    def forward(self, x):
        return self.last(self.second(self.first(x)).relu_())


class Leaving(Chain):
    """Leaves what it computes in itself, and reads it again after another layer."""

    def forward(self, x):
        self.held = self.first(x)
        one = self.second(x.new_ones(len(x), 6, 1, 1))
        return self.last(self.held + one)


class Forking(Chain):
    """Goes another way for some images."""

    def forward(self, x):
        x = self.first(x)
        return self.last(self.second(x) if len(x) < 4 or x.mean() > self.level else x)

    level = 0.0


class Locked(Chain):
    """Lets one thread in at a time."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, x):
        with self.lock:
            return super().forward(x)


def both(model, monkeypatch, **options):
    """Recordings with batches in step, if they can go so, and one after the other; and how often they went so."""
    went = []
    in_step = hooks._measured_in_step

    def noted(*arguments):
        found = in_step(*arguments)
        went.append(len(found))
        return found

    monkeypatch.setattr(hooks, "_measured_in_step", noted)
    roomy, tight = (
        record(model, IMAGES, method="hooks", memory=memory, **{"batch_size": 4} | options) for memory in (ROOMY, TIGHT)
    )
    return roomy, tight, len(went)


def assert_same(one, other):
    assert one.layers.tolist() == other.layers.tolist() and one.skipped == other.skipped
    for name in ("gram", "pooled", "mean", "std", "min", "max", "median"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("statistics", ["exact", "sampled", None])
@pytest.mark.parametrize("small", [1, 2**20])
def test_batches_in_step_give_the_same_bits_as_batches_that_are_kept(statistics, small, monkeypatch):
    for module in (measured, layer_numbers):
        monkeypatch.setattr(module, "SMALL", small)
    roomy, tight, in_step = both(Chain(), monkeypatch, statistics=statistics)
    assert in_step == 1
    assert roomy.provenance["recorded_by"] == "hooks (1 pass)" and "passes" in tight.provenance["recorded_by"]
    assert_same(roomy, tight)


def test_objects_are_pooled_from_each_batch_with_its_own_boxes(monkeypatch):
    boxes = [np.array([[4.0, 4.0, 20.0 + at, 28.0]] * (1 + at % 2)) for at in range(len(IMAGES))]
    monkeypatch.setattr(measured, "SMALL", 1)
    roomy, tight, in_step = both(Chain(), monkeypatch, boxes=boxes)
    assert in_step == 1 and len(roomy.gram[0]) == sum(map(len, boxes))
    assert_same(roomy, tight)


def test_what_one_batch_leaves_in_the_model_reaches_no_other(monkeypatch):
    model = Leaving()
    roomy, tight, in_step = both(model, monkeypatch, batch_size=1)  # of batches of one shape only values tell
    assert in_step == 0 and not hasattr(model, "held")
    assert_same(roomy, tight)
    assert largest_gram_difference(roomy, record(model, IMAGES, method="hooks", batch_size=11)) < 1e-6


def test_batches_that_part_are_recorded_one_after_the_other(monkeypatch):
    means = [Chain().first(part.float() / 255).mean().item() for part in IMAGES.split(4)]
    monkeypatch.setattr(Forking, "level", sorted(means[:2])[0])  # the last batch has 3 images
    roomy, tight, in_step = both(Forking(), monkeypatch)
    assert in_step == 0
    assert roomy.skipped["second"] == "is missing for some batches"
    assert_same(roomy, tight)


def test_a_model_with_a_lock_is_not_run_in_threads_that_wait(monkeypatch):
    assert not can_go_in_step(Locked(), 2) and can_go_in_step(Chain(), 2)
    roomy, tight, in_step = both(Locked(), monkeypatch)
    assert in_step == 0
    assert_same(roomy, tight)


def test_an_error_in_one_batch_is_the_models_own_and_no_thread_stays():
    class Failing(Chain):
        def forward(self, x):
            if torch.equal(x[-1], IMAGES[-1].float() / 255):
                raise RuntimeError("the last image")
            return super().forward(x)

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="the last image"):
        record(Failing(), IMAGES, method="hooks", batch_size=4)
    assert threading.active_count() <= before + torch.get_num_threads()


def test_an_interrupted_recording_leaves_neither_threads_nor_hooks():
    def stop(what, done, total, note=""):
        raise KeyboardInterrupt

    model, before = Chain(), threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        record(model, IMAGES, method="hooks", batch_size=2, progress=stop)
    assert threading.active_count() <= before + torch.get_num_threads()
    assert not any(module._forward_hooks for module in model.modules())


def test_rows_in_several_tensors_are_those_of_one_table():
    x = torch.randn(13, 700, generator=torch.Generator().manual_seed(0))
    places = np.sort(np.random.default_rng(0).integers(13 * 700, size=500))
    rows = Rows(x.split([5, 1, 7]))
    apart = Rows([torch.cat([part, part], dim=1)[:, :700] for part in x.split([5, 8])])  # rows that lie apart in memory
    np.testing.assert_array_equal(apart.at(places), x.reshape(-1).numpy()[places])
    np.testing.assert_array_equal(rows.all(), x.numpy())
    np.testing.assert_array_equal(rows.at(places), x.reshape(-1).numpy()[places])
    assert rows.numel() == x.numel()
    one, other = (pass_over(each, np.float32, 100, (-0.1, 0.1)) for each in (rows, x))
    np.testing.assert_array_equal(one.gram, other.gram)
    np.testing.assert_array_equal(one.means, other.means)
    assert (one.low, one.high, one.counted.median(x.numel())) == (other.low, other.high, np.median(x))
