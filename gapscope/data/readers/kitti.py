"""KITTI object labels: image_2/ beside label_2/, one text row per object."""

import math
from dataclasses import dataclass
from pathlib import Path

from gapscope.data.images import find_files, find_images
from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.build import NOT_STATED, Corners, TableBuilder
from gapscope.data.readers.folders import LabelFolder, first_bytes, matching_folders
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.text import read_lines
from gapscope.data.table import ANY_CLASS, AnnotationTable

CLASSES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")
DONT_CARE = "DontCare"
OCCLUSION = {0: 0.0, 1: 0.5, 2: 0.8, 3: NOT_STATED}
"""KITTI's levels (visible, partly, largely occluded, unknown) as shares; the two in the middle are our reading."""


def find_kitti(request: Request) -> list[LabelFolder] | None:
    """image_2/ beside label_2/ with text files, in the root or in its subfolders (training/)."""
    found = matching_folders(request, ("label_2",), ".txt", ("image_2",))
    if found and request.labels is not None and request.format is None and not _begins_with_names(request.labels):
        return None  # a folder of texts that could be any format's
    return found


def _begins_with_names(folder: Path) -> bool:
    """Whether the first row of the first text that has any begins with a class name, and is long enough for KITTI."""
    for path in find_files(folder, (".txt",)):
        rows = first_bytes(path, 4096).decode("utf-8-sig", "replace").split("\n")
        first = next((row.split() for row in rows if row.strip()), None)
        if first:
            is_tracking = len(first) == 17 and first[0].isdigit()
            return is_tracking or (len(first) >= 8 and not first[0].lstrip("+-.").replace(".", "").isdigit())
    return False


def read_kitti(request: Request, folders: list[LabelFolder]) -> AnnotationTable:
    """Read images and their label files.

    Pixel convention: left, top, right, bottom count pixels from 0 and the last one belongs to the box (objects cut by
    the right border end at width - 1), so the continuous box is (left, top, right + 1, bottom + 1).

    DontCare rows become ignore regions of every class. `truncated` is a share, -1 if not stated. KITTI gives no
    sequences with its object images: there are no groups. Class names other than KITTI's eight are taken as they come,
    since other tools write this format, too. Image sets without label_2/ (testing/) are not read.

    Raises:
        InputError: A row is broken, an image lacks its label file or the other way round.
    """
    pairs = [pair for folder in folders for pair in _matched(folder, request.problems)]
    rows = {labels: _rows(labels, request.problems) for _, labels in pairs}
    others = {row.name for found in rows.values() for row in found} - {*CLASSES, DONT_CARE}
    builder = TableBuilder(request.root, (*CLASSES, *sorted(others)), request.clip, request.problems)
    index = {name: i for i, name in enumerate(builder.class_names)} | {DONT_CARE: ANY_CLASS}
    for image, labels in pairs:
        with request.problems.at(image):
            number = builder.add_image(image)
            for row in rows[labels]:
                with request.problems.at(labels, f"row {row.line}"):
                    x1, y1, x2, y2 = row.corners
                    builder.add_box(
                        number,
                        index[row.name],
                        (x1, y1, x2 + 1, y2 + 1),
                        crowd=row.name == DONT_CARE,  # a region, with any number of objects in it
                        occlusion=row.occlusion,
                        truncation=row.truncation,
                    )
    return builder.table()


def _matched(folder: LabelFolder, problems: Problems) -> list[tuple[Path, Path]]:
    pairs = [(image, folder.label_of(image, ".txt")) for image in find_images(folder.images)]
    present = set(find_files(folder.labels, (".txt",)))
    for image, labels in pairs:
        with problems.at(image):
            if labels not in present:
                raise RowError(
                    f"has no file in {folder.labels}",
                    "one for each image, an empty one if it has no objects. Add it, or remove the image.",
                )
    for alone in sorted(present - {labels for _, labels in pairs}):
        with problems.at(alone):
            raise folder.lacks_image(alone)
    return [(image, labels) for image, labels in pairs if labels in present]


@dataclass(frozen=True)
class _Row:
    line: int
    name: str
    corners: Corners
    occlusion: float
    truncation: float


def _rows(path: Path, problems: Problems) -> list[_Row]:
    found = []
    for line, text in enumerate(read_lines(path, problems), start=1):
        if text.strip():
            with problems.at(path, f"row {line}"):
                found.append(_row(line, text))
    return found


def _row(line: int, text: str) -> _Row:
    fields = text.split()
    if len(fields) == 17 and fields[0].isdigit():
        raise RowError("has 17 values, as in KITTI's tracking labels", "15 of the object labels. Convert the file.")
    if len(fields) not in (15, 16):
        raise RowError(
            f"{len(fields)} values in '{text}'",
            "15: type, truncated, occluded, alpha, left, top, right, bottom, 7 of the 3D box (16: a score). Fix it.",
        )
    try:
        truncated, occluded, _, *corners = (float(field) for field in fields[1:8])
    except ValueError:
        raise RowError(f"'{text}'", "a type and numbers. Fix the row.") from None
    if fields[0] == DONT_CARE:
        return _Row(line, DONT_CARE, _four(corners), NOT_STATED, NOT_STATED)
    if not (0 <= truncated <= 1 or truncated == -1):
        raise RowError(f"truncated is {truncated:g}", "a share from 0 to 1, or -1 if unknown. Fix the row.")
    if occluded not in (*OCCLUSION, -1):
        raise RowError(f"occluded is {occluded:g}", "0, 1, 2 or 3. Fix the row.")
    occlusion = OCCLUSION.get(int(occluded), NOT_STATED)
    return _Row(line, fields[0], _four(corners), occlusion, NOT_STATED if truncated < 0 else truncated)


def _four(corners: list[float]) -> Corners:
    x1, y1, x2, y2 = corners
    if not all(map(math.isfinite, corners)):
        raise RowError(f"box {corners}", "four finite numbers. Fix or remove the row.")
    return x1, y1, x2, y2


KITTI = Format(
    name="kitti",
    layout="image_2/ beside label_2/*.txt, in the folder or in training/",
    find=find_kitti,
    read=read_kitti,
)
