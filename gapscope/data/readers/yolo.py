"""YOLO text labels: images/ beside labels/, one row per box, names in classes.txt or data.yaml."""

from pathlib import Path

import yaml

from gapscope.data.images import find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.folders import LabelFolder, matching_folders
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.text import read_lines
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

NAME_FILES = ("classes.txt", "data.yaml", "data.yml")
_NO_LABELS = {"classes.txt", "README.txt", "train.txt", "val.txt", "test.txt"}  # texts that lie in labels/ at times


def find_yolo(request: Request) -> list[LabelFolder] | None:
    """images/ beside labels/ with text files, in the root or in each of its subfolders."""
    return matching_folders(request, ("labels",), ".txt")


def read_yolo(request: Request, folders: list[LabelFolder]) -> AnnotationTable:
    """Read images and their text labels.

    Pixel convention: a row is `class centre_x centre_y width height` in shares (0 to 1) of the image, that is of its
    pixel edges; x2 = (centre_x + width / 2) * image width is exclusive. An image without a label file has no objects.

    Raises:
        InputError: No names are found, a row is broken, or a label file has no image.
    """
    names = read_names(request.root, [folder.labels for folder in folders])
    builder = TableBuilder(request.root, names, request.clip, request.problems)
    for folder in folders:
        images = find_images(folder.images)
        expected = {folder.label_of(image, ".txt") for image in images}
        labels = (path for path in folder.labels.rglob("*.txt") if path.name not in _NO_LABELS)
        for alone in sorted(set(labels) - expected):
            with request.problems.at(alone):
                raise RowError(
                    f"has no image in {folder.images}", "one of the same name. Restore it, or remove the labels."
                )
        for image in images:
            with request.problems.at(image):
                _add_rows(builder, builder.add_image(image), folder.label_of(image, ".txt"))
    return builder.table()


def _add_rows(builder: TableBuilder, image: int, path: Path) -> None:
    if not path.exists():
        return
    width, height = builder.size_of(image)
    for row, line in enumerate(read_lines(path, builder.problems), start=1):
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
    if not all(0 <= share <= 1 for share in shares):
        raise RowError(f"'{line}'", "shares of the image from 0 to 1. Divide pixels by its sides.")
    return label, shares[0], shares[1], shares[2], shares[3]


def read_names(root: Path, near: list[Path]) -> tuple[str, ...]:
    """Class names from classes.txt (one a line) or data.yaml (`names`), in the root, one level up, or by the labels.

    Raises:
        InputError: There is no such file, or it holds no names.
    """
    folders = [root, root.parent, *near]
    path = next((folder / name for folder in folders for name in NAME_FILES if (folder / name).is_file()), None)
    if path is None:
        raise InputError(
            f"{root} has no class names - expected classes.txt or data.yaml there or one level up. Add one."
        )
    if path.suffix == ".txt":
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        while names and not names[-1]:
            names.pop()
    else:
        names = _yaml_names(path)
    if not names or not all(names):
        raise InputError(f"{path} has an empty class name or none at all - expected one name per class. Fill it in.")
    return tuple(names)


def _yaml_names(path: Path) -> list[str]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}. Fix the file.") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list):
        raise InputError(f"{path}: names is {names!r} - expected a list of names, or numbers from 0 to names. Fix it.")
    return [str(name) for name in names]


YOLO = Format(name="yolo", layout="images/ beside labels/*.txt", find=find_yolo, read=read_yolo)
