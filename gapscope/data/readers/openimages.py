"""Open Images: one CSV of boxes for all images."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gapscope.data.images import find_images
from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.build import NOT_STATED, TableBuilder, are_shares
from gapscope.data.readers.folders import files_in, first_bytes
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.text import read_lines
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.words import number_of

SIDES = ("XMin", "YMin", "XMax", "YMax")
NEEDED = ("ImageID", "LabelName", *SIDES)
FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
NAME_FILES = "*class-descriptions*.csv"


@dataclass(frozen=True)
class Files:
    """The box file, the folder of the images, and the file that says what /m/01g317 means, if there is one."""

    boxes: Path
    images: Path
    names: Path | None


def find_openimages(request: Request) -> Files | None:
    """A .csv that begins with Open Images' column names, in the root or in annotations/.

    Raises:
        InputError: There are several.
    """
    root = request.root
    if request.labels is not None:
        candidates = [request.labels] if request.labels.is_file() else []
    else:
        candidates = [*files_in(root, "*.csv"), *files_in(root / "annotations", "*.csv")]
    found = [path for path in candidates if _has_header(path)]
    if not found:
        return None
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise InputError(f"{root} holds several Open Images files: {listed} - expected one. Say which with labels=.")
    places = (root, root / "annotations", found[0].parent)
    names = next((path for place in places for path in sorted(place.glob(NAME_FILES))), None)
    usual = next((root / name for name in ("images", "data") if (root / name).is_dir()), root)
    return Files(found[0], request.images or usual, names)


def _has_header(path: Path) -> bool:
    lines = first_bytes(path, 4096).decode("utf-8-sig", "replace").splitlines()[:1]
    return "\0" not in "".join(lines) and set(NEEDED) <= set(next(csv.reader(lines), []))


def read_openimages(request: Request, files: Files) -> AnnotationTable:
    """Read images and their rows.

    Pixel convention: XMin to YMax are shares (0 to 1) of the image's edges, so x2 = XMax * width is exclusive. A
    decimal comma is read as a point. IsGroupOf makes a crowd; IsDepiction (a drawing, a toy) and IsInside (seen from
    within) make ignore regions; IsOccluded and IsTruncated are kept, -1 and nothing mean unknown. Classes are in
    alphabetical order, by the name in class-descriptions*.csv where that file is there.

    Open Images lists boxes only for images that were looked at: images without a row are left out, and so are rows
    whose image is not there (few people have all of it); the table's notes say how many. There are no groups.

    Raises:
        InputError: The file is broken, or none of its images is there.
    """
    images = {key: path for path in find_images(files.images) for key in (path.stem, path.name)}
    problems = request.problems
    names = _display_names(files.names, problems) if files.names else {}
    labels = {row["LabelName"] for _, row in _rows(files.boxes, Problems(strict=False))}
    found = sorted({names.get(label, label) for label in labels})
    builder = TableBuilder(request.root, tuple(found), request.clip, problems)
    index = {name: i for i, name in enumerate(found)}
    numbers: dict[str, int | None] = {}
    missing = 0
    for line, row in _rows(files.boxes, problems):
        with problems.at(files.boxes, f"row {line}"):
            key = row["ImageID"]
            if key not in images:
                missing += 1
                continue
            if key not in numbers:
                numbers[key] = None  # so that rows of an image that is left out are left out with it
                numbers[key] = builder.add_image(images[key])
            number = numbers[key]
            if number is not None:
                _add_box(builder, number, index[names.get(row["LabelName"], row["LabelName"])], row)
    unlisted = len(set(images.values())) - len(numbers)
    if missing:
        builder.notes.append(f"{number_of(missing, 'box', 'boxes')} of images that are not there: left out.")
    if unlisted:
        builder.notes.append(f"{number_of(unlisted, 'image')} without a row in {files.boxes.name}: left out.")
    return builder.table()


def _rows(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with their line, one after the other: the file may not fit in memory."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        try:
            header = next(reader, [])
            for fields in reader:
                if len(fields) == len(header):
                    yield reader.line_num, dict(zip(header, fields, strict=True))
                elif fields:
                    with problems.at(path, f"row {reader.line_num}"):
                        raise RowError(f"{len(fields)} values", f"{len(header)}, as in the first line. Fix the row.")
        except (csv.Error, UnicodeDecodeError) as error:
            after = f"after line {reader.line_num}"
            raise InputError(f"{path} cannot be read as CSV {after} ({error}) - expected UTF-8. Replace it.") from error


def _display_names(path: Path, problems: Problems) -> dict[str, str]:
    return {row[0]: row[1] for row in csv.reader(read_lines(path, problems)) if len(row) >= 2}


def _add_box(builder: TableBuilder, image: int, label: int, row: dict[str, str]) -> None:
    width, height = builder.size_of(image)
    try:
        x1, y1, x2, y2 = (float(row[side].replace(",", ".")) for side in SIDES)
    except ValueError:
        raise RowError(f"box {[row[side] for side in SIDES]}", "four numbers from 0 to 1. Fix the row.") from None
    if not are_shares((x1, y1, x2, y2)):
        raise RowError(f"box {[row[side] for side in SIDES]}", "shares of the image from 0 to 1. Fix the row.")
    occluded, truncated, group, depiction, inside = (row.get(flag, "") for flag in FLAGS)
    builder.add_box(
        image,
        label,
        (x1 * width, y1 * height, x2 * width, y2 * height),
        ignore="1" in (depiction, inside),
        crowd=group == "1",
        occlusion=_yes_no(occluded),
        truncation=_yes_no(truncated),
    )


def _yes_no(text: str) -> float:
    return {"0": 0.0, "1": 1.0}.get(text, NOT_STATED)


OPENIMAGES = Format(
    name="openimages",
    layout="a .csv with ImageID, LabelName, XMin, XMax, YMin, YMax beside images/",
    find=find_openimages,
    read=read_openimages,
)
