"""Which column of VIPER's box files is the class? The rows themselves, and the masks beside them, tell."""

import random
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.masks import read_mask
from gapscope.data.readers.text import read_lines
from gapscope.errors import InputError
from gapscope.words import percent

COLUMNS = 28
"""class and instance id, 4 of the 2D box, 6 of the 3D box, 16 of the model-to-camera matrix."""
NUM_CLASSES = 32
ORDERS = ("class-first", "instance-first")
MASKS_LOOKED_AT = 20
SURE, UNSURE = 0.99, 0.9
"""A column is the class if so many of its values are class numbers, and fewer than that of the other column's."""


@dataclass
class BoxRows:
    """The first six columns of all box files, in growing arrays: millions of rows fit."""

    files: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ends = array("q")
        self.lines = array("i")
        self.first, self.second = array("d"), array("d")
        self.corners = array("d")

    def add_file(self, path: Path, problems: Problems) -> None:
        """Read one box file; an empty one has no objects, a broken row is a problem."""
        for line, text in enumerate(read_lines(path, problems), start=1):
            if not text.strip():
                continue
            with problems.at(path, f"row {line}"):
                first, second, *corners = _numbers(text)
                self.lines.append(line)
                self.first.append(first)
                self.second.append(second)
                self.corners.extend(corners)
        self.files.append(path)
        self.ends.append(len(self.lines))

    def rows_of(self, file: int) -> range:
        """Which rows come from the file of this index."""
        return range(self.ends[file - 1] if file else 0, self.ends[file])


def _numbers(text: str) -> list[float]:
    fields = text.split(",")
    if len(fields) != COLUMNS:
        raise RowError(
            f"{len(fields)} values",
            f"{COLUMNS} with commas between: class and instance id, 2D box (4), 3D box (6), matrix (16). Fix the row.",
        )
    try:
        return [float(field) for field in fields[:6]]
    except ValueError:
        raise RowError(f"'{','.join(fields[:6])}, ...'", "numbers. Fix the row.") from None


def class_column(rows: BoxRows, masks: Mapping[str, Path], problems: Problems) -> tuple[str, str]:
    """One of ORDERS, and the reason in words.

    VIPER's own page names the class first, the one public parser reads the instance first, and no file says. The class
    is a whole number from 0 to 31 in every row; instance ids go far beyond that. Where both columns would do (few
    rows, small ids), up to 20 masks are asked which (class, instance) pairs there are.

    Args:
        rows: All rows of the data set: single files are too small to tell.
        masks: Instance masks by the stem of their box file.
        problems: Where unreadable masks are told.

    Raises:
        InputError: Nothing decides.
    """
    shares = {order: _class_share(column) for order, column in zip(ORDERS, (rows.first, rows.second), strict=True)}
    if not len(rows.lines):
        return ORDERS[0], "there are no rows"
    for order, other in (ORDERS, ORDERS[::-1]):
        if (shares[order] == 1 and shares[other] < 1) or (shares[order] >= SURE and shares[other] < UNSURE):
            mine, others = percent(shares[order], 2), percent(shares[other], 2)
            return order, f"{mine} of that column are class numbers, {others} of the other"
    agreed = _mask_agreement(rows, masks, problems)
    for order, other in (ORDERS, ORDERS[::-1]):
        if agreed[order] >= 0.5 and agreed[other] < 0.1:
            return order, f"{percent(agreed[order])} of the rows looked at agree with the instance masks"
    raise InputError(
        f"{rows.files[0].parent.parent}: which of the first two columns is the class is not clear: "
        f"{percent(shares[ORDERS[0]])} and {percent(shares[ORDERS[1]])} of their values are 0 to {NUM_CLASSES - 1} - "
        "expected all values of one. Look at an object that you know, and say "
        'reader_options = { columns = "class-first" } or "instance-first".'
    )


def _class_share(column: array) -> float:
    values = np.frombuffer(column, dtype=np.float64) if len(column) else np.empty(0)
    return float(np.mean((values >= 0) & (values < NUM_CLASSES) & (values == np.floor(values)))) if len(values) else 0.0


def _mask_agreement(rows: BoxRows, masks: Mapping[str, Path], problems: Problems) -> dict[str, float]:
    """For each order, the share of rows whose (class, instance) is in the mask of their image."""
    with_mask = [i for i, path in enumerate(rows.files) if path.stem in masks and len(rows.rows_of(i))]
    chosen = random.Random(0).sample(with_mask, min(MASKS_LOOKED_AT, len(with_mask)))
    hits, looked = {order: 0 for order in ORDERS}, 0
    for i in chosen:
        pairs: set[int] = set()
        with problems.at(masks[rows.files[i].stem]):
            pairs |= set(np.unique(mask_numbers(read_mask(masks[rows.files[i].stem]))).tolist())
        for row in rows.rows_of(i):
            first, second = rows.first[row], rows.second[row]
            hits[ORDERS[0]] += 65536 * first + second in pairs
            hits[ORDERS[1]] += 65536 * second + first in pairs
            looked += 1
    return {order: n / looked if looked else 0.0 for order, n in hits.items()}


def mask_numbers(mask: NDArray[np.integer]) -> NDArray[np.int32]:
    """65536 * class + instance for every pixel of a VIPER `inst` mask (h, w, 3): red is the class, and the instance is
    256 * green + blue; red is 0 where there is no object (VIPER's README).

    Raises:
        RowError: The mask has one channel.
    """
    if mask.ndim != 3:
        raise RowError("has one channel", "three: class, and two for the instance. Is it a `cls` mask?")
    red, green, blue = (mask[..., i].astype(np.int32) for i in range(3))
    return (red << 16) + (green << 8) + blue
