"""Text files as people have them: with or without a byte order mark, with any line ends."""

from pathlib import Path

from gapscope.data.problems import Problems, RowError
from gapscope.files import UTF_16, check_regular, decode_text


def read_label_text(path: Path, problems: Problems) -> str:
    """The text of a file; "" where it cannot be read and `problems` lets that pass.

    Raises:
        InputError: If `problems` is strict: the file is missing, a folder, or not UTF-8.
    """
    with problems.at(path):
        try:
            check_regular(path)
            return decode_label_text(path.read_bytes())
        except OSError as error:
            raise RowError(f"cannot be read ({error.strerror})", "a text file. Replace it.") from error
    return ""


def decode_label_text(content: bytes) -> str:
    """Bytes as text, see `decode_text`.

    Raises:
        RowError: They are something else.
    """
    try:
        return decode_text(content)
    except UnicodeDecodeError as error:
        coding = "UTF-16" if content.startswith(UTF_16) else "UTF-8"
        raise RowError(
            f"byte {error.start} is no {coding}", "text in UTF-8. Convert it: iconv -f latin1 -t utf-8"
        ) from error


def read_lines(path: Path, problems: Problems) -> list[str]:
    """Its lines, without their ends."""
    return read_label_text(path, problems).splitlines()
