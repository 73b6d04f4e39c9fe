"""Is a file of a run still what was written there, and what makes it again?

The record of each unit of work (`stages/` of a run folder) holds the SHA-256 and the size of every file that the unit
left. Whoever reads such a file asks `check_intact` first. A file is hashed once per process; after that its size and
times are looked at.
"""

import shlex
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, hash_file, read_json

RECORDS = "stages"
"""In a run folder: a JSON file for every finished unit."""
CHECKSUMS = "checksums"
"""In a record: path in the run folder -> [SHA-256 (hex), bytes]."""
DEEPEST = 4
"""Folders between a file that a unit leaves and its run folder, at most."""

Version = tuple[str, int, int, int, int]
"""A file's path, number, size and times: another one if its content was written."""

_hashes: dict[Version, str] = {}
_intact: set[Version] = set()


class Checksum(NamedTuple):
    """What is noted of a file."""

    sha256: str
    size: int
    """Bytes."""


class Noted(NamedTuple):
    """A checksum and the unit that left the file."""

    checksum: Checksum | None
    unit: str
    record: Path | None
    """What has to go before the file is made again; None where it is enough that the file is damaged."""


def checksum(path: Path) -> Checksum:
    """Of a file as it is now; read once per process while its size and times stay.

    Raises:
        OSError: It cannot be read.
    """
    version = _version(path)
    if version not in _hashes:
        _hashes[version] = hash_file(path)
    return Checksum(_hashes[version], version[2])


def note_checksums(root: Path, paths: Iterable[Path]) -> dict[str, Checksum]:
    """The checksums of those files that are there, by their path in the run folder, as a record keeps them."""
    found = {}
    for path in paths:
        if path.is_file():
            found[path.relative_to(root).as_posix()] = checksum(path)
            _intact.add(_version(path))
    return found


def is_intact(path: Path, noted: Checksum, written: int | None = None) -> bool:
    """Whether a file is there and holds what it held when its checksum was noted.

    Args:
        path: The file.
        noted: Its checksum; of a size of -1, the size is not known.
        written: When the checksum was noted, in nanoseconds: a file of the right size that has not been written since
            is not read. None: it is read in any case.
    """
    try:
        version = _version(path)
        if version in _intact:
            return True
        if noted.size not in (-1, version[2]) or not path.is_file():
            return False
        if written is not None and version[3] <= written:
            return True
        if checksum(path).sha256 != noted.sha256:
            return False
    except OSError:
        return False
    _intact.add(version)
    return True


def check_intact(path: Path) -> None:
    """Refuse a file of a run that is not what its unit has left there; any other file passes.

    Raises:
        InputError: Naming the file, the unit and the command that makes it again.
    """
    found = _other_than_noted(path)
    if found is not None:
        noted, root = found
        raise InputError(
            f"{path} is damaged: it does not hold what {noted.unit} wrote there. {_made_again(noted, root)}"
        )


def is_damaged(path: Path) -> bool:
    """Whether `check_intact` refuses a file."""
    return _other_than_noted(path) is not None


def _other_than_noted(path: Path) -> tuple[Noted, Path] | None:
    try:
        if _version(path) in _intact:
            return None
    except OSError:
        return None  # whoever reads it says that it is not there
    root = run_of(path)
    noted = _noted(root).get(_place(path, root)) if root is not None else None
    if root is None or noted is None or noted.checksum is None or is_intact(path, noted.checksum):
        return None
    return noted, root


def remedy(path: Path, otherwise: str) -> str:
    """What to do about a file that cannot be read: of a file in a run folder, which command makes it again.

    Args:
        path: The file.
        otherwise: The advice if it lies in no run folder, without a full stop.
    """
    root = run_of(path)
    noted = _noted(root).get(_place(path, root)) if root is not None else None
    if root is None or noted is None:
        return f"{otherwise}."
    return f"Delete it. {_made_again(noted, root)}"


def _made_again(noted: Noted, root: Path) -> str:
    first = f"Delete {noted.record} too; then this" if noted.record is not None else "This"
    return f"{first} makes {noted.unit} again, and says before what else: {run_again(root)}"


def run_again(root: Path) -> str:
    """The command that does what is left of a run."""
    return f"gapscope run {shlex.quote(str(root / 'experiment.toml'))} --out {shlex.quote(str(root))}"


def run_of(path: Path) -> Path | None:
    """The run folder that a file lies in, as the path names it; None if it lies in none."""
    above = list(path.absolute().parents)[:DEEPEST]
    found = next((i for i, folder in enumerate(above) if (folder / RECORDS).is_dir()), None)
    if found is None:
        return None
    named = list(path.parents)
    return named[found] if found < len(named) else above[found]


def _place(path: Path, root: Path | None) -> str:
    return "" if root is None else path.absolute().relative_to(root.absolute()).as_posix()


def _version(path: Path) -> Version:
    stat = path.stat()
    return str(path.absolute()), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _noted(root: Path) -> Mapping[str, Noted]:
    """What the records of a run say of its files, by path."""
    records = root.absolute() / RECORDS
    return _read_records(records, records.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_records(records: Path, changed: int) -> Mapping[str, Noted]:
    found: dict[str, Noted] = {}
    for path in records.glob("[!.]*.json"):
        try:
            record: dict[str, Any] = read_json(path)
            sums = parse_checksums(record)
            unit, files = str(record["unit"]), record["files"]
            found |= {place: Noted(one, unit, path) for place, one in sums.items()}
            found |= {place: Noted(sums.get(place), unit, None) for place in files}
        except OTHER_CONTENT:
            continue  # whoever needs the record says that it is broken
    return found


def parse_checksums(record: Mapping[str, Any]) -> dict[str, Checksum]:
    """The checksums that a record holds; none in records of before there were any.

    Raises:
        ValueError, TypeError, AttributeError: They are broken.
    """
    found = record.get(CHECKSUMS, {})
    return {str(place): Checksum(str(sha256), int(size)) for place, (sha256, size) in found.items()}
