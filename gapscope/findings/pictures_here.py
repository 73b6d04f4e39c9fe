"""Which pictures of a domain may be shown? The very files that the run was made from, and none that it merely names.

A run folder may be somebody else's, and its page may be passed on. Names in it that happen to be those of files of this
machine would put those on the page, so a name alone shows nothing.
"""

from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG

from gapscope.data.image_names import stays_below
from gapscope.data.source_files import noted_files
from gapscope.findings.results import Results
from gapscope.intact import check_intact

Find = Callable[[str], Path | None]
"""An image's name in its domain -> its file, or None if it is not shown."""


def pictures_here(results: Results, domain: str) -> Find:
    """What finds the files of a domain's images.

    Images that the run has drawn lie in its folder. Of any other, size and date (to the nanosecond) must be those that
    the data stage noted; whoever knows them of a file has seen the file.

    Raises:
        InputError: What the data stage noted is damaged.
    """
    folder, run = results.image_folder(domain), results.folder.resolve()
    try:
        own = folder.resolve().is_relative_to(run)
    except (OSError, ValueError):  # a root without end, or with a zero byte in it
        return lambda name: None
    noted = None if own else _noted(results, domain)

    def find(name: str) -> Path | None:
        if not stays_below(name):
            return None
        path = folder / name
        try:
            if own:
                return path if path.is_file() and path.resolve().is_relative_to(run) else None
            stat = path.stat()
        except (OSError, ValueError):
            return None
        there = (stat.st_size, stat.st_mtime_ns)
        return path if S_ISREG(stat.st_mode) and noted is not None and noted.get(name) == there else None

    return find


def _noted(results: Results, domain: str) -> dict[str, tuple[int, int]] | None:
    path = results.run_folder.source_files(domain)
    if path.is_file():
        check_intact(path)
    return noted_files(path)
