"""COCO JSON: one file with images, annotations and categories."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from gapscope.data.image_names import FOUND_BY_END, can_be_below, file_below, is_absolute, without_root
from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.build import NOT_STATED, TableBuilder
from gapscope.data.readers.folders import files_in, split_folders, split_of_folder
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.json_stream import JsonFile, opening
from gapscope.data.table import ANY_CLASS, AnnotationTable
from gapscope.errors import InputError

T = TypeVar("T")

LISTS = ("images", "annotations", "categories")
MOST_FILES = 100
"""A folder with more JSON files has one per image."""


@dataclass(frozen=True)
class CocoFiles:
    """The files of a set."""

    read: tuple[Path, ...]
    subsets: tuple[str, ...] = ()
    """The split that each is of, where they lie in one place and their names tell."""
    passed_over: tuple[Path, ...] = ()
    """Files beside them that tell of the same images."""


def find_coco(request: Request) -> CocoFiles | None:
    """The COCO file of a folder: root/*.json or root/annotations/*.json, or there one of each split; else one in each
    folder of a split.

    Raises:
        InputError: There are several in one place, and names do not tell that they are of splits.
    """
    if request.labels is not None:
        wanted = request.labels.is_file() and (request.format is not None or is_like_coco(request.labels))
        return CocoFiles((request.labels,)) if wanted else None
    places = [[request.root, request.root / "annotations"], *([folder] for folder in split_folders(request.root))]
    found = [[path for path in _json_files(place) if is_coco(path)] for place in places]
    for files in found:
        if len(files) > 1:
            of_splits = _of_splits(files)
            if of_splits is None or files is not found[0]:
                named = ", ".join(path.name for path in files)
                raise InputError(
                    f"{request.root} holds several COCO files: {named} - expected one, or one for each of train, val "
                    "and test. Say which: --labels (in a study annotations)."
                )
            return of_splits
    files = found[0] or [path for files in found for path in files]
    return CocoFiles(tuple(files)) if files else (find_like_coco(request) if request.format else None)


def _of_splits(files: list[Path]) -> CocoFiles | None:
    """Files of one place whose names tell splits, each another; of COCO's own, those of instances."""
    for some in (files, [path for path in files if path.stem.startswith("instances")]):
        splits = [next(filter(None, map(split_of_folder, re.split("[^A-Za-z0-9]+", path.stem))), "") for path in some]
        if len(some) > 1 and all(splits) and len(set(splits)) == len(splits):
            return CocoFiles(tuple(some), tuple(splits), tuple(path for path in files if path not in some))
    return None


def find_like_coco(request: Request) -> CocoFiles | None:
    """A file that lacks some of COCO's lists, so that reading can say so: for when nothing else is found."""
    if request.labels is not None:
        return None
    files = _json_files([request.root, request.root / "annotations"])
    found = [path for path in files if is_like_coco(path)][:1]
    return CocoFiles(tuple(found)) if found else None


def _json_files(folders: list[Path]) -> list[Path]:
    listed = [files_in(folder, "*.json") for folder in folders]
    return [path for files in listed if len(files) <= MOST_FILES for path in files]


def read_coco(request: Request, found: CocoFiles) -> AnnotationTable:
    """Read a COCO detection file, or one of each split, as Roboflow and COCO itself have them.

    Pixel convention: `bbox` is [x, y, width, height] with pixel edges, so x2 = x + width is exclusive; kept as it is.
    `iscrowd` set to 1 makes a crowd, `ignore` set to 1 an ignore region. An image may carry "group": what it shares
    with others, and "attributes": facts by name; an annotation "occlusion" and "truncation": shares from 0 to 1, and
    "area": the square pixels of the object itself, by which AP goes by size; 0 and null state none.
    Classes are in the order of their category ids; category 0, if not listed, is an ignore region of every class.
    Image files are looked for in the request's `images`, else in root/images, in the folder of the JSON file, in the
    root, and in folders that the file is named after; a name's backslashes are separators where that finds the file,
    and of an absolute path the longest end that is there decides.
    Without images, an image has its width and height; 0, -1 and null state none.

    Raises:
        InputError: The file is no COCO JSON, an entry lacks a key or points nowhere, or an image file is missing.
    """
    files = found.read
    known = [_read_categories(path) for path in files]
    names = known[0][1]
    for path, (_, others) in zip(files, known, strict=True):
        if others != names:
            raise InputError(f"{path} has other categories than {files[0]} - expected the same. Read each alone.")
    builder = TableBuilder(request.root, names, request.clip, request.problems, sizes=request.sizes)
    if found.subsets:
        builder.notes.append(_told(found))
    for path, (index, _), subset in zip(files, known, found.subsets or [""] * len(files), strict=True):
        file = JsonFile(path)
        position = _add_images(builder, request, file, subset)
        for entry in file.entries("annotations"):
            with request.problems.at(path, f"annotation {_name(entry)}"):
                _add_annotation(builder, entry, position, index)
    return builder.table()


def _told(found: CocoFiles) -> str:
    read, passed_over = (", ".join(path.name for path in some) for some in (found.read, found.passed_over))
    return f"Read together: {read}.{f' Not read: {passed_over}.' if passed_over else ''}"


def _read_categories(path: Path) -> tuple[dict[Any, int], tuple[str, ...]]:
    file = JsonFile(path)
    missing = [key for key in LISTS if not file.has_list(key)]
    if missing:
        raise InputError(f"{path} lacks the list(s) {', '.join(missing)} - expected COCO JSON with {', '.join(LISTS)}.")
    return _categories(list(file.entries("categories")), path)


def _add_images(builder: TableBuilder, request: Request, file: JsonFile, subset: str) -> dict[Any, int | None]:
    """Image id -> index in the table, None for an image that is left out: its annotations are left out with it."""
    more = {"subset": subset} if subset else {}
    folders = _image_folders(request, file.path)
    position: dict[Any, int | None] = {}
    for entry in file.entries("images"):
        with builder.problems.at(file.path, f"image {_name(entry)}"):
            key = _id(entry, "id")
            if key in position:
                raise RowError("the id occurs twice", "one entry per image. Renumber the images.")
            position[key] = None
            path = _image_file(str(_key(entry, "file_name")), folders, builder)
            declared = (entry.get("width"), entry.get("height"))
            group = str(entry.get("group", "") or "")
            position[key] = builder.add_image(
                path, group=group, declared=declared, attributes=_attributes(entry) | more
            )
    return position


def _add_annotation(
    builder: TableBuilder, entry: Any, position: Mapping[Any, int | None], index: Mapping[Any, int]
) -> None:
    image = _look_up(position, _key(entry, "image_id"), "image_id")
    crowd, ignore = _flag(entry, "iscrowd"), _flag(entry, "ignore")
    category = _key(entry, "category_id")
    any_class = category == 0 and 0 not in index and (crowd or ignore)
    label = ANY_CLASS if any_class else _look_up(index, category, "category_id")
    x, y, width, height = _numbers(_key(entry, "bbox"))
    shares = {key: _share(entry, key) for key in ("occlusion", "truncation")}
    if image is not None:
        corners = (x, y, x + width, y + height)
        builder.add_box(image, label, corners, ignore=ignore, crowd=crowd, area=_area(entry), **shares)


def _flag(entry: dict[str, Any], key: str) -> bool:
    value = entry.get(key, 0)
    if value not in (0, 1):  # also false and true
        raise RowError(f"'{key}' is {value!r:.60}", "0 or 1. Fix it.")
    return bool(value)


def _share(entry: dict[str, Any], key: str) -> float:
    value = entry.get(key)
    if value is None:
        return NOT_STATED
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RowError(f"'{key}' is {value!r:.60}", "a share from 0 to 1, or no such key. Fix it.")
    return float(value)


def _area(entry: dict[str, Any]) -> float:
    """Square pixels; tools that do not know them write 0, -1, null or nothing."""
    value = entry.get("area")
    return float(value) if isinstance(value, int | float) and 0 < value < math.inf else NOT_STATED


def _attributes(entry: dict[str, Any]) -> dict[str, str]:
    found = entry.get("attributes")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _categories(entries: list[dict[str, Any]], labels: Path) -> tuple[dict[Any, int], tuple[str, ...]]:
    """Category id -> class, and the classes; without these nothing can be read, so problems end the reading."""
    with Problems().at(labels, "categories"):
        ids = [_id(category, "id") for category in entries]
        if len({isinstance(number, str) for number in ids}) > 1:
            raise RowError(f"the ids {ids} are numbers and texts", "one kind. Renumber the categories.")
        if len(set(ids)) < len(ids):
            raise RowError(f"an id occurs twice in {ids}", "one category per id. Renumber the categories.")
        order = sorted(entries, key=lambda category: _key(category, "id"))
        names = tuple(_class_name(category) for category in order)
    return {category["id"]: i for i, category in enumerate(order)}, names


def _class_name(category: dict[str, Any]) -> str:
    name = _key(category, "name")
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise RowError(f"the name {name!r:.60}", 'a text, such as "off". Put it in quotes.')
    return str(name)


def is_coco(path: Path) -> bool:
    """Whether a JSON file has COCO's three lists, of objects; CityPersons' variant is another format.

    A file with one or two of them is a sidecar: notes, statistics, names of classes, captions.
    """
    if not is_like_coco(path) or not all(map(JsonFile(path).mentions, LISTS)):
        return False
    content = opening(path)
    shown = [content[key] for key in LISTS if key in content]
    return all(isinstance(some, list) and all(isinstance(entry, dict) for entry in some[:1]) for some in shown)


def is_like_coco(path: Path) -> bool:
    """Whether a JSON file begins as an object with one of the three lists."""
    content = opening(path)
    if not isinstance(content, dict) or not any(isinstance(content.get(key), list) for key in LISTS):
        return False
    images = content.get("images")
    return not (isinstance(images, list) and images and isinstance(images[0], dict) and "im_name" in images[0])


def _name(entry: Any) -> str:
    return str(entry.get("id", entry)) if isinstance(entry, dict) else repr(entry)


def _key(entry: Any, key: str) -> Any:
    if not isinstance(entry, dict):
        raise RowError(f"is {entry!r}", "an object with COCO's keys. Fix or remove it.")
    if key not in entry:
        raise RowError(f"has no '{key}' but only {sorted(entry)}", "COCO's keys. Add it.")
    return entry[key]


def _id(entry: Any, key: str) -> float | str:
    value = _key(entry, key)
    if not isinstance(value, int | float | str):
        raise RowError(f"'{key}' is {value!r:.60}", "a number or a text. Fix it.")
    return value


def _look_up(known: Mapping[Any, T], value: Any, key: str) -> T:
    try:
        return known[value]
    except (KeyError, TypeError):
        raise RowError(f"{key} {value!r} is not in the file", "one of its list. Fix the id, or add it.") from None


def _numbers(box: Any) -> tuple[float, float, float, float]:
    whole = isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box)
    if not whole:
        raise RowError(f"bbox {box!r}", "four numbers [x, y, width, height]. Fix or remove the row.")
    return box[0], box[1], box[2], box[3]


def _image_folders(request: Request, labels: Path) -> list[Path]:
    """Where images may lie: images/, beside the labels, in the root, and in folders that the labels are named after
    (annotations/instances_val2017.json goes with val2017/)."""
    if request.images:
        return [request.images]
    named = [place / word for word in labels.stem.split("_") for place in (request.root / "images", request.root)]
    return [request.root / "images", labels.parent, request.root, *(place for place in named if place.is_dir())]


def _image_file(name: str, folders: list[Path], builder: TableBuilder) -> Path:
    if not can_be_below(name):
        raise RowError(f"file_name {name!r}", "a file below the image folder. Fix it.")
    if builder.sizes is not None:
        return folders[0] / without_root(name)
    path = file_below(folders, name)
    if path is None:
        looked = " or ".join(dict.fromkeys(str(folder) for folder in folders))
        raise RowError(f"image file {name} is missing", f"it in {looked}. Restore it, or give its folder.")
    if is_absolute(name):
        builder.tell(FOUND_BY_END)
    return path


COCO = Format(
    name="coco",
    layout="a COCO .json file with images, annotations and categories, in the folder or in annotations/, or one in "
    "each of train/, valid/ and test/",
    find=find_coco,
    read=read_coco,
    suffixes=(".json",),
    alone=True,
)
LIKE_COCO = replace(COCO, find=find_like_coco)
