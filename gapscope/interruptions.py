"""Signals that ask a process to end, and processes that end with their parent."""

import os
import signal
import threading
import time

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C; what a scheduler sends; what is sent when a terminal or a connection is gone."""


def heard() -> list[signal.Signals]:
    """The signals that interrupt this process: those that it was not started to ignore, as by `nohup`."""
    known = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    return [number for number in known if signal.getsignal(number) != signal.SIG_IGN]


def hear_all() -> None:
    """Take every one of them for Ctrl-C, so that what was begun is saved."""
    for number in heard():
        signal.signal(number, signal.default_int_handler)


def leave_to_parent(parent: int) -> None:
    """In a process that another one has started: end with that one, and leave to it what an interruption means.

    SIGTERM is the parent's word, and stays.

    Args:
        parent: Its process id.
    """
    for name in ("SIGINT", "SIGHUP"):  # the terminal sends them to every process of the group
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=die_with, args=(parent,), daemon=True).start()


def die_with(parent: int) -> None:
    """End this process when its parent is gone, so that no work goes on that nobody waits for."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
