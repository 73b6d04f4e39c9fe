"""VIPER, the images of "Playing for Benchmarks": one CSV of boxes per frame, or an instance mask."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from gapscope.data.images import find_files, find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.masks import mask_boxes, read_mask
from gapscope.data.readers.viper_rows import NUM_CLASSES, ORDERS, BoxRows, class_column, mask_numbers
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.words import number_of

CLASSES = (
    *("unlabeled", "ambiguous", "sky", "road", "sidewalk", "railtrack", "terrain", "tree"),
    *("vegetation", "building", "infrastructure", "fence", "billboard", "trafficlight", "trafficsign", "mobilebarrier"),
    *("firehydrant", "chair", "trash", "trashcan", "person", "animal", "bicycle", "motorcycle"),
    *("car", "van", "bus", "truck", "trailer", "train", "plane", "boat"),
)
"""By class number, as in VIPER's classes.csv."""
SPLITS = ("train", "val")
"""The labels of `test` are withheld."""


@dataclass(frozen=True)
class SplitOnDisk:
    """One split on disk: images, and box files or masks or both."""

    name: str
    """What tells its sequences from those of another split: both have a sequence 001."""
    images: Path
    boxes: Path | None
    masks: Path | None


def find_viper(request: Request) -> list[SplitOnDisk] | None:
    """img/ beside bb/ or inst/, in the root or in train/ and val/, with files named SSS_FFFFF."""
    if request.labels is not None:
        return _stated_part(request, request.labels)
    images = request.images
    if images is not None:
        places = {"": images.parent}
    else:
        places = {"": request.root} | {f"{split}/": request.root / split for split in SPLITS}
    parts = [_part(name, place, images or place / "img") for name, place in places.items()]
    return [part for part in parts if part is not None] or None


def _stated_part(request: Request, labels: Path) -> list[SplitOnDisk] | None:
    images = request.images or labels.parent / "img"
    boxes, masks = _with(labels, ".csv"), _with(labels, ".png")
    return [SplitOnDisk("", images, boxes, masks)] if images.is_dir() and (boxes or masks) else None


def _part(name: str, place: Path, images: Path) -> SplitOnDisk | None:
    boxes, masks = _with(place / "bb", ".csv"), _with(place / "inst", ".png")
    return SplitOnDisk(name, images, boxes, masks) if images.is_dir() and (boxes or masks) else None


def _with(folder: Path, suffix: str) -> Path | None:
    """The folder, if it holds a file named as VIPER names them, in it or in a folder of its own sequence."""
    name = f"[0-9][0-9][0-9]_[0-9][0-9][0-9][0-9][0-9]{suffix}"
    places = (folder.glob(pattern) for pattern in (name, f"[0-9][0-9][0-9]/{name}"))
    return folder if folder.is_dir() and next(chain.from_iterable(places), None) else None


def read_viper(request: Request, parts: list[SplitOnDisk]) -> AnnotationTable:
    """Read images and the boxes of their CSV files, or where a frame has none, of its instance mask.

    Pixel convention: nowhere documented. A CSV's left, top, right, bottom are taken as pixel edges (exclusive maximum),
    or with the option `pixels = "inclusive"` as first and last pixel. Boxes may reach beyond their image and are cut.
    A mask's box spans its pixels. Which CSV column is the class is found out from all rows together, see
    `class_column`; the option `columns` says it instead.

    An empty CSV is an image without objects. An image with neither CSV nor mask has no known labels and is left out, as
    is a CSV without its image (the public archives come in parts): the table's notes say how many. The group is the
    sequence; SSS_FFFFF is frame FFFFF of sequence SSS.

    Raises:
        InputError: The column order is ambiguous, a row is broken, or no image has labels.
    """
    builder = TableBuilder(request.root, CLASSES, True, request.problems)
    rows, frames, orphans, unlabelled = BoxRows(), [], 0, 0
    masks: dict[str, Path] = {}
    for part in parts:
        boxes_of, masks_of = _by_stem(part.boxes, ".csv"), _by_stem(part.masks, ".png")
        masks |= masks_of
        for image in find_images(part.images):
            path, mask = boxes_of.pop(image.stem, None), masks_of.get(image.stem)
            if path is None and mask is None:
                unlabelled += 1
                continue
            frames.append((image, part.name + image.stem.split("_")[0], len(rows.files) if path else None, mask))
            if path is not None:
                rows.add_file(path, request.problems)
        orphans += len(boxes_of)
    if not frames:
        raise InputError(f"{request.root}: no image has a box file or a mask of its name. Check that both are there.")
    order, reason = _order(request, rows, masks)
    inclusive = request.options.get("pixels") == "inclusive"
    from_masks = 0
    for image, group, file, mask in frames:
        with request.problems.at(image):
            number = builder.add_image(image, group=group)
            if file is not None:
                _add_rows(builder, number, rows, file, order == ORDERS[0], inclusive)
            elif mask is not None:
                from_masks += 1
                with request.problems.at(mask):
                    _add_mask(builder, number, mask)
    builder.notes += _notes(order, reason, len(rows.files), from_masks, unlabelled, orphans)
    return builder.table()


def _by_stem(folder: Path | None, suffix: str) -> dict[str, Path]:
    return {path.stem: path for path in find_files(folder, (suffix,))} if folder else {}


def _order(request: Request, rows: BoxRows, masks: dict[str, Path]) -> tuple[str, str]:
    stated = request.options.get("columns", "auto")
    return class_column(rows, masks, request.problems) if stated == "auto" else (stated, "as stated")


def _add_rows(builder: TableBuilder, image: int, rows: BoxRows, file: int, class_first: bool, inclusive: bool) -> None:
    classes = rows.first if class_first else rows.second
    for row in rows.rows_of(file):
        with builder.problems.at(rows.files[file], f"row {rows.lines[row]}"):
            label = classes[row]
            if not (0 <= label < NUM_CLASSES and label == int(label)):
                raise RowError(f"class {label:g}", f"a whole number from 0 to {NUM_CLASSES - 1}. Fix the row.")
            x1, y1, x2, y2 = rows.corners[4 * row : 4 * row + 4]
            builder.add_box(image, int(label), (x1, y1, x2 + inclusive, y2 + inclusive))


def _add_mask(builder: TableBuilder, image: int, path: Path) -> None:
    numbers = mask_numbers(read_mask(path))
    if numbers.shape != builder.size_of(image)[::-1]:
        height, width = numbers.shape
        raise RowError(f"has {width} x {height} pixels", "as many as its image. Use masks of the same version.")
    for number, (x1, y1, x2, y2) in mask_boxes(numbers).items():
        if (label := number >> 16) >= NUM_CLASSES:
            raise RowError(f"has class {label}", f"0 to {NUM_CLASSES - 1} in the red channel. Is it an `inst` mask?")
        if label > 0:
            builder.add_box(image, label, (x1, y1, x2, y2))


def _notes(order: str, reason: str, files: int, from_masks: int, unlabelled: int, orphans: int) -> list[str]:
    said = [f"VIPER's box files have the {order.replace('-', ' ')}: {reason}."] if files else []
    if from_masks:
        said.append(f"The boxes of {number_of(from_masks, 'image')} are from instance masks: visible pixels only.")
    if unlabelled:
        said.append(f"{number_of(unlabelled, 'image')} with neither a box file nor a mask: left out.")
    if orphans:
        said.append(f"{number_of(orphans, 'box file')} without an image (a part of the download?): left out.")
    return said


VIPER = Format(
    name="viper",
    layout="img/ beside bb/ (or inst/) with SSS/SSS_FFFFF.csv, in the folder or in train/ and val/",
    find=find_viper,
    read=read_viper,
    options={"columns": ("auto", *ORDERS), "pixels": ("edges", "inclusive")},
)
