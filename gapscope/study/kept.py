"""Results that were replaced, kept under their keys: what was valid once is valid again when its settings come back.

`before/<unit>/<key>/` in the run folder holds a record and the files it speaks of. Files are links to the very bytes
that stood in their place, so keeping them costs disk only once others have taken that place.
"""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.files import atomic_path, write_json
from gapscope.intact import is_intact, parse_checksums
from gapscope.run_folder import RunFolder, broken_record, sealed

RECORD = "record.json"
STAGES_KEPT = ("train", "evaluate", "record", "graft", "compare")
"""Results of these are kept. Data are read again in minutes and come out the same; a page is drawn again."""
KEY = re.compile("[0-9a-f]{64}")
KEY_LETTERS = 12


def keep_aside(folder: RunFolder, unit: str, record: dict[str, Any], paths: Iterable[Path]) -> Path:
    """Keep the files of a finished unit under their key, whole or not at all; they stay where they are, too.

    Raises:
        InputError: The record's key is none: it names a folder, which would lie anywhere.
    """
    if not KEY.fullmatch(str(record["key"])):
        raise InputError(broken_record(folder.record_of(unit)))
    place = folder.before(unit) / str(record["key"])[:KEY_LETTERS]
    if (place / RECORD).is_file():
        if _is_whole(place, folder.read_record(unit, place / RECORD) or {}):
            return place
        shutil.rmtree(place)
    growing = place.with_name(f".{place.name}")
    shutil.rmtree(growing, ignore_errors=True)
    for path in paths:
        if path.exists():
            target = growing / path.relative_to(folder.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(path, target)
    write_json(growing / RECORD, sealed(record))
    growing.rename(place)
    return place


def find_kept(folder: RunFolder, unit: str, keys: Iterable[str | None]) -> Path | None:
    """Where a result of one of these keys is kept with all its files, none of them damaged; or None."""
    for key in keys:
        if key is not None:
            record = folder.before(unit) / key[:KEY_LETTERS] / RECORD
            found = folder.read_record(unit, record)
            if found is not None and found.get("key") == key:
                if _is_whole(record.parent, found):
                    return record
    return None


def _is_whole(place: Path, record: dict[str, Any]) -> bool:
    """Whether all files of a kept result are there, and hold what they held."""
    sums = parse_checksums(record)
    return all((place / file).exists() for file in record.get("files", ())) and all(
        is_intact(place / file, noted) for file, noted in sums.items() if (place / file).exists()
    )


def take_back(folder: RunFolder, unit: str, record: Path) -> None:
    """Put kept files back in their place, then their record; a kill in between leaves them kept.

    The record of what stands in their place must have been dropped, and its files kept aside.
    """
    kept = record.parent
    for path in sorted(kept.rglob("*")):
        if path.is_file() and path != record:
            with atomic_path(folder.root / path.relative_to(kept)) as temporary:
                temporary.unlink()
                _link(path, temporary)
    folder.write_record(unit, folder.read_record(unit, record) or {})
    shutil.rmtree(kept)
    with suppress(OSError):  # others of this unit are kept beside it
        kept.parent.rmdir()


def kept_bytes(folder: RunFolder) -> int:
    """What kept results take on disk beyond the files that also stand in their place."""
    total = 0
    for here, _, names in os.walk(folder.root / "before"):
        for name in names:
            with suppress(FileNotFoundError):
                stat = (Path(here) / name).lstat()
                total += stat.st_size if stat.st_nlink < 2 else 0
    return total


def _link(path: Path, target: Path) -> None:
    """A second name for a file's bytes, or a copy where the file system has no such names."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)
