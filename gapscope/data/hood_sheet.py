"""What a search for hoods found, for people to check: a table of removed boxes, and one picture per group."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapscope.data.hood import HoodSearch
from gapscope.data.sheet import sheet
from gapscope.data.table import AnnotationTable
from gapscope.files import atomic_path, write_text
from gapscope.words import csv_cell

COLUMNS = ("image", "group", "class", "x1", "y1", "x2", "y2")
MOST_PICTURES = 120
"""Groups on the sheet; of more, as many as this are shown, evenly spaced."""
QUALITY = 85


def write_removed(search: HoodSearch, path: Path) -> None:
    """A CSV with a row for each removed box: image, group, class, corners in pixels of the image."""
    table, text = search.table, io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    names = [*table.class_names, ""]  # the last is that of regions of every class, -1
    for row in np.flatnonzero(search.removed):
        image = table.box_image[row]
        corners = [f"{side:.2f}" for side in table.xyxy[row]]
        texts = (str(table.paths[image]), str(table.groups[image]), names[table.box_class[row]])
        rows.writerow([*map(csv_cell, texts), *corners])
    write_text(path, text.getvalue())


def write_sheet(search: HoodSearch, usable: NDArray[np.integer], path: Path) -> None:
    """A JPEG with one image of each group: what was removed, what looks like a hood but stays, and all other boxes.

    Only `usable` images are shown; nothing is written if there is none.

    Raises:
        InputError: An image cannot be decoded.
    """
    images = shown_images(search, usable)
    if not len(images):
        return
    pictured = sheet(marked(search), images)
    with atomic_path(path) as temporary:
        pictured.save(temporary, "JPEG", quality=QUALITY)


def marked(search: HoodSearch) -> AnnotationTable:
    """The searched table with the classes "removed hood" and "hood? kept" put before its own."""
    stays = np.array([not hood.removed for hood in search.hoods] + [True])
    label = np.where(search.hood_of_box >= 0, stays[search.hood_of_box], search.table.box_class + 2)
    label[(search.hood_of_box < 0) & (search.table.box_class < 0)] = -1
    names = ("removed hood", "hood? kept", *search.table.class_names)
    return replace(search.table, class_names=names, box_class=label.astype(np.int16))


def shown_images(search: HoodSearch, usable: NDArray[np.integer]) -> NDArray[np.int64]:
    """The middle one of each hood's usable images."""
    chosen = np.unique(np.linspace(0, len(search.hoods) - 1, min(MOST_PICTURES, len(search.hoods))).astype(np.int64))
    images = [np.intersect1d(search.table.box_image[search.hood_of_box == i], usable) for i in chosen]
    return np.array([rows[len(rows) // 2] for rows in images if len(rows)], dtype=np.int64)
