"""Durations, sizes and slips of the pen, as people say them."""

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


def file_size(num_bytes: int) -> str:
    """`512 bytes`, `12.3 kB`, `4.5 MB`: in powers of 1000, as file managers and disks count.

    >>> [file_size(num_bytes) for num_bytes in (512, 12_345, 4_500_000)]
    ['512 bytes', '12.3 kB', '4.5 MB']
    """
    if num_bytes < 1000:
        return f"{num_bytes} bytes"
    size, units = num_bytes / 1000, ["kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.3g} {units[0]}"


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
