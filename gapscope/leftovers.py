"""What killed processes have left: temporary files and folders, removed once it is certain that nobody writes them.

A process holds a lock on each temporary file while it writes it, and on a file in each temporary folder. The system
takes the lock from a process that dies, however it dies, so whoever gets it knows. Where there are no such locks, as on
Windows, nothing is removed.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

LEFT = re.compile(r"\..+-[a-z0-9_]{8}(\.[A-Za-z0-9]+)?")
"""Names of temporary files, as `gapscope.files.atomic_path` gives them."""
YOUNGEST = 60.0
"""Seconds that a temporary file must be old: between making and locking one lies a moment. One from the future is as
old: somebody has set the clock since."""
FOLDERS = "gapscope-record-"
"""How names of temporary folders begin."""
OWNER = "owner.lock"
"""In a temporary folder: what its process holds a lock on."""
SKIPPED = ("images", "labels", "image-cache", "before")
"""Folders of a run in which many files lie and none is looked for; the renderer clears its own."""


@contextmanager
def held(handle: int) -> Iterator[None]:
    """Hold a lock on an open file, which is closed at the end; without locks, closed at once."""
    if fcntl is None:
        os.close(handle)
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks: then nobody else gets one either
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


@contextmanager
def temporary_folder(place: Path | None = None, prefix: str = FOLDERS) -> Iterator[Path]:
    """A folder for what does not fit in memory, gone at the end. Those of dead processes are removed first.

    Args:
        place: Where; the system's own place if left out.
        prefix: How its name begins, and the names of those that are looked for.
    """
    place = place or Path(tempfile.gettempdir())
    remove_left_folders(place, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        with held(os.open(folder / OWNER, os.O_CREAT | os.O_RDWR, 0o600)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_folders(place: Path, prefix: str = FOLDERS) -> list[Path]:
    """Remove the temporary folders of dead processes of this user, and say which they were."""
    removed = []
    for folder in place.glob(f"{escape(prefix)}*"):
        if _is_mine(folder) and (folder / OWNER).is_file() and _nobody_holds(folder / OWNER):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def remove_left_files(run: Path) -> list[Path]:
    """Remove the temporary files of dead processes in a run folder, and say which they were.

    Links are not followed. Whoever calls this holds the lock of the run folder.
    """
    removed: list[Path] = []
    for here, folders, names in os.walk(run):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith(".")]
        removed += [path for name in names if _is_removed(path := Path(here) / name)]
    return removed + remove_left_in(run / "image-cache")


def remove_left_in(folder: Path) -> list[Path]:
    """The same in one folder alone, whose lock nobody needs to hold; a folder that is not there holds none."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [path for entry in entries if _is_removed(path := Path(entry.path))]
    return []


def _is_removed(path: Path) -> bool:
    """Remove a file if it is a dead process's temporary one, and say whether it was."""
    if not (LEFT.fullmatch(path.name) and _is_mine(path) and not path.is_symlink() and path.is_file()):
        return False
    if not (_is_old(path) and _nobody_holds(path)):
        return False
    path.unlink(missing_ok=True)
    return True


def _is_old(path: Path) -> bool:
    with suppress(OSError):
        return abs(time.time() - path.lstat().st_mtime) > YOUNGEST
    return False


def _is_mine(path: Path) -> bool:
    with suppress(OSError, AttributeError):
        return path.lstat().st_uid == os.getuid()
    return False


def _nobody_holds(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
