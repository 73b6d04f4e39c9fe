"""A sheet of images with their boxes: the quickest way to see that labels mean what one thinks."""

import math
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gapscope.data.images import read_pixels
from gapscope.data.readers.folders import split_of_folder
from gapscope.data.table import ANY_CLASS, AnnotationTable
from gapscope.drawing import Mark, draw_marks
from gapscope.errors import InputError
from gapscope.lettering import class_label, font, legible

TILE = (400, 300)
"""Largest width and height in pixels of an image on the sheet."""
_CAPTION, _GAP, _FIELD = 18, 4, (32, 34, 38)


def choose_images(
    table: AnnotationTable, count: int, *, seed: int = 0, label: str = "", folder: str = ""
) -> NDArray[np.int64]:
    """At most `count` images at random, in the table's order.

    Args:
        table: The images.
        count: How many.
        seed: Of the draw.
        label: Only images that hold a box of this class, ignore regions included.
        folder: Only images with this folder in their path, such as "train"; the name of a split stands for folders that
            are called otherwise, such as "val" for `valid`.

    Raises:
        InputError: `label` is no class, or no image fits.
    """
    wanted = np.ones(len(table), dtype=np.bool_)
    if label:
        if label not in table.class_names:
            raise InputError(f"'{label}' is no class of {table.root}. It has {', '.join(table.class_names)}.")
        held = table.box_image[table.box_class == table.class_names.index(label)]
        wanted = np.isin(np.arange(len(table)), held)
    if folder:
        wanted &= in_folder(table, folder)
    fitting = np.flatnonzero(wanted)
    if not len(fitting):
        asked = " and ".join(
            filter(None, [label and f"a box of class '{label}'", folder and f"'{folder}' in its path"])
        )
        raise InputError(f"no image of {table.root} has {asked} - expected at least one. Ask for less.")
    return np.sort(np.random.default_rng(seed).permutation(fitting)[:count])


def in_folder(table: AnnotationTable, folder: str) -> NDArray[np.bool_]:
    """Which images have a folder of this name in their path; if none has, one that holds the same split."""
    above = [PurePosixPath(str(path)).parts[:-1] for path in table.paths]
    named = np.array([folder in parts for parts in above], dtype=np.bool_)
    split = split_of_folder(folder)
    if named.any() or not split:
        return named
    return np.array([split in map(split_of_folder, parts) for parts in above], dtype=np.bool_)


def sheet(table: AnnotationTable, images: NDArray[np.int64]) -> Image.Image:
    """Images in rows, each with its path and its boxes; ignore regions are grey and hatched.

    Raises:
        InputError: An image cannot be decoded.
    """
    tall = max(_size(table, int(image))[1] for image in images)  # no empty space between flat images
    columns = max(1, round(math.sqrt(len(images) * tall / TILE[1])))
    rows = math.ceil(len(images) / columns)
    width, height = TILE[0] + _GAP, tall + _CAPTION + _GAP
    whole = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _FIELD)
    pen, small = ImageDraw.Draw(whole), font(13)
    for place, image in enumerate(images):
        x, y = _GAP + place % columns * width, _GAP + place // columns * height
        drawn = _tile(table, int(image))
        whole.paste(drawn, (x + (TILE[0] - drawn.width) // 2, y + (tall - drawn.height) // 2))
        name = legible(str(table.paths[image]))
        pen.text(
            (x + 2, y + tall + 1), name if len(name) < 58 else "..." + name[-55:], fill=(225, 225, 225), font=small
        )
    return whole


def _size(table: AnnotationTable, image: int) -> tuple[int, int]:
    """Width and height of an image on the sheet: shrunk or enlarged until it fits."""
    width, height = int(table.widths[image]), int(table.heights[image])
    scale = min(TILE[0] / width, TILE[1] / height)
    return max(1, round(scale * width)), max(1, round(scale * height))


def _tile(table: AnnotationTable, image: int) -> Image.Image:
    """One image, shrunk or enlarged to fit a tile, with its boxes."""
    pixels = read_pixels(table.path(image))
    size = _size(table, image)
    scale = size[0] / int(table.widths[image])
    from torchvision.transforms.v2 import functional as tv  # late: it takes seconds

    small = Image.fromarray(tv.resize(pixels, list(reversed(size)), antialias=True).permute(1, 2, 0).numpy())
    boxes, labels, ignored = table.boxes_of(image)
    marks = [
        Mark(
            (x1 * scale, y1 * scale, x2 * scale, y2 * scale),
            "" if label == ANY_CLASS else class_label(table.class_names[label], label),
            ANY_CLASS if ignore else label,
            hatched=ignore,
        )
        for (x1, y1, x2, y2), label, ignore in zip(boxes.tolist(), labels.tolist(), ignored.tolist(), strict=True)
    ]
    return draw_marks(small, marks)
