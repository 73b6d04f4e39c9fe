"""Only figures that would come out otherwise are drawn: their folder knows what each of its files is made from."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gapscope.errors import InputError
from gapscope.files import hash_file, read_json, write_json
from gapscope.paper.fingerprint import fingerprint
from gapscope.paper.planned import Planned
from gapscope.plot.style import FORMATS, write_figure

MADE_FROM = "made-from.json"
"""Beside the figures: file -> a digest of what it shows and of what drew it, and the SHA-256 of its bytes."""


@dataclass(frozen=True)
class Redrawn:
    """How much of the work was needed."""

    drawn: frozenset[str] = frozenset()
    """Names of figures that are new, changed, deleted or damaged."""
    kept: frozenset[str] = frozenset()
    """Those of which every file is as it would be drawn."""

    def __or__(self, other: "Redrawn") -> "Redrawn":
        """Both together: a figure that is drawn at one width is drawn."""
        drawn = self.drawn | other.drawn
        return Redrawn(drawn, (self.kept | other.kept) - drawn)

    def of(self, whose: str) -> "Redrawn":
        """The same with names that tell its figures from those of others."""
        drawn, kept = (frozenset(f"{whose}/{name}" for name in names) for names in (self.drawn, self.kept))
        return Redrawn(drawn, kept)

    def __str__(self) -> str:
        return f"{len(self.drawn)} drawn, {len(self.kept)} kept"


def redraw(
    planned: Sequence[Planned],
    folder: Path,
    width: float | None = None,
    *,
    formats: Sequence[str] = ("png", "pdf"),
    dpi: int = 200,
    others: Collection[str] = (),
    done: Callable[[Redrawn], None] = lambda redrawn: None,
) -> Redrawn:
    """Write `<name>.<format>` of every figure whose file is not there, not whole, or not made from what it now shows.

    Files of before whose figure the run has no longer are deleted.

    Args:
        planned: The figures.
        folder: Where they are, or are to be.
        width: Inches; None: each figure's own.
        formats: Of `FORMATS`.
        dpi: Of PNG, dots per inch.
        others: Names of further figures that the run has, whose files stay.
        done: Given after each figure what has been drawn and kept so far.

    Raises:
        OSError: A file cannot be written.
    """
    known = _known(folder)
    names = {one.name for one in planned} | set(others)
    gone = [file for file in known if file.rpartition(".")[2] in FORMATS and file.rpartition(".")[0] not in names]
    for file in gone:
        (folder / file).unlink(missing_ok=True)
        del known[file]
    redrawn = Redrawn()
    for one in planned:
        inches = one.width if width is None else width
        made_from = fingerprint(one.made_from(inches), dpi)
        stale = [form for form in formats if not _is_current(folder / f"{one.name}.{form}", known, made_from)]
        if stale:
            for path in write_figure(one.draw(inches), folder, one.name, formats=stale, dpi=dpi):
                known[path.name] = (made_from, hash_file(path))
            _write(folder, known)
        itself = frozenset({one.name})
        redrawn |= Redrawn(drawn=itself) if stale else Redrawn(kept=itself)
        done(redrawn)
    if gone and not redrawn.drawn:
        _write(folder, known)
    return redrawn


def _is_current(path: Path, known: dict[str, tuple[str, str]], made_from: str) -> bool:
    digest, content = known.get(path.name, ("", ""))
    return digest == made_from and path.is_file() and hash_file(path) == content


def _known(folder: Path) -> dict[str, tuple[str, str]]:
    """What the files of a folder are made from; nothing where that cannot be read, so that all are drawn again."""
    found: dict[str, tuple[str, str]] = {}
    with suppress(OSError, ValueError, InputError, KeyError, TypeError, AttributeError):
        for file, about in read_json(folder / MADE_FROM).items():
            if Path(file).name == file:
                found[file] = str(about["made_from"]), str(about["sha256"])
    return found


def _write(folder: Path, known: dict[str, tuple[str, str]]) -> None:
    about = {file: {"made_from": made, "sha256": content} for file, (made, content) in sorted(known.items())}
    write_json(folder / MADE_FROM, about)
