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
        self.times: dict[str, tuple[float, int, float]] = {}
        """Of each running stage: when it was first heard of, how far it was then, when its last line was printed."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        started, first, printed = self.times.get(what, (now, done, 0.0))
        if done < total and now - printed < self.every:
            return
        self.times[what] = started, first, now
        spent = now - started
        left = f", {spent / (done - first) * (total - done):.0f} s left" if first < done < total else ""
        took = f" in {spent:.1f} s" if done == total and spent >= 0.05 else ""
        print(f"{what}: {done}/{total}{took}{left}{'  ' + note if note else ''}", flush=True)
        if done >= total:
            del self.times[what]


class Bars:
    """A rich progress bar for every stage that is running, and one line for each that is done."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TaskID,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        rest = (TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
        self.bars = RichProgress(*columns, *rest, transient=True)
        self.running: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        if what not in self.running:
            self.running[what] = self.bars.add_task(what, total=total, note=note)
            self.bars.start()
        task = self.running[what]
        self.bars.update(task, completed=done, total=total, note=note)
        if done >= total:
            spent = self.bars.tasks[self.bars.task_ids.index(task)].elapsed or 0.0
            self.bars.console.print(f"{what}: done in {spent:.1f} s  {note}", highlight=False)
            self.bars.remove_task(self.running.pop(what))
        if not self.running:
            self.bars.refresh()  # with no bar left, so that none stays on the screen
            self.bars.stop()


def for_terminal() -> Progress:
    """Bars when standard output is a terminal, plain lines otherwise."""
    from rich.console import Console

    return Bars() if Console().is_terminal else PlainLines()
