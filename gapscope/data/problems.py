"""Problems: what is wrong with a data set, file by file and row by row."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gapscope.errors import InputError

OBEYED = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys instead of showing them: escapes, and those that turn the direction of writing."""


class RowError(InputError):
    """What is wrong with one row, image or file. Whoever knows the place adds it, see `Problems.at`."""

    def __init__(self, wrong: str, expected: str) -> None:
        """`wrong` names the value; `expected` says what should be there and what to do, as sentences."""
        self.wrong, self.expected = shortened(wrong), expected
        super().__init__(f"{self.wrong} - expected {expected}")


class FileError(InputError):
    """What is wrong with one file, told by a function that was given just this file."""

    def __init__(self, file: Path | str, wrong: str, expected: str) -> None:
        """As for a RowError; the message starts with the file."""
        self.file, self.wrong, self.expected = str(file), shortened(wrong), expected
        super().__init__(f"{file} {self.wrong} - expected {expected}")


def writable(text: Path | str) -> str:
    """A name or a text as it can be written and printed: bytes of a file's name that are no UTF-8 as \\xe9, characters
    that a terminal obeys as \\x1b; line ends and tabs stay."""
    shown = re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", str(text))
    shown = OBEYED.sub(lambda letter: repr(letter[0])[1:-1], shown)
    return shown.encode("utf-8", "backslashreplace").decode()


def check_name(path: Path | str) -> None:
    """Refuse a file whose name no list, table or message could hold.

    Raises:
        FileError: The name, or that of a folder above, has bytes that are no UTF-8, or a line break.
    """
    name = str(path)
    if writable(name) != name:
        what = "has a name with bytes that are no UTF-8"
    elif len(name.splitlines()) > 1:
        what = "has a line break in its name"
    else:
        return
    raise FileError(shortened(writable(name)), what, "a name that a list of images can hold. Rename it.")


def shortened(text: str, most: int = 400) -> str:
    """A text that fits a message: files can hold values of any length, and characters that a terminal obeys."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[: most + 1])
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    row: str
    """"line 3", "annotation 12"; "" for the file as a whole."""
    wrong: str
    expected: str

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            object.__setattr__(self, name, writable(value))

    def __str__(self) -> str:
        place = f"{self.file}, {self.row}" if self.row else self.file
        return f"{place}: {self.wrong} - expected {self.expected}" if self.expected else f"{place}: {self.wrong}"

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


@dataclass
class Problems:
    """Where readers bring what they find wrong.

    Strict, the first problem ends the reading as an InputError. Otherwise the row or image is left out, reading goes
    on, and the problem is kept in `found`.
    """

    strict: bool = True
    found: list[Problem] = field(default_factory=list)
    told: list[Problem] | None = None
    """What is worth telling and ends no reading, in either mode, such as a box that is there already; None: nobody
    asks, and no places are kept for it."""
    place: tuple[str, str] = ("", "")
    """File and row that are being read."""

    @contextmanager
    def at(self, file: Path | str, row: str = "") -> Iterator[None]:
        """Give what goes wrong inside the `with` block its place; when not strict, skip the rest of the block.

        Raises:
            InputError: When strict: the problem and its place in one message.
        """
        outer, self.place = self.place, (str(file), row)
        try:
            yield
        except RowError as error:
            self.add(Problem(str(file), row, error.wrong, error.expected), error)
        except OverflowError as error:  # JSON knows whole numbers of any length
            expected = "numbers of a size that images can have. Fix or remove it."
            self.add(Problem(str(file), row, "holds a number that is far too large", expected), error)
        except FileError as error:
            self._keep(Problem(error.file, "", error.wrong, error.expected), error)
        except InputError as error:
            self._keep(Problem(str(file), row, str(error), ""), error)
        finally:
            self.place = outer

    def _keep(self, problem: Problem, cause: InputError) -> None:
        """Keep what says itself where it is; when strict, it ends the reading as it is."""
        if self.strict:
            raise cause
        self.add(problem, cause)

    def add(self, problem: Problem, cause: Exception | None = None) -> None:
        """Keep a problem, or end the reading with it."""
        if self.strict:
            raise InputError(str(problem)) from cause
        self.found.append(problem)
