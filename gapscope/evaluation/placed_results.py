"""COCO results -> detections in labelled images: each image found by name, each class by name, and pixels checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.data.image_names import KnownImages
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.evaluation.coco_results import Results
from gapscope.evaluation.columns import Array, Boxes
from gapscope.words import did_you_mean, number_of

BEYOND = 0.1
"""A box that leaves its image by more than this share of its side is not one that was merely left uncut."""
FEW = 0.01
"""Share of the boxes whose middle may lie outside their image, as on the bars of a letterbox."""
LONGEST = 20
"""Digits of a number that an image may be called by, and one."""
ENOUGH = 100
"""Boxes from which on it means something that none of them is anywhere near the right or lower border."""


@dataclass(frozen=True)
class Placed:
    """Detections in the images of a table."""

    boxes: Boxes
    """In pixels of the images, cut at their border; `image` is the index in the table, `label` that in the classes."""
    notes: list[str]
    """What was left out, as sentences for people."""


def place_results(
    results: Results,
    table: AnnotationTable,
    classes: Sequence[str],
    names: Mapping[str, Sequence[str]] | None = None,
    wanted: NDArray[np.int64] | None = None,
) -> Placed:
    """Find the images and classes that results speak of.

    Args:
        results: Of any detector.
        table: All images of the data set; their names are matched, as lists of images are.
        classes: What `label` counts through.
        names: Class -> what the results call it, and then other categories are left out; else equal names belong
            together, and every category that has boxes must have one.
        wanted: Images that are scored, as indices of the table; boxes in others are left out. All when left out.

    Raises:
        InputError: An image or a category is unknown, no box lies in the wanted images, or boxes are no
            [x, y, width, height] in pixels of the images.
    """
    place = images_of(results, table)
    image, label = place[results.image], classes_of(results, classes, names)[results.category]
    check_pixels(results, table, image)
    x, y, width, height = results.xywh.T
    corners = np.stack([x, y, x + width, y + height], axis=1)
    sides = np.stack([table.widths, table.heights] * 2, axis=1)[image].astype(np.float64)
    xyxy = corners.clip(0, sides)
    seen, known = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1), label >= 0
    mine = np.isin(image, np.arange(len(table)) if wanted is None else wanted)
    notes = [
        f"{number_of(int(count), 'box', 'boxes')} of {results.path.name} {why}."
        for count, why in (
            ((~mine).sum(), "lie in images that are not scored"),
            ((mine & ~known).sum(), "are of classes that are not scored"),
            ((mine & known & ~seen).sum(), "have no area inside their image"),
        )
        if count
    ]
    if len(image) and not mine.any():
        raise InputError(
            f"{results.path}: none of its {len(np.unique(image))} images is among those that are scored, such as "
            f"{table.paths[(wanted if wanted is not None else np.arange(1))[0]]} - expected results of these. Run the "
            "detector on them."
        )
    kept = mine & known & seen
    order = np.argsort(-results.score[kept], kind="stable")
    boxes = Boxes.of(image[kept], label[kept], xyxy[kept], results.score[kept]).take(order)
    scored, found = len(table) if wanted is None else len(wanted), len(np.unique(image[mine]))
    if found < scored / 2:
        notes.append(f"{results.path.name} has boxes in only {found} of {scored} images that are scored.")
    return Placed(boxes, notes)


def images_of(results: Results, table: AnnotationTable) -> NDArray[np.int64]:
    """The index in the table of each image that results name.

    Raises:
        InputError: There is none, there are several, or the image has another size there.
    """
    paths = [str(path) for path in table.paths]
    known = KnownImages(paths)
    numbers = {int(stem): i for i, stem in enumerate(map(_stem, paths)) if stem.isascii() and stem.isdigit()}
    found = []
    for name, size in zip(results.images, results.sizes, strict=True):
        image = known.find(name)
        if image is None and name.isascii() and name.isdigit() and len(name) < LONGEST:
            image = numbers.get(int(name))  # 000139.jpg is image 139 to programs that count
        if image is None or known.fits_several(name):
            why = "are several images" if image is not None else "is no image"
            raise InputError(
                f"{results.path}: image '{name}' {why} of {table.root} - expected a name such as '{paths[0]}'. Give "
                "the COCO file that explains the ids, or results for these images."
            )
        there = (int(table.widths[image]), int(table.heights[image]))
        if size is not None and size != there:
            raise InputError(
                f"{results.path}: image '{name}' has {size[0]} x {size[1]} pixels there and {there[0]} x {there[1]} in "
                f"{table.root} - expected boxes in pixels of the same image. Run the detector on these images."
            )
        found.append(image)
    return np.array(found, np.int64)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def classes_of(
    results: Results, classes: Sequence[str], names: Mapping[str, Sequence[str]] | None
) -> NDArray[np.int64]:
    """The class of each category of results; -1 of one that is not scored.

    Raises:
        InputError: A category with boxes has no class of its name, or a name is none of the categories.
    """
    if names:
        for name, theirs in names.items():
            for one in theirs:
                if one not in results.classes:
                    raise InputError(
                        f"{results.path}: it has no category '{one}', which is to be '{name}'."
                        f"{did_you_mean(one, list(results.classes))}"
                    )
        of = {one: list(classes).index(name) for name, theirs in names.items() for one in theirs}
        return np.array([of.get(one, -1) for one in results.classes], np.int64)
    used = np.unique(results.category)
    foreign = next((results.classes[one] for one in used if results.classes[one] not in classes), None)
    if foreign is not None:
        raise InputError(
            f"{results.path}: category '{foreign}' is none of the classes {', '.join(classes)} - expected the same "
            "names. Say which categories each class has; others are then left out."
        )
    return np.array([list(classes).index(one) if one in classes else -1 for one in results.classes], np.int64)


def check_pixels(results: Results, table: AnnotationTable, image: NDArray[np.int64]) -> None:
    """Refuse boxes that are no [x, y, width, height] in pixels of the original images.

    Args:
        image: (m,) the image of each box in the table.

    Raises:
        InputError: They are shares of the sides, corners, or pixels of an image of another size; the first is named.
    """
    sides = np.stack([table.widths, table.heights], axis=1).astype(np.float64)
    labelled = table.xyxy[:, 2:] / sides[table.box_image]
    doubt = next(_doubts(results.xywh, sides[image], labelled), None) if len(image) else None
    if doubt is None:
        return
    row, why, advice = doubt
    width, height = sides[image[row]].astype(int)
    told = [round(one, 3) for one in results.xywh[row].tolist()]
    raise InputError(
        f"{results.path}, result {row}: bbox {told} in '{results.images[results.image[row]]}' of {width} x {height} "
        f"pixels {why} - expected [x, y, width, height] in pixels of the image. {advice}"
    )


def _doubts(given: Array, sides: Array, labelled: Array) -> Iterator[tuple[int, str, str]]:
    """What speaks against boxes (m, 4) being x, y, width and height in images of these sides (m, 2): the first box of
    which it is so, why, and what to do. `labelled` (k, 2) is how far labels reach, as shares of the sides."""
    first, last = given[:, :2], given[:, :2] + given[:, 2:]
    rescale = "Take boxes back from the size that the network sees to the image's own."
    if given.max() <= 1.5:
        yield 0, "is in shares of its sides", "Multiply by width and height."
    for row in np.flatnonzero((given[:, 2:] < 0).any(axis=1))[:1].tolist():
        yield row, "has a negative side", "Write width and height, no second corner."
    out = ((last > sides * (1 + BEYOND)) | (first < -sides * BEYOND)).any(axis=1)
    corners = (given[:, 2:] >= given[:, :2]).all(axis=1) & (given[:, 2:] <= sides * (1 + BEYOND)).all(axis=1)
    if out.mean() > FEW and corners.all():
        yield int(out.argmax()), "leaves it, and would fit as corners [x1, y1, x2, y2]", "Subtract the first corner."
    strange = ((first + last < 0) | (first + last > 2 * sides)).any(axis=1)
    if strange.mean() > FEW:
        yield int(strange.argmax()), "has its middle outside", rescale
    reach = last / sides
    near = (labelled > 0.9).all(axis=1).sum() >= ENOUGH / 10
    if near and len(reach) >= ENOUGH and (reach.max(axis=0) < 0.75).all():
        row = int(reach.sum(axis=1).argmax())
        yield row, "lies farthest right and down of all, and labels lie farther", rescale
