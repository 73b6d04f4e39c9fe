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


def run(sizes, inputs, places, room, num_images=5):
    """What each step puts out for each image (step, image), computed in one block image after image.

    Each number of an output is a weighted sum of what the step reads, which tells from which step and image it came.
    """
    block = np.full(room * num_images, np.nan)
    put_out = np.empty((len(sizes), num_images))

    def rows(i, image):
        start = places[i] * num_images + image * sizes[i]
        return slice(start, start + sizes[i])

    for step, size in enumerate(sizes):
        for image in range(num_images):
            read = [block[rows(i, image)] for i in inputs[step]]
            assert all(len(set(part)) == 1 for part in read), f"an input of step {step} was overwritten"
            put_out[step, image] = np.sin(step + 10 * image + sum(part[0] for part in read))
            block[rows(step, image)] = np.full(size, put_out[step, image])
    return put_out


@pytest.mark.parametrize("seed", range(30))
def test_what_is_written_over_its_own_input_leaves_every_step_the_same_numbers(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, 25).tolist()
    inputs = [sorted({step - 1, int(rng.integers(max(step - 5, 0), step))}) if step else [] for step in range(25)]
    last_use = [max([reader for reader in range(25) if step in inputs[reader]], default=step) for step in range(25)]
    plain = plan_arena(sizes, last_use, 10**9)
    over = plan_arena(sizes, last_use, 10**9, dict(enumerate(inputs)))
    assert over.size <= plain.size
    written_over = overlaps(sizes, last_use, over.places)
    assert all(a[0] == b[0] and a[2] in inputs[b[2]] for a, b in written_over)
    apart = {step: 8 * step for step in range(25)}
    wanted = run(sizes, inputs, apart, 200)
    for arena in (plain, over):
        np.testing.assert_array_equal(run(sizes, inputs, arena.places, arena.size), wanted)


def test_some_outputs_are_written_over_their_inputs_and_memory_is_saved():
    chain = plan_arena([8, 4, 4, 2], [1, 2, 3, 3], 10**9, {1: [0], 2: [1], 3: [2]})
    assert chain.places == dict.fromkeys(range(4), 0) and chain.size == 8
    assert plan_arena([8, 4, 4, 2], [1, 2, 3, 3], 10**9).size == 12


def test_nothing_is_written_over_what_is_smaller_or_read_again():
    assert plan_arena([4, 5], [1, 1], 10**9, {1: [0]}).size == 9
    assert plan_arena([5, 5, 5], [2, 2, 2], 10**9, {1: [0], 2: [0, 1]}).size == 10
    assert plan_arena([5, 5], [1, 1], 10**9, {1: []}).size == 10


def test_no_room_means_no_places():
    assert plan_arena([5, 6], [1, 1], 0).places == {}
