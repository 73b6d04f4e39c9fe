"""A data set in a few lines: format, boxes per class, image sizes, splits, and the files that nobody read."""

from collections import Counter

from gapscope.data.image_names import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from gapscope.data.readers.unread import files_below
from gapscope.data.splits import PAPER_FRACTIONS, SPLITS
from gapscope.data.splits_there import auto_split
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.words import number_of

MOST_CLASSES = 20
"""How many classes are named with their boxes."""
MOST_SIZES = 3


def summed_up(table: AnnotationTable) -> list[str]:
    """Lines about a data set as its labels have it, before any label map."""
    regions = int(table.ignore.sum())
    boxes = number_of(table.num_boxes - regions, "box", "boxes")
    boxes += f", {number_of(regions, 'ignore region')}" if regions else ""
    return [
        f"format: {table.format}; {number_of(len(table), 'image')}, {boxes}",
        f"classes: {class_counts(table)}",
        f"image sizes: {size_counts(table)}",
        f"splits: {split_counts(table)}",
        f"files: {unread_count(table)}",
    ]


def class_counts(table: AnnotationTable, most: int = MOST_CLASSES) -> str:
    """`car 1,204, van 96`, the most frequent first; names without boxes are only counted."""
    counts = sorted(table.counts().items(), key=lambda item: -item[1])
    found = [f"{name} {boxes:,}" for name, boxes in counts if boxes]
    rest = [number_of(len(found) - most, "more class", "more classes")] if len(found) > most else []
    empty = len(counts) - len(found)
    rest += [f"{number_of(empty, 'name')} without boxes"] if empty else []
    return ", ".join([*found[:most], *rest]) or "none"


def size_counts(table: AnnotationTable) -> str:
    """`640 x 480 (590 images), 800 x 600 (10)`."""
    sizes = Counter(zip(table.widths.tolist(), table.heights.tolist(), strict=True)).most_common()
    shown = [f"{width} x {height} ({count:,})" for (width, height), count in sizes[:MOST_SIZES]]
    return (
        ", ".join([*shown, *([number_of(len(sizes) - MOST_SIZES, "other")] if len(sizes) > MOST_SIZES else [])])
        or "none"
    )


def split_counts(table: AnnotationTable) -> str:
    """`train 360, val 120, test 120 - how`: the splits that a study would take when it is told nothing."""
    try:
        splits, how = auto_split(table, PAPER_FRACTIONS, 0)
    except InputError as error:
        return f"none can be drawn: {error}"
    return f"{', '.join(f'{split} {len(splits[split]):,}' for split in SPLITS)} - {how}"


def unread_count(table: AnnotationTable) -> str:
    """How many files lie in the folder, and how many of its images are no part of the table."""
    files = files_below(table.root)
    known = {str(table.root / path) for path in table.paths.tolist()}
    images = [path for path in files if path.suffix.lower() in (*IMAGE_SUFFIXES, *OTHER_IMAGE_SUFFIXES)]
    unread = sum(str(path) not in known for path in images)
    said = f"{unread:,} of them not read" if unread else "all of them read"
    return f"{len(files):,} in the folder, {number_of(len(images), 'image')}, {said}"
