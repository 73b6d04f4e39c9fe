"""Random models made of what recorders get wrong: each layer is recorded right, or left out with a reason."""

import itertools
from collections import Counter

import pytest
import torch
from campaign import ROUNDS
from full_features import (
    assert_holds,
    assert_nothing_is_lost,
    full_features,
    largest_gram_difference,
    probe,
    settled,
)
from model_traits import traits_of
from random_models import (
    CHANNELS,
    PARTS,
    Asleep,
    AsObject,
    Branches,
    ConvNormRelu,
    Deciding,
    Dictionary,
    Overwriting,
    RandomModel,
    Remembering,
    Residual,
    ThroughAView,
    Tokens,
    TokensFirst,
)
from torch import nn
from torch.nn import functional as F

from gapscope.errors import InputError
from gapscope.recording.record import record

pytestmark = pytest.mark.slow

IMAGES = probe(n=11)
ONE_PASS = {"size": 32, "batch_size": 4}
SEEDS = range(12)


SKIPPED = {
    Asleep: {"part.unused": "is never called"},
    Deciding: {"part.other": "is never called"},
    Dictionary: {"part.both[index]": "holds int64 values, which are no activations"},
    Tokens: {"part.attention.out_proj": "is never called"},  # its weights are used, but not the module
    TokensFirst: {
        "part.turned": "has the shapes (4, 2, 6) for 2 images and (4, 3, 6) for 3: its rows are not the images"
    },
}


TRAITS = {
    ConvNormRelu: {"changes in place"},
    Residual: {"changes in place", "a module called twice"},
    Branches: {"branches", "a module called twice"},
    Dictionary: {"a dictionary", "numbers that are no activations"},
    AsObject: {"an object"},
    Tokens: {"a list", "a module never called"},
    TokensFirst: {"other rows"},
    Asleep: {"dropout", "a part without gradients", "a module never called"},
    Overwriting: {"changes in place"},
    ThroughAView: {"changes in place", "a module called twice"},
    Deciding: {"cannot be traced", "a module never called"},
    Remembering: {"remembers"},
}
"""What each part brings into a model, seen from outside."""


class Alone(nn.Module):
    """One part between two convolutions."""

    def __init__(self, part):
        super().__init__()
        self.stem, self.part, self.last = nn.Conv2d(3, CHANNELS, 1, stride=2), part, nn.Conv2d(CHANNELS, 4, 1)

    def forward(self, x):
        return self.last(self.part(self.stem(x)))


def assert_recorded_right(model, **options):
    """By any method and with little memory: the same numbers, which are those of the full features."""
    full = full_features(model, IMAGES, batch_size=4)
    recordings = [
        record(model, IMAGES, **ONE_PASS, method=method, memory=memory)
        for method in ("auto", "hooks")
        for memory in ("1GiB", "260KiB")
    ]
    for name in recordings[0].layers.tolist():
        assert_holds(recordings[0], name, full[name])
    assert_nothing_is_lost(recordings[0], full)
    for other in recordings[1:]:
        assert largest_gram_difference(recordings[0], other) < 1e-6
        assert other.skipped == recordings[0].skipped
    return recordings[0], full


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_every_part_alone_is_recorded_right(kind):
    recording, _ = assert_recorded_right(settled(Alone(kind()), IMAGES))
    assert recording.skipped == SKIPPED.get(kind, {})
    assert (recording.provenance["recorded_by"] == "graph") == (kind is not Deciding)


def test_a_tensor_that_is_changed_through_a_small_part_of_it_is_recorded_right():
    """Small parts are copied, so that the whole can go; then the graph computes something else, and hooks are asked."""
    recording, _ = assert_recorded_right(settled(Alone(ThroughAView(channels=1)), IMAGES))
    assert "hooks" in recording.provenance["recorded_by"]


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_every_part_does_what_it_is_there_for(kind):
    assert traits_of(settled(Alone(kind()), IMAGES), IMAGES) == TRAITS[kind]


def test_the_random_models_do_all_of_it_each_thing_in_at_least_two_of_them():
    models = [settled(RandomModel(seed), IMAGES, seed) for seed in SEEDS]
    seen = Counter(trait for model in models for trait in traits_of(model, IMAGES))
    assert min(seen[trait] for traits in TRAITS.values() for trait in traits) >= 2
    parts = Counter(type(part) for model in models for part in set(model.parts))
    assert min(parts[kind] for kind in PARTS) >= 2
    assert all(len(set(model.parts)) < len(model.parts) for model in models), "a whole part is used twice in each"


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(len(SEEDS) * ROUNDS))
def test_random_models_are_recorded_right(seed):
    assert_recorded_right(settled(RandomModel(seed), IMAGES, seed))


class Doing(nn.Module):
    """Does what it is told."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, x):
        return self.what(x)


COUNT = itertools.count()


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: F.dropout(x, 0.1, training=True),
        lambda x: x + 0.01 * torch.randn(x.shape[1:]),
        lambda x: x * (1 + next(COUNT) % 2),
    ],
    ids=["dropout", "noise", "memory"],
)
def test_a_model_that_gives_something_else_each_time_is_refused_by_the_first_layer_that_differs(draw):
    with pytest.raises(InputError, match=r"layer part puts out something else each time it sees the same images"):
        record(settled(Alone(Doing(draw)), IMAGES), IMAGES, size=32)


@pytest.mark.parametrize("method", ["auto", "hooks"])
def test_layers_that_mix_the_images_of_a_batch_are_left_out_with_the_reason(method):
    model = settled(Alone(Doing(lambda x: F.batch_norm(x, None, None, training=True))), IMAGES)
    recording = record(model, IMAGES, size=32, method=method)
    assert recording.layers.tolist() == ["stem"]
    assert recording.skipped == dict.fromkeys(
        ["part", "last", "output"], "an image's values depend on the other images of the batch"
    )


def test_a_layer_that_mixes_images_in_larger_batches_only_is_left_out_too():
    model = settled(Alone(Doing(lambda x: x if len(x) < 4 else x + x.mean(0))), IMAGES)
    recording = record(model, IMAGES, size=32)
    assert recording.layers.tolist() == ["stem"]
    assert set(recording.skipped) == {"part", "last"}


@pytest.mark.parametrize("method", ["auto", "hooks"])
def test_a_layer_whose_size_depends_on_the_images_is_left_out_with_both_sizes(method):
    def brightest(x):
        kept = x.mean((0, 1, 2)) > x.mean()
        return torch.cat([x, x[..., kept]], dim=3)

    recording = record(settled(Alone(Doing(brightest)), IMAGES), IMAGES, size=32, method=method, batch_size=4)
    assert recording.layers.tolist() == ["stem"]
    assert set(recording.skipped) == {"part", "last", "output"}
    assert all("shape" in reason for reason in recording.skipped.values())
