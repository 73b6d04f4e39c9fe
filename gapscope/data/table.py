"""AnnotationTable: which boxes lie in which images, in columns."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gapscope.data.problems import OBEYED, shortened, writable
from gapscope.errors import InputError
from gapscope.files import atomic_path, check_regular, check_unpacked
from gapscope.intact import check_intact, remedy
from gapscope.showing import first_and_last, first_few, html_table, text_table
from gapscope.words import number_of

ANY_CLASS = -1
"""The class of an ignore region that hides objects of every class (only allowed where `ignore` is true)."""


@dataclass(frozen=True, eq=False)
class AnnotationTable:
    """Images and their boxes, one numpy column per fact.

    Boxes are continuous `xyxy` pixels of the image as stored: (0, 0) is the top left corner of the top left pixel, and
    a box that covers the whole image is (0, 0, width, height). Every box lies inside its image and has an area. Boxes
    are sorted by image.

    Raises:
        InputError: A column has the wrong length, an index points nowhere, or a box is empty or leaves its image.
    """

    root: Path
    """Folder that `paths` are relative to."""
    class_names: tuple[str, ...]
    paths: NDArray[np.str_]
    """(n,) image files, relative to `root`, with forward slashes."""
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    groups: NDArray[np.str_]
    """(n,) what images share: a ride, sequence, drive or photographer; "" where unknown."""
    box_image: NDArray[np.int32]
    """(m,) index into the images."""
    box_class: NDArray[np.int16]
    """(m,) index into `class_names`, or ANY_CLASS."""
    xyxy: NDArray[np.float32]
    """(m, 4)"""
    ignore: NDArray[np.bool_]
    """(m,) regions that are neither trained on nor scored: crowds, difficult or foreign objects."""
    crowd: NDArray[np.bool_] = None  # type: ignore[assignment]
    """(m,) ignore regions that hold several objects, or unknown ones; all False if left out. Detections are forgiven by
    the share of them that lies on a crowd, and by IoU on a single object that is ignored."""
    occlusion: NDArray[np.float16] = None  # type: ignore[assignment]
    """(m,) how much of the object others hide, 0 to 1; formats that say yes or no give 1 or 0; NaN where not stated."""
    truncation: NDArray[np.float16] = None  # type: ignore[assignment]
    """(m,) how much of the object lies outside the image, likewise."""
    stated_area: NDArray[np.float32] = None  # type: ignore[assignment]
    """(m,) square pixels that the object itself covers, as COCO's `area` says; NaN where not stated."""
    attributes: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    """Name -> (n,) what a data set says of its images, such as weather or time of day; "" where it does not."""
    no_area: int = 0
    """Rows of the source that hold a box without any area; they are counted here and are not in the table."""
    notes: tuple[str, ...] = ()
    """What the reader decided or left out, as sentences for people."""
    format: str = ""
    """How the labels were written, by the name of docs/formats.md; "" for a table that was made otherwise."""

    def __post_init__(self) -> None:
        for name, (kind, value) in _MAY_BE_LEFT_OUT.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(len(self.box_image), value, dtype=kind))
        _check_columns(self)
        _check_boxes(self)

    def __repr__(self) -> str:
        return text_table(f"AnnotationTable of {self.root}", self._facts())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return html_table(f"AnnotationTable of {self.root}", self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        counts = sorted(self.counts().items(), key=lambda one: -one[1])
        images = f"{len(self)}: {first_and_last(self.paths.tolist())}"
        return [
            ("images", images),
            (
                "boxes",
                f"{self.num_boxes - int(self.ignore.sum())}, and {number_of(int(self.ignore.sum()), 'ignore region')}",
            ),
            ("classes", first_few([f"{name} {count}" for name, count in counts])),
            *(("note", note) for note in self.notes),
        ]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def num_boxes(self) -> int:
        return len(self.box_image)

    @property
    def areas(self) -> NDArray[np.float32]:
        """(m,) box areas in square pixels."""
        return (self.xyxy[:, 2] - self.xyxy[:, 0]) * (self.xyxy[:, 3] - self.xyxy[:, 1])

    @property
    def object_areas(self) -> NDArray[np.float32]:
        """(m,) square pixels by which AP goes by size, as COCO has it: what the labels state, else the box's."""
        return np.where(np.isnan(self.stated_area), self.areas, self.stated_area)

    def path(self, image: int) -> Path:
        """The file of one image."""
        return self.root / str(self.paths[image])

    def box_range(self, image: int) -> slice:
        """Which rows of the box columns belong to one image."""
        ends = np.array([image, image + 1], self.box_image.dtype)  # of another kind, all rows would be converted first
        first, last = np.searchsorted(self.box_image, ends)
        return slice(int(first), int(last))

    def boxes_of(self, image: int) -> tuple[NDArray[np.float32], NDArray[np.int16], NDArray[np.bool_]]:
        """The `xyxy` (k, 4), class (k,) and ignore flag (k,) of the boxes in one image."""
        rows = self.box_range(image)
        return self.xyxy[rows], self.box_class[rows], self.ignore[rows]

    def counts(self) -> dict[str, int]:
        """Boxes per class, ignore regions left out; a class without boxes counts 0."""
        found = np.bincount(self.box_class[~self.ignore], minlength=len(self.class_names))
        return {name: int(n) for name, n in zip(self.class_names, found, strict=True)}

    def select(self, image_indices: Sequence[int] | NDArray[np.integer]) -> Self:
        """The table of these images alone, in this order."""
        indices = np.asarray(image_indices, dtype=np.int64).reshape(-1)
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            raise InputError(f"image indices {indices.min()} to {indices.max()} - the table has 0 to {len(self) - 1}.")
        if len(np.unique(indices)) != len(indices):
            raise InputError("an image index is asked for twice - a table holds every image once. Ask once.")
        first, last = np.searchsorted(self.box_image, indices), np.searchsorted(self.box_image, indices + 1)
        per_image = last - first
        starts = np.cumsum(per_image) - per_image
        rows = np.arange(per_image.sum()) + np.repeat(first - starts, per_image)
        return replace(
            self,
            **{name: getattr(self, name)[indices] for name in _IMAGE_COLUMNS},
            **{name: getattr(self, name)[rows] for name in _BOX_COLUMNS if name != "box_image"},
            box_image=np.repeat(np.arange(len(indices), dtype=np.int32), per_image),
            attributes={name: values[indices] for name, values in self.attributes.items()},
        )

    def keep_boxes(self, keep: NDArray[np.bool_]) -> Self:
        """The same images with only the boxes where `keep` (m,) is true."""
        return replace(self, **{name: getattr(self, name)[keep] for name in _BOX_COLUMNS})

    @classmethod
    def joined(cls, tables: Sequence[Self]) -> Self:
        """The images of several tables of the same classes as one table; where there are several, paths are absolute.

        An attribute that some tables do not have is "" for their images.

        Raises:
            InputError: Their classes are not the same.
        """
        if len(tables) == 1:
            return tables[0]
        if len({table.class_names for table in tables}) > 1:
            raise InputError("domains of one arm have different classes; map them to the same ones.")
        starts = np.cumsum([0] + [len(table) for table in tables[:-1]])
        columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in _COLUMNS}
        shifted = [table.box_image + start for table, start in zip(tables, starts, strict=True)]
        columns["box_image"] = np.concatenate(shifted).astype(np.int32)
        columns["paths"] = np.array(
            [str(table.path(i).absolute()) for table in tables for i in range(len(table))], np.str_
        )
        empty = [np.zeros(len(table), np.str_) for table in tables]
        stated = dict.fromkeys(name for table in tables for name in table.attributes)
        return cls(
            root=tables[0].root,
            class_names=tables[0].class_names,
            attributes={
                name: np.concatenate([t.attributes.get(name, none) for t, none in zip(tables, empty, strict=True)])
                for name in stated
            },
            no_area=sum(table.no_area for table in tables),
            notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
            format=tables[0].format,
            **columns,
        )

    def save(self, path: Path | str) -> None:
        """Write all columns but `root` as one .npz file, without pickles."""
        path = Path(path)
        columns = {name: getattr(self, name) for name in _COLUMNS}
        if np.isnan(self.stated_area).all():  # as in all formats but COCO: not worth four bytes a box
            del columns["stated_area"]
        columns |= {_ATTRIBUTE + name: values for name, values in self.attributes.items()}
        with atomic_path(path) as temporary:
            names = np.array(self.class_names, dtype=np.str_)
            notes = np.array(self.notes, dtype=np.str_)
            columns |= {"no_area": np.array(self.no_area), "format": np.array(self.format)}
            np.savez(temporary, class_names=names, notes=notes, **columns)

    @classmethod
    def load(cls, path: Path | str, root: Path | str) -> Self:
        """Read what `save` wrote.

        Raises:
            InputError: The file is missing, broken, damaged, or no annotation table.
        """
        path = Path(path)
        root = Path(root)
        check_intact(path)
        try:
            check_regular(path)
            check_unpacked(path)
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                for name in file.files:
                    _check_letters(name, file[name])
                columns = {name: file[name] for name in _COLUMNS if name in file or name not in _LATER}
                names, no_area = tuple(map(str, file["class_names"])), int(file["no_area"])
                notes = tuple(map(str, file["notes"]))
                format = str(file["format"]) if "format" in file.files else ""
                stated = [name for name in file.files if name.startswith(_ATTRIBUTE)]
                attributes = {name.removeprefix(_ATTRIBUTE): file[name] for name in stated}
            table = cls(
                root=root,
                class_names=names,
                no_area=no_area,
                notes=notes,
                format=format,
                attributes=attributes,
                **columns,
            )
            table.check_places()
            return table
        except Exception as error:  # numpy raises a different kind for every way a file can be broken
            advice = remedy(path, "Delete it and run again")
            raise InputError(
                f"{path} cannot be read as annotations: {shortened(str(error)).rstrip('.')}. {advice}"
            ) from error

    def check_places(self) -> None:
        """Refuse images outside the root: a table that somebody passed on could name any file of this machine.

        Raises:
            InputError: A path is absolute, or leads upwards.
        """
        for path in self.paths.tolist():
            if path.startswith("/") or ".." in path.split("/") or PureWindowsPath(path).is_absolute():
                raise InputError(f"image {path} does not lie in its domain's folder - expected a path below that.")


_IMAGE_COLUMNS = {"paths": np.str_, "widths": np.int32, "heights": np.int32, "groups": np.str_}
_BOX_COLUMNS = {
    "box_image": np.int32,
    "box_class": np.int16,
    "xyxy": np.float32,
    "ignore": np.bool_,
    "crowd": np.bool_,
    "occlusion": np.float16,
    "truncation": np.float16,
    "stated_area": np.float32,
}
_COLUMNS = _IMAGE_COLUMNS | _BOX_COLUMNS
_MAY_BE_LEFT_OUT = {
    "crowd": (np.bool_, False),
    "occlusion": (np.float16, np.nan),
    "truncation": (np.float16, np.nan),
    "stated_area": (np.float32, np.nan),
}
_LATER = {"stated_area"}
"""Columns that files of older versions lack."""
_ATTRIBUTE = "attribute "
"""What the names of attribute columns start with in a file."""


def _check_columns(table: AnnotationTable) -> None:
    for name, kind in _COLUMNS.items():
        column = getattr(table, name)
        if not np.issubdtype(column.dtype, kind):
            raise InputError(f"column {name} is {column.dtype} - expected {np.dtype(kind).name}.")
        shape: tuple[int, ...] = (len(table.paths) if name in _IMAGE_COLUMNS else len(table.box_image),)
        shape = (*shape, 4) if name == "xyxy" else shape
        if column.shape != shape:
            raise InputError(f"column {name} has shape {column.shape} - expected {shape}.")
    for name, values in table.attributes.items():
        if values.shape != table.paths.shape or not np.issubdtype(values.dtype, np.str_):
            raise InputError(f"attribute {name} is {values.dtype} {values.shape} - expected one text per image.")
    for what, texts in (("image", table.paths), ("group", table.groups), ("class", np.array(table.class_names))):
        _check_texts(what, texts)
    for name, values in table.attributes.items():
        _check_texts(f"attribute {name}", values)
    obeyed = next((name for name in table.class_names if OBEYED.search(name)), None)
    if obeyed is not None:
        raise InputError(f"class {writable(obeyed)} holds characters that a terminal obeys. Rename it in the labels.")
    if (table.crowd & ~table.ignore).any():
        raise InputError("a crowd is not marked as ignored - expected every crowd to be an ignore region.")
    if len(set(table.class_names)) != len(table.class_names):
        raise InputError(f"a class name occurs twice in {list(table.class_names)} - name every class once.")
    if len(np.unique(table.paths)) != len(table.paths):
        paths, times = np.unique(table.paths, return_counts=True)
        raise InputError(f"image {paths[times > 1][0]} is listed {times.max()} times. Merge its entries.")


def _check_letters(name: str, values: NDArray[np.generic]) -> None:
    """Refuse texts of numbers that are no letters, which Python does not survive everywhere."""
    if values.dtype.kind == "U" and values.size and values.dtype.itemsize:
        if int(np.ascontiguousarray(values).view(values.dtype.byteorder + "u4").max()) > sys.maxunicode:
            raise ValueError(f"{name} holds what is no letter")


def _check_texts(what: str, texts: NDArray[np.str_]) -> None:
    try:
        "".join(texts.tolist()).encode()
    except UnicodeEncodeError as error:
        wrong = next(text for text in texts.tolist() if not _is_text(text))
        raise InputError(f"{what} {writable(wrong)} is no text in UTF-8 - expected one. Rename it.") from error


def _is_text(text: str) -> bool:
    return writable(text) == text


def _check_boxes(table: AnnotationTable) -> None:
    if not table.num_boxes:
        return
    if table.box_image.min() < 0 or table.box_image.max() >= len(table) or (np.diff(table.box_image) < 0).any():
        raise InputError("box_image must count up through the images - sort the boxes by image.")
    foreign = (table.box_class < 0) | (table.box_class >= len(table.class_names))
    if (foreign & ~(table.ignore & (table.box_class == ANY_CLASS))).any():
        raise InputError(f"a box has a class outside 0..{len(table.class_names) - 1} - expected one of class_names.")
    x1, y1, x2, y2 = table.xyxy.T
    outside = (x1 < 0) | (y1 < 0) | (x2 > table.widths[table.box_image]) | (y2 > table.heights[table.box_image])
    bad = np.flatnonzero(outside | ~(x2 > x1) | ~(y2 > y1))
    if len(bad):
        image = table.box_image[bad[0]]
        raise InputError(
            f"{table.paths[image]}: box {table.xyxy[bad[0]].tolist()} is empty or leaves the image of "
            f"{table.widths[image]} x {table.heights[image]} pixels - expected x1 < x2 and y1 < y2 inside it."
        )
