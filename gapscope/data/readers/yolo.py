"""YOLO text labels: images/ beside labels/, one row per box, names in classes.txt or data.yaml."""

from pathlib import Path

import yaml

from gapscope.data.images import find_images
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.folders import LabelFolder
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

NAME_FILES = ("classes.txt", "data.yaml", "data.yml")
_NO_LABELS = {"classes.txt", "README.txt", "train.txt", "val.txt", "test.txt"}  # texts that lie in labels/ at times


def read_yolo(root: Path, folders: list[LabelFolder], *, clip: bool = False) -> AnnotationTable:
    """Read images and their text labels.

    Pixel convention: a row is `class centre_x centre_y width height` in shares (0 to 1) of the image, that is of its
    pixel edges; x2 = (centre_x + width / 2) * image width is exclusive. An image without a label file has no objects.

    Raises:
        InputError: No names are found, a row is broken, or a label file has no image.
    """
    names = read_names(root, [folder.labels for folder in folders])
    builder = TableBuilder(root, names, clip)
    for folder in folders:
        images = find_images(folder.images)
        expected = {folder.label_of(image, ".txt") for image in images}
        labels = (path for path in folder.labels.rglob("*.txt") if path.name not in _NO_LABELS)
        alone = sorted(set(labels) - expected)
        if alone:
            raise InputError(
                f"{len(alone)} label file(s) have no image in {folder.images}, such as {alone[0].name} - expected an "
                "image of the same name. Restore the images, or remove the labels."
            )
        for image in images:
            number = builder.add_image(image)
            _add_rows(builder, number, folder.label_of(image, ".txt"))
    return builder.table()


def _add_rows(builder: TableBuilder, image: int, path: Path) -> None:
    if not path.is_file():
        return
    width, height = builder.sizes[image]
    for row, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            where = f"{path}, row {row}"
            label, x, y, w, h = _parse_row(line, where, len(builder.class_names))
            corners = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            builder.add_box(image, label, corners, False, where)


def _parse_row(line: str, where: str, num_classes: int) -> tuple[int, float, float, float, float]:
    fields = line.split()
    if len(fields) != 5:
        raise InputError(f"{where}: {len(fields)} values in '{line}' - expected class, centre x, y, width, height.")
    try:
        label, shares = int(fields[0]), [float(field) for field in fields[1:]]
    except ValueError:
        raise InputError(f"{where}: '{line}' - expected a whole class number and four numbers. Fix the row.") from None
    if not 0 <= label < num_classes:
        raise InputError(f"{where}: class {label} - expected 0 to {num_classes - 1}, one per name. Fix either.")
    if not all(0 <= share <= 1 for share in shares):
        raise InputError(f"{where}: '{line}' - expected shares of the image from 0 to 1. Divide pixels by its sides.")
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
