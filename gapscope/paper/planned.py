"""One figure that a run can fill: its name, what it shows, how it is drawn, what is to be said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from gapscope.paper.fingerprint import drawing_version, fingerprint
from gapscope.plot.style import TWO_COLUMNS

WIDE = 5.0
"""Inches from which on a figure has room for more."""


@dataclass(frozen=True, eq=False)
class Planned:
    """Drawn only when asked for, at any width, from nothing but what it shows: so it knows when it has to be anew."""

    name: str
    """`figure1` to `figure7` as in the paper, or a word."""
    drawing: Callable[..., Figure]
    """A function of a module: everything in `shows`, everything in `shows_wide`, inches -> the figure."""
    shows: tuple[Any, ...]
    """All numbers and words on it; a figure for a paper has no title, since the caption says it."""
    caption: str = ""
    beside: str = ""
    """What is to be said in addition of a figure of two columns, which has room for more."""
    shows_wide: tuple[Any, ...] = ()
    """What only such a figure shows; None in its place on any other."""
    width: float = TWO_COLUMNS
    """Inches in the report."""

    def draw(self, width: float) -> Figure:
        """The figure, at a width in inches."""
        return self.drawing(*self._shown(width), width)

    def made_from(self, width: float) -> str:
        """Changes with every number and word on the figure of this width, and with the code that draws it."""
        return fingerprint(drawing_version(), self.drawing, *self._shown(width), width)

    def _shown(self, width: float) -> tuple[Any, ...]:
        wide = self.shows_wide if width > WIDE else (None,) * len(self.shows_wide)
        return *self.shows, *wide

    @property
    def key(self) -> str:
        """As a user names it: `1`, `effect`."""
        return self.name.removeprefix("figure")
