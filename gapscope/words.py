"""Durations and sizes as people say them."""


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
