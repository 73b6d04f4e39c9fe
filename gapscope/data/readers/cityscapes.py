"""Cityscapes: boxes from the polygons of gtFine (or gtCoarse), or from gtBbox3d."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapscope.data.images import find_files, find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.build import NOT_STATED, Corners, TableBuilder
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.json_files import is_number, read_object, take, xywh
from gapscope.data.table import ANY_CLASS, AnnotationTable
from gapscope.words import number_of

CLASSES = ("person", "rider", "car", "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle")
"""The classes that have instances, in the order of their ids (24 to 33)."""
CLASSES_3D = ("car", "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle", "dynamic")
LABELLED_SPLITS = ("train", "val", "train_extra")
"""The label files of `test` are dummies without objects: to read them would teach that test images are empty."""


@dataclass(frozen=True)
class Labels:
    """Label files and where their images lie."""

    folder: Path
    files: tuple[Path, ...]
    images: Path


def find_labels(request: Request, folders: tuple[str, ...], ending: str) -> Labels | None:
    """The label files named CITY_SEQUENCE_FRAME<ending> below the first of `folders` that has any."""
    places = [request.labels] if request.labels is not None else [request.root / name for name in folders]
    images = request.images or request.root / "leftImg8bit"
    for place in places:
        if place.is_dir() and images.is_dir():
            files = tuple(
                path for path in find_files(place, (ending.lower(),)) if _is_labelled(path.relative_to(place))
            )
            if files:
                return Labels(place, files, images)
    return None


def _is_labelled(path: Path) -> bool:
    return len(path.parts) < 3 or path.parts[0] in LABELLED_SPLITS


def frame_of(name: str) -> str:
    """CITY_SEQUENCE_FRAME, with which every file of an image begins."""
    return "_".join(name.split("_")[:3])


def find_cityscapes(request: Request) -> Labels | None:
    """leftImg8bit/SPLIT/CITY beside gtFine/SPLIT/CITY (or gtCoarse) with *_polygons.json."""
    return find_labels(request, ("gtFine", "gtCoarse"), "_polygons.json")


def read_cityscapes(request: Request, labels: Labels) -> AnnotationTable:
    """Read polygons and take their boxes.

    Pixel convention: corners of a polygon are pixels that belong to it, counted from 0, as Cityscapes itself fills them
    in, so the continuous box is (min x, min y, max x + 1, max y + 1), cut at the border. A polygon is drawn as if
    nothing nearer hid it, so its box may be larger than what is visible.

    Only classes with instances are objects; road, sky, the ego vehicle and so on are not. A "cargroup" is a crowd of
    cars. The group is the city. Of fog or rain versions of an image (several files that begin with its
    CITY_SEQUENCE_FRAME) each gets the boxes. `test` is not read; images without labels are left out and counted.

    Raises:
        InputError: A file is broken, or a label file has no image.
    """
    return read_frames(request, labels, CLASSES, _add_polygons)


def find_cityscapes3d(request: Request) -> Labels | None:
    """leftImg8bit/SPLIT/CITY beside gtBbox3d/SPLIT/CITY with *_gtBbox3d.json."""
    return find_labels(request, ("gtBbox3d",), "_gtBbox3d.json")


def read_cityscapes3d(request: Request, labels: Labels) -> AnnotationTable:
    """Read the 2D boxes of Cityscapes 3D: vehicles only, people are not labelled there.

    Pixel convention: `2d.modal` (the visible part) is [x, y, width, height] with pixel edges; kept as it is, cut at the
    border. `occlusion` and `truncation` are shares. What its `ignore` list holds becomes an ignore region of every
    class. Groups, images and splits as with polygons.

    Raises:
        InputError: A file is broken, or a label file has no image.
    """
    return read_frames(request, labels, CLASSES_3D, _add_boxes)


AddObjects = Callable[[TableBuilder, list[int], dict[str, Any], Path], None]


def read_frames(request: Request, labels: Labels, names: tuple[str, ...], add: AddObjects) -> AnnotationTable:
    """Read one label file after the other; `add` adds the objects of one to all its images.

    Raises:
        InputError: A file is broken, or a label file has no image.
    """
    builder = TableBuilder(request.root, names, True, request.problems)
    images: dict[str, list[Path]] = {}
    for image in find_images(labels.images):
        images.setdefault(frame_of(image.stem), []).append(image)
    total = sum(map(len, images.values()))
    for path in labels.files:
        with request.problems.at(path):
            found = images.pop(frame_of(path.name), [])
            if not found:
                raise RowError(
                    f"has no image {frame_of(path.name)}_* in {labels.images}", "one. Restore it, or remove the labels."
                )
            content = read_object(path)
            size = (take(content, "imgWidth", int), take(content, "imgHeight", int))
            group = frame_of(path.name).split("_")[0]
            numbers = [builder.add_image(image, group=group, declared=size) for image in found]
            add(builder, numbers, content, path)
    if images:
        left = sum(map(len, images.values()))
        builder.notes.append(f"{number_of(left, 'image')} without a label file (test has none), of {total}: left out.")
    return builder.table()


def _add_polygons(builder: TableBuilder, images: list[int], content: dict[str, Any], path: Path) -> None:
    for place, entry in enumerate(take(content, "objects", list), 1):
        with builder.problems.at(path, f"object {place}"):
            name = take(entry, "label", str)
            crowd = name.endswith("group") and name.removesuffix("group") in CLASSES
            name = name.removesuffix("group") if crowd else name
            if name not in CLASSES or entry.get("deleted"):
                continue
            corners = _around(take(entry, "polygon", list))
            for image in images:
                builder.add_box(image, CLASSES.index(name), corners, crowd=crowd)


def _around(polygon: list[Any]) -> Corners:
    whole = all(isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in polygon)
    if not polygon or not whole:
        raise RowError(f"polygon {polygon!r:.60}", "a list of [x, y] pixels. Fix or remove the object.")
    xs, ys = zip(*polygon, strict=True)
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def _add_boxes(builder: TableBuilder, images: list[int], content: dict[str, Any], path: Path) -> None:
    for place, entry in enumerate(take(content, "objects", list), 1):
        with builder.problems.at(path, f"object {place}"):
            label = class_index(take(entry, "label", str), CLASSES_3D)
            corners = xywh(take(take(entry, "2d", dict), "modal", list), "modal box")
            hidden, outside = share(entry.get("occlusion")), share(entry.get("truncation"))
            for image in images:
                builder.add_box(image, label, corners, occlusion=hidden, truncation=outside)
    for place, entry in enumerate(take(content, "ignore", list) if "ignore" in content else [], 1):
        with builder.problems.at(path, f"ignore region {place}"):
            corners = xywh(take(entry, "2d", list), "box")
            for image in images:
                builder.add_box(image, ANY_CLASS, corners, crowd=True)


def class_index(name: str, names: tuple[str, ...]) -> int:
    """Where a class stands.

    Raises:
        RowError: Nowhere.
    """
    if name not in names:
        raise RowError(f"label '{name}' is unknown", f"one of {', '.join(names)}. Fix the label.")
    return names.index(name)


def share(value: Any) -> float:
    """A share from 0 to 1, or NOT_STATED."""
    return float(value) if is_number(value) and 0 <= value <= 1 else NOT_STATED


CITYSCAPES = Format(
    name="cityscapes",
    layout="leftImg8bit/ beside gtFine/ (or gtCoarse/) with SPLIT/CITY/*_polygons.json",
    find=find_cityscapes,
    read=read_cityscapes,
)
CITYSCAPES3D = Format(
    name="cityscapes3d",
    layout="leftImg8bit/ beside gtBbox3d/ with SPLIT/CITY/*_gtBbox3d.json",
    find=find_cityscapes3d,
    read=read_cityscapes3d,
)
