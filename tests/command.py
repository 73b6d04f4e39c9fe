"""Runs the gapscope command in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "gapscope.cli"]
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
"""Tiny networks are quicker on one thread than on two that wait for each other."""


def gapscope(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The finished process, with what it printed."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ONE_THREAD, timeout=900)
