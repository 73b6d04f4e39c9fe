"""Datumaro JSON: one file per subset with all items, as Datumaro and CVAT export it."""

from collections import Counter
from pathlib import Path
from typing import Any

from gapscope.data.image_names import FOUND_BY_END, IMAGE_SUFFIXES, can_be_below, file_below, is_absolute
from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.build import NOT_STATED, Corners, TableBuilder
from gapscope.data.readers.folders import files_in
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.json_files import is_number, take, xywh
from gapscope.data.readers.json_stream import JsonFile, opening
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

SHAPES = ("bbox", "polygon", "ellipse")
"""Annotations with an area that are read; the others (label, mask, points, polyline, caption, ...) are counted."""
MOST_FILES = 100
"""A folder with more JSON files has one per image."""


def find_datumaro(request: Request) -> list[Path] | None:
    """JSON files with items and label categories, in annotations/ or in the root."""
    if request.labels is not None and request.labels.is_file():
        files = [request.labels]
    else:
        places = [request.labels] if request.labels else [request.root / "annotations", request.root]
        listed = [files_in(place, "*.json") for place in places]
        files = [path for some in listed if len(some) <= MOST_FILES for path in some]
    return [path for path in files if _is_datumaro(path)] or None


def _is_datumaro(path: Path) -> bool:
    content = opening(path)
    return (
        isinstance(content, dict) and isinstance(content.get("categories"), dict) and JsonFile(path).mentions("items")
    )


def read_datumaro(request: Request, files: list[Path]) -> AnnotationTable:
    """Read the items of all subsets.

    Pixel convention: `bbox` is [x, y, width, height] with pixel edges; polygons and ellipses
    boxes [cx, cy, w, h, degrees] stand for the upright box around them. An image's subset is the name of its file. The
    attribute `occluded` is kept, `is_crowd` makes a crowd. There are no groups.

    Raises:
        InputError: A file is broken, files differ in their labels, an image is missing, or an annotation is broken.
    """
    known = [_labels(path) for path in files]
    for path, names in zip(files, known, strict=True):
        if names != known[0]:
            raise InputError(f"{path} has other labels than {files[0]} - expected the same. Read each alone.")
    builder = TableBuilder(request.root, known[0], request.clip, request.problems)
    skipped: Counter[str] = Counter()
    for path in files:
        for item in JsonFile(path).entries("items"):
            with request.problems.at(path, f"item {_name(item)}"):
                image = _add_image(builder, request, item, path.stem)
                for number, entry in enumerate(take(item, "annotations", list), 1):
                    with request.problems.at(path, f"item {_name(item)}, annotation {number}"):
                        kind = take(entry, "type", str)
                        if kind in SHAPES:
                            _add_shape(builder, image, entry, kind)
                        else:
                            skipped[kind] += 1
    if skipped:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
        builder.notes.append(f"Annotations that are no boxes are left out: {listed}.")
    return builder.table()


def _labels(path: Path) -> tuple[str, ...]:
    """The names of the classes; without them nothing can be read, so problems end the reading."""
    with Problems().at(path, "categories"):
        categories = JsonFile(path).value("categories")
        listed = take(take(categories, "label", dict), "labels", list)
        return tuple(take(entry, "name", str) for entry in listed)
    raise AssertionError("a strict reading that goes wrong has ended")


def _name(item: Any) -> str:
    return str(item.get("id", item)) if isinstance(item, dict) else repr(item)


def _add_image(builder: TableBuilder, request: Request, item: Any, subset: str) -> int:
    about = item.get("image") or {} if isinstance(item, dict) else {}
    written = str(about.get("path") or "")
    names = [written] if written else [f"{take(item, 'id', str)}{suffix}" for suffix in IMAGE_SUFFIXES]
    if not all(map(can_be_below, names)):
        raise RowError(f"path {names[0]!r}", "a file below the image folder. Fix it.")
    usual = [request.root / "images" / subset, request.root / "images", request.root / subset, request.root]
    folders = [request.images] if request.images else usual
    path = next((found for name in names if (found := file_below(folders, name)) is not None), None)
    if path is None:
        raise RowError("the image file is missing", f"it in {folders[0]}. Export with images, or give their folder.")
    if is_absolute(written):
        builder.tell(FOUND_BY_END)
    said = about.get("size")
    size = said if isinstance(said, list) and len(said) == 2 and all(map(is_number, said)) else [None, None]
    return builder.add_image(path, declared=(size[1], size[0]), attributes={"subset": subset})


def _add_shape(builder: TableBuilder, image: int, entry: Any, kind: str) -> None:
    label = take(entry, "label_id", int)
    if not 0 <= label < len(builder.class_names):
        raise RowError(f"label_id {label}", f"0 to {len(builder.class_names) - 1}, one per label. Fix either.")
    said = entry.get("attributes")
    said = said if isinstance(said, dict) else {}
    hidden = said.get("occluded")
    occlusion = float(hidden) if isinstance(hidden, bool) else NOT_STATED
    builder.add_box(image, label, _corners(entry, kind), crowd=said.get("is_crowd") is True, occlusion=occlusion)


def _corners(entry: Any, kind: str) -> Corners:
    if kind == "bbox":
        return xywh(entry.get("bbox"), "bbox")
    points = entry.get("points")
    least = {"polygon": 6, "ellipse": 4}[kind]
    if not (isinstance(points, list) and len(points) >= least and len(points) % 2 == 0 and all(map(is_number, points))):
        raise RowError(f"points {points!r:.60}", "x, y, x, y, ... in pixels. Fix the annotation.")
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


DATUMARO = Format(
    name="datumaro",
    layout="Datumaro's .json of a subset in annotations/, beside images/ or images/SUBSET/",
    find=find_datumaro,
    read=read_datumaro,
    suffixes=(".json",),
)
