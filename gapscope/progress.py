"""How far a long stage is: a bar with the time left on a terminal, plain lines elsewhere.

Library functions take `progress` and call it as `progress("training u-real seed 0", done, total, "loss 2.1")`;
they never print.
"""

import math
import time
from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """What a stage calls to say that `done` of `total` steps of `what` are finished."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None: ...


def silent(what: str, done: int, total: int, note: str = "") -> None:
    """The default: say nothing."""


class PlainLines:
    """Few lines: a stage that begins within `quiet` seconds of the last line, and ends so, is not heard of.

    Any other has a line when it begins, every `every` seconds while it runs, and when it ends.
    """

    def __init__(self, every: float = 15.0, quiet: float = 10.0) -> None:
        self.every, self.quiet = every, quiet
        self.last = -math.inf
        """When the last line of any stage was printed."""
        self.running: dict[str, Running] = {}

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        stage = self.running.setdefault(what, Running(now, done))
        due = now - self.last >= self.quiet if stage.printed is None else now - stage.printed >= self.every
        if due or (done >= total and stage.printed is not None):
            self.last = stage.printed = now
            spent = now - stage.started
            left = f", {spent / (done - stage.first) * (total - done):.0f} s left" if stage.first < done < total else ""
            took = f" in {spent:.1f} s" if done == total and spent >= 0.05 else ""
            print(f"{what}: {done}/{total}{took}{left}{'  ' + note if note else ''}", flush=True)
        if done >= total:
            del self.running[what]


@dataclass
class Running:
    """A stage that has begun and not ended."""

    started: float
    first: int
    """How far it was when it was first heard of."""
    printed: float | None = None
    """When its last line was printed."""


BAR, COUNT, LEFT = 12, 9, 7
"""Letters that a bar, a count such as 120/120 and a time left take at least."""


class Bars:
    """A rich progress bar for every stage that is running, and one line for each that is done."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as RichProgress,
            TaskID,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        # What is cut on a narrow terminal is the note, and then the name: bar, count and time left stay.
        name = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
        note = TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
        bar = BarColumn(bar_width=BAR, table_column=Column(no_wrap=True, min_width=BAR))
        count = MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=COUNT))
        left = TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=LEFT))
        self.bars = RichProgress(name, bar, count, left, TextColumn("left"), note, transient=True, expand=True)
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
