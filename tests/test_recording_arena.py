"""Places in one block of memory: nothing alive is overwritten, and little is wasted."""

import numpy as np
import pytest

from gapscope.detector.layers import yolov3_layers
from gapscope.recording.arena import plan_arena


def yolov3_lives(size=416):
    table = yolov3_layers(5)
    last = {source: layer.index for layer in table for source in layer.inputs}
    return [layer.num_features(size) for layer in table], [last.get(layer.index, layer.index) for layer in table]


def peak(sizes, last_use):
    """The largest sum of sizes alive at one step, written out."""
    return max(
        sum(size for i, size in enumerate(sizes) if i <= step <= max(last_use[i], i)) for step in range(len(sizes))
    )


def overlaps(sizes, last_use, places):
    spans = [(places[i], places[i] + sizes[i], i, max(last_use[i], i)) for i in places]
    return [
        (a, b)
        for a in spans
        for b in spans
        if a[2] < b[2] and a[0] < b[1] and b[0] < a[1] and a[2] <= b[3] and b[2] <= a[3]
    ]


@pytest.mark.parametrize("seed", range(20))
def test_outputs_that_are_alive_together_lie_apart(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 100, 40).tolist()
    last_use = (np.arange(40) + rng.integers(0, 8, 40)).tolist()
    arena = plan_arena(sizes, last_use, 10**9)
    assert sorted(arena.places) == list(range(40))
    assert not overlaps(sizes, last_use, arena.places)
    assert peak(sizes, last_use) <= arena.size <= sum(sizes)


def test_yolov3_needs_hardly_more_than_what_is_alive_at_its_widest_step():
    sizes, last_use = yolov3_lives()
    arena = plan_arena(sizes, last_use, 10**12)
    assert not overlaps(sizes, last_use, arena.places)
    assert arena.size < 1.05 * peak(sizes, last_use)


def test_what_has_no_room_has_no_place_and_the_rest_keeps_to_the_room():
    sizes, last_use = yolov3_lives()
    room = peak(sizes, last_use) // 2
    arena = plan_arena(sizes, last_use, room)
    assert 0 not in arena.places and 106 in arena.places
    assert arena.size <= room
    assert not overlaps(sizes, last_use, arena.places)


def test_no_room_means_no_places():
    assert plan_arena([5, 6], [1, 1], 0).places == {}
