"""COCO JSON: one file with images, annotations and categories."""

import json
from pathlib import Path
from typing import Any

from gapscope.data.readers.build import TableBuilder
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError


def read_coco(root: Path, *, labels: Path, images: Path | None = None, clip: bool = False) -> AnnotationTable:
    """Read a COCO detection file.

    Pixel convention: `bbox` is [x, y, width, height] with pixel edges, so x2 = x + width is exclusive; kept as it is.
    `iscrowd` or `ignore` set to 1 makes an ignore region. An image may carry "group": what it shares with others.
    Classes are in the order of their category ids. Image files are looked for in `images`, else in root/images, else in
    the folder of the JSON file.

    Raises:
        InputError: The file is no COCO JSON, an entry lacks a key or points nowhere, or an image file is missing.
    """
    content = _read_json(labels)
    categories = sorted(content["categories"], key=lambda category: _key(category, "id", f"{labels}, a category"))
    index = {category["id"]: i for i, category in enumerate(categories)}
    names = tuple(str(_key(category, "name", f"{labels}, category {category['id']}")) for category in categories)
    builder = TableBuilder(root, names, clip)
    folders = [images] if images else [root / "images", labels.parent]
    position: dict[Any, int] = {}
    for entry in content["images"]:
        where = f"{labels}, image {entry.get('id', entry)}"
        path = _image_file(str(_key(entry, "file_name", where)), folders, where)
        declared = (entry["width"], entry["height"]) if "width" in entry and "height" in entry else None
        if entry.get("id") in position:
            raise InputError(f"{where}: the id occurs twice - expected one entry per image. Renumber the images.")
        group = str(entry.get("group", "") or "")
        position[_key(entry, "id", where)] = builder.add_image(path, group=group, declared=declared, where=where)
    for entry in content["annotations"]:
        where = f"{labels}, annotation {entry.get('id', entry)}"
        image = _look_up(position, _key(entry, "image_id", where), "image_id", where)
        label = _look_up(index, _key(entry, "category_id", where), "category_id", where)
        x, y, width, height = _numbers(_key(entry, "bbox", where), where)
        ignore = bool(entry.get("iscrowd", 0) or entry.get("ignore", 0))
        builder.add_box(image, label, (x, y, x + width, y + height), ignore, where)
    return builder.table()


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


def _key(entry: dict[str, Any], key: str, where: str) -> Any:
    if key not in entry:
        raise InputError(f"{where}: has no '{key}' but only {sorted(entry)} - expected COCO's keys. Add it.")
    return entry[key]


def _look_up(known: dict[Any, int], value: Any, key: str, where: str) -> int:
    if value not in known:
        raise InputError(f"{where}: {key} {value!r} is not in the file's list of {len(known)} - fix the id, or add it.")
    return known[value]


def _numbers(box: Any, where: str) -> tuple[float, float, float, float]:
    whole = isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box)
    if not whole:
        raise InputError(f"{where}: bbox {box!r} - expected four numbers [x, y, width, height]. Fix or remove the row.")
    return box[0], box[1], box[2], box[3]


def _image_file(name: str, folders: list[Path], where: str) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = " and ".join(str(folder) for folder in folders)
    raise InputError(f"{where}: image file {name} is missing - looked in {looked}. Restore it, or give its folder.")
