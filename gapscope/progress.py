"""How far a long stage is: a bar with the time left on a terminal, plain lines elsewhere.

Library functions take `progress` and call it as `progress("training u-real seed 0", done, total, "loss 2.1")`;
they never print.
"""

import time
from typing import Protocol


class Progress(Protocol):
    """What a stage calls to say that `done` of `total` steps of `what` are finished."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None: ...


def silent(what: str, done: int, total: int, note: str = "") -> None:
    """The default: say nothing."""


class PlainLines:
    """One line when a stage starts, every `every` seconds while it runs, and when it ends."""

    def __init__(self, every: float = 15.0) -> None:
        self.every = every
        self.what = ""
        self.started = self.printed = 0.0

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if what != self.what:
            self.what, self.started = what, now
        elif done < total and now - self.printed < self.every:
            return
        self.printed = now
        spent = now - self.started
        left = f", {spent / done * (total - done):.0f} s left" if 0 < done < total else ""
        took = f" in {spent:.1f} s" if done == total and spent >= 0.05 else ""
        print(f"{what}: {done}/{total}{took}{left}{'  ' + note if note else ''}", flush=True)


class Bars:
    """A rich progress bar for the stage that is running; which goes when the stage is done and leaves one line behind."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self.bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self.task = None
        self.what = ""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        if what != self.what or self.task is None:
            self.what, self.task = what, self.bars.add_task(what, total=total, note=note)
            self.bars.start()
        self.bars.update(self.task, completed=done, total=total, note=note)
        if done >= total:
            self.bars.refresh()
            self.bars.stop()
            self.what = ""
            self.bars.remove_task(self.task)
            self.task = None


def for_terminal() -> Progress:
    """Bars when standard output is a terminal, plain lines otherwise."""
    from rich.console import Console

    return Bars() if Console().is_terminal else PlainLines()
