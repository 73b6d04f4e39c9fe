"""JSON files of any size: their opening for a first look, their entries one by one."""

import mmap
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import ijson
from ijson.common import ObjectBuilder

from gapscope.errors import InputError
from gapscope.files import check_regular, read_json

WHOLE = 32 * 2**20
"""Bytes up to which a file is read whole: that tells the line and column of a mistake, and takes NaN for a number.
Larger ones are read entry by entry, so that memory does not depend on their size."""
OPENING = 64 * 2**10
"""Bytes that are enough to tell what a file is."""

LONGEST_TEXT = 4 * 2**20
"""Bytes between two quotes of a file that is read entry by entry, at most."""

_NOTHING = object()


def opening(path: Path, size: int = OPENING) -> Any:
    """What the first bytes hold, as a value that ends where they end; None if they are no JSON."""
    builder = ObjectBuilder()
    with suppress(
        OSError, ijson.JSONError, UnicodeDecodeError
    ):  # it is cut in the middle: what came before says what it is
        with _open(path) as stream:
            head = stream.read(size)
        for event, value in ijson.basic_parse(head, use_float=True):
            builder.event(event, value)
    return getattr(builder, "value", None)


class JsonFile:
    """One file whose entries are wanted: those of the list that it is, or of a list under a key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_small(self) -> bool:
        """Whether it is read whole."""
        try:
            return self.path.stat().st_size <= WHOLE
        except OSError as error:
            raise self._unreadable(error.strerror) from error

    @cached_property
    def content(self) -> Any:
        """All of it.

        Raises:
            InputError: It is no JSON, or cannot be read.
        """
        try:
            return read_json(self.path)
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error

    def has_list(self, key: str) -> bool:
        """Whether it is an object with a list under this key.

        Raises:
            InputError: It is no JSON, or cannot be read.
        """
        if self.is_small:
            return isinstance(self.content, dict) and isinstance(self.content.get(key), list)
        entry = next(self._stream(f"{key}.item"), _NOTHING)
        return entry is not _NOTHING or isinstance(next(self._stream(key), None), list)

    def entries(self, key: str = "") -> Iterator[Any]:
        """The entries of the list under `key`, or without one, of the list that the file is; none if it is no list.

        Raises:
            InputError: It is no JSON, or cannot be read.
        """
        if self.is_small:
            found = self.content if not key else self.content.get(key) if isinstance(self.content, dict) else None
            yield from found if isinstance(found, list) else ()
        else:
            yield from self._stream(f"{key}.item" if key else "item")

    def value(self, key: str) -> Any:
        """What an object has under this key; None where it has no such key, or the file is no object.

        Raises:
            InputError: It is no JSON, or cannot be read.
        """
        if self.is_small:
            return self.content.get(key) if isinstance(self.content, dict) else None
        return next(self._stream(key), None)

    def mentions(self, key: str) -> bool:
        """Whether this key stands anywhere in it, at the speed of the disk: nothing is parsed."""
        try:
            check_regular(self.path)
            with self.path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return content.find(f'"{key}"'.encode()) >= 0
        except (OSError, ValueError):  # nothing that can be mapped, such as an empty file
            return False

    def _stream(self, prefix: str) -> Iterator[Any]:
        place = 0
        try:
            with _open(self.path) as stream:
                for entry in ijson.items(_ShortTexts(stream), prefix, use_float=True):
                    yield entry
                    place = stream.tell()
        except (OSError, ijson.JSONError, ValueError) as error:  # the last: half a letter, as "\ud83d", or too long
            said = error.args[0] if error.args else ""
            text = said.decode(errors="replace") if isinstance(said, bytes) else str(error)
            reason = text.strip().splitlines()[0].rstrip(".")  # the other lines point at the place in a picture
            raise self._unreadable(f"{reason} (after byte {max(0, place - OPENING)})") from error

    def _unreadable(self, reason: str | None) -> InputError:
        return InputError(f"{self.path} cannot be read as JSON: {reason}. Replace the file.")


def _open(path: Path) -> BinaryIO:
    """Opened behind a byte order mark, if there is one."""
    check_regular(path)
    stream = path.open("rb")
    if stream.read(3) != b"\xef\xbb\xbf":
        stream.seek(0)
    return stream


class _ShortTexts:
    """A stream of JSON whose texts are not too long: the parser reads a text again with every part that comes.

    Raises:
        ValueError: While it is read: a text is longer than `LONGEST_TEXT`.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.since_quote = stream, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        content = self.stream.read(size)
        bare = content
        if b"\\" in content:
            bare = content.replace(b"\\\\", b"..").replace(b'\\"', b"..")
        last = bare.rfind(b'"')
        self.since_quote = len(bare) - last if last >= 0 else self.since_quote + len(bare)
        if self.since_quote > LONGEST_TEXT:
            raise ValueError(f"it holds a text of more than {LONGEST_TEXT >> 20} MiB")
        return content
