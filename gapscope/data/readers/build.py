"""TableBuilder: gathers images and boxes from any format and checks every row as it comes."""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.data.images import read_size
from gapscope.data.problems import Problem, Problems, RowError, check_name
from gapscope.data.repeats import repeated_boxes
from gapscope.data.table import ANY_CLASS, AnnotationTable
from gapscope.errors import InputError

Corners = tuple[float, float, float, float]

OVERHANG = 1.0
"""Pixels by which a box may leave its image and is cut at the border; more is an error (rounding explains no more)."""
LARGEST_SHARE = 10.0
"""No box reaches so many images beyond its own: larger numbers are pixels."""
NOT_STATED = math.nan
"""The occlusion or truncation of a box that its data set does not tell."""


@dataclass
class TableBuilder:
    """Images and boxes in the order in which a reader meets them, in growing columns: millions of boxes fit.

    `clip` cuts boxes at the border however far they reach out. What `add_image` and `add_box` refuse is a RowError:
    call them within `problems.at(file, row)`, which gives it its place or, when not strict, leaves the row out.

    With `sizes` (width, height) labels are read without their images: no image file is looked at, and an image has the
    size that its labels state, else this one.
    """

    root: Path
    class_names: tuple[str, ...] = ()
    """Those known from the start, in their order; `class_of` adds others."""
    clip: bool = False
    problems: Problems = field(default_factory=Problems)
    paths: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    no_area: int = 0
    notes: list[str] = field(default_factory=list)
    """Sentences about what the reader decided or left out."""
    sizes: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.added: dict[str, int] = {}
        self.sides = array("i")
        self.owners, self.labels = array("i"), array("h")
        self.corners = array("f")
        self.flags = array("b")
        self.shares, self.areas = array("f"), array("f")
        self.places: list[tuple[str, str]] = []

    def add_image(
        self,
        path: Path,
        *,
        group: str = "",
        declared: tuple[Any, Any] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> int:
        """Add an image by its file and return its index; the size comes from the file's header.

        Args:
            path: The image file.
            group: What it shares with others.
            declared: (width, height) as its labels say. Where a side is None, 0 or negative, a tool did not know the
                image and wrote a placeholder: nothing is said.
            attributes: Facts about the image.

        Raises:
            RowError: `declared` says otherwise than the file.
            InputError: The file cannot be read.
        """
        check_name(path)
        stated = _stated_size(declared)
        size = read_size(path) if self.sizes is None else stated or self.sizes
        if stated not in (None, size):
            raise RowError(
                f"says {stated[0]} x {stated[1]} pixels, but {path} has {size[0]} x {size[1]}",
                "the same. The labels belong to another version of the image: use that one, or fix the labels.",
            )
        self.paths.append(path.relative_to(self.root).as_posix())
        self.sides.extend(size)
        self.groups.append(group)
        for name in (attributes or {}).keys() - self.attributes.keys():
            self.attributes[name] = [""] * (len(self.paths) - 1)
        for name, values in self.attributes.items():
            values.append((attributes or {}).get(name, ""))
        return len(self.paths) - 1

    def tell(self, note: str) -> None:
        """Note a sentence, once however often it is told."""
        if note not in self.notes:
            self.notes.append(note)

    def size_of(self, image: int) -> tuple[int, int]:
        """Width and height of an added image, pixels."""
        return self.sides[2 * image], self.sides[2 * image + 1]

    def class_of(self, name: str) -> int:
        """The number of a class; one that is not known yet is added. The table has added classes in alphabetical order
        behind the known ones."""
        if name in self.class_names:
            return self.class_names.index(name)
        return self.added.setdefault(name, len(self.class_names) + len(self.added))

    def add_box(
        self,
        image: int,
        label: int,
        xyxy: Corners,
        *,
        ignore: bool = False,
        crowd: bool = False,
        occlusion: float = NOT_STATED,
        truncation: float = NOT_STATED,
        area: float = NOT_STATED,
    ) -> None:
        """Add a box in continuous pixels; one without area is counted instead of added. A crowd is ignored, too.

        `area` is what the labels say that the object covers, in square pixels.

        Raises:
            RowError: A number is not finite, the box is inside out, or it leaves its image.
        """
        width, height = self.size_of(image)
        x1, y1, x2, y2 = xyxy
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):  # NaN fails every comparison
            x1, y1, x2, y2 = self._mended(xyxy, width, height)
        # edges this near may be one number in the float32 that the table keeps
        if min(x2 - x1, y2 - y1) < 0.1 and not (_single(x1) < _single(x2) and _single(y1) < _single(y2)):
            self.no_area += 1
            return
        self.owners.append(image)
        self.labels.append(label)
        self.corners.extend((x1, y1, x2, y2))
        self.flags.append((ignore or crowd) + 2 * crowd)  # 0: an object, 1: ignored, 3: a crowd, which is ignored too
        self.shares.extend((occlusion, truncation))
        self.areas.append(area)
        if self.problems.told is not None:
            self.places.append(self.problems.place)

    def _mended(self, xyxy: Corners, width: int, height: int) -> Corners:
        x1, y1, x2, y2 = xyxy
        if not all(map(math.isfinite, xyxy)):
            raise RowError(f"box {list(xyxy)}", "four finite numbers. Fix or remove the row.")
        if x2 < x1 or y2 < y1:
            raise RowError(f"box {_short(xyxy)} is inside out", "x1 < x2, y1 < y2. Fix the row.")
        beyond = max(-x1, -y1, x2 - width, y2 - height)
        if beyond > OVERHANG and not self.clip:
            raise RowError(
                f"box {_short(xyxy)} leaves its image of {width} x {height} pixels by {beyond:.4g}",
                "a box inside. Fix the label, or read with clip=True to cut boxes at the border.",
            )
        return max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)

    def table(self) -> AnnotationTable:
        """The finished table, boxes sorted by image, images in the order they were added; nothing can be added later.

        A box that is there already, of the same class in the same image with the same corners (and the same said of
        what hides it), is one object that was written down twice, which a detector can find once only. It is left out,
        with a note.

        Raises:
            InputError: No image was added.
        """
        if not self.paths:
            raise InputError(f"{self.root} holds no images with labels - expected at least one. Check the path.")
        owners = np.frombuffer(self.owners, dtype=np.int32)  # no copies: there may be millions of boxes
        labels, flags = np.frombuffer(self.labels, dtype=np.int16), np.frombuffer(self.flags, dtype=np.int8)
        corners = np.frombuffer(self.corners, dtype=np.float32).reshape(-1, 4)
        shares = np.frombuffer(self.shares, dtype=np.float32).reshape(-1, 2)
        targets = np.flatnonzero(flags == 0)  # of ignore regions one hides as much as two
        said = np.concatenate([corners[targets], shares[targets]], axis=1)
        again, first = (targets[some] for some in repeated_boxes(owners[targets], labels[targets], said))
        self._tell_repeats(again, first)
        in_order = len(again) == 0 and not (np.diff(owners) < 0).any()
        once = np.delete(np.arange(len(owners)), again)
        order = slice(None) if in_order else once[np.argsort(owners[once], kind="stable")]
        names, final = self._final_classes()
        sizes = np.array(self.sides, dtype=np.int32).reshape(-1, 2)
        flags = flags[order]
        hidden = shares[order].astype(np.float16)
        return AnnotationTable(
            root=self.root,
            class_names=names,
            paths=np.array(self.paths, dtype=np.str_),
            widths=sizes[:, 0],
            heights=sizes[:, 1],
            groups=np.array(self.groups, dtype=np.str_),
            box_image=owners[order],
            box_class=final[labels[order]],
            xyxy=corners[order],
            ignore=flags > 0,
            crowd=flags > 1,
            occlusion=hidden[:, 0],
            truncation=hidden[:, 1],
            stated_area=np.frombuffer(self.areas, dtype=np.float32)[order],
            attributes={name: np.array(values, dtype=np.str_) for name, values in sorted(self.attributes.items())},
            no_area=self.no_area,
            notes=tuple(self.notes),
        )

    def _tell_repeats(self, again: NDArray[np.int64], first: NDArray[np.int64]) -> None:
        if not len(again):
            return
        verb = "box is there again and counts" if len(again) == 1 else "boxes are there again and count"
        self.notes.append(f"{len(again)} {verb} once: the same image, class and corners as another.")
        if self.problems.told is None:
            return
        for later, earlier in zip(again.tolist(), first.tolist(), strict=True):
            (file, row), (before, row_before) = self.places[later], self.places[earlier]
            same = row_before if before == file else f"{before}, {row_before}"
            expected = "every object once. Remove one; until then it counts once."
            self.problems.told.append(Problem(file, row, f"is the same box as {same}", expected))

    def _final_classes(self) -> tuple[tuple[str, ...], NDArray[np.int16]]:
        """All class names in order, and the final number of each; the last entry is that of ANY_CLASS, -1."""
        known, added = len(self.class_names), sorted(self.added)
        final = np.arange(known + len(added) + 1, dtype=np.int16)
        final[[self.added[name] for name in added]] = np.arange(known, known + len(added))
        final[-1] = ANY_CLASS
        return (*self.class_names, *added), final


def are_shares(values: Sequence[float]) -> bool:
    """Whether numbers can be shares of an image's sides, also of a box that reaches out of it, rather than pixels.

    Shares just above 1 are what rounding leaves, see `OVERHANG`; where boxes are cut, much larger ones are as good.
    """
    if not all(abs(value) <= LARGEST_SHARE for value in values):  # nor is NaN
        return False
    return max(values) <= 1 or any(value != int(value) for value in values)


def _stated_size(declared: tuple[Any, Any] | None) -> tuple[int, int] | None:
    """Width and height in pixels; None if nothing is stated, or a side is a placeholder.

    Raises:
        RowError: A side is neither.
    """
    sides = [0 if side is None else side for side in declared or (None, None)]
    if not all(isinstance(side, int | float) and -math.inf < side < 2**31 and side == int(side) for side in sides):
        raise RowError(f"says {sides[0]!r} x {sides[1]!r} pixels", "two whole numbers above 0, or none. Fix the size.")
    width, height = map(int, sides)
    return (width, height) if width > 0 and height > 0 else None


def _single(value: float) -> float:
    """As float32, which is how boxes are kept: a sliver may have no width there."""
    return float(np.float32(value))


def _short(xyxy: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in xyxy) + ")"
