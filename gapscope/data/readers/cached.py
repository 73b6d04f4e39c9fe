"""CachedTable: what was read from a data set once, for as long as none of its files changes."""

from functools import cache
from pathlib import Path

from gapscope.data.readers.format import Request
from gapscope.data.readers.name_files import may_hold_names
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import file_stats, hash_file, hash_value


class CachedTable:
    """One reading's place in a cache folder.

    Its name is a hash over the names, sizes and times of change of all files of the data set, images too (their sizes
    are in the table), over the request, and over the source code of the readers. So a table is found only where reading
    would give the same again; files that change while they are read, and readings with problems, leave nothing behind.
    Nothing is ever overwritten or deleted but a damaged table; the folder may be deleted at any time.
    """

    def __init__(self, folder: Path, request: Request) -> None:
        self.folder, self.request = folder, request
        self.problems_before = len(request.problems.found)
        self.key = _key(request)

    @property
    def path(self) -> Path:
        """The file, whether it is there or not."""
        return self.folder / f"{self.key}.npz"

    def load(self) -> AnnotationTable | None:
        """The table; None if it is not there, or damaged, so that it is to be made again."""
        if not self.path.is_file():
            return None
        try:
            return AnnotationTable.load(self.path, self.request.root)
        except InputError:
            return None

    def save(self, table: AnnotationTable) -> None:
        """Keep a table that was just read.

        Raises:
            InputError: The folder cannot be written to.
        """
        if len(self.request.problems.found) > self.problems_before or _key(self.request) != self.key:
            return
        try:
            table.save(self.path)
        except OSError as error:
            raise InputError(
                f"cache folder {self.folder} cannot be written to ({error.strerror}) - expected room for "
                f"{self.path.name}. Name another, or leave the cache out."
            ) from error


def _key(request: Request) -> str:
    asked = (request.images, request.labels, request.clip, dict(request.options), request.sizes, request.names)
    return hash_value([_stats(request), str(request.root.resolve()), str(asked), request.format, _code()])


def _stats(request: Request) -> list[tuple[str, int, int, int]]:
    root, labels = request.root, request.labels
    near = sorted(path for place in {root.parent, root} for path in place.iterdir() if may_hold_names(path.name))
    if labels is not None and labels.is_file() and request.sizes is not None:
        return [_stat(path) for path in (labels, *near) if path.is_file()]
    stats = file_stats(root) + [_stat(path) for path in near if path.is_file()]
    if labels is not None and not labels.resolve().is_relative_to(root.resolve()):
        stats += file_stats(labels) if labels.is_dir() else [_stat(labels)]
    return stats


def _stat(path: Path) -> tuple[str, int, int, int]:
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@cache
def _code() -> list[str]:
    """Hashes of the modules that decide what a table holds."""
    here = Path(__file__).parent
    return [hash_file(path) for path in sorted([*here.glob("*.py"), *here.parent.glob("*.py")])]
