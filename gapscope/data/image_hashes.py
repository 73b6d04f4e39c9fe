"""Near-duplicates: does an image look like another one? Bits that brightness, size and compression hardly change."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.progress import Progress, silent

HASH_SIDE = 16
NEAR_BITS = 24
"""Bits of 256 by which two near-duplicates may differ. Street photographs that have nothing to do with each other were
measured at 60 and more, frames of one simulated town at 31 and more, re-encoded copies at 0 to 10."""


def difference_hash(path: Path | str) -> NDArray[np.uint64]:
    """256 bits (4 words) of what an image shows: does grey rise to the right in a 16 x 17 thumbnail?

    Brightness, contrast, size and compression hardly change it.

    Source: N. Krawetz 2013, "Kind of Like That" (dHash).
    """
    path = Path(path)
    size = (HASH_SIDE + 1, HASH_SIDE)
    try:
        with Image.open(path) as image:
            image.draft("L", (4 * size[0], 4 * size[1]))  # lets JPEG decode at a fraction of its size
            image.load()
            image.info.pop("transparency", None)  # or converting would comment on it
            deep = image.mode.startswith("I")  # 16 bit, which converting would cut at 255
            flat = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if deep else image.convert("L")
            grey = np.asarray(flat.resize(size, Image.Resampling.BILINEAR), dtype=np.int16)
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}. Replace the file, or remove it.") from error
    return np.packbits(grey[:, 1:] > grey[:, :-1]).view(np.uint64)


def hash_images(table: AnnotationTable, images: NDArray[np.int64], progress: Progress = silent) -> NDArray[np.uint64]:
    """The difference hashes of some images of a table, (n, 4); zeros for the others.

    Raises:
        InputError: An image cannot be read.
    """
    hashes = np.zeros((len(table), HASH_SIDE**2 // 64), dtype=np.uint64)
    with ThreadPoolExecutor() as pool:
        for done, (image, bits) in enumerate(
            zip(images, pool.map(difference_hash, map(table.path, images)), strict=True), 1
        ):
            hashes[image] = bits
            progress("looking for near-duplicates", done, len(images))
    return hashes


def nearest_hashes(held_out: NDArray[np.uint64], earlier: NDArray[np.uint64]) -> tuple[NDArray, NDArray]:
    """For each hash (n, 4) the distance in bits to the nearest of the others (m, 4), and which that is; m >= 1.

    Every pair is looked at, in tiles that fit a processor's cache: 16,000 hashes against 64,000 took 4 seconds of one
    core, and memory does not grow with either number.
    """
    bits = np.full(len(held_out), 64 * held_out.shape[1] + 1)
    nearest = np.zeros(len(held_out), dtype=int)
    words = np.ascontiguousarray(earlier.T)
    for start in range(0, len(held_out), _TILE[0]):
        rows = slice(start, start + _TILE[0])
        for first in range(0, len(earlier), _TILE[1]):
            apart = _bits_apart(held_out[rows], words[:, first : first + _TILE[1]])
            place = apart.argmin(axis=1)
            least = apart[np.arange(len(apart)), place]
            nearer = least < bits[rows]  # of equals the first one stays
            bits[rows][nearer], nearest[rows][nearer] = least[nearer], place[nearer] + first
    return bits, nearest


_TILE = (64, 4096)  # hashes of either side


def _bits_apart(rows: NDArray[np.uint64], words: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """The distances (n, m) between hashes (n, 4) and hashes whose words are apart, (4, m)."""
    apart = np.zeros((len(rows), words.shape[1]), dtype=np.uint16)
    for mine, other in zip(rows.T, words, strict=True):
        apart += np.bitwise_count(mine[:, None] ^ other)
    return apart
