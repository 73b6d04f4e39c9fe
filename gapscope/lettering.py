"""Which names can be written on a picture? DejaVu Sans, matplotlib's own, has Latin, Greek, Cyrillic and more letters.

Names in other scripts (Chinese, Hindi, ...) would become empty boxes that all look alike: classes go by their number.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

FONT_FILE = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
MISSING = "?"
"""Stands for a letter that the font does not have, where there is no number to say instead."""


def font(size: int) -> ImageFont.FreeTypeFont:
    """The font of pictures, with letters of so many pixels."""
    return ImageFont.truetype(str(FONT_FILE), size)


def is_legible(text: str) -> bool:
    """Whether the font has every letter of a text."""
    return all(ord(letter) in _letters() for letter in text)


def legible(text: str) -> str:
    """The text, with a sign in the place of every letter that the font does not have."""
    return text if is_legible(text) else "".join(one if ord(one) in _letters() else MISSING for one in text)


def class_label(name: str, number: int) -> str:
    """What a picture calls a class: its name, or its number if the font cannot write that."""
    return name if is_legible(name) else f"class {number}"


def unwritten(names: Sequence[str]) -> Iterable[str]:
    """The sentence that says which classes go by their numbers; none if all names can be written."""
    numbered = [f"{class_label(name, number)} is {name}" for number, name in enumerate(names) if not is_legible(name)]
    if numbered:
        yield f"names that the font of pictures cannot write are numbers there: {', '.join(numbered)}"


@cache
def _letters() -> frozenset[int]:
    """Code points of the letters that the font has."""
    return frozenset(FT2Font(str(FONT_FILE)).get_charmap()) | {ord("\n")}
