"""A layer's map -> one row of features for each box: the mean over the box, each cell by the area that it shares."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.recording.object_boxes import ObjectBoxes


@dataclass(frozen=True)
class BoxPooling:
    """Boxes over images of `size` pixels, to be pooled over maps of any resolution.

    Cell (i, j) of a map of h x w cells is taken to stand for the pixels from (j size / w, i size / h) on, size / w wide
    and size / h high: so do the cells of a network whose layers divide the sides of their input.
    """

    boxes: ObjectBoxes
    size: int

    def __len__(self) -> int:
        return len(self.boxes)

    def pool(self, maps: Tensor, first: int = 0) -> Tensor:
        """Features (k, c) of the boxes of these images, float32, on the CPU.

            feature = sum over cells of (area shared by cell and box) value / (area of the box)

        in float64: the integral of the map, each cell constant, over the box, divided by the box's area.

        Args:
            maps: (b, c, h, w) of some images.
            first: Number of the first of them.
        """
        height, width = maps.shape[2:]
        rows = []
        for at, one in enumerate(maps):
            for x1, y1, x2, y2 in self.boxes.of_image(first + at).tolist():
                down, across = shared(y1, y2, height, self.size), shared(x1, x2, width, self.size)
                crop = one[:, down.cells, across.cells].cpu().double()
                rows.append((crop @ across.weights) @ down.weights)
        return torch.stack(rows).float() if rows else torch.empty(0, maps.shape[1])

    def cells(self, height: int, width: int) -> NDArray[np.float64]:
        """(m,) how many cells of a map each box covers: its area over that of a cell."""
        return self.boxes.sides**2 / (self.size / height * (self.size / width))


@dataclass(frozen=True)
class Shared:
    """Along one axis: the cells that an interval meets, and what share of the interval lies on each."""

    cells: slice
    weights: Tensor
    """float64, adding up to 1."""


def shared(low: float, high: float, count: int, size: float) -> Shared:
    """How an interval from `low` to `high` lies on `count` equal cells from 0 to `size`.

    >>> found = shared(15, 40, 4, 64)
    >>> found.cells, [round(weight * 25) for weight in found.weights.tolist()]
    (slice(0, 3, None), [1, 16, 8])
    """
    edges = np.arange(count + 1) * (size / count)
    lengths = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
    met = np.flatnonzero(lengths)
    cells = slice(int(met[0]), int(met[-1]) + 1)
    return Shared(cells, torch.from_numpy(lengths[cells] / lengths.sum()))


ALL_SMALL = "is a map of {cells} cells, and each of the {count} boxes is smaller than one of them"


def too_coarse(pooling: BoxPooling, height: int, width: int) -> str:
    """Why boxes cannot be told apart on a map of so many cells: none covers one; empty if some do."""
    if (pooling.cells(height, width) < 1 - 1e-9).all():
        return ALL_SMALL.format(cells=f"{height} x {width}", count=len(pooling))
    return ""
