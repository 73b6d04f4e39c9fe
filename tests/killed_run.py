"""Runs a study in processes that kill themselves while they put files in place, until one comes to its end.

    python killed_run.py SEED MEAN gapscope-arguments ...

Each process is a fork of this one, so that it need not import PyTorch again. It dies, as by `kill -9`, right before or
after it renames or deletes its n-th file; n is drawn anew each time, about MEAN, and more where the last ones finished
nothing: some units put more files in place than that. Prints how many died at work on which
stage, as JSON.
"""

import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gapscope.cli import main
from gapscope.run_folder import STAGES, RunFolder
from gapscope.study import arm_training, run, stages, work  # noqa: F401  imported once, before all forks

MOST = 1000
"""Deaths after which something is wrong."""


def dies_while_writing(chance: random.Random, mean: int) -> None:
    """From now on, count what is renamed and deleted, and die at the drawn moment."""
    left = [chance.randint(1, 2 * mean - 1)]
    before = chance.random() < 0.5

    def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
        def method_or_death(self: Path, *args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = method(self, *args, **options)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return method_or_death

    for name in ("replace", "rename", "unlink"):
        setattr(Path, name, wrapped(getattr(Path, name)))


def at_work_on(folder: RunFolder) -> str:
    """The last stage of which a unit is done, or that comes after it."""
    done = {path.name.partition("--")[0].removesuffix(".json") for path in folder.record_files()}
    reached = [stage for stage in STAGES if stage in done]
    return reached[-1] if reached else "data"


def attempt(arguments: list[str], chance: random.Random, mean: int) -> int:
    """How a process ended that runs the command, as `waitpid` says it."""
    child = os.fork()
    if child == 0:
        dies_while_writing(chance, mean)
        run_and_exit(arguments)
    return os.waitpid(child, 0)[1]


def run_and_exit(arguments: list[str]) -> None:
    """What a fork does that is a command: nothing of the process that it comes from is cleaned up."""
    sys.argv = ["gapscope", *arguments]
    try:
        main()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    chance, mean, arguments = random.Random(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    folder, deaths = RunFolder(Path(arguments[arguments.index("--out") + 1])), Counter[str]()
    finished = in_vain = 0
    for number in range(MOST):
        ended = attempt(arguments, random.Random(f"{sys.argv[1]}-{number}"), mean * (1 + in_vain))
        if not os.WIFSIGNALED(ended):
            break
        deaths[at_work_on(folder)] += 1
        before, finished = finished, len(folder.record_files())
        in_vain = 0 if finished > before else in_vain + 1
    print("\n" + json.dumps({"code": os.waitstatus_to_exitcode(ended), "deaths": deaths}))
