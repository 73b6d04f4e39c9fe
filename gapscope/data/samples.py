"""Samples: one labelled image after the other, letterboxed for the network, decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.data.image_cache import ImageCache, read_letterboxed
from gapscope.data.letterbox import FILL, letterbox_boxes, letterbox_geometry
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

GIBIBYTE = 1 << 30


@dataclass(frozen=True, eq=False)
class Sample:
    """A letterboxed image and its boxes in network pixels; the tensors may be shared, so do not write into them."""

    image: Tensor
    """uint8 (3, size, size) RGB; in memory triples in rows (torch's channels_last), planes after a change of colour"""
    boxes: Tensor
    """float32 (k, 4) `xyxy` in network pixels"""
    classes: Tensor
    """int64 (k,)"""
    ignore: Tensor
    """bool (k,)"""
    index: int
    """Which image of the table this is."""


class Samples:
    """The images of a table at one network size.

    Args:
        table: Images and boxes.
        indices: Images of the table to serve, in this order; all of them if None.
        size: Side of the network's square input in pixels.
        fill: Grey of the letterbox bars, 0 to 255.
        cache: Where letterboxed images are kept once they are decoded: in memory (true), in a folder, or nowhere
            (false). The samples are the same.
        cache_bytes: Images beyond this much memory are decoded again each time.
    """

    def __init__(
        self,
        table: AnnotationTable,
        indices: Sequence[int] | NDArray[np.integer] | None = None,
        *,
        size: int,
        fill: int = FILL,
        cache: bool | ImageCache = True,
        cache_bytes: int = 4 * GIBIBYTE,
    ) -> None:
        chosen = np.arange(len(table)) if indices is None else np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(chosen) and not (0 <= chosen.min() and chosen.max() < len(table)):
            raise InputError(f"image index {chosen.max()} asked for - the table's images are 0 to {len(table) - 1}.")
        self.table, self.indices, self.size, self.fill = table, chosen, size, fill
        self.on_disk = cache if isinstance(cache, ImageCache) else None
        self.room = cache_bytes // (3 * size * size) if cache is True else 0
        self.cached: dict[int, Sample] = {}
        self.lock = Lock()

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Sample:
        """The sample at a position of `indices`.

        Raises:
            InputError: The file cannot be decoded, or is no longer of the size that the table was made with.
        """
        index = int(self.indices[position])
        sample = self.cached.get(index)
        if sample is None:
            sample = self._read(index)
            with self.lock:  # threads may read at the same time
                if len(self.cached) < self.room:
                    self.cached[index] = sample
        return sample

    def _read(self, index: int) -> Sample:
        path = self.table.path(index)
        square = self.on_disk.letterboxed if self.on_disk else read_letterboxed
        image, own_size = square(path, self.size, self.fill)
        stated = (int(self.table.widths[index]), int(self.table.heights[index]))
        if own_size != stated:
            raise InputError(
                f"{path} is {own_size[0]} x {own_size[1]} pixels but was {stated[0]} x {stated[1]} when its "
                "labels were read. Read the labels again."
            )
        xyxy, classes, ignore = self.table.boxes_of(index)
        boxes = letterbox_boxes(torch.from_numpy(xyxy.copy()), *letterbox_geometry(*own_size, self.size))
        return Sample(image, boxes, torch.from_numpy(classes.astype(np.int64)), torch.from_numpy(ignore.copy()), index)
