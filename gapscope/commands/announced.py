"""What a command is about to replace, and what it found in the data, printed before hours are spent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gapscope.run_folder import RunFolder
    from gapscope.study.plan import Todo


def announced_in(run: Path) -> Callable[[Sequence[Todo]], None]:
    """Prints what of a run folder is done again and why, what grafts cost, and before trainings how images were split
    and what leaks; the same lines only once."""
    said: set[str] = set()
    before: list[Sequence[Todo]] = []

    def announce(todo: Sequence[Todo]) -> None:
        from gapscope.run_folder import RunFolder
        from gapscope.study.plan_words import replacing, to_graft

        folder = RunFolder(run)
        lines = [*replacing(todo, folder), *to_graft(todo)]
        if before or any(one.unit.stage == "train" for one in todo):
            lines += _of_domains(folder, todo)
        lines = [line for line in lines if line not in said]
        said.update(lines)
        before.append(todo)
        if lines:
            print("\n".join(lines), flush=True)

    return announce


def _of_domains(folder: RunFolder, todo: Sequence[Todo]) -> Iterator[str]:
    """Lines about every domain whose data are not to be made (again)."""
    from gapscope.study.told import told_of_domain

    waiting = {one.unit.domain for one in todo if one.unit.stage == "data" and one.how != "taken back"}
    for summary in sorted(folder.root.glob("data/*/summary.json")):
        if summary.parent.name not in waiting:
            yield from told_of_domain(folder, summary.parent.name)
