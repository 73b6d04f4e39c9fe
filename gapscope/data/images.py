"""What is in an image file: its size from the header, its pixels as RGB."""

import os
import re
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from gapscope.data.image_names import IMAGE_SUFFIXES
from gapscope.data.problems import FileError, check_name
from gapscope.errors import InputError
from gapscope.files import check_regular
from gapscope.progress import Progress, silent

if TYPE_CHECKING:  # labels can be read, and headers, without the 600 MiB that torch takes
    from torch import Tensor

T = TypeVar("T")

MAX_PIXELS = 120_000_000
"""A header that claims more is taken for a broken or malicious one. An image of this size takes up to 1.4 GiB while it
is decoded."""

_MAGIC = (
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
)
_OTHER_KINDS = (
    (rb"BM", "BMP"),
    (rb"II\*\0|MM\0\*", "TIFF"),
    (rb"GIF8", "GIF"),
    (rb"....ftypavi", "AVIF"),
    (rb"....ftyp", "HEIF"),
    (rb"\0\0\0\x0cjP|\xff\x4f\xff\x51", "JPEG 2000"),
)
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for files that are broken."""
_PER_REPORT = 100
_ROWS = 1024
"""So many rows of pixels are converted at a time."""
_ORIENTATION, _SHORT = 0x0112, 3  # an EXIF tag and its type


def find_images(folder: Path | str) -> list[Path]:
    """All images below a folder, see `find_files`."""
    folder = Path(folder)
    return find_files(folder, IMAGE_SUFFIXES)


def find_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """All files below a folder with one of these endings, in any case, sorted by path, hidden files left out.

    Links are followed, a folder that is reached in two ways is listed once, and a link to a file that is not there is
    among them, so that it is missed when it is read.

    Raises:
        InputError: A name has bytes that are no UTF-8, or a line break.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        here = Path(place).stat()
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        folders.sort()
        wanted = (name for name in names if name.lower().endswith(suffixes) and not name.startswith("."))
        found += [Path(place, name) for name in wanted]
    for path in found:
        check_name(path)
    return sorted(found)


def read_size(path: Path | str) -> tuple[int, int]:
    """Width and height in pixels from an image's header.

    Raises:
        InputError: The file is missing, no JPEG, PNG or WebP, animated, too large, or its EXIF data ask for a rotation.
    """
    path = Path(path)
    kind = _kind(path)
    try:
        with kind(path) as image:
            size, frames = image.size, getattr(image, "n_frames", 1)
            orientation = _orientation(image.info.get("exif", b""))
    except _UNREADABLE as error:
        raise FileError(
            path, f"cannot be read as an image: {error}", "a whole one. Replace the file, or remove it."
        ) from error
    if frames > 1:
        raise FileError(path, f"is an animation of {frames} pictures", "one still picture. Save its frames as files.")
    _check_pixels(path, size)
    if orientation > 1:
        raise FileError(
            path,
            f"has EXIF orientation {orientation}",
            "upright pixels (1), since boxes may mean either way up. Rotate the pixels for good, for example with: "
            f"mogrify -auto-orient {path.name}",
        )
    return size


def _check_pixels(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        most = f"at most {MAX_PIXELS // 1_000_000} million. Replace the file, or cut it into smaller images."
        raise FileError(path, f"claims {size[0]} x {size[1]} pixels", most)


def read_pixels(path: Path | str) -> "Tensor":
    """An image as uint8 RGB (3, h, w), whatever colours the file holds: grey, palette, alpha, CMYK or 16 bit.

    Transparency is dropped, not blended; of 16 bits the upper 8 are kept.

    Raises:
        InputError: The file is missing, no image, too large, or cut short.
    """
    path = Path(path)
    from torchvision.io import ImageReadMode, decode_image

    kind = _kind(path)
    try:
        # torchvision is the quicker decoder, but a PNG with a wrong byte ends the whole process inside it (measured
        # with torchvision 0.29); Pillow raises.
        with kind(path) as image:  # the header alone, in a hundredth of the time that decoding takes
            _check_pixels(path, image.size)
        pixels = _png_pixels(path) if kind is PngImageFile else decode_image(str(path), mode=ImageReadMode.RGB)
    except (*_UNREADABLE, RuntimeError, MemoryError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        reason = re.sub(r"^.*\.cpp:\d+, ", "", said[0]).rstrip(".")
        raise FileError(
            path, f"cannot be decoded: {reason}", "a whole image. Replace it, or remove it and its labels."
        ) from error
    return pixels


def check_decodes(path: Path) -> None:
    """Decode an image as training will, and drop it.

    Raises:
        InputError: It cannot be decoded, or has another size than its header says.
    """
    width, height = read_size(path)
    found = tuple(read_pixels(path).shape)
    if found != (3, height, width):
        wrong = f"holds {found[-1]} x {found[-2]} pixels, but its header says {width} x {height}"
        raise FileError(path, wrong, "the same. Replace the file, or remove it and its labels.")


def look_at_all(
    paths: Sequence[Path], look: Callable[[Path], T], *, what: str, progress: Progress = silent
) -> list[T | InputError]:
    """What `look` finds in every file, or how it refuses it, in order; on all cores.

    Args:
        paths: Image files.
        look: Called from several threads; what it raises besides InputError ends the looking.
        what: What is done, for `progress`.
        progress: Told after every hundred files.
    """

    def look_or_refusal(path: Path) -> T | InputError:
        try:
            return look(path)
        except InputError as error:
            return error

    found: list[T | InputError] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), _PER_REPORT):
            found += pool.map(look_or_refusal, paths[start : start + _PER_REPORT])
            progress(what, len(found), len(paths))
    return found


def _kind(path: Path) -> type[ImageFile]:
    """What the first bytes say that a file is, whatever its name says."""
    check_name(path)
    try:
        check_regular(path)
        with path.open("rb") as stream:
            start = stream.read(12)
    except FileNotFoundError as error:
        raise FileError(path, "is missing", "an image file. Restore it, or remove its labels.") from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
        raise FileError(path, reason, "an image file. Replace it, or allow reading it.") from error
    for magic, kind in _MAGIC:
        if magic.match(start):
            return kind
    other = next((name for magic, name in _OTHER_KINDS if re.match(magic, start, re.DOTALL)), None)
    if other is not None:
        wrong = f"cannot be read as an image: it starts with {start!r}, as {other} does"
        hint = f"a JPEG, PNG or WebP image. Convert it, for example with: mogrify -format png {path.name}"
        raise FileError(path, wrong, hint)
    what = f"cannot be read as an image: it starts with {start!r}" if start else "is an empty file"
    raise FileError(path, what, "a JPEG, PNG or WebP image. Replace the file, or remove it and its labels.")


def _orientation(exif: bytes) -> int:
    """Which way up viewers turn an image, 1 (as it is) to 8; EXIF data that cannot be read are ignored, as they do."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4], "")
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, place)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return value if value in range(1, 9) else 1
    except struct.error:  # it ends before it says
        return 1
    return 1


def _png_pixels(path: Path) -> "Tensor":
    import torch

    with PngImageFile(path) as image:
        image.load()
        image.info.pop("transparency", None)  # or converting would blend it, or warn
        if image.mode.startswith("I"):  # 16 bit grey; Pillow would cut it at 255
            values = np.asarray(image)
            grey = np.empty(values.shape, np.uint8)
            for row in range(0, len(values), _ROWS):
                grey[row : row + _ROWS] = (values[row : row + _ROWS].astype(np.uint32) >> 8).clip(0, 255)
            return torch.from_numpy(grey).expand(3, -1, -1).contiguous()
        rgb = image if image.mode == "RGB" else image.convert("RGB")
        pixels = np.empty((rgb.height, rgb.width, 3), np.uint8)
        for row in range(0, rgb.height, _ROWS):  # the whole would be there twice otherwise
            pixels[row : row + _ROWS] = np.asarray(rgb.crop((0, row, rgb.width, min(row + _ROWS, rgb.height))))
        return torch.from_numpy(pixels).permute(2, 0, 1)
