"""Virtual KITTI, versions 1.3.1 and 2: one text table of boxes per scene and variation."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gapscope.data.images import find_images
from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.build import NOT_STATED, Corners, TableBuilder
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.text import read_lines
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.words import number_of

CLASSES = ("Car", "Van", "Truck", "Tram", "Misc")
DONT_CARE = "DontCare"
BOX_COLUMNS_2 = ("frame", "cameraID", "trackID", "left", "right", "top", "bottom", "truncation_ratio")
INFO_COLUMNS_2 = ("trackID", "label")
COLUMNS_1 = ("frame", "label", "l", "t", "r", "b", "truncr", "orig_label")
OLD_NAME = re.compile(r"(\d{4})_([A-Za-z0-9-]+)")


@dataclass(frozen=True)
class TextTable:
    """One table of boxes: a scene (the drive that all its variations share) as filmed in one variation."""

    path: Path
    scene: str
    variation: str
    frames: Path
    """Folder of its images: of Camera_0/ and so on in version 2, of the images themselves in 1.3.1."""


@dataclass(frozen=True)
class _Row:
    """One object in one frame."""

    place: str
    camera: int
    frame: int
    name: str
    corners: Corners
    truncation: float
    dont_care: bool


def find_vkitti2(request: Request) -> list[TextTable] | None:
    """SceneNN/VARIATION/bbox.txt, in the root or in `labels`."""
    root = request.labels or request.root
    found = sorted(root.glob("*/*/bbox.txt")) if root.is_dir() else []
    images = request.images or request.root
    tables = [
        TextTable(path, path.parts[-3], path.parts[-2], images.joinpath(*path.parts[-3:-1], "frames", "rgb"))
        for path in found
        if path.with_name("info.txt").is_file()
    ]
    return tables or None


def read_vkitti2(request: Request, tables: list[TextTable]) -> AnnotationTable:
    """Read Virtual KITTI 2: bbox.txt (columns left, right, top, bottom: in this order), classes from info.txt.

    Pixel convention: first and last pixel of the object, counted from 0 (objects cut by the right border end at
    width - 1), so the continuous box is (left, top, right + 1, bottom + 1).

    The group is the scene: its variations (fog, rain, clone, ...) show the same drive, so a split that tears them apart
    leaks. The variation is kept as an image attribute. `occupancy_ratio` is visible pixels over box area, which is no
    occlusion, so occlusion is not stated. Frames without a row have no objects; rows of frames that are not there (one
    camera was downloaded) are left out, and the table's notes say how many.

    Raises:
        InputError: A column or a class is missing, or a row is broken.
    """
    return _read(request, tables, _rows_2)


def find_vkitti1(request: Request) -> list[TextTable] | None:
    """vkitti_1.3.1_motgt/NNNN_VARIATION.txt and vkitti_1.3.1_rgb/NNNN/VARIATION/, or the folders that are named."""
    labels = request.labels or _only(request.root, "vkitti_*_motgt")
    images = request.images or _only(request.root, "vkitti_*_rgb")
    if labels is None or images is None or not labels.is_dir():
        return None
    named = [(path, match) for path in sorted(labels.glob("*.txt")) if (match := OLD_NAME.fullmatch(path.stem))]
    return [TextTable(path, match[1], match[2], images / match[1] / match[2]) for path, match in named] or None


def read_vkitti1(request: Request, tables: list[TextTable]) -> AnnotationTable:
    """Read Virtual KITTI 1.3.1: one table with a header per scene and variation.

    Pixel convention, groups and notes as in version 2. Rows labelled DontCare (hardly visible) become ignore regions of
    the class that `orig_label` names.

    Raises:
        InputError: A column is missing, or a row is broken.
    """
    return _read(request, tables, _rows_1)


def _only(root: Path, pattern: str) -> Path | None:
    return next(iter(sorted(path for path in root.glob(pattern) if path.is_dir())), None)


def _read(
    request: Request, tables: Sequence[TextTable], rows_of: Callable[[Path, Problems], Iterator[_Row]]
) -> AnnotationTable:
    rows = {table.path: list(rows_of(table.path, request.problems)) for table in tables}
    others = {row.name for found in rows.values() for row in found} - set(CLASSES)
    builder = TableBuilder(request.root, (*CLASSES, *sorted(others)), request.clip, request.problems)
    missing = 0
    for table in tables:
        numbers: dict[tuple[int, int], int] = {}
        for image, place in _images(table.frames):
            with request.problems.at(image):
                said = {"variation": table.variation}
                numbers[place] = builder.add_image(image, group=table.scene, attributes=said)
        for row in rows[table.path]:
            number = numbers.get((row.camera, row.frame))
            if number is None:
                missing += 1
                continue
            with request.problems.at(table.path, row.place):
                _add_box(builder, number, row)
    if missing:
        builder.notes.append(f"{number_of(missing, 'box', 'boxes')} of frames that are not there: left out.")
    if not builder.paths:
        raise InputError(
            f"{request.root}: none of {len(tables)} table(s) has its images, the first one's in {tables[0].frames} - "
            "expected labels and images extracted to one folder. Put them there, or name the folder with images=."
        )
    return builder.table()


def _add_box(builder: TableBuilder, image: int, row: _Row) -> None:
    x1, y1, x2, y2 = row.corners
    label = builder.class_names.index(row.name)
    builder.add_box(image, label, (x1, y1, x2 + 1, y2 + 1), ignore=row.dont_care, truncation=row.truncation)


def _images(frames: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """The images of a scene with their camera and frame number."""
    for path in find_images(frames):
        number = re.search(r"([0-9]+)$", path.stem)
        if number:
            camera = re.fullmatch(r"Camera_([0-9]+)", path.parent.name)
            yield path, (int(camera[1]) if camera else 0, int(number[1]))


def _rows_2(path: Path, problems: Problems) -> Iterator[_Row]:
    names = {
        entry["trackID"]: entry["label"] for _, entry in _entries(path.with_name("info.txt"), INFO_COLUMNS_2, problems)
    }
    for place, entry in _entries(path, BOX_COLUMNS_2, problems):
        with problems.at(path, place):
            if entry["trackID"] not in names:
                raise RowError(f"track {entry['trackID']} is not in info.txt", "a class for every track. Add it.")
            frame, camera, *corners = _numbers(entry, ("frame", "cameraID", "left", "top", "right", "bottom"))
            share = _share(entry["truncation_ratio"])
            yield _Row(place, int(camera), int(frame), names[entry["trackID"]], _four(corners), share, False)


def _rows_1(path: Path, problems: Problems) -> Iterator[_Row]:
    for place, entry in _entries(path, COLUMNS_1, problems):
        with problems.at(path, place):
            frame, *corners = _numbers(entry, ("frame", "l", "t", "r", "b"))
            dont_care = entry["label"] == DONT_CARE
            name = entry["orig_label"] if dont_care else entry["label"]
            yield _Row(place, 0, int(frame), name, _four(corners), _share(entry["truncr"]), dont_care)


def _entries(path: Path, needed: Sequence[str], problems: Problems) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a table with a header, each with its place; columns are found by name."""
    lines = read_lines(path, problems)
    header = lines[0].split() if lines else []
    with problems.at(path):
        absent = [name for name in needed if name not in header]
        if absent:
            raise RowError(
                f"has no column {', '.join(absent)}", f"a first line that names {', '.join(needed)}. Restore the file."
            )
        for number, text in enumerate(lines[1:], start=2):
            fields = text.split()
            with problems.at(path, f"row {number}"):
                if fields and len(fields) != len(header):
                    raise RowError(f"{len(fields)} values", f"{len(header)}, as in the first line. Fix the row.")
            if len(fields) == len(header):
                yield f"row {number}", dict(zip(header, fields, strict=True))


def _numbers(entry: dict[str, str], columns: Sequence[str]) -> list[float]:
    try:
        numbers = [float(entry[name]) for name in columns]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise RowError(f"'{' '.join(entry[name] for name in columns)}'", f"numbers for {', '.join(columns)}. Fix them.")
    return numbers


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise RowError(f"truncation '{text}'", "a share from 0 to 1. Fix the row.") from None
    return value if 0 <= value <= 1 else NOT_STATED


def _four(corners: Sequence[float]) -> Corners:
    x1, y1, x2, y2 = corners
    return x1, y1, x2, y2


VKITTI2 = Format(
    name="vkitti2",
    layout="SceneNN/VARIATION/bbox.txt and info.txt beside frames/rgb/Camera_N/",
    find=find_vkitti2,
    read=read_vkitti2,
)
VKITTI1 = Format(
    name="vkitti1",
    layout="vkitti_1.3.1_motgt/NNNN_VARIATION.txt beside vkitti_1.3.1_rgb/NNNN/VARIATION/",
    find=find_vkitti1,
    read=read_vkitti1,
)
