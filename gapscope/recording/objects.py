"""What a recording knows of the objects that are its rows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gapscope.recording.object_boxes import ObjectBoxes

SIZES = {"small": (0.0, 32.0), "medium": (32.0, 96.0), "large": (96.0, np.inf)}
"""Name -> from which side of a box up to which, in pixels of the network's input; the side is the root of the area."""


@dataclass(frozen=True, eq=False)
class Objects:
    """The rows of a recording that was made with boxes: m objects, over L layers."""

    names: tuple[str, ...]
    """Image and place of the box among those of the image that were recorded: `a.png#0`."""
    image: NDArray[np.str_]
    """(m,)"""
    xyxy: NDArray[np.float64]
    """(m, 4) pixels of the network's input."""
    label: NDArray[np.str_]
    """(m,) class."""
    source: NDArray[np.str_]
    """(m,) the set that the image is from; "" where there was one alone."""
    group: NDArray[np.str_]
    """(m,) what the image was taken with; "" where unknown."""
    maps: NDArray[np.int64]
    """(L, 2) height and width of each layer's map in cells."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def sides(self) -> NDArray[np.float64]:
        """(m,) the root of each box's area, pixels of the network's input."""
        x1, y1, x2, y2 = self.xyxy.T
        return np.sqrt((x2 - x1) * (y2 - y1))

    @property
    def size_names(self) -> NDArray[np.str_]:
        """(m,) `small`, `medium` or `large`, see `SIZES`."""
        names = np.array(list(SIZES), dtype=np.str_)
        return names[np.searchsorted([high for _, high in SIZES.values()], self.sides, side="right")]

    def in_cells(self, size: int) -> NDArray[np.float64]:
        """(L, m) how many cells of each layer's map a box covers, for an input of `size` pixels."""
        cell = (size / self.maps[:, 0]) * (size / self.maps[:, 1])
        return self.sides[None, :] ** 2 / cell[:, None]

    def take(self, rows: NDArray[np.intp]) -> "Objects":
        """Some of the objects."""
        chosen = {name: getattr(self, name)[rows] for name in ("image", "xyxy", "label", "source", "group")}
        return replace(self, names=tuple(self.names[row] for row in rows), **chosen)

    def to_variables(self) -> dict[str, Any]:
        """As xarray takes them."""
        texts = {name: getattr(self, name).astype(object) for name in ("image", "label", "source", "group")}
        found: dict[str, Any] = {f"object_{name}": ("image_i", values) for name, values in texts.items()}
        return found | {"object_xyxy": (("image_i", "side"), self.xyxy), "maps": (("layer", "axis"), self.maps)}

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset, names: tuple[str, ...]) -> "Objects | None":
        """What `to_variables` wrote, or None where rows are images."""
        if "object_xyxy" not in dataset:
            return None
        texts = {
            name: dataset[f"object_{name}"].to_numpy().astype(str) for name in ("image", "label", "source", "group")
        }
        return cls(names, xyxy=dataset["object_xyxy"].to_numpy(), maps=dataset["maps"].to_numpy(), **texts)


def objects_of(boxes: "ObjectBoxes", images: Sequence[str], maps: Sequence[tuple[int, int]]) -> Objects:
    """What is kept of boxes that were pooled.

    Args:
        boxes: Sorted by image.
        images: The images' names.
        maps: Height and width of each layer's map in cells.
    """
    first = np.searchsorted(boxes.image, boxes.image)
    names = tuple(
        f"{images[image]}#{row - start}"
        for row, (image, start) in enumerate(zip(boxes.image.tolist(), first.tolist(), strict=True))
    )
    of_image = np.array([images[image] for image in boxes.image], dtype=np.str_)
    sides = np.array(maps, dtype=np.int64).reshape(-1, 2)
    return Objects(names, of_image, boxes.xyxy, boxes.label, boxes.source, boxes.group, sides)


def of_objects(about: Mapping[str, Any], boxes: "ObjectBoxes | None") -> dict[str, Any]:
    """What a recording says of network and images, where its rows are objects: other boxes are other rows, and the
    Gram matrix of whole images is not that of the objects."""
    if boxes is None:
        return dict(about)
    digest = hashlib.sha256(f"{about['pixels_sha256']}\n".encode())
    digest.update(boxes.image.tobytes() + np.ascontiguousarray(boxes.xyxy).tobytes())
    return {**about, "pixels_sha256": digest.hexdigest(), "input_gram": None}
