"""What do ids of images and categories stand for? COCO files say it, or a list of class names does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.json_stream import JsonFile
from gapscope.detector.class_names import read_names
from gapscope.errors import InputError


@dataclass(frozen=True)
class Ids:
    """What ids of images and categories stand for, as COCO files say it."""

    images: Mapping[Any, str]
    """Id -> file name; empty where that is not said, and then ids are names of images."""
    sizes: Mapping[Any, tuple[int, int]]
    """Id -> (width, height), of images whose size is stated."""
    categories: Mapping[Any, str]
    """Id -> name; empty where that is not said."""
    classes: tuple[str, ...] = ()
    """Class names in the order of their numbers, which begin at 0 or 1."""


def own_ids(file: JsonFile, key: str) -> Ids:
    """What an object says of its ids, which holds its images and categories beside its results.

    Raises:
        InputError: It holds labels, not results.
    """
    lists = [name for name in ("images", "categories") if file.has_list(name)]
    if key == "annotations" and not any(isinstance(one, dict) and "score" in one for one in file.entries(key)):
        raise InputError(
            f"{file.path} holds labels, not results: its annotations have no 'score' - expected what a detector found. "
            "Give the file that the detector's evaluation wrote; this one may explain its ids."
        )
    return _entries_of(file, lists)


def ids_of(path: Path) -> Ids:
    """What a COCO file, or a list of class names, says of ids.

    Raises:
        InputError: It says nothing, or cannot be read.
    """
    if path.suffix.lower() != ".json":
        return Ids({}, {}, {}, tuple(read_names(path)))
    file = JsonFile(path)
    lists = [name for name in ("images", "categories") if file.has_list(name)]
    if not lists:
        raise InputError(f"{path} has neither images nor categories - expected a COCO file that explains ids.")
    return _entries_of(file, lists)


def _entries_of(file: JsonFile, lists: Sequence[str]) -> Ids:
    images: dict[Any, str] = {}
    sizes: dict[Any, tuple[int, int]] = {}
    categories: dict[Any, str] = {}
    problems = Problems()
    for name in lists:
        for number, entry in enumerate(file.entries(name)):
            with problems.at(file.path, f"{name} {number}"):
                wanted = "file_name" if name == "images" else "name"
                if not isinstance(entry, dict) or "id" not in entry or wanted not in entry:
                    raise RowError(f"is {entry!r:.60}", f"an object with 'id' and '{wanted}'. Fix it.")
                if not isinstance(entry["id"], int | float | str):
                    raise RowError(f"has the id {entry['id']!r:.60}", "a number or a text. Fix it.")
                into = images if name == "images" else categories
                if entry["id"] in into:
                    raise RowError(f"the id {entry['id']!r} occurs twice", "one entry per id. Renumber them.")
                into[entry["id"]] = str(entry[wanted])
                sides = (entry.get("width"), entry.get("height"))
                if name == "images" and all(isinstance(side, int) and side > 0 for side in sides):
                    sizes[entry["id"]] = sides  # type: ignore[assignment]
    return Ids(images, sizes, categories)


def together(own: Ids, others: Sequence[Ids]) -> Ids:
    """What a file says of its own ids wins; several others must not contradict each other.

    Raises:
        InputError: One id stands for two things, as where every split has ids of its own.
    """
    images, sizes, categories = dict(own.images), dict(own.sizes), dict(own.categories)
    for into, mine, key in ((images, own.images, "images"), (categories, own.categories, "categories")):
        for other in others if not mine else ():
            theirs: Mapping[Any, str] = getattr(other, key)
            twice = next((one for one in theirs if into.get(one, theirs[one]) != theirs[one]), None)
            if twice is not None:
                raise InputError(
                    f"the id {twice!r} stands for {into[twice]} and for {theirs[twice]} ({key}) - expected one. "
                    "Say in which file the ids of these results are explained."
                )
            into |= theirs
            if key == "images":
                sizes |= other.sizes
    return Ids(images, sizes, categories, next((other.classes for other in others if other.classes), ()))
