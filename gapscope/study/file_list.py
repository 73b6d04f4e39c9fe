"""The files of a generated domain in a list of checksums, so that a damaged image is drawn again and never used.

`files.sha256` is what `sha256sum` writes, and `sha256sum -c files.sha256` checks it without gapscope.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from gapscope.errors import InputError
from gapscope.files import read_text, write_text
from gapscope.intact import Checksum, checksum, is_intact

LISTED = ("annotations.json", "recipe.json", "images/*.png", "labels/*.json")
"""Which files of a domain's folder are listed."""
_LINE = re.compile(r"([0-9a-f]{64})  (annotations\.json|recipe\.json|images/[\w-]+\.png|labels/[\w-]+\.json)")


def write_file_list(path: Path) -> None:
    """List the files beside this path that the renderer has written."""
    here = path.parent
    found = sorted(file for kind in LISTED for file in here.glob(kind) if not file.name.startswith("."))
    lines = (f"{checksum(file).sha256}  {file.relative_to(here).as_posix()}\n" for file in found)
    write_text(path, "".join(lines))


def damaged_in_list(path: Path, written: int | None = None) -> Iterator[Path]:
    """Listed files that are gone or hold something else; none if there is no list.

    Args:
        path: The list.
        written: See `is_intact`.

    Raises:
        InputError: It is no such list.
    """
    if not path.is_file():
        return
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as checksums ({error}). Delete it and run again.") from error
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(f"{path} holds {line[:80]!r}, which is no checksum and name. Delete it and run again.")
        file = path.parent / match[2]
        if not is_intact(file, Checksum(match[1], -1), written):
            yield file


def remove_damaged(path: Path) -> None:
    """Delete a damaged file, so that it is made again.

    Raises:
        InputError: It is a folder.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder, where a file of the run should be. Remove it, and run again.")
    path.unlink(missing_ok=True)
