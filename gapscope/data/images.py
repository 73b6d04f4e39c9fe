"""What is in an image file: its size from the header, its pixels as RGB."""

import re
import warnings
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2 import functional as tv

from gapscope.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_ORIENTATION = 0x0112  # the EXIF tag; 1 means upright


def find_images(folder: Path) -> list[Path]:
    """All images below a folder, sorted by path, hidden files left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def read_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels from an image's header.

    Raises:
        InputError: The file is missing, no image, or its EXIF data ask for a rotation.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing - expected an image file. Restore it, or remove its labels.")
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            size = image.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}. Replace the file, or remove it.") from error
    if orientation not in (0, 1):
        raise InputError(
            f"{path} has EXIF orientation {orientation} - expected upright pixels (1), since boxes may mean either way "
            f"up. Rotate the pixels for good, for example with: mogrify -auto-orient {path.name}"
        )
    return size


def read_pixels(path: Path) -> Tensor:
    """An image as uint8 RGB (3, h, w), whatever colours the file holds: grey, palette, alpha, CMYK or 16 bit.

    Transparency is dropped, not blended.

    Raises:
        InputError: The file is missing, no image, or cut short.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libpng comments on colour profiles; they change no pixel
            pixels = decode_image(str(path), mode=ImageReadMode.RGB)
    except (RuntimeError, OSError, ValueError) as error:
        reason = re.sub(r"^.*\.cpp:\d+, ", "", str(error).strip().splitlines()[0]).rstrip(".")
        raise InputError(f"{path} cannot be decoded: {reason}. Replace it, or remove it and its labels.") from error
    return pixels if pixels.dtype == torch.uint8 else tv.to_dtype(pixels, torch.uint8, scale=True)
