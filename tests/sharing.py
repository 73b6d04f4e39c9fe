"""What takes long to make is made once for all tests, in however many processes they run."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this test session, filled by `make`; tests read it, and who changes something takes a copy.

    The first process that asks makes it while others wait. Only a making that came to its end counts: what a process
    that failed or was killed has left is thrown away, and the next one starts anew.

    Args:
        factory: pytest's, whose folders lie beside those of the session's other processes.
        name: Of the folder, the same for all who share it.
        make: Given the folder, which is empty. It may note down where it is: the folder stays there.
    """
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / name, base / f"{name}.done"
    with FileLock(base / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
