"""Freed memory stays with a process only as long as it is at work."""

import subprocess
import sys

import pytest

from gapscope import kept_memory as module
from gapscope.training.train import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(module._glibc() is None, reason="no glibc, or the environment says how memory is kept"),
]

IN_A_NEW_PROCESS = """
import resource
import torch
from gapscope.kept_memory import kept_memory

LARGE = 2**26  # float32 values: 256 MiB, more than the C library keeps by itself
PAGES = 4 * LARGE // resource.getpagesize()

def use_and_free():  # with some room to spare: small objects may come to lie where it was
    torch.ones(LARGE + 2**20)

def is_fetched():  # whether the system has to hand out pages for one more; some hand out several at a time
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(LARGE)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / PAGES > 0.1

def held():  # in large tensors
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) / PAGES

before = held()
"""


def said_by(script: str, *variables: str) -> list[str]:
    """What a script prints in a new process, whose heap has no past."""
    command = ["env", *variables, sys.executable, "-c", IN_A_NEW_PROCESS + script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_second_tensor_takes_the_memory_of_the_first() -> None:
    script = "with kept_memory():\n    use_and_free()\n    print(is_fetched())\nuse_and_free()\nprint(is_fetched())"
    assert said_by(script) == ["False", "True"]


def test_it_is_kept_until_the_last_user_ends_and_then_given_back() -> None:
    script = """
with kept_memory():
    with kept_memory():
        use_and_free()
    print(is_fetched(), held() - before > 0.9)
print(held() - before < 0.1)
"""
    assert said_by(script) == ["False", "True", "True"]


def test_it_is_given_back_after_an_error_too() -> None:
    script = """
try:
    with kept_memory():
        use_and_free()
        print(held() - before > 0.9)
        1 / 0
except ZeroDivisionError:
    print(held() - before < 0.1)
"""
    assert said_by(script) == ["True", "True"]


@pytest.mark.parametrize("variable", ["MALLOC_TRIM_THRESHOLD_=1000000", "GLIBC_TUNABLES=glibc.malloc.arena_max=2"])
def test_what_the_environment_says_of_memory_stays_so(variable: str) -> None:
    """Who has chosen how memory is kept has chosen it for us too."""
    script = "with kept_memory():\n    use_and_free()\n    print(is_fetched())"
    assert said_by(script, variable) == ["True"]


def test_training_keeps_it_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    users = []
    training = Training.__new__(Training)
    monkeypatch.setattr(Training, "out_of_patience", property(lambda self: users.append(module._users) or 1 / 0))
    training.at, training.config = type("At", (), {"epoch": 0})(), type("Config", (), {"epochs": 1})()
    with pytest.raises(ZeroDivisionError):
        training.run()
    assert users == [1]
    assert module._users == 0
