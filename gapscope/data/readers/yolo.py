"""YOLO text labels: images/ beside labels/, one row per box; names in a file of their own, see `name_files`."""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gapscope.data.images import find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.build import TableBuilder, are_shares
from gapscope.data.readers.folders import LabelFolder, first_bytes, flat_folder, matching_folders
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.label_texts import is_archive, texts_in
from gapscope.data.readers.name_files import ClassNames, find_names, packed_names
from gapscope.data.readers.text import decode_label_text, read_lines
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_NO_LABELS = {"classes.txt", "README.txt", "train.txt", "val.txt", "test.txt"}  # texts that lie in labels/ at times


def find_yolo(request: Request) -> list[LabelFolder] | list[Path] | None:
    """images/ beside labels/ with text files, in the root or in each of its subfolders.

    Without images: labels/, */labels/ or the root itself, if text files are in it; or the archive that is named.
    """
    if request.sizes is None:
        pairs = matching_folders(request, ("labels",), ".txt")
        return pairs or (find_beside(request) if request.format else None)
    if request.labels is not None:
        return [request.labels] if request.labels.is_dir() or is_archive(request.labels) else None
    root = request.root
    for places in ([root / "labels"], sorted(root.glob("*/labels")), [root]):
        found = [place for place in places if any(path.name not in _NO_LABELS for path in place.rglob("*.txt"))]
        if found:
            return found
    return None


def find_beside(request: Request) -> list[LabelFolder] | None:
    """Texts beside their images, as Darknet, CVAT and LabelImg have it; where no format is named, texts with rows."""
    if request.labels is not None or request.sizes is not None:
        return None
    return flat_folder(
        request.images or request.root, ".txt", is_label_text if request.format is None else Path.is_file
    )


def is_label_text(path: Path) -> bool:
    """Whether the first row of a text is a class number and four numbers or more."""
    rows = first_bytes(path, 4096).decode("utf-8-sig", "replace").replace("\r", "\n").split("\n")
    first = next((row.split() for row in rows if row.strip()), [])
    return len(first) >= 5 and first[0].isdigit() and all(_NUMBER.fullmatch(word) for word in first)


def read_yolo(request: Request, places: list[LabelFolder] | list[Path]) -> AnnotationTable:
    """Read images and their text labels.

    Pixel convention: a row is `class centre_x centre_y width height` in shares (0 to 1) of the image, that is of its
    pixel edges; x2 = (centre_x + width / 2) * image width is exclusive. An image without a label file has no objects.

    Without images, each text file is an image, a .jpg of its name in images/ in place of labels/.

    Raises:
        InputError: No names are found, a row is broken, or a label file has no image.
    """
    folders = [place.labels if isinstance(place, LabelFolder) else place for place in places]
    known = ClassNames(request.names, request.root) if request.names else _class_names(request.root, folders)
    builder = TableBuilder(request.root, known.names, request.clip, request.problems, sizes=request.sizes)
    builder.notes += known.notes
    for place in places:
        if isinstance(place, LabelFolder):
            _add_folder(builder, place)
        else:
            _add_texts(builder, place)
    return builder.table()


def _class_names(root: Path, places: list[Path]) -> ClassNames:
    """The names that lie with the labels, in their archive or in the root.

    Raises:
        InputError: There are none, or files contradict each other.
    """
    packed = next((found for place in places if place.is_file() and (found := packed_names(place))), None)
    texts = (path for place in places for path in place.rglob("*.txt") if path.name not in _NO_LABELS)
    found = packed or find_names(root, {path.parent for path in texts} or set(places))
    if found is None:
        raise InputError(
            f"{root} has no class names - expected classes.txt or data.yaml there, by the labels or one level up. "
            "Add one."
        )
    return found


def _add_folder(builder: TableBuilder, folder: LabelFolder) -> None:
    images = find_images(folder.images)
    expected = {folder.label_of(image, ".txt") for image in images}
    labels = (path for path in folder.labels.rglob("*.txt") if path.name not in _NO_LABELS)
    for alone in sorted(set(labels) - expected):
        if not folder.is_flat or is_label_text(alone):
            with builder.problems.at(alone):
                raise folder.lacks_image(alone)
    for image in images:
        with builder.problems.at(image):
            number, path = builder.add_image(image), folder.label_of(image, ".txt")
            if path.exists() or path.is_symlink():  # a link to nowhere is no image without objects
                _add_rows(builder, number, read_lines(path, builder.problems), path)


def _add_texts(builder: TableBuilder, place: Path) -> None:
    for name, content in texts_in(place):
        if name.name not in _NO_LABELS:
            with builder.problems.at(place / name):
                lines = decode_label_text(content).splitlines()
                image = builder.add_image(_image_of(place, name, builder.root))
                _add_rows(builder, image, lines, place / name)


def _image_of(place: Path, name: PurePosixPath, root: Path) -> Path:
    """Where the image of a label text is by custom; below the root even where an archive's names point elsewhere."""
    base = place if place.is_dir() else place.parent
    above = base.relative_to(root).parts if base.is_relative_to(root) else ()
    folders = ["images" if part == "labels" else part for part in (*above, *name.parts[:-1]) if part not in ("/", "..")]
    return root.joinpath(*folders, name.name).with_suffix(".jpg")


def _add_rows(builder: TableBuilder, image: int, lines: list[str], path: Path) -> None:
    width, height = builder.size_of(image)
    for row, line in enumerate(lines, start=1):
        if line.strip():
            with builder.problems.at(path, f"row {row}"):
                label, x, y, w, h = _parse_row(line, len(builder.class_names))
                corners = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
                builder.add_box(image, label, corners)


def _parse_row(line: str, num_classes: int) -> tuple[int, float, float, float, float]:
    fields = line.split()
    if len(fields) != 5:
        raise RowError(f"{len(fields)} values in '{line}'", "class, centre x, y, width, height. Fix the row.")
    try:
        label, shares = int(fields[0]), [float(field) for field in fields[1:]]
    except ValueError:
        raise RowError(f"'{line}'", "a whole class number and four numbers. Fix the row.") from None
    if not 0 <= label < num_classes:
        raise RowError(f"class {label}", f"0 to {num_classes - 1}, one per name. Fix either.")
    if not are_shares(shares) or min(shares[2:]) < 0:
        raise RowError(f"'{line}'", "shares of the image from 0 to 1. Divide pixels by its sides.")
    return label, shares[0], shares[1], shares[2], shares[3]


YOLO = Format(
    name="yolo",
    layout="images/ beside labels/*.txt, or .txt beside each image",
    find=find_yolo,
    read=read_yolo,
    suffixes=(".txt",),
    alone=True,
)
YOLO_BESIDE = replace(YOLO, find=find_beside)
