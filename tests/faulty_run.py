"""Runs stages of a study while something goes wrong, each in a process of its own, and once more without.

    python faulty_run.py SEED STAGES KINDS CONFIG RUN

RUN is a finished run. For every stage (of those given with commas between them), what is on record about it is dropped,
and it is done again by a fork of this process in which one kind of trouble, drawn from those given, begins when the
stage writes its first file. Then it is done without. Prints a JSON list: what was tried, how both ended, what was said.
"""

import errno
import json
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from killed_run import run_and_exit

from gapscope.run_folder import RunFolder

PLACES = {
    "data": "data",
    "train": "arms",
    "evaluate": "evaluation",
    "record": "recordings",
    "compare": "similarity",
    "report": "tables",
}
"""Where each stage writes first."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.mkdir", "os.rename", "os.remove")


def full_disk(chance: random.Random, place: Path) -> None:
    """No file can grow beyond some thousand bytes."""
    sys.dont_write_bytecode = True  # Python 3.11 would leave modules cut off that it compiles meanwhile
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (chance.choice((0, 100, 4096)), hard))


def read_only(chance: random.Random, place: Path) -> None:
    """Nothing below the run folder can be written."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(place))


def no_memory(chance: random.Random, place: Path) -> None:
    raise MemoryError


def killed(chance: random.Random, place: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


KINDS: dict[str, Callable[[random.Random, Path], None]] = {
    "full disk": full_disk,
    "read-only": read_only,
    "no memory": no_memory,
    "killed": killed,
}


WORKER = "worker killed"
"""Not at the first file: two trainings run side by side, and one of their processes is killed at some moment."""


def kills_a_worker(chance: random.Random) -> None:
    """In a thread, since the process that starts workers waits for them."""

    def kill() -> None:
        while not (workers := sorted(own_workers())):
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 3))
        os.kill(chance.choice(workers), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()


def own_workers() -> Iterator[int]:
    """Processes that this one has started to work; multiprocessing has one more, which keeps its books."""
    for tasks in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for child in tasks.read_text().split():
            with suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    yield int(child)


def begins_at(place: Path, kind: str, chance: random.Random) -> None:
    """From the first file that is written below a place, the trouble is there."""
    begun = [False]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and (arguments[2] or 0) & WRITES:
            path = Path(arguments[0])
        elif event in CHANGES and begun[0]:
            path = Path(os.fsdecode(arguments[0]))
        else:
            return
        first = not begun[0] and path.is_relative_to(place)
        if first or (begun[0] and kind == "read-only" and path.is_relative_to(place.parent)):
            begun[0] = True
            KINDS[kind](chance, path)

    sys.addaudithook(hook)


def attempt(arguments: list[str], trouble: Callable[[], None] = lambda: None) -> tuple[int, str]:
    """Exit code of a fork that runs the command, negative for a signal, and its errors."""
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 2)
            trouble()
            run_and_exit(arguments)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return code, said.read()


def forget(folder: RunFolder, stage: str) -> None:
    for path in folder.record_files():
        if path.name.partition("--")[0].removesuffix(".json") in (stage, *(("effect",) if stage == "compare" else ())):
            path.unlink()


if __name__ == "__main__":
    torch.set_num_threads(1)
    seed, wanted, kinds, config, root = sys.argv[1:6]
    folder, found = RunFolder(Path(root).absolute()), []
    for stage in wanted.split(","):
        chance = random.Random(f"{seed}-{stage}")
        kind = chance.choice([one for one in kinds.split(",") if one != WORKER or stage == "train"])
        command = ["run", config, "--out", root, "--only", stage, *(["--jobs", "2"] if kind == WORKER else [])]
        forget(folder, stage)
        if kind == WORKER:
            code, said = attempt(command, partial(kills_a_worker, chance))
        else:
            code, said = attempt(command, partial(begins_at, folder.root / PLACES[stage], kind, chance))
        again, then = attempt(command)
        found.append({"stage": stage, "kind": kind, "code": code, "said": said, "again": again, "then": then})
    print("\n" + json.dumps(found))
