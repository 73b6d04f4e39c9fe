"""Durations, sizes and slips of the pen, as people say them."""

import math
from collections.abc import Iterable
from difflib import get_close_matches


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min`, `2 h 05 min`.

    >>> [duration(seconds) for seconds in (0.42, 42, 180, 7500)]
    ['0.4 s', '42 s', '3 min', '2 h 05 min']
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def byte_size(num_bytes: int, *, up: bool = False) -> str:
    """Of a file or of memory: three digits, in powers of 1024, as `[record] memory` reads them.

    >>> [byte_size(num_bytes) for num_bytes in (512, 12_345, 4_500_000)]
    ['512 bytes', '12.1 KiB', '4.29 MiB']

    Args:
        num_bytes: How many.
        up: Round up, for an amount that must suffice.
    """
    if num_bytes < 1024:
        return "1 byte" if num_bytes == 1 else f"{num_bytes} bytes"
    size, units = num_bytes / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1024
        units.pop(0)
    if up:
        digits = 2 - math.floor(math.log10(size))
        size = math.ceil(size * 10**digits) / 10**digits
    return f"{size:.3g} {units[0]}"


def percent(share: float, digits: int = 0) -> str:
    """A share as it is written everywhere, with a space before the sign.

    >>> percent(0.41), percent(1.5), percent(0.0666, 1)
    ('41 %', '150 %', '6.7 %')
    """
    return f"{100 * share:.{digits}f} %"


def number_of(count: int, one: str, several: str = "") -> str:
    """A number with its noun.

    >>> number_of(1, "problem"), number_of(1200, "problem"), number_of(2, "box", "boxes")
    ('1 problem', '1,200 problems', '2 boxes')

    Args:
        count: How many.
        one: The noun of one.
        several: Of none or several; left out, with an `s` behind it.
    """
    return f"{count} {one}" if count == 1 else f"{count:,} {several or one + 's'}"


def capitalized(text: str) -> str:
    """With a capital to begin with, and all else as it is.

    >>> capitalized("head of U-Real")
    'Head of U-Real'
    """
    return text[:1].upper() + text[1:]


def csv_cell(text: str) -> str:
    """A text as a cell of a CSV file: one that a spreadsheet would take for a formula has an apostrophe before it."""
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def did_you_mean(word: str, known: Iterable[str], *, also_known: bool = False) -> str:
    """What to put behind a complaint about an unknown word.

    >>> did_you_mean("epoch", ["epochs", "patience"])
    " Did you mean 'epochs'?"
    >>> did_you_mean("speed", ["epochs", "patience"])
    ' Known: epochs, patience.'

    Args:
        word: That was given.
        known: Words that would have been right.
        also_known: List the known words even if one of them is near.
    """
    known = list(known)
    near = get_close_matches(word, known, n=1)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    return f"{meant} Known: {', '.join(known)}." if also_known or not near else meant
