"""TableBuilder: gathers images and boxes from any format and checks every row as it comes."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gapscope.data.images import read_size
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

Corners = tuple[float, float, float, float]

OVERHANG = 1.0
"""Pixels by which a box may leave its image and is cut at the border; more is an error (rounding explains no more)."""


@dataclass
class TableBuilder:
    """Images and boxes in the order in which a reader meets them.

    `clip` cuts boxes at the border however far they reach out.
    """

    root: Path
    class_names: tuple[str, ...]
    clip: bool = False
    paths: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    boxes: list[tuple[int, int, float, float, float, float, bool]] = field(default_factory=list)
    no_area: int = 0

    def add_image(
        self, path: Path, *, group: str = "", declared: tuple[float, float] | None = None, where: str = ""
    ) -> int:
        """Add an image by its file and return its index; the size comes from the file's header.

        Raises:
            InputError: The file cannot be read, or `declared` (width, height) says otherwise than the file.
        """
        size = read_size(path)
        if declared is not None and tuple(declared) != size:
            raise InputError(
                f"{where}: says {declared[0]} x {declared[1]} pixels, but {path} has {size[0]} x {size[1]} - expected "
                "the same. The labels belong to another version of the image: use that one, or fix the labels."
            )
        self.paths.append(path.relative_to(self.root).as_posix())
        self.sizes.append(size)
        self.groups.append(group)
        return len(self.paths) - 1

    def add_box(self, image: int, label: int, xyxy: Corners, ignore: bool, where: str) -> None:
        """Add a box in continuous pixels; one without area is counted instead of added.

        Raises:
            InputError: A number is not finite, the box is inside out, or it leaves its image.
        """
        x1, y1, x2, y2 = xyxy
        if not all(map(math.isfinite, xyxy)):
            raise InputError(f"{where}: box {list(xyxy)} - expected four finite numbers. Fix or remove the row.")
        if x2 < x1 or y2 < y1:
            raise InputError(f"{where}: box {_short(xyxy)} is inside out - expected x1 < x2, y1 < y2. Fix the row.")
        width, height = self.sizes[image]
        beyond = max(-x1, -y1, x2 - width, y2 - height)
        if beyond > OVERHANG and not self.clip:
            raise InputError(
                f"{where}: box {_short(xyxy)} leaves its image of {width} x {height} pixels by {beyond:.4g} - "
                "expected a box inside. Fix the label, or read with clip=True to cut boxes at the border."
            )
        x1, y1, x2, y2 = (float(np.float32(v)) for v in (max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)))
        if x2 <= x1 or y2 <= y1:
            self.no_area += 1
        else:
            self.boxes.append((image, label, x1, y1, x2, y2, ignore))

    def table(self) -> AnnotationTable:
        """The finished table, boxes sorted by image, images in the order they were added.

        Raises:
            InputError: No image was added.
        """
        if not self.paths:
            raise InputError(f"{self.root} holds no images with labels - expected at least one. Check the path.")
        rows = sorted(self.boxes, key=lambda box: box[0])
        columns = list(zip(*rows, strict=True)) if rows else [()] * 7
        sizes = np.array(self.sizes, dtype=np.int32)
        return AnnotationTable(
            root=self.root,
            class_names=self.class_names,
            paths=np.array(self.paths, dtype=np.str_),
            widths=sizes[:, 0],
            heights=sizes[:, 1],
            groups=np.array(self.groups, dtype=np.str_),
            box_image=np.array(columns[0], dtype=np.int32),
            box_class=np.array(columns[1], dtype=np.int16),
            xyxy=np.array(columns[2:6], dtype=np.float32).T.reshape(-1, 4),
            ignore=np.array(columns[6], dtype=np.bool_),
            no_area=self.no_area,
        )


def _short(xyxy: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in xyxy) + ")"
