"""Text files as people have them: with or without a byte order mark, with any line ends."""

from pathlib import Path

from gapscope.data.problems import Problems, RowError


def read_text(path: Path, problems: Problems) -> str:
    """The text of a UTF-8 file; "" where it cannot be read and `problems` lets that pass.

    Raises:
        InputError: If `problems` is strict: the file is missing, a folder, or not UTF-8.
    """
    with problems.at(path):
        try:
            return decode(path.read_bytes())
        except OSError as error:
            raise RowError(f"cannot be read ({error.strerror})", "a text file. Replace it.") from error
    return ""


def decode(content: bytes) -> str:
    """UTF-8 as text, with newlines as line ends.

    Raises:
        RowError: It is something else.
    """
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise RowError(
            f"byte {error.start} is no UTF-8", "text in UTF-8. Convert it: iconv -f latin1 -t utf-8"
        ) from error


def read_lines(path: Path, problems: Problems) -> list[str]:
    """Its lines, without their ends."""
    return read_text(path, problems).splitlines()
