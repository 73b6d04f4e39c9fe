"""COCO results, as any detector's evaluation writes them -> boxes in columns, their images and classes by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.data.problems import RowError, shortened
from gapscope.data.readers.json_files import is_number
from gapscope.data.readers.json_stream import JsonFile
from gapscope.detector.class_names import check_names
from gapscope.errors import InputError
from gapscope.evaluation.coco_ids import Ids, ids_of, own_ids, together
from gapscope.evaluation.columns import Array

WANTED = 'a list of {"image_id", "category_id", "bbox": [x, y, width, height], "score"}'
LISTS = ("results", "predictions", "annotations")
"""Where an object holds its results; the first that is there is taken."""


@dataclass(frozen=True)
class Results:
    """The boxes of one file. `image` counts through `images`, `category` through `classes`."""

    path: Path
    images: tuple[str, ...]
    """What each image that has boxes is called."""
    sizes: tuple[tuple[int, int] | None, ...]
    """(width, height) of each as the file states it; None where it does not."""
    classes: tuple[str, ...]
    image: NDArray[np.int64]
    category: NDArray[np.int64]
    xywh: Array
    """(m, 4) x and y of the upper left corner, width, height."""
    score: Array


def is_results(path: Path | str) -> bool:
    """Whether a file is taken for results, by its name: weights never end so."""
    return Path(path).suffix.lower() == ".json"


def read_results(path: Path | str, ids: Sequence[Path | str] = ()) -> Results:
    """Read COCO results: the plain list, or an object that holds it beside its images and categories.

    Args:
        path: The file; it may be of any size.
        ids: COCO files (.json) in which its ids are explained where it does not do so itself, or a file of class names,
            one a line. Without them image ids are taken for names of images, and `category_name` of an entry for its
            class.

    Raises:
        InputError: It is no such list, an entry lacks something or holds no number, or an id stands for nothing.
    """
    path = Path(path)
    file = JsonFile(path)
    key = next((key for key in LISTS if file.has_list(key)), "")
    known = own_ids(file, key) if key else Ids({}, {}, {})
    known = together(known, [ids_of(Path(one)) for one in ids])
    rows: list[tuple[Any, Any, Any, float, float, float, float, float]] = []
    for number, entry in enumerate(file.entries(key)):
        try:
            rows.append(_row(entry))
        except RowError as error:
            raise _at(path, number, error) from None
    if not rows:
        _check_kind(file, key)
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    try:
        image, names = _numbered(columns[0])
        called = [_image_name(known, one) for one in names]
        category, classes = _categories(known, columns[1], columns[2])
    except RowError as error:
        raise InputError(f"{path}: {error.wrong} - expected {error.expected}") from None
    check_names(classes)
    numbers = np.array(columns[3:], np.float64).reshape(5, -1)
    sizes = tuple(known.sizes.get(one) for one in names)
    return Results(path, tuple(called), sizes, tuple(classes), image, category, numbers[:4].T.copy(), numbers[4])


def _row(entry: Any) -> tuple[Any, Any, Any, float, float, float, float, float]:
    """Image id, category id and name, x, y, width, height, score."""
    if not isinstance(entry, dict):
        raise RowError(f"is {entry!r:.60}", "an object of COCO results. Fix or remove it.")
    for key in ("image_id", "bbox", "score"):
        if key not in entry:
            raise RowError(f"has no '{key}' but only {sorted(map(str, entry))[:8]}", f"{WANTED}. Add it.")
    category, name = entry.get("category_id"), entry.get("category_name")
    if category is None and not isinstance(name, str):
        raise RowError("has neither 'category_id' nor 'category_name'", f"{WANTED}. Add one of them.")
    box, score = entry["bbox"], entry["score"]
    if not (isinstance(box, list) and len(box) == 4 and all(map(is_number, box))):
        raise RowError(f"bbox {box!r:.60}", "four numbers [x, y, width, height]. Fix or remove it.")
    if not is_number(score) or not 0 <= score <= 1:
        raise RowError(
            f"score {score!r:.60}", "a confidence from 0 to 1. Write probabilities, no logits and no percentages."
        )
    if not isinstance(entry["image_id"], int | float | str) or not isinstance(category, int | float | str | None):
        raise RowError("has an id that is no number and no text", "COCO's ids. Fix it.")
    return (entry["image_id"], category, name, *map(float, box), float(score))  # type: ignore[return-value]


def _check_kind(file: JsonFile, key: str) -> None:
    """An empty list is one of a detector that found nothing; anything else without entries is no list."""
    is_list = bool(key) or (file.is_small and isinstance(file.content, list))
    if not is_list:
        has = f"an object with {sorted(file.content)[:8]}" if isinstance(file.content, dict) else "no list"
        raise InputError(
            f"{file.path} holds {shortened(str(has))} - expected COCO results, {WANTED}. Give the file that the "
            "detector's evaluation wrote."
        )


def _numbered(values: Sequence[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Each value's place among those that differ, and these."""
    place: dict[Any, int] = {}
    numbers = [place.setdefault(value, len(place)) for value in values]
    return np.array(numbers, np.int64), list(place)


def _image_name(known: Ids, image: Any) -> str:
    if not known.images:
        return str(int(image)) if isinstance(image, float) and image.is_integer() else str(image)
    if image not in known.images:
        raise RowError(
            f"image_id {image!r} stands for no image",
            f"one of the ids that are explained, such as {next(iter(known.images))!r}. Give the COCO file of the "
            "labels that these results were made for.",
        )
    return known.images[image]


def _categories(known: Ids, ids: Sequence[Any], names: Sequence[Any]) -> tuple[NDArray[np.int64], list[str]]:
    """Each row's place among the classes, and these: all that are explained, in the order of their ids."""
    if known.categories:
        order = sorted(known.categories, key=lambda one: (isinstance(one, str), one))
        classes = [known.categories[one] for one in order]
        place = {one: number for number, one in enumerate(order)}
        foreign = next((one for one in ids if one is not None and one not in place), None)
        if foreign is not None:
            told = ", ".join(f"{one} {known.categories[one]}" for one in order[:8])
            raise RowError(f"category_id {foreign!r} has no name", f"one of {told}. Give the file that explains it.")
    elif known.classes:
        classes, place = list(known.classes), _counted(known.classes, ids)
    elif all(isinstance(name, str) for name in names):
        number, found = _numbered(names)
        return number, found
    else:
        raise RowError(
            f"category_id {next(one for one in ids if one is not None)!r} has no name",
            "categories beside the results, or a file that explains them: COCO labels, or class names, one a line.",
        )
    by_name = {name: number for number, name in enumerate(classes)}
    rows = [place[one] if one is not None else by_name.get(str(name), -1) for one, name in zip(ids, names, strict=True)]
    if -1 in rows:
        raise RowError(f"category_name {names[rows.index(-1)]!r} is none of {', '.join(classes[:8])}", "one of these.")
    return np.array(rows, np.int64), classes


def _counted(classes: Sequence[str], ids: Sequence[Any]) -> dict[Any, int]:
    """Number of a class -> its place in a list of names: numbers begin at 0 or at 1, whichever those that occur say.

    Raises:
        RowError: A number has no name, or either would do.
    """
    seen, many = {one for one in ids if one is not None}, len(classes)
    wrong = next((one for one in seen if not is_number(one) or not 0 <= one <= many), None)
    if wrong is not None or {0, many} <= seen:
        raise RowError(
            f"category_id {0 if wrong is None else wrong!r} fits no list of {many} class names",
            f"numbers from 0 to {many - 1} or from 1 to {many}. Give the names that belong to these results.",
        )
    if seen and 0 not in seen and many not in seen:
        raise RowError(
            f"categories {sorted(seen)[:8]} of {many} names may be counted from 0 or from 1",
            "to be told which. Give a COCO file with categories in place of the list of names.",
        )
    first = 0 if 0 in seen else 1
    return {number + first: number for number in range(many)}


def _at(path: Path, number: int, error: RowError) -> InputError:
    return InputError(f"{path}, result {number}: {error.wrong} - expected {error.expected}")
