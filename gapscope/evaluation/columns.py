"""Boxes of many images in columns: what was labelled, and what was detected."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gapscope.words import number_of

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Boxes:
    """Boxes of many images in one list, in any order.

    Args:
        image: (m,) index of the image of each box.
        label: (m,) class index; an ignore region of every class has -1.
        xyxy: (m, 4) continuous pixels.
        confidence: (m,) of detections; targets have ones.
        ignore: (m,) targets that are ignore regions; false for detections.
        crowd: (m,) those of them that hold many objects, or any; the others are single objects.
        area: (m,) square pixels of the original image, whatever the pixels of `xyxy`: AP by box size goes by it.
    """

    image: Rows
    label: Rows
    xyxy: Array
    confidence: Array
    ignore: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    area: Array

    @classmethod
    def of(
        cls,
        image: ArrayLike,
        label: ArrayLike,
        xyxy: ArrayLike,
        confidence: ArrayLike | None = None,
        ignore: ArrayLike | None = None,
        area: ArrayLike | None = None,
        crowd: ArrayLike | None = None,
    ) -> "Boxes":
        """Boxes from anything array-like; left out, confidences are 1, nothing is ignored, areas are those of xyxy, and
        only ignore regions of every class are crowds."""
        images = np.asarray(image, np.int64).reshape(-1)
        corners = np.asarray(xyxy, np.float64).reshape(-1, 4)
        m, labels = len(images), np.asarray(label, np.int64).reshape(-1)
        ignored = np.zeros(m, bool) if ignore is None else np.asarray(ignore, bool).reshape(-1)
        return cls(
            images,
            labels,
            corners,
            np.ones(m) if confidence is None else np.asarray(confidence, np.float64).reshape(-1),
            ignored,
            ignored & (labels < 0) if crowd is None else np.asarray(crowd, bool).reshape(-1),
            (corners[:, 2:] - corners[:, :2]).prod(1) if area is None else np.asarray(area, np.float64).reshape(-1),
        )

    def __repr__(self) -> str:
        return f"<{number_of(len(self), 'box', 'boxes')} of {number_of(len(np.unique(self.image)), 'image')}>"

    def __len__(self) -> int:
        return len(self.image)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Boxes":
        """These rows, in this order, or those where a mask is true."""
        return Boxes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})
