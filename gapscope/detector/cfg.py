"""What does a Darknet .cfg file say? Its sections, with the line of each entry and typed readers that name it.

A section is a line `[type]` and then lines `key = value`; `#` and `;` start comments, blanks do not matter, and Windows
line ends and a byte order mark are read over.
"""

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from gapscope.errors import InputError
from gapscope.files import read_text

MOST = 1_000_000
"""No number of channels, cells, pixels or classes is larger than this."""
NET_KINDS = ("net", "network")
"""What the first section is called."""
LONGEST = 18
"""Digits, and a sign, of a number that are looked at."""
LONGEST_LINE = 1_000
"""Letters of a line, without its comment."""
LARGEST_FILE = 4 << 20
"""Bytes. The longest .cfg files have some 50 kB; above this it is something else."""


@dataclass
class Section:
    """One section: its type and entries, each with its line. The readers raise InputError with file and line."""

    file: str
    """The file's name, for messages."""
    kind: str
    line: int
    entries: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Key -> value and line."""
    notes: list[str] = field(default_factory=list)
    """What was read over and may surprise."""

    @property
    def where(self) -> str:
        return f"{self.file}, line {self.line}, [{self.kind}]"

    def at(self, key: str) -> str:
        """Where an entry stands, and what it says."""
        value, line = self.entries[key]
        return f"{self.file}, line {line}, [{self.kind}] {key}={value}"

    def text(self, key: str, default: str | None = None) -> str:
        if key in self.entries:
            return self.entries[key][0]
        if default is None:
            raise InputError(f"{self.where} has no entry '{key}', which it needs. Add {key}=...")
        return default

    def whole(self, key: str, default: int | None = None, least: int = 0) -> int:
        """A whole number, at least `least` and at most a million."""
        text = self.text(key, None if default is None else str(default))
        value = _as_int(text)
        if value is None or not least <= value <= MOST:
            expected = "a whole number" if value is None else f"{least} to {MOST:,}"
            raise InputError(f"{self.at(key)} - expected {expected}. Correct it.")
        return value

    def number(self, key: str, default: float) -> float:
        if key not in self.entries:
            return default
        try:
            return float(self.text(key))
        except ValueError:
            raise InputError(f"{self.at(key)} - expected a number. Correct it.") from None

    def wholes(self, key: str) -> list[int]:
        """Whole numbers, set apart by commas."""
        found = [_as_int(part) for part in _parts(self.text(key))]
        numbers = [value for value in found if value is not None]
        if not numbers or len(numbers) < len(found):
            raise InputError(f"{self.at(key)} - expected whole numbers with commas between them. Correct it.")
        return numbers

    def pairs(self, key: str) -> list[tuple[float, float]]:
        """Pairs of numbers above 0, set apart by commas."""
        try:
            numbers = [float(part) for part in _parts(self.text(key))]
        except ValueError:
            numbers = []
        if not numbers or len(numbers) % 2 or not all(0 < value < float("inf") for value in numbers):
            raise InputError(
                f"{self.at(key)} - expected pairs of numbers above 0: width, height, width, ... Correct it."
            )
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def references(self, key: str, index: int) -> list[int]:
        """Layers that layer `index` reads: counted from 0, or backwards from it where negative."""
        found = [index + value if value < 0 else value for value in self.wholes(key)]
        for said, value in zip(self.wholes(key), found, strict=True):
            if not 0 <= value < index:
                raise InputError(
                    f"{self.at(key)} - {said} means layer {value}, but layer {index} can read layers 0 to {index - 1}. "
                    "Correct the number; negative ones count backwards from this layer."
                )
        return found

    def check_keys(self, known: Collection[str], neutral: dict[str, str], *, lenient: bool = False) -> None:
        """Refuse entries that would change what the layer computes, or that nobody knows.

        Args:
            known: Keys that are read, or that play no part outside Darknet's training.
            neutral: Keys of features that are not supported, with the value that leaves them off.
            lenient: Let unknown keys pass, unless one is nearly a known one.
        """
        for key, (value, _) in self.entries.items():
            if key in neutral:
                if _as_number(value) != _as_number(neutral[key]):
                    raise InputError(
                        f"{self.at(key)} - gapscope does not have this feature (it is off at {neutral[key]}). "
                        "Use a network without it."
                    )
            elif key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.8 if lenient else 0.7)
                if near or not lenient:
                    hint = f"Did you mean '{near[0]}'?" if near else f"Known here are {', '.join(sorted(known))}."
                    raise InputError(f"{self.at(key)} - unknown key '{key}'. {hint}")


def read_sections(path: Path) -> tuple[list[Section], str]:
    """The sections of a file, and its text.

    Raises:
        InputError: If the file is missing, is no text, or is no .cfg.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such .cfg file. Check the path.")
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes - expected a .cfg, a short text. Check the path.")
    try:
        text = read_text(path)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path} is no text in UTF-8 - expected a Darknet .cfg. Check the path, or save it as UTF-8.")
    return parse_sections(text, str(path)), text


def parse_sections(text: str, file: str) -> list[Section]:
    """The sections of a text; `file` names it in messages."""
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.split(r"[#;]", raw)[0].strip()
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"{file}, line {number}: {line[:60]!r}... is longer than any line of a .cfg. Check the path."
            )
        header = re.fullmatch(r"\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            sections.append(Section(file, header[1], number))
        elif line:
            _add_entry(sections, line, number, file)
    if not sections:
        raise InputError(f"{file} is empty - expected a Darknet .cfg that starts with [net]. Copy it again.")
    return sections


def _add_entry(sections: list[Section], line: str, number: int, file: str) -> None:
    key, equals, value = (part.strip() for part in line.partition("="))
    if not equals or not key or not value:
        raise InputError(f"{file}, line {number}: {line!r} - expected [type] or key=value. Correct the line.")
    if not sections:
        raise InputError(f"{file}, line {number}: {line!r} stands before any section - expected [net] first. Add it.")
    entries = sections[-1].entries
    if (
        key in entries and sections[-1].kind in NET_KINDS
    ):  # Darknet looks for the first, in configurations of its own too
        sections[-1].notes.append(
            f"{file}, line {number}, [{sections[-1].kind}] {key}={value} - '{key}' was already given in line "
            f"{entries[key][1]}, and as in Darknet the first counts: {key}={entries[key][0]}."
        )
        return
    if key in entries:
        raise InputError(
            f"{file}, line {number}: '{key}' was already given in line {entries[key][1]} of this "
            f"[{sections[-1].kind}]. Remove one of the two."
        )
    entries[key] = (value, number)


def _parts(text: str) -> list[str]:
    """The text between commas; a comma at the end is let pass, as Darknet does."""
    return [part.strip() for part in text.strip().removesuffix(",").split(",")]


def _as_int(text: str) -> int | None:
    """A whole number; one of more digits than any that is meant counts as one that is too large."""
    if not re.fullmatch(r"[+-]?\d+", text, flags=re.ASCII):
        return None
    return int(text[:LONGEST])


def _as_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
