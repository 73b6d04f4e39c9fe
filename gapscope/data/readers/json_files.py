"""Small JSON files, one per image, and the values in them, each checked as it is taken."""

from pathlib import Path
from typing import Any

from gapscope.data.problems import RowError
from gapscope.data.readers.build import Corners
from gapscope.files import read_json

LARGEST = 1e9
"""No coordinate of an image is larger; a whole number of JSON can have any number of digits."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        RowError: The file cannot be read, or holds something else.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise RowError(f"cannot be read as JSON ({error})", "a whole file. Replace it.") from error
    if not isinstance(content, dict):
        raise RowError(f"holds a {type(content).__name__}", "a JSON object. Replace the file.")
    return content


_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}


def take(entry: Any, key: str, kind: type) -> Any:
    """The value of a key.

    Raises:
        RowError: `entry` is no object, lacks the key, or the value is of another kind.
    """
    if not isinstance(entry, dict) or key not in entry:
        has = f"only {sorted(map(str, entry))[:8]}" if isinstance(entry, dict) else f"is {entry!r:.60}"
        raise RowError(f"no '{key}', {has}", f"the key '{key}'. Restore the file.")
    value = entry[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RowError(f"'{key}' is {value!r:.60}", f"{_KINDS[kind]}. Restore the file.")
    return value


def xywh(value: Any, what: str) -> Corners:
    """[x, y, width, height] with pixel edges as corners.

    Raises:
        RowError: `value` is not four finite numbers.
    """
    if not (isinstance(value, list) and len(value) == 4 and all(map(is_number, value))):
        raise RowError(f"{what} {value!r:.60}", "four numbers [x, y, width, height]. Fix or remove the row.")
    x, y, width, height = value
    return x, y, x + width, y + height


def is_number(value: Any) -> bool:
    """A finite number; JSON's true and false are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < LARGEST  # false for NaN, too
