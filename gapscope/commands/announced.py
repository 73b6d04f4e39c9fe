"""Which finished work a command is about to replace, printed before it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gapscope.study.plan import Todo


def announced_in(run: Path) -> Callable[[Sequence[Todo]], None]:
    """Prints what of a run folder is done again and why; the same lines only once."""
    said: set[str] = set()

    def announce(todo: Sequence[Todo]) -> None:
        from gapscope.run_folder import RunFolder
        from gapscope.study.plan import replacing

        lines = [line for line in replacing(todo, RunFolder(run)) if line not in said]
        said.update(lines)
        if lines:
            print("\n".join(lines), flush=True)

    return announce
