"""Which tests are quick: those that start no process, open no browser, train nothing and render no domain.

All others are marked `slow`: one by one, as a whole file, or here, by a fixture that they use. A test without the mark
that does one of these things all the same fails, whichever tests are run: so the quick ones stay quick.
"""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

SLOW_FIXTURES = {"finished_run", "smaller_run", "one_browser"}
PROCESSES = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}
"""Events of Python, raised before a process is started."""
QUICKLY_ASKED = ("git", "uname", "lscpu", "ldconfig", "fc-list", "system_profiler")

quick: list[str] = []
"""The quick test that is running, if there is one."""


def is_slow(file: Path) -> bool:
    """Whether a file marks all of its tests as slow."""
    return file.suffix == ".py" and "\npytestmark = pytest.mark.slow\n" in file.read_text(encoding="utf-8")


def mark_slow_ones(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@contextmanager
def kept_quick(item: pytest.Item) -> Iterator[None]:
    """While a test runs, with its fixtures: what only slow tests may do is refused, unless it is one."""
    if "slow" not in item.keywords:
        quick.append(item.nodeid)
    try:
        yield
    finally:
        quick.clear()


def watch() -> None:
    """Look at all that this process does from now on."""
    from gapscope.streets import write
    from gapscope.training.train import Training

    sys.addaudithook(look_at_event)
    BaseProcess.start = watched(BaseProcess.start, "starts a process")
    Training.run = watched(Training.run, "trains a network")
    write.write_domain = watched(write.write_domain, "renders a domain")


def look_at_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event in PROCESSES and not asks_quickly(arguments):
        refuse("starts a process")


def asks_quickly(arguments: tuple[Any, ...]) -> bool:
    """A run notes its commit, and libraries ask for the processor, for other libraries and, at their first start on a
    machine, for its fonts: none of it takes time, or is asked twice."""
    return bool(arguments) and Path(str(arguments[0])).name in QUICKLY_ASKED


def watched(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def looked_at(*arguments: Any, **options: Any) -> Any:
        refuse(what)
        return function(*arguments, **options)

    return looked_at


def refuse(what: str) -> None:
    """Fail the quick test that is running."""
    if quick:
        pytest.fail(f"{quick[0]} {what}. Mark it, or its file, with pytest.mark.slow", pytrace=False)
