"""Several trainings at once on this machine (--jobs), each in a process of its own.

Thin networks gain little from a second thread, so two cores may do better with an arm each than with both on one arm.
"""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from gapscope.errors import InputError
from gapscope.interruptions import leave_to_parent
from gapscope.pipes import Sender, new_pipe, received
from gapscope.shortage import told_of_shortage
from gapscope.study.study import Study
from gapscope.study.units import Unit, UnitKeys

SECONDS_TO_END = 30.0
"""How long a process that is to stop may take to save what it has."""
KILLED = (
    "{name}: its process was killed, which is what the system does when memory runs out. Lower --jobs or [train] "
    "batch_size, and give the same command again: it goes on from the last checkpoint."
)
Finished = Callable[[Unit, float], None]
"""Told of each unit that ended well, with its seconds."""


def do_side_by_side(
    units: Sequence[Unit],
    keys: dict[str, UnitKeys],
    study: Study,
    jobs: int,
    begin: Callable[[Unit], None],
    finished: Finished,
) -> None:
    """Do units in up to `jobs` processes, each as soon as those that it needs are done.

    Every process gets its share of the cores as threads. If this process dies, however it dies, so do they.

    Args:
        units: What to do; what they need is either among them or done already.
        keys: Those of every unit; looked up when it begins.
        study: What they belong to; its progress hears of all of them.
        jobs: Most processes at a time.
        begin: Called with each unit right before it begins.
        finished: Called with each unit that ended well, and its seconds.

    Raises:
        InputError: If a unit raised one, or its process was killed or had not enough memory or disk. Those that do not
            need it are done first.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting, running = list(units), dict[Connection, tuple[Unit, BaseProcess]]()
    failed: dict[str, tuple[str, str]] = {}
    try:
        while waiting or running:
            waiting = [unit for unit in waiting if not failed.keys() & set(unit.needs)]
            blocked = {unit.name for unit in waiting} | {unit.name for unit, _ in running.values()}
            ready = [unit for unit in waiting if not blocked.intersection(unit.needs)]
            process: BaseProcess
            for unit in ready[: jobs - len(running)]:
                waiting.remove(unit)
                begin(unit)
                receiver, sender = new_pipe()
                arguments = (unit, keys[unit.name], study, threads, os.getpid(), sender)
                process = context.Process(target=_work, args=arguments, daemon=True)
                process.start()
                sender.close()
                running[receiver] = unit, process
            for receiver, (kind, *content) in _news(running) if running else ():
                if kind == "progress":
                    study.progress(*content)
                    continue
                unit, process = running.pop(receiver)
                receiver.close()
                process.join()
                if kind == "done":
                    finished(unit, *content)
                else:
                    failed[unit.name] = kind, *content
        if failed:
            told = "\n".join(said for _, said in failed.values())
            raise InputError(told) if all(kind == "refused" for kind, _ in failed.values()) else RuntimeError(told)
    finally:
        for receiver, (_, process) in running.items():
            receiver.close()  # nobody listens any more
            process.terminate()  # a training saves a checkpoint first
        for _, process in running.values():
            process.join(SECONDS_TO_END)
            process.kill()
            process.join()


def _news(running: dict[Connection, tuple[Unit, BaseProcess]]) -> Iterator[tuple[Connection, tuple[Any, ...]]]:
    """What the processes say: `progress`, or as their last word `done`, `refused` or `failed`."""
    receivers = list(running)
    for receiver, message in received(receivers, timeout=1.0):
        yield receiver, message or _last_word(*running[receiver])
    for receiver in receivers:  # what a process has started may outlive it for a while, and keep its pipe open
        if receiver in running and running[receiver][1].exitcode is not None and not receiver.poll():
            yield receiver, _last_word(*running[receiver])


def _last_word(unit: Unit, process: BaseProcess) -> tuple[str, str]:
    """Of one that has ended without any."""
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return "refused", KILLED.format(name=unit.name)
    return "failed", f"the process of {unit.name} ended with code {process.exitcode} without a word."


def _work(unit: Unit, keys: UnitKeys, study: Study, threads: int, parent: int, sender: Sender) -> None:
    """What a process does: one unit, with its news sent to the parent."""
    leave_to_parent(parent)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a training saves a checkpoint first
    try:
        from gapscope.recording.crew import keep_process_to

        keep_process_to(threads)
        study.progress = lambda *news: sender.send("progress", *news)
        started = time.perf_counter()
        unit.work(study, keys)
        sender.send("done", time.perf_counter() - started)
    except InputError as error:
        sender.send("refused", str(error))
    except KeyboardInterrupt:
        return  # nobody listens any more
    except BaseException as error:
        said = told_of_shortage(error)
        if said is not None:
            sender.send("refused", f"{unit.name}: {said}")
        else:
            sender.send("failed", f"{unit.name} failed:\n{traceback.format_exc()}")
