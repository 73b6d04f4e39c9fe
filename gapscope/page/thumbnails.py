"""How do photographs fit on a page? Small, each once, and together within a budget."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from gapscope.data.images import read_pixels

STEPS = ((480, 76), (400, 72), (320, 68), (320, 50), (240, 45), (160, 40))
"""(longer side in pixels, WebP quality), from the best to the smallest."""


def thumbnails(paths: Sequence[Path], budget: int, *, largest: int = STEPS[0][0]) -> list[str]:
    """Images as WebP data URIs, all by the best of `STEPS` at which they take no more than `budget` bytes together.

    Args:
        paths: Image files.
        budget: Bytes of all data URIs together; the last step is taken even if it needs more.
        largest: Longer side in pixels that no image exceeds.

    Raises:
        InputError: A file cannot be read as an image.
    """
    images = [small_image(path, largest) for path in paths]
    found: list[str] = []
    for side, quality in STEPS:
        if side <= largest:
            found = [webp(image, side, quality) for image in images]
            if sum(map(len, found)) <= budget:
                break
    return found


def small_image(path: Path, side: int) -> Image.Image:
    """A file's image, its longer side at most so many pixels.

    Raises:
        InputError: The file cannot be read as an image.
    """
    image = Image.fromarray(read_pixels(path).permute(1, 2, 0).contiguous().numpy())
    return _shrunk(image, side)


def webp(image: Image.Image, side: int, quality: int) -> str:
    """An image as a WebP data URI, its longer side at most so many pixels."""
    stream = io.BytesIO()
    _shrunk(image, side).save(stream, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(scale * length)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
