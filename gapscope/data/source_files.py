"""The files that a domain of the user's was read from, noted so that what changed can be said by name."""

import json
from pathlib import Path

from gapscope.files import OTHER_CONTENT, file_stats, parse_json, read_text, write_text
from gapscope.typed import typed

NAMED = 3
"""Files that a sentence names; more are counted."""


def note_source_files(path: Path, root: Path) -> None:
    """Write the name, size and date of every file below `root`, one a line."""
    rows = (json.dumps([name, size, changed]) for name, size, changed, _ in file_stats(root))
    write_text(path, "".join(f"{row}\n" for row in rows))


def noted_files(path: Path) -> dict[str, tuple[int, int]] | None:
    """Name -> size in bytes and date in nanoseconds, as they were noted; None if nothing was, or it cannot be read."""
    try:
        rows = (parse_json(line) for line in read_text(path).splitlines())
        return {name: (size, changed) for name, size, changed in (typed(tuple[str, int, int], row) for row in rows)}
    except OTHER_CONTENT:
        return None


def changed_files(path: Path, root: Path) -> str | None:
    """What became of files since they were noted: `1 file changed (images/003.png), 2 new (a.png, b.png)`.

    Returns:
        None if nothing was noted, or the note cannot be read.
    """
    before = noted_files(path)
    if before is None:
        return None
    now = {name: (size, changed) for name, size, changed, _ in file_stats(root)}
    kinds = {
        "changed or newly dated": [name for name in now if name in before and now[name] != before[name]],
        "new": [name for name in now if name not in before],
        "gone": [name for name in before if name not in now],
    }
    return ", ".join(f"{counted(names)} {kind} ({listed(names)})" for kind, names in kinds.items() if names)


def counted(names: list[str]) -> str:
    return f"{len(names)} file{'s' if len(names) > 1 else ''}"


def listed(names: list[str]) -> str:
    """The first few."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
