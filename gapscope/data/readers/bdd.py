"""BDD100K: its detection labels of 2018, their ancestor with one file per image, and those of 2020."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from gapscope.data.problems import RowError
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.frames import (
    BDD_2018,
    BDD_DET20,
    BDD_OLD,
    PIXELS,
    FrameReader,
    find_frame_files,
    frames_in,
    pixel_of,
    size_for_all,
)
from gapscope.data.readers.json_files import read_object, take
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

CLASSES_2018 = ("bike", "bus", "car", "motor", "person", "rider", "traffic light", "traffic sign", "train", "truck")
CLASSES_DET20 = (
    *("pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "traffic light", "traffic sign"),
    *("other person", "other vehicle", "trailer"),
)
"""The ten that are evaluated, in the order of their ids, and three that BDD100K itself ignores in its evaluation."""
PATTERNS = {
    BDD_2018: ("*.json", "labels/*.json", "labels/*/*.json", "annotations/*.json"),
    BDD_DET20: ("det_*.json", "labels/det_20/*.json", "labels/det_*.json", "*.json", "labels/*.json"),
    BDD_OLD: ("*.json", "labels/*.json", "labels/100k/*/*.json", "labels/*/*.json"),
}
"""Where label files are looked for."""
SPLITS = ("train", "val", "test")


def find_2018(request: Request) -> tuple[Path, ...] | None:
    """A list of frames whose labels have whole numbers as ids or the key manualShape."""
    return _find(request, BDD_2018)


def find_old(request: Request) -> tuple[Path, ...] | None:
    """One JSON file per image, with frames that hold objects."""
    return _find(request, BDD_OLD)


def find_det20(request: Request) -> tuple[Path, ...] | None:
    """Frames named as BDD100K names images, with labels of Scalabel's form."""
    return _find(request, BDD_DET20)


def _find(request: Request, kind: str) -> tuple[Path, ...] | None:
    files = find_frame_files(request, kind, PATTERNS[kind])
    if not files or request.format is not None or request.labels is not None:
        return files or None
    others = {other: find_frame_files(request, other, PATTERNS[other]) for other in PATTERNS if other != kind}
    for other, found in others.items():
        if found:
            raise InputError(
                f"{request.root} holds labels of two releases: {files[0].name} ({kind}) and {found[0].name} ({other})"
                " - expected to be told which. Name the format."
            )
    return files


def read_2018(request: Request, files: tuple[Path, ...]) -> AnnotationTable:
    """Read bdd100k_labels_images_{train,val}.json, all of them together.

    Pixel convention: edges. x1, y1, x2, y2 are kept as they are: the values reach 1280.0 and 720.0, and BDD100K's
    converter of the time takes x2 - x1 for the width.

    Only labels with a `box2d` count (lanes and drivable areas have none). A box with x2 <= x1 or y2 <= y1 is counted as
    one without area, since the official converter leaves those out too; one that leaves its image by more than a
    pixel is refused unless boxes are to be cut. `occluded` and `truncated` are kept, in whatever case they are written,
    as are the image's weather, scene and time of day. The group is the ride: the first eight digits of the name.

    An image without a record is not part of the table: its objects are unknown, not absent. (137 of the 70,000 training
    images have none, in 2018 and in 2020.) A record without `labels` is an image without objects.

    Raises:
        InputError: A file or a record is broken, or records have no image file.
    """
    return _read(request, files, CLASSES_2018, pixel=0)


def read_det20(request: Request, files: tuple[Path, ...]) -> AnnotationTable:
    """Read det_{train,val}.json of the revision of 2020.

    Pixel convention: as Scalabel defines it, x2 and y2 name the last pixel of the box, so the continuous box ends at
    x2 + 1, y2 + 1 (cut at the border); `pixels = "edges"` takes the numbers as they are, as is done for the labels of
    2018, from which most boxes were taken over.

    `crowd` makes a crowd, `ignored` or the id -1 an ignore region. "other person", "other vehicle" and "trailer" stay
    classes of their own; BDD100K's evaluation ignores them. Everything else is as in `read_2018`.

    Raises:
        InputError: A file or a record is broken, or records have no image file.
    """
    return _read(request, files, CLASSES_DET20, pixel=pixel_of(request))


def read_old(request: Request, files: tuple[Path, ...]) -> AnnotationTable:
    """Read labels/100k/{train,val}/NAME.json, one file per image, as they were before August 2018.

    Names come without the ending, which is .jpg. Everything else is as in `read_2018`.

    Raises:
        InputError: A file is broken, or files have no image.
    """
    reader = _reader(request, CLASSES_2018, pixel=0)
    for path in files:
        with request.problems.at(path):
            reader.add_file(path, [_as_frame(read_object(path))])
    return reader.table()


def _as_frame(content: dict[str, Any]) -> dict[str, Any]:
    """A file of one image as later releases write it."""
    moments, name = take(content, "frames", list), take(content, "name", str)
    if len(moments) > 1:
        raise RowError(f"holds {len(moments)} frames", "one image per file. Is it a video's?")
    name = name if PurePosixPath(name).suffix else f"{name}.jpg"
    labels = [label for moment in moments for label in take(moment, "objects", list)]
    return {"name": name, "attributes": content.get("attributes"), "labels": labels}


def _read(request: Request, files: tuple[Path, ...], classes: tuple[str, ...], pixel: int) -> AnnotationTable:
    reader = _reader(request, classes, pixel)
    for path in files:
        with request.problems.at(path):
            reader.add_file(path, frames_in(path), size_for_all(path))
    return reader.table()


def _reader(request: Request, classes: tuple[str, ...], pixel: int) -> FrameReader:
    builder = TableBuilder(request.root, classes, request.clip, request.problems, sizes=request.sizes)
    return FrameReader(request, builder, pixel, lambda path: list(_image_folders(request, path)))


def _image_folders(request: Request, labels: Path) -> Iterator[Path]:
    """images/100k/{train,val,test}, images/{train,val,test}, images, and beside the labels; the labels' split first."""
    named = labels.stem + labels.parent.name
    splits = sorted(SPLITS, key=lambda split: split not in named)
    if request.images is not None:
        yield from (request.images, *(request.images / split for split in splits))
        return
    for base in (request.root / "images" / "100k", request.root / "images", request.root):
        yield from (base / split for split in splits)
        yield base
    yield from (labels.parent, labels.parent / "images")


BDD100K_2018 = Format(
    name=BDD_2018,
    layout="BDD100K's labels/bdd100k_labels_images_{train,val}.json beside images/100k/",
    find=find_2018,
    read=read_2018,
    alone=True,
)
BDD100K_OLD = Format(
    name=BDD_OLD,
    layout="BDD100K's labels/100k/{train,val}/*.json, one per image, beside images/100k/",
    find=find_old,
    read=read_old,
    alone=True,
)
BDD100K_DET20 = Format(
    name=BDD_DET20,
    layout="BDD100K's labels/det_20/det_{train,val}.json beside images/100k/",
    find=find_det20,
    read=read_det20,
    options=PIXELS,
    alone=True,
)
