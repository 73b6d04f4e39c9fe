"""One figure that a run can fill: its name, how it is drawn, what is to be said of it."""

from collections.abc import Callable
from dataclasses import dataclass

from gapscope.plot.style import Plot


@dataclass(frozen=True)
class Planned:
    """Drawn only when asked for, at any width."""

    name: str
    """`figure1` to `figure7` as in the paper, or a word."""
    draw: Callable[[float], Plot]
    """Inches -> the figure, without a title: the caption says it."""
    caption: str
    beside: str = ""
    """What is to be said in addition of a figure of two columns, which has room for more."""

    @property
    def key(self) -> str:
        """As a user names it: `1`, `effect`."""
        return self.name.removeprefix("figure")
