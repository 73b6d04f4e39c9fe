"""Whatever a file holds: what reads it refuses it with an InputError or reads it; it neither hangs nor takes memory."""

import random
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest
from campaign import ROUNDS
from seeds import SEEDS, Seed, damaged

from gapscope.errors import InputError

pytestmark = pytest.mark.slow

PATIENCE = 60
"""Seconds after which a reader hangs; no input takes a second."""
ROOM = 2 * 2**30
"""Bytes that all inputs of a kind may take."""


@contextmanager
def ends_in_time() -> Iterator[None]:
    def too_long(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still reading after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_whole_file_is_read(tmp_path, seed):
    path = tmp_path / seed.name
    path.parent.mkdir(parents=True, exist_ok=True)
    seed.make(path)
    seed.read(path)


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore")  # libraries comment on what they find
@pytest.mark.parametrize("round", range(ROUNDS))
@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_no_file_breaks_what_reads_it(tmp_path, seed: Seed, round):
    chance, path = random.Random(f"{seed.name}{round}"), tmp_path / seed.name
    path.parent.mkdir(parents=True, exist_ok=True)
    seed.make(path)
    content, others = path.read_bytes(), {one for one in tmp_path.rglob("*")}
    peak, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    for number in range(seed.inputs):
        path.write_bytes(damaged(content, seed.name, chance))
        try:
            with ends_in_time():
                seed.read(path)
        except InputError as error:
            refused += 1
            assert 0 < len(str(error)) < 6000
        except BaseException as error:
            raise AssertionError(f"input {number}: {type(error).__name__}: {error!s:.300}") from error
    assert refused > 0 or not seed.refuses
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 < ROOM
    assert {one for one in tmp_path.rglob("*") if one.is_file() and "run" not in one.parts} <= others | {path}
