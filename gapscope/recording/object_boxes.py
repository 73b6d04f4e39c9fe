"""Boxes around objects, in pixels of a network's input, and what is kept of the objects in a recording."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gapscope.data.letterbox import letterbox_geometry
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError


@dataclass(frozen=True, eq=False)
class ObjectBoxes:
    """Which boxes lie in which images: m boxes, sorted by image.

    Raises:
        InputError: Columns have other lengths, boxes are not sorted by image, or one is empty or not finite.
    """

    image: NDArray[np.int64]
    """(m,) number of the image, rising."""
    xyxy: NDArray[np.float64]
    """(m, 4) continuous pixels of the images that the network is given: its letterboxed input."""
    label: NDArray[np.str_]
    """(m,) class; "" where none is known."""
    source: NDArray[np.str_]
    """(m,) the set that the image is from, such as a domain; "" where there is one alone."""
    group: NDArray[np.str_]
    """(m,) what the image was taken with, such as its drive; "" where unknown."""

    def __post_init__(self) -> None:
        m = len(self.image)
        shapes = {name: getattr(self, name).shape for name in ("image", "label", "source", "group")}
        wrong = [f"{name} {shape}" for name, shape in shapes.items() if shape != (m,)]
        if wrong or self.xyxy.shape != (m, 4):
            raise InputError(
                f"boxes have the shape {self.xyxy.shape} for {m} images{', ' + wrong[0] if wrong else ''} - expected "
                "(m, 4), and one image, label, source and group of each."
            )
        if (np.diff(self.image) < 0).any():
            raise InputError("boxes are not sorted by image - expected those of image 0 first. Sort them.")
        x1, y1, x2, y2 = self.xyxy.T
        bad = np.flatnonzero(~(np.isfinite(self.xyxy).all(1) & (x2 > x1) & (y2 > y1)))
        if len(bad):
            raise InputError(f"box {self.xyxy[bad[0]].tolist()} is empty - expected x1 < x2 and y1 < y2, in pixels.")

    def __len__(self) -> int:
        return len(self.image)

    @property
    def sides(self) -> NDArray[np.float64]:
        """(m,) the root of each box's area, pixels of the network's input."""
        x1, y1, x2, y2 = self.xyxy.T
        return np.sqrt((x2 - x1) * (y2 - y1))

    def take(self, rows: NDArray[np.intp]) -> "ObjectBoxes":
        """Some of the boxes."""
        names = ("image", "xyxy", "label", "source", "group")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def of_image(self, image: int) -> NDArray[np.float64]:
        """(k, 4) the boxes of one image."""
        first, last = np.searchsorted(self.image, [image, image + 1])
        return self.xyxy[first:last]


def as_object_boxes(boxes: "ObjectBoxes | Sequence[ArrayLike]", num_images: int, size: int) -> ObjectBoxes:
    """Boxes as they may be given, inside their images.

    Args:
        boxes: As `object_boxes` gives them, or for each image an array (k, 4) of `xyxy`, k = 0 allowed.
        num_images: Of the recording.
        size: Side of the images in pixels; what of a box lies outside is cut off.

    Raises:
        InputError: There are fewer than 4, they are of other images, or one lies outside its image.
    """
    if not isinstance(boxes, ObjectBoxes):
        boxes = _of_each_image(boxes, num_images)
    if len(boxes) < 4:
        raise InputError(f"{len(boxes)} boxes are too few: comparing layers needs at least 4, better 100 or more.")
    if boxes.image.min() < 0 or boxes.image.max() >= num_images:
        raise InputError(
            f"boxes are of images {boxes.image.min()} to {boxes.image.max()}, but the images are 0 to "
            f"{num_images - 1}. Give boxes of these images."
        )
    inside = np.clip(boxes.xyxy, 0, size)
    outside = np.flatnonzero((inside[:, 2] <= inside[:, 0]) | (inside[:, 3] <= inside[:, 1]))
    if len(outside):
        box = boxes.xyxy[outside[0]].tolist()
        raise InputError(
            f"box {box} of image {boxes.image[outside[0]]} lies outside the {size} x {size} pixels of the network's "
            "input. Letterbox boxes as their images: object_boxes does."
        )
    return replace(boxes, xyxy=inside)


def _of_each_image(boxes: Sequence[ArrayLike], num_images: int) -> ObjectBoxes:
    if len(boxes) != num_images:
        raise InputError(f"there are boxes for {len(boxes)} images, but {num_images} images. Give a list for each.")
    each = [np.asarray(some, dtype=np.float64).reshape(-1, 4) for some in boxes]
    image = np.repeat(np.arange(num_images), [len(some) for some in each])
    nothing = np.full(len(image), "")
    return ObjectBoxes(image, np.concatenate(each), nothing, nothing, nothing)


def object_boxes(
    tables: AnnotationTable | dict[str, AnnotationTable],
    size: int,
    *,
    per_class: int | None = None,
    smallest: float = 0.0,
    seed: int = 0,
) -> ObjectBoxes:
    """The labelled boxes of one or several tables, moved as `letterbox` moves the images.

    Args:
        tables: Labelled images; or several by the name of the set, whose images then follow each other.
        size: Side of the network's input, pixels.
        per_class: Of each class (and each set) at most so many boxes, drawn at random; None: all.
        smallest: Boxes whose side (the root of the area) is smaller are left out, pixels of the network's input.
        seed: Of the draw.

    Returns:
        Boxes whose images are counted through all tables. Ignore regions are left out.
    """
    rng, parts, start = np.random.default_rng(seed), [], 0
    for source, table in (tables if isinstance(tables, dict) else {"": tables}).items():
        geometry = [letterbox_geometry(int(w), int(h), size) for w, h in zip(table.widths, table.heights, strict=True)]
        scale = np.array([one for one, _ in geometry])[table.box_image]
        offset = np.array([2 * where for _, where in geometry]).reshape(-1, 4)[table.box_image]
        xyxy = table.xyxy.astype(np.float64) * scale[:, None] + offset
        kept = np.flatnonzero(~table.ignore)
        classes = np.array(table.class_names, dtype=np.str_)[table.box_class[kept]]
        found = ObjectBoxes(
            table.box_image[kept].astype(np.int64) + start,
            xyxy[kept],
            classes,
            np.full(len(kept), source),
            table.groups[table.box_image[kept]],
        )
        found = found.take(np.flatnonzero(found.sides >= smallest))
        parts.append(found if per_class is None else found.take(_draw(found.label, per_class, rng)))
        start += len(table)
    names = ("image", "xyxy", "label", "source", "group")
    return ObjectBoxes(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _draw(labels: NDArray[np.str_], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows, rising, of at most so many of each label."""
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    drawn = [some if len(some) <= most else rng.choice(some, most, replace=False) for some in rows]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, np.intp)
