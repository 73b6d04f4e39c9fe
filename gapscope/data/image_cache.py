"""ImageCache: letterboxed images on disk, for as long as nothing that decides their pixels changes."""

import hashlib
import os
import struct
import tempfile
import time
import warnings
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
import PIL
import torch
from torch import Tensor

from gapscope.data import images as image_files, letterbox as letterboxing
from gapscope.data.images import read_pixels
from gapscope.data.letterbox import FILL, INTERPOLATION, letterbox
from gapscope.files import hash_file, hash_value
from gapscope.leftovers import held, remove_left_in

SETTLED_SECONDS = 2.0
"""A file that was changed more recently is not kept yet: a second change within one tick of the file system's clock
could not be told from the first. FAT's clock is the slowest, with ticks of two seconds."""

GROWING = ".square-"
"""How the name of a file begins while it is written."""

_HEADER = struct.Struct("<8s7I")
_MAGIC = b"GSIMG\0\0\1"


class ImageCache:
    """Letterboxed images in a folder, each in a file of its own; pixels are those of decoding anew, to the last bit.

    A file's name is a hash over the image file's path, inode, size and times of change, over the size and fill of the
    square, and over whatever turns bytes into pixels: this package's code, the versions of torch, torchvision and
    Pillow, and the processor's instruction set. The time of the last status change counts among the times: no program
    can set it back, so an image that is replaced is decoded again even where size and modification time stay the same
    (on Windows, which has no such time, a modification time that is set back on purpose goes unnoticed).

    A file holds the square without its bars as raw bytes: 292 kB for 16:9 at 416 pixels. It comes into its place whole,
    so that any number of threads and processes can share the folder; its checksum is compared at every reading, and a
    damaged one is made again. Nothing is ever deleted: the folder may be, at any time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.full = False
        """Whether writing has failed; nothing more is kept then."""
        self.looked = False
        """Whether temporary files of killed processes were looked for, which happens before the first is written."""
        self.lock = Lock()

    def letterboxed(self, path: Path, size: int, fill: int = FILL) -> tuple[Tensor, tuple[int, int]]:
        """The uint8 (3, size, size) square of an image, and the image's own width and height.

        Raises:
            InputError: The image is not kept and cannot be decoded.
        """
        changed = _changed(path)
        place = self.place(path, changed, size, fill) if changed else None
        kept = _read(place, size, fill) if place else None
        if kept is not None:
            return kept
        square, own_size = read_letterboxed(path, size, fill)
        settled = changed and time.time() - changed[-1] / 1e9 > SETTLED_SECONDS
        if place and settled and not self.full and changed == _changed(path):
            self._keep(place, _packed(square, own_size, fill))
        return square, own_size

    def place(self, path: Path, changed: tuple[int, ...], size: int, fill: int) -> Path:
        """Where the square of an image is kept."""
        text = "\0".join(map(str, (path.absolute(), *changed, size, fill, _makers())))
        name = hashlib.sha256(os.fsencode(text)).hexdigest()
        return self.folder / name[:2] / f"{name}.square"

    def _keep(self, place: Path, parts: tuple[bytes, bytes]) -> None:
        try:
            with self.lock:
                left, self.looked = not self.looked, True
            if left:
                remove_left_in(self.folder)
            _write(self.folder, place, parts)
        except OSError as error:
            with self.lock:  # several threads may find out at once; one says it
                told, self.full = self.full, True
            if not told:
                warnings.warn(
                    f"image cache {self.folder} cannot be written to ({error.strerror}): images that are not in it yet "
                    "are decoded each time, which is slower and changes nothing else. Make room, or name another "
                    "cache_folder.",
                    RuntimeWarning,
                    stacklevel=2,
                )


def read_letterboxed(path: Path, size: int, fill: int = FILL) -> tuple[Tensor, tuple[int, int]]:
    """Decode an image: its uint8 (3, size, size) square, and its own width and height.

    Raises:
        InputError: It cannot be decoded.
    """
    pixels = read_pixels(path)
    return letterbox(pixels, size, fill)[0], (pixels.shape[2], pixels.shape[1])


def _changed(path: Path) -> tuple[int, ...] | None:
    """What changes whenever a file's content does, the time of its last status change last; None if there is none."""
    try:
        stat = path.stat()
    except OSError:  # decoding says what is wrong with it
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@cache
def _makers() -> str:
    """A hash of all that turns an image file into the bytes of a square."""
    import torchvision  # late: it takes seconds

    code = [hash_file(Path(file)) for file in (image_files.__file__, letterboxing.__file__, __file__)]
    versions = [torch.__version__, torchvision.__version__, PIL.__version__, torch.backends.cpu.get_cpu_capability()]
    return hash_value([code, versions, INTERPOLATION])


def _packed(square: Tensor, own_size: tuple[int, int], fill: int) -> tuple[bytes, bytes]:
    """A header, and the part of a square that is not bar."""
    pixels = square.numpy()
    rows, columns = (np.flatnonzero((pixels != fill).any(axis=axes)) for axes in ((0, 2), (0, 1)))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    left, right = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 0)
    part = pixels[:, top:bottom, left:right].transpose(1, 2, 0).tobytes()
    numbers = (*own_size, top, bottom, left, right)
    return _HEADER.pack(_MAGIC, *numbers, _checksum(numbers, part)), part


def _read(place: Path, size: int, fill: int) -> tuple[Tensor, tuple[int, int]] | None:
    """A kept square and the image's own size; None if it is not there, or damaged."""
    try:
        stored = place.read_bytes()
        magic, *numbers, checksum = _HEADER.unpack_from(stored)
    except (OSError, struct.error):
        return None
    pixels = memoryview(stored)[_HEADER.size :]
    if magic != _MAGIC or _checksum(numbers, pixels) != checksum:
        return None
    width, height, top, bottom, left, right = numbers
    square = np.full((size, size, 3), fill, dtype=np.uint8)
    square[top:bottom, left:right] = np.frombuffer(pixels, np.uint8).reshape(bottom - top, right - left, 3)
    return torch.from_numpy(square).permute(2, 0, 1), (width, height)


def _checksum(numbers: Sequence[int], pixels: bytes | memoryview) -> int:
    return zlib.crc32(pixels, zlib.crc32(struct.pack("<6I", *numbers)))


def _write(folder: Path, place: Path, parts: tuple[bytes, bytes]) -> None:
    """Into place whole. Not forced onto the disk: after a power cut the checksum tells what is missing.

    It grows in the cache's own folder, where what killed processes have left is quickly found.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=GROWING, dir=folder)
    temporary = Path(name)
    with held(handle):
        try:
            with temporary.open("wb") as stream:
                stream.writelines(parts)
            temporary.chmod(0o644)  # others may share the folder
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)
