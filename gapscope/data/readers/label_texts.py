"""Label texts without their images: from a folder, or straight from an archive."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from gapscope.errors import InputError
from gapscope.files import check_regular

LARGEST = 64 * 2**20
"""Bytes of one text in an archive, at most."""


def is_archive(path: Path) -> bool:
    """Whether it is a tar file (compressed or not) or a zip file."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def texts_in(place: Path, suffixes: tuple[str, ...] = (".txt",)) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Name and content of each file with one of the suffixes; hidden files are left out.

    A folder's come in the order of their paths, an archive's as they lie in it. Nothing is unpacked to disk.

    Raises:
        InputError: The archive is broken, or a file cannot be read.
    """
    read = _in_folder if place.is_dir() else _in_zip if zipfile.is_zipfile(place) else _in_tar
    try:
        yield from read(place, suffixes)
    # Each kind of compression reports damage by its own error, and a password by a RuntimeError.
    except (OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"{place} cannot be read to its end: {error}. Replace it.") from error


def _in_folder(folder: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[PurePosixPath, bytes]]:
    for path in sorted(folder.rglob("*")):
        if _is_wanted(path, suffixes) and path.is_file():
            yield PurePosixPath(path.relative_to(folder).as_posix()), _content(path)


def _in_tar(archive: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[PurePosixPath, bytes]]:
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if _is_wanted(name, suffixes) and member.isfile() and (stream := tar.extractfile(member)):
                _check_size(name, member.size)
                yield name, stream.read()


def _in_zip(archive: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[PurePosixPath, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            name = PurePosixPath(info.filename)
            if _is_wanted(name, suffixes) and not info.is_dir():
                _check_size(name, info.file_size)
                yield name, opened.read(info)


def _content(path: Path) -> bytes:
    check_regular(path)
    return path.read_bytes()


def _check_size(name: PurePosixPath, size: int) -> None:
    if size > LARGEST:
        raise OSError(f"{name} unpacks to {size:,} bytes, and labels of an image are a short text")


def _is_wanted(path: PurePath, suffixes: tuple[str, ...]) -> bool:
    return path.suffix in suffixes and not path.name.startswith(".")
