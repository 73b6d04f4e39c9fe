"""COCO JSON: one file with images, annotations and categories."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.format import Format, Request
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

T = TypeVar("T")


def find_coco(request: Request) -> Path | None:
    """The COCO file of a folder: root/*.json or root/annotations/*.json.

    Raises:
        InputError: There are several.
    """
    if request.labels is not None:
        return request.labels if request.labels.is_file() else None
    places = [*sorted(request.root.glob("*.json")), *sorted((request.root / "annotations").glob("*.json"))]
    files = [path for path in places if is_coco(path)]
    if len(files) > 1:
        listed = ", ".join(path.name for path in files)
        raise InputError(f"{request.root} holds several COCO files: {listed} - expected one. Say which with labels=.")
    return files[0] if files else None


def read_coco(request: Request, labels: Path) -> AnnotationTable:
    """Read a COCO detection file.

    Pixel convention: `bbox` is [x, y, width, height] with pixel edges, so x2 = x + width is exclusive; kept as it is.
    `iscrowd` set to 1 makes a crowd, `ignore` set to 1 an ignore region. An image may carry "group": what it shares
    with others. Classes are in the order of their category ids. Image files are looked for in the request's `images`,
    else in root/images, else in the folder of the JSON file.

    Raises:
        InputError: The file is no COCO JSON, an entry lacks a key or points nowhere, or an image file is missing.
    """
    content, problems = _read_json(labels), request.problems
    index, names = _categories(content["categories"], labels)
    builder = TableBuilder(request.root, names, request.clip, problems)
    folders = [request.images] if request.images else [request.root / "images", labels.parent]
    position: dict[Any, int | None] = {}
    for entry in content["images"]:
        with problems.at(labels, f"image {_name(entry)}"):
            key = _key(entry, "id")
            if key in position:
                raise RowError("the id occurs twice", "one entry per image. Renumber the images.")
            position[key] = None  # so that annotations of an image that is left out are left out with it
            path = _image_file(str(_key(entry, "file_name")), folders)
            declared = (entry["width"], entry["height"]) if "width" in entry and "height" in entry else None
            group = str(entry.get("group", "") or "")
            position[key] = builder.add_image(path, group=group, declared=declared)
    for entry in content["annotations"]:
        with problems.at(labels, f"annotation {_name(entry)}"):
            image = _look_up(position, _key(entry, "image_id"), "image_id")
            label = _look_up(index, _key(entry, "category_id"), "category_id")
            x, y, width, height = _numbers(_key(entry, "bbox"))
            crowd, ignore = bool(entry.get("iscrowd", 0)), bool(entry.get("ignore", 0))
            if image is not None:
                builder.add_box(image, label, (x, y, x + width, y + height), ignore=ignore, crowd=crowd)
    return builder.table()


def _categories(entries: list[dict[str, Any]], labels: Path) -> tuple[dict[Any, int], tuple[str, ...]]:
    """Category id -> class, and the classes; without these nothing can be read, so problems end the reading."""
    with Problems().at(labels, "categories"):
        order = sorted(entries, key=lambda category: _key(category, "id"))
        names = tuple(str(_key(category, "name")) for category in order)
    return {category["id"]: i for i, category in enumerate(order)}, names


def is_coco(path: Path) -> bool:
    """Whether a JSON file has COCO's three lists; a broken file does not."""
    try:
        _read_json(path)
    except InputError:
        return False
    return True


def _read_json(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}. Replace the file.") from error
    lists = ("images", "annotations", "categories")
    missing = [key for key in lists if not isinstance(content, dict) or not isinstance(content.get(key), list)]
    if missing:
        raise InputError(f"{path} lacks the list(s) {', '.join(missing)} - expected COCO JSON with {', '.join(lists)}.")
    return content


def _name(entry: Any) -> str:
    return str(entry.get("id", entry)) if isinstance(entry, dict) else repr(entry)


def _key(entry: Any, key: str) -> Any:
    if not isinstance(entry, dict):
        raise RowError(f"is {entry!r}", "an object with COCO's keys. Fix or remove it.")
    if key not in entry:
        raise RowError(f"has no '{key}' but only {sorted(entry)}", "COCO's keys. Add it.")
    return entry[key]


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


def _image_file(name: str, folders: list[Path]) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = " or ".join(str(folder) for folder in folders)
    raise RowError(f"image file {name} is missing", f"it in {looked}. Restore it, or give its folder.")


COCO = Format(
    name="coco",
    layout="a COCO .json file with images, annotations and categories, in the folder or in annotations/",
    find=find_coco,
    read=read_coco,
)
