"""read_annotations: which format does a folder have?"""

from pathlib import Path

from gapscope.data.readers.coco import is_coco, read_coco
from gapscope.data.readers.folders import LabelFolder, find_label_folders
from gapscope.data.readers.voc import read_voc
from gapscope.data.readers.yolo import read_yolo
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

FORMATS = ("coco", "yolo", "voc")
IMAGE_FOLDERS = ("images", "JPEGImages")
LABEL_FOLDERS = {"yolo": ("labels",), "voc": ("labels_voc", "Annotations", "annotations", "labels")}
SUFFIXES = {"yolo": ".txt", "voc": ".xml"}


def read_annotations(
    root: Path,
    format: str | None = None,
    *,
    images: Path | None = None,
    labels: Path | None = None,
    clip: bool = False,
) -> AnnotationTable:
    """Read a data set, finding its format from the folder.

    Looked for, in this order: a COCO JSON file (root/*.json or root/annotations/*.json), images/ beside labels/ with
    text files (YOLO), images/ beside XML files (Pascal VOC); the last two in the root or in each of its subfolders
    (train, val, ...), which are then read together. Each reader says what it makes of pixels.

    Args:
        root: The data set's folder; the table's paths are relative to it.
        format: One of `FORMATS`, to skip the search for the others.
        images: Folder of the images, below the root, where it is not in the usual place.
        labels: COCO file, or folder of the label files, likewise.
        clip: Cut boxes at the border of their image; otherwise one that leaves it by over a pixel is refused.

    Raises:
        InputError: The folder is missing, fits no format, or holds something broken.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"format '{format}' is unknown - expected one of {', '.join(FORMATS)}.")
    for path, what in ((root, "folder"), (images, "images folder"), (labels, "labels")):
        if path is not None and not path.exists():
            raise InputError(f"{path} is missing - expected the {what} of a data set. Check the path.")
    if images is not None and not images.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"{images} is not below {root} - expected the images inside the root. Name a folder above both."
        )
    if format in (None, "coco") and (file := _coco_file(root, labels)):
        return read_coco(root, labels=file, images=images, clip=clip)
    for name, reader in (("yolo", read_yolo), ("voc", read_voc)):
        if format in (None, name) and (folders := _folders(name, root, images, labels)):
            return reader(root, folders, clip=clip)
    raise InputError(_nothing_found(root, format))


def _coco_file(root: Path, labels: Path | None) -> Path | None:
    if labels is not None:
        return labels if labels.is_file() else None
    places = [*sorted(root.glob("*.json")), *sorted((root / "annotations").glob("*.json"))]
    files = [path for path in places if is_coco(path)]
    if len(files) > 1:
        listed = ", ".join(path.name for path in files)
        raise InputError(f"{root} holds several COCO files: {listed} - expected one. Say which with labels=.")
    return files[0] if files else None


def _folders(name: str, root: Path, images: Path | None, labels: Path | None) -> list[LabelFolder]:
    suffix = SUFFIXES[name]
    if labels is not None:
        usual = next((labels.parent / folder for folder in IMAGE_FOLDERS if (labels.parent / folder).is_dir()), None)
        beside = images or usual
        return [LabelFolder(beside, labels)] if beside and next(labels.rglob(f"*{suffix}"), None) else []
    if images is not None:
        found = find_label_folders(images.parent, LABEL_FOLDERS[name], (images.name,), suffix)
        return [pair for pair in found if pair.images == images]
    return find_label_folders(root, LABEL_FOLDERS[name], IMAGE_FOLDERS, suffix)


def _nothing_found(root: Path, format: str | None) -> str:
    looked = {
        "coco": "a COCO .json file with images, annotations and categories",
        "yolo": "images/ beside labels/*.txt",
        "voc": "images/ or JPEGImages/ beside Annotations/, labels_voc/ or labels/ with *.xml",
    }
    wanted = "; ".join(text for name, text in looked.items() if format in (None, name))
    return f"{root} fits no known format - looked in it and its subfolders for: {wanted}. Arrange the files so."
