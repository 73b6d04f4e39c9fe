"""CityPersons: people in Cityscapes, as one JSON per image or as one COCO-like JSON."""

from pathlib import Path
from typing import Any

from gapscope.data.image_names import plain
from gapscope.data.images import find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.build import NOT_STATED, Corners, TableBuilder
from gapscope.data.readers.cityscapes import Labels, class_index, find_labels, frame_of, read_frames, share
from gapscope.data.readers.folders import files_in, first_bytes
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.json_files import read_object, take, xywh
from gapscope.data.table import ANY_CLASS, AnnotationTable

CLASSES = ("pedestrian", "rider", "sitting person", "other person")
ALIASES = {"person (other)": "other person"}
IGNORED = ("ignore", "ignore region")
GROUPS = ("person group", "people group")
LOOKED_AT = 4096
"""Bytes of a JSON file in which `im_name`, which COCO does not have, must appear."""


def find_citypersons(request: Request) -> Labels | None:
    """gtBboxCityPersons/SPLIT/CITY/*.json beside leftImg8bit/, or a COCO-like file with `im_name`."""
    per_image = find_labels(request, ("gtBboxCityPersons",), "_gtBboxCityPersons.json")
    if per_image is not None:
        return per_image
    if request.labels is not None:
        files = [request.labels] if request.labels.is_file() else []
    else:
        files = [*files_in(request.root, "*.json"), *files_in(request.root / "annotations", "*.json")]
    files = [path for path in files if _has_im_name(path)]
    usual = next((request.root / name for name in ("leftImg8bit", "images") if (request.root / name).is_dir()), None)
    images = request.images or usual or request.root
    return Labels(files[0].parent, tuple(files), images) if files else None


def _has_im_name(path: Path) -> bool:
    return b'"im_name"' in first_bytes(path, LOOKED_AT)


def read_citypersons(request: Request, labels: Labels) -> AnnotationTable:
    """Read people.

    Pixel convention: boxes are [x, y, width, height] with pixel edges. They hold the whole body, hidden parts too
    (amodal), and are cut at the border of the image. Occlusion is the share of the box outside its visible part.

    Ignore regions (posters, reflections) count for every class; groups of people are crowds of pedestrians. The
    COCO-like file marks further boxes with `ignore` and `iscrowd`. The group is the city.

    Raises:
        InputError: A file is broken, or a label file has no image.
    """
    if labels.files[0].name.endswith("_gtBboxCityPersons.json"):
        return read_frames(request, labels, CLASSES, _add_people)
    return _read_coco_like(request, labels)


def _add_people(builder: TableBuilder, images: list[int], content: dict[str, Any], path: Path) -> None:
    for place, entry in enumerate(take(content, "objects", list), 1):
        with builder.problems.at(path, f"object {place}"):
            for image in images:
                corners, visible = xywh(take(entry, "bbox", list), "bbox"), entry.get("bboxVis")
                hidden = NOT_STATED if visible is None else _hidden(corners, xywh(visible, "bboxVis"))
                _add(builder, image, take(entry, "label", str), corners, hidden)


def _add(builder: TableBuilder, image: int, name: str, corners: Corners, hidden: float, **flags: bool) -> None:
    if name in IGNORED:
        builder.add_box(image, ANY_CLASS, corners, crowd=True)
    elif name in GROUPS:
        builder.add_box(image, 0, corners, crowd=True)
    else:
        label = class_index(ALIASES.get(name, name), CLASSES)
        builder.add_box(image, label, corners, occlusion=hidden, **flags)


def _hidden(box: Corners, visible: Corners) -> float:
    area, seen = ((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, visible))
    return min(max(1 - seen / area, 0.0), 1.0) if area > 0 else NOT_STATED


def _read_coco_like(request: Request, labels: Labels) -> AnnotationTable:
    problems = request.problems
    builder = TableBuilder(request.root, CLASSES, True, problems)
    files = {path.name: path for path in find_images(labels.images)}
    for path in labels.files:
        with problems.at(path):
            content = read_object(path)
            names = {take(entry, "id", int): take(entry, "name", str) for entry in take(content, "categories", list)}
            numbers = _add_images(builder, take(content, "images", list), files, path)
            for place, entry in enumerate(take(content, "annotations", list), 1):
                with problems.at(path, f"annotation {place}"):
                    image, category = take(entry, "image_id", int), take(entry, "category_id", int)
                    if image not in numbers or category not in names:
                        raise RowError(f"image_id {image}, category_id {category}", "ids that the file has. Fix them.")
                    if (number := numbers[image]) is not None:
                        _add_annotation(builder, number, names[category], entry)
    return builder.table()


def _add_images(builder: TableBuilder, entries: list[Any], files: dict[str, Path], path: Path) -> dict[int, int | None]:
    """Image id -> index in the table, None for an image that is left out."""
    numbers: dict[int, int | None] = {}
    for place, entry in enumerate(entries, 1):
        with builder.problems.at(path, f"image {place}"):
            key, name = take(entry, "id", int), take(entry, "im_name", str)
            numbers[key] = None
            name = plain(name).rpartition("/")[2] if name not in files else name
            if name not in files:
                raise RowError(f"image file {name} is missing", "it in leftImg8bit/, images/ or beside the labels.")
            size = (take(entry, "width", int), take(entry, "height", int))
            group = frame_of(name).split("_")[0]
            numbers[key] = builder.add_image(files[name], group=group, declared=size)
    return numbers


def _add_annotation(builder: TableBuilder, image: int, name: str, entry: dict[str, Any]) -> None:
    hidden = 1 - share(entry.get("vis_ratio"))
    flags = {"ignore": entry.get("ignore") == 1, "crowd": entry.get("iscrowd") == 1}
    _add(builder, image, name, xywh(take(entry, "bbox", list), "bbox"), hidden, **flags)


CITYPERSONS = Format(
    name="citypersons",
    layout="gtBboxCityPersons/SPLIT/CITY/*.json beside leftImg8bit/, or a COCO-like .json whose images have im_name",
    find=find_citypersons,
    read=read_citypersons,
)
