"""Boxes drawn over an image, each with its name, in the colour of its class."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from gapscope.lettering import font as letters, legible

GOLDEN = 0.618033988749895
"""Steps of this share of the colour circle keep any number of colours apart."""
LINE_SHARE, TEXT_SHARE = 1 / 300, 1 / 45
"""Thickness of lines and height of letters, as shares of the image's longer side."""
SMALLEST_TEXT = 11
HATCH = 8
"""Pixels between the lines over a region that does not count."""


@dataclass(frozen=True)
class Mark:
    """One box to draw."""

    xyxy: tuple[float, float, float, float]
    """In pixels of the image."""
    text: str
    """Above the box; empty for none."""
    label: int
    """Index of the class, which decides the colour; below 0 grey."""
    hatched: bool = False
    """Hatched: a region that does not count."""


def class_color(label: int) -> tuple[int, int, int]:
    """A bright colour for a class, RGB from 0 to 255; the same class always gets the same."""
    if label < 0:
        return 150, 150, 150
    red, green, blue = colorsys.hsv_to_rgb((0.02 + label * GOLDEN) % 1, 0.85, 0.75 if label % 2 else 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_marks(image: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """A copy of an image with marks on it; the first are drawn last, over the others."""
    drawn = image.convert("RGB")
    if drawn is image:
        drawn = image.copy()
    side = max(image.size)
    pen = ImageDraw.Draw(drawn)
    font = letters(max(SMALLEST_TEXT, round(side * TEXT_SHARE)))
    thickness = max(1, round(side * LINE_SHARE))
    for mark in reversed(marks):
        color = class_color(mark.label)
        x1, y1, x2, y2 = mark.xyxy
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=color, width=thickness)
        if mark.hatched:
            _hatch(pen, mark.xyxy, color)
        if mark.text:
            _write(pen, legible(mark.text), (x1, y1), color, font, drawn.size)
    return drawn


def _hatch(pen: ImageDraw.ImageDraw, box: tuple[float, float, float, float], color: tuple[int, int, int]) -> None:
    """Lines that rise to the right, cut at the box."""
    x1, y1, x2, y2 = (round(side) for side in box)
    for start in range(x1 + y1, x2 + y2, HATCH):  # x + y along a line
        left, right = max(x1, start - y2), min(x2, start - y1)
        pen.line((left, start - left, right, start - right), fill=color)


def _write(
    pen: ImageDraw.ImageDraw,
    text: str,
    corner: tuple[float, float],
    color: tuple[int, int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    size: tuple[int, int],
) -> None:
    """A name on a field of its colour, above the box's corner, moved into the image where it would leave it."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    width, height = right - left + 4, bottom - top + 4
    x = min(max(corner[0], 0), max(0, size[0] - width))
    y = corner[1] - height
    y = y if y >= 0 else min(max(corner[1], 0), max(0, size[1] - height))
    pen.rectangle((x, y, x + width, y + height), fill=color)
    bright = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140
    pen.text((x + 2 - left, y + 2 - top), text, fill="black" if bright else "white", font=font)
