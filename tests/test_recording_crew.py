"""Work is shared out among threads; what comes out is the same, and what was asked of torch and BLAS is as before."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from gapscope.detector.network import yolov3
from gapscope.recording import schedule
from gapscope.recording.crew import Crew, crew, torch_threads
from gapscope.recording.layer_numbers import layer_numbers, start_numbers
from gapscope.recording.layer_sync import record_by_layers
from gapscope.recording.recording import STATISTICS
from gapscope.recording.schedule import Schedule

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def shared_however_small(monkeypatch):
    """These recordings are so small that one thread would make them."""
    monkeypatch.setattr(schedule, "LEAST_WORK", 0)


IMAGES = torch.randint(0, 256, (24, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@contextmanager
def threads(number):
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def blas_threads():
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@pytest.mark.parametrize("number", [1, 2, 5])
def test_results_come_in_the_order_of_the_work(number):
    with threads(number), crew() as hands:
        assert hands.number == number
        assert hands.compute([lambda k=k: k * k for k in range(40)]) == [k * k for k in range(40)]
        begun = [hands.start(lambda k=k: -k) for k in range(40)]
        assert [hands.result(one) for one in begun] == [-k for k in range(40)]
        assert hands.compute([]) == []


def test_others_make_numbers_while_the_giver_computes_a_layer():
    by: dict[str, int] = {}
    done = threading.Event()

    def numbers():
        by["numbers"] = threading.get_ident()
        done.set()

    def layer():
        assert done.wait(20), "nobody made the numbers meanwhile"
        by["layer"] = threading.get_ident()

    with threads(2), crew() as hands:
        begun = hands.start(numbers)
        hands.compute([layer])
        hands.result(begun)
    assert by["layer"] == threading.get_ident() != by["numbers"]


def test_who_waits_helps():
    """Both of two threads are needed here, or this would take for ever."""
    meeting = threading.Barrier(2, timeout=20)
    with threads(2), crew() as hands:
        begun = [hands.start(meeting.wait) for _ in range(2)]
        assert sorted(hands.result(one) for one in begun) == [0, 1]


@pytest.mark.parametrize("number", [1, 3])
def test_an_error_is_raised_as_it_was_and_nobody_is_at_work_afterwards(number):
    started, ended = [], []

    def work(k):
        started.append(k)
        if k == 1:
            raise ValueError("the second one failed")
        ended.append(k)

    with threads(number), pytest.raises(ValueError, match="the second one failed"), crew() as hands:
        hands.compute([lambda k=k: work(k) for k in range(50)])
    assert set(started) - set(ended) == {1}
    seen = len(started)
    threading.Event().wait(0.05)
    assert len(started) == seen


def test_who_stops_the_program_while_it_helps_is_heard_at_once():
    """Not only by whoever asks for the result of the work that was at hand, which may be nobody."""
    others_turn = threading.Event()

    def stop():
        raise KeyboardInterrupt

    with threads(2), pytest.raises(KeyboardInterrupt), crew() as hands:
        waits = hands.start(lambda: others_turn.wait(20))
        while hands.backlog:  # the other thread has taken it
            threading.Event().wait(0.01)
        hands.start(stop)
        try:
            hands.result(waits)
        finally:
            others_turn.set()


@pytest.mark.parametrize("fails", [False, True])
def test_torch_and_blas_have_the_threads_that_they_had(fails):
    before = blas_threads()
    assert before, "numpy's BLAS is not seen"
    with threads(3):
        try:
            with crew() as outer, torch_threads(1), crew() as hands:
                assert outer.number == 3 and hands.number == 1  # torch's own number says how many
                assert set(blas_threads()) == {1}
                assert torch.get_num_threads() == 1
                if fails:
                    raise OSError
        except OSError:
            assert fails
        assert torch.get_num_threads() == 3
        with crew() as hands:
            inside = hands.start(torch.get_num_threads)
            assert inside.result(timeout=20) == 1  # of another thread: this one does not help
    assert blas_threads() == before


def test_threads_of_another_number_are_let_go():
    with threads(4), crew():
        many = threading.active_count()
    with threads(2), crew() as hands:
        hands.compute([lambda: None] * 8)
        for _ in range(100):
            if threading.active_count() <= many - 2:
                break
            threading.Event().wait(0.05)
        assert threading.active_count() <= many - 2


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("statistics", ["exact", "sampled", None])
def test_features_are_let_go_with_their_numbers(number, statistics):
    """Not when Python next looks for circles: until then the largest tensors of a recording would stand twice."""
    features = torch.randn(20, 70_000, generator=torch.Generator().manual_seed(0))
    seen = weakref.ref(features)
    gc.collect()
    gc.disable()
    try:
        with threads(number):
            layer_numbers(features, statistics)
            with crew() as hands:
                start_numbers(features, hands, statistics)()
                del features
                assert seen() is None
    finally:
        gc.enable()


def recorded(network, images, **options):
    found = record_by_layers(network, images, size=64, **options)
    return [found.gram, found.pooled, found.input_gram, *(getattr(found, name) for name in STATISTICS)]


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["8GiB", "9MiB"])
@pytest.mark.parametrize("alone", [1, 2**26])
def test_a_recording_is_the_same_to_the_last_bit_with_any_number_of_threads(memory, alone, monkeypatch):
    """Also where outputs lie over the inputs of their layers, and where they are in files."""
    monkeypatch.setattr(schedule, "ALONE", alone)
    monkeypatch.setattr(schedule, "LAG", alone // 4)
    monkeypatch.setattr(schedule, "CPU_STEP", 2**20)  # several batches of the first layers
    network, images = yolov3(2, width=0.125).eval(), IMAGES
    found = {}
    for number in (1, 2, 3, 8):
        with threads(number):
            found[number] = recorded(network, images, memory=memory)
    for number in (2, 3, 8):
        for one, other in zip(found[1], found[number], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_parts_of_a_layer_may_end_in_any_order(monkeypatch):
    """So a layer that lies over a larger input, of which it would overwrite what others still read, has no parts."""
    network = yolov3(2, width=0.125).eval()
    wanted = recorded(network, IMAGES)
    monkeypatch.setattr(schedule, "ALONE", 1)
    monkeypatch.setattr(schedule, "LAG", 1)
    monkeypatch.setattr(schedule, "CPU_STEP", 2**20)
    monkeypatch.setattr(Crew, "compute", lambda _, work: [one() for one in reversed(work)][::-1])
    with threads(2):
        for one, other in zip(wanted, recorded(network, IMAGES), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(one).max())


@pytest.mark.slow
def test_numbers_that_wait_keep_their_layers():
    """However far the numbers lag behind the layers, they are those of the values that the layers put out."""
    network, images = yolov3(2, width=0.125).eval(), IMAGES
    wanted = recorded(network, images)
    table = network.table
    with threads(2):
        for lag in (1, 2**16, 2**30):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(schedule, "LAG", lag)
                plan = Schedule(table, 24, 64, 8 * 2**30, CPU)
                assert all(plan.last_step(index) > index for index in range(len(table)))
                for one, other in zip(wanted, recorded(network, images), strict=True):
                    np.testing.assert_array_equal(one, other)


def test_a_layer_with_little_else_to_do_is_computed_by_all_threads_together():
    with threads(2):
        plan = Schedule(yolov3(2).table, 8, 64, 8 * 2**30, CPU)
        layer = plan.table[70]
        assert not plan.in_pieces(layer, backlog=0)
        assert plan.in_pieces(layer, backlog=10_000)
        assert plan.in_pieces(Schedule(yolov3(2).table, 200, 416, 8 * 2**30, CPU).table[10], backlog=10_000)
    with threads(1):
        assert not Schedule(yolov3(2).table, 8, 64, 8 * 2**30, CPU).in_pieces(layer, backlog=10_000)


@pytest.mark.slow
def test_an_error_in_a_layer_reaches_the_caller_and_leaves_nothing_at_work():
    network, images = yolov3(2, width=0.125).eval(), IMAGES[:12]

    def fail(*_):
        raise RuntimeError("layer 38 failed")

    handle = network.layers[38].conv.register_forward_hook(fail)
    with threads(3), pytest.raises(RuntimeError, match="layer 38 failed"):
        record_by_layers(network, images, size=64)
    handle.remove()
    with threads(3):
        assert np.isfinite(record_by_layers(network, images, size=64).gram).all()


def test_little_work_is_not_shared_out(monkeypatch):
    monkeypatch.setattr(schedule, "LEAST_WORK", 1e8)
    with threads(2):
        assert Schedule(yolov3(2, width=0.25).table, 32, 32, 8 * 2**30, CPU).threads == 1
        assert Schedule(yolov3(2, width=0.25).table, 64, 128, 8 * 2**30, CPU).threads == 2


KEPT = """
import numpy, torch
from threadpoolctl import threadpool_info
from gapscope.recording.crew import crew, keep_process_to
keep_process_to(1)
with crew(3):
    pass
print(torch.get_num_threads(), [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"])
"""


@pytest.mark.slow
def test_a_process_that_has_its_share_of_the_cores_keeps_to_it():
    """Torch's number alone leaves numpy's BLAS with all cores, whatever other processes do on them."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, env=environment)
    threads, blas = done.stdout.split(maxsplit=1)
    assert blas.strip() == "[1]", done.stdout + done.stderr
    assert threads == "1"
