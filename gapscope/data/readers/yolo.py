"""YOLO text labels: images/ beside labels/, one row per box; names in a file of their own, see `name_files`."""

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gapscope.data.images import find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.build import Corners, TableBuilder, are_shares
from gapscope.data.readers.folders import LabelFolder, files_in, first_bytes, flat_folder, matching_folders
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.label_texts import is_archive, texts_in
from gapscope.data.readers.name_files import ClassNames, find_names, packed_names
from gapscope.data.readers.text import decode_label_text, read_lines
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.words import number_of

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
        found = [place for place in places if any(path.name not in _NO_LABELS for path in files_in(place, "**/*.txt"))]
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

    A row of a class and three points or more is a polygon (Ultralytics' segmentation and rotated boxes), and stands for
    the box around it. Where data.yaml has `kpt_shape`, the numbers of keypoints behind a box are passed over.

    Without images, each text file is an image, a .jpg of its name in images/ in place of labels/.

    Raises:
        InputError: No names are found, a row is broken, or a label file has no image.
    """
    folders = [place.labels if isinstance(place, LabelFolder) else place for place in places]
    known = ClassNames(request.names, request.root) if request.names else _class_names(request.root, folders)
    builder = TableBuilder(request.root, known.names, request.clip, request.problems, sizes=request.sizes)
    builder.notes += known.notes
    rows = _Rows(builder, known.keypoints)
    for place in places:
        if isinstance(place, LabelFolder):
            _add_folder(rows, place)
        else:
            _add_texts(rows, place)
    if rows.polygons:
        builder.notes.append(
            f"{number_of(rows.polygons, 'polygon')} in place of boxes; each counts as the box around it."
        )
    return builder.table()


def _class_names(root: Path, places: list[Path]) -> ClassNames:
    """The names that lie with the labels, in their archive or in the root.

    Raises:
        InputError: There are none, or files contradict each other.
    """
    packed = next((found for place in places if place.is_file() and (found := packed_names(place))), None)
    texts = (path for place in places for path in files_in(place, "**/*.txt") if path.name not in _NO_LABELS)
    found = packed or find_names(root, {path.parent for path in texts} or set(places))
    if found is None:
        raise InputError(
            f"{root} has no class names - expected classes.txt or data.yaml there, by the labels or one level up. "
            "Add one."
        )
    return found


def _add_folder(rows: "_Rows", folder: LabelFolder) -> None:
    builder = rows.builder
    images = find_images(folder.images)
    expected = {folder.label_of(image, ".txt") for image in images}
    labels = (path for path in files_in(folder.labels, "**/*.txt") if path.name not in _NO_LABELS)
    for alone in sorted(set(labels) - expected):
        if not folder.is_flat or is_label_text(alone):
            with builder.problems.at(alone):
                raise folder.lacks_image(alone)
    for image in images:
        with builder.problems.at(image):
            number, path = builder.add_image(image), folder.label_of(image, ".txt")
            if path.exists() or path.is_symlink():  # a link to nowhere is no image without objects
                rows.add(number, read_lines(path, builder.problems), path)


def _add_texts(rows: "_Rows", place: Path) -> None:
    builder = rows.builder
    for name, content in texts_in(place):
        if name.name not in _NO_LABELS:
            with builder.problems.at(place / name):
                lines = decode_label_text(content).splitlines()
                image = builder.add_image(_image_of(place, name, builder.root))
                rows.add(image, lines, place / name)


def _image_of(place: Path, name: PurePosixPath, root: Path) -> Path:
    """Where the image of a label text is by custom; below the root even where an archive's names point elsewhere."""
    base = place if place.is_dir() else place.parent
    above = base.relative_to(root).parts if base.is_relative_to(root) else ()
    folders = ["images" if part == "labels" else part for part in (*above, *name.parts[:-1]) if part not in ("/", "..")]
    return root.joinpath(*folders, name.name).with_suffix(".jpg")


@dataclass
class _Rows:
    """Brings the rows of label texts into a table."""

    builder: TableBuilder
    keypoints: int
    """Numbers that may follow a box."""
    polygons: int = 0
    """Rows so far that were polygons."""

    def add(self, image: int, lines: list[str], path: Path) -> None:
        """Add the rows of one text."""
        width, height = self.builder.size_of(image)
        for row, line in enumerate(lines, start=1):
            if line.strip():
                with self.builder.problems.at(path, f"row {row}"):
                    label, (x1, y1, x2, y2) = self._parsed(line)
                    self.builder.add_box(image, label, (x1 * width, y1 * height, x2 * width, y2 * height))

    def _parsed(self, line: str) -> tuple[int, Corners]:
        """The class, and the corners as shares of the image."""
        fields = line.split()
        if self.keypoints and len(fields) == 5 + self.keypoints:
            fields = fields[:5]
        is_polygon = len(fields) >= 7 and len(fields) % 2 == 1
        if len(fields) != 5 and not is_polygon:
            expected = "class, centre x, y, width, height, or class and the corners x, y of a polygon. Fix the row."
            raise RowError(f"{len(fields)} values in '{line}'", expected)
        try:
            label, shares = int(fields[0]), [float(field) for field in fields[1:]]
        except ValueError:
            raise RowError(f"'{line}'", "a whole class number and four numbers. Fix the row.") from None
        if not 0 <= label < len(self.builder.class_names):
            raise RowError(f"class {label}", f"0 to {len(self.builder.class_names) - 1}, one per name. Fix either.")
        if not are_shares(shares) or (not is_polygon and min(shares[2:]) < 0):
            raise RowError(f"'{line}'", "shares of the image from 0 to 1. Divide pixels by its sides.")
        if is_polygon:
            self.polygons += 1
            return label, (min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2]))
        x, y, width, height = shares
        return label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


YOLO = Format(
    name="yolo",
    layout="images/ beside labels/*.txt, or .txt beside each image",
    find=find_yolo,
    read=read_yolo,
    suffixes=(".txt",),
    alone=True,
)
YOLO_BESIDE = replace(YOLO, find=find_beside)
