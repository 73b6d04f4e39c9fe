"""Files that are whole or absent, and hashes that say what something was made from."""

import errno
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from gapscope.errors import InputError
from gapscope.leftovers import held
from gapscope.shortage import keep_no_bytecode, writing_trouble

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16."""
OTHER_CONTENT = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What is raised where a file cannot be read, or holds something else than is looked for in it."""
MOST_UNPACKED = 100
"""Bytes that an archive may unpack to, per byte of its own."""


@contextmanager
def atomic_path(path: Path, *, locked: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place only if the block ends well.

    A full disk inside the block leaves the old file as it was and no half-written new one. A kill leaves the temporary
    file too, which `gapscope.leftovers` finds. Its name keeps the suffix, since some writers choose their format by it.

    Args:
        path: Where the file is to be.
        locked: Lock the temporary file, which says that it is being written. HDF5 locks its files itself, and alone.

    Raises:
        OSError: The disk is full, or the place cannot be written to, in whatever way the writer says so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    if not locked:
        os.close(handle)
    with held(handle) if locked else nullcontext():
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except Exception as error:
            trouble = writing_trouble(error, path)
            keep_no_bytecode(trouble or error)
            if trouble is None:
                raise
            raise trouble from error
        finally:
            temporary.unlink(missing_ok=True)


def decode_text(content: bytes) -> str:
    """Text as people's tools save it: UTF-8 with or without a byte order mark, UTF-16 with one (what PowerShell's `>`
    writes), with any line ends.

    The mark is no part of the text, nor is one at the start of a later line, where files were put together.

    Raises:
        UnicodeDecodeError: It is no such text.
    """
    text = content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n\ufeff", "\n")


def read_text(path: Path) -> str:
    """The text of a file that a user wrote, see `decode_text`.

    Raises:
        OSError, UnicodeDecodeError: It cannot be read. Whoever knows what it should be says so.
    """
    check_regular(path)
    return decode_text(path.read_bytes())


def check_regular(path: Path) -> None:
    """Refuse pipes and devices, whose reading may never end; a folder or a missing file is told by who opens it.

    Raises:
        OSError: It is one.
    """
    mode = path.stat().st_mode
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is a pipe or a device, no file", str(path))


def parse_json(text: str) -> Any:
    """A value of JSON.

    Raises:
        ValueError: It is none, or is nested more deeply than Python follows.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """The value in a JSON file, see `parse_json`.

    Raises:
        OSError, ValueError: It cannot be read. Whoever knows what it should be says so.
    """
    return parse_json(read_text(path))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def hash_value(value: Any) -> str:
    """SHA-256 (hex) of a JSON-able value; the order of dictionary keys does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()  # a file's name need not be UTF-8


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes.

    Raises:
        OSError: It cannot be read, or is a pipe or a device.
    """
    check_regular(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_unpacked(path: Path) -> None:
    """Refuse a zip archive (.npz, .pt) that unpacks to far more than its size; what is no archive passes.

    Raises:
        ValueError: It does.
        OSError, zipfile.BadZipFile: It is broken.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
        if total > MOST_UNPACKED * path.stat().st_size + 2**20:
            raise ValueError(f"it would unpack to {total:,} bytes, {MOST_UNPACKED} times its size and more")


def file_stats(folder: Path) -> list[tuple[str, int, int, int]]:
    """Of every file below a folder, sorted: its path from there, its size in bytes, and when (in nanoseconds) its
    content and when anything about it was changed. The second time cannot be set back by copying or unpacking.

    Links are followed, and a folder that is reached in two ways is listed once; a link to nothing counts as itself.

    Raises:
        InputError: A folder cannot be listed.
    """
    found: list[tuple[str, int, int, int]] = []
    seen: set[tuple[int, int]] = set()
    waiting = [("", folder)]
    while waiting:
        above, here = waiting.pop()
        try:
            place = here.stat()
            if (place.st_dev, place.st_ino) in seen:
                continue
            seen.add((place.st_dev, place.st_ino))
            with os.scandir(here) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    stat = _stat(entry)
                    if S_ISDIR(stat.st_mode):
                        waiting.append((f"{above}{entry.name}/", here / entry.name))
                    else:
                        found.append((above + entry.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
        except OSError as error:
            raise InputError(f"{here} cannot be listed ({error.strerror}) - allow reading it, or remove it.") from error
    return sorted(found, key=lambda row: row[0].split("/"))


def _stat(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link to nothing, or to itself
        return entry.stat(follow_symlinks=False)
