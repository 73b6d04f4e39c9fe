"""Runs the gapscope command: in this process, which is quick, or in one of its own, as a shell would."""

import contextlib
import io
import os
import subprocess
import sys
import traceback
from pathlib import Path
from unittest import mock

COMMAND = [sys.executable, "-m", "gapscope.cli"]
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
"""Tiny networks are quicker on one thread than on two that wait for each other."""

Done = subprocess.CompletedProcess[str]
"""Exit code (`returncode`), `stdout` and `stderr`."""


def gapscope(*arguments: str | Path, cwd: Path | None = None) -> Done:
    """What the command does and prints, without the seconds that a new process takes to import torch."""
    from gapscope.cli import main

    command = ["gapscope", *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", command),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception:  # what a shell would show, with its exit code
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def gapscope_process(*arguments: str | Path, cwd: Path | None = None) -> Done:
    """The same in a process of its own."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ONE_THREAD, timeout=3600)
