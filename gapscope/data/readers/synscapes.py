"""Synscapes: meta/N.json beside img/rgb/N.png, boxes as shares of the image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapscope.data.images import find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.cityscapes import CLASSES, share
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.json_files import is_number, read_object, take
from gapscope.data.table import AnnotationTable

FIRST_ID = 24
"""Cityscapes' id of the first of its classes with instances; the others follow without gaps."""
IMAGE_FOLDERS = ("img/rgb", "img/rgb-2k")


@dataclass(frozen=True)
class LabelsAndImages:
    """The label files and the images, matched by number."""

    labels: Path
    images: Path


def find_synscapes(request: Request) -> LabelsAndImages | None:
    """meta/N.json beside img/rgb/ (1440 x 720) or img/rgb-2k/ (2048 x 1024); the first if both are there."""
    labels = request.labels or request.root / "meta"
    usual = next((request.root / name for name in IMAGE_FOLDERS if (request.root / name).is_dir()), None)
    images = request.images or usual
    if (
        images is None
        or not labels.is_dir()
        or not next((p for p in labels.glob("*.json") if p.stem.isdecimal()), None)
    ):
        return None
    return LabelsAndImages(labels, images)


def read_synscapes(request: Request, pair: LabelsAndImages) -> AnnotationTable:
    """Read images and the file of their numbers.

    Pixel convention: boxes are shares (0 to 1) of the image's edges, so x2 = xmax * width is exclusive. They are cut at
    the border. Classes are Cityscapes' ids, of which those with instances are objects; others (-1) are not.
    `occluded` and `truncated` are shares. Every image is a scene of its own: there are no groups.

    Raises:
        InputError: A file is broken, or an image and its label file are not both there.
    """
    builder = TableBuilder(request.root, CLASSES, True, request.problems)
    numbered = sorted((path for path in pair.labels.glob("*.json") if path.stem.isdecimal()), key=lambda p: int(p.stem))
    images = {path.stem: path for path in find_images(pair.images) if path.stem.isdecimal()}
    for path in numbered:
        with request.problems.at(path):
            if path.stem not in images:
                raise RowError(
                    f"has no image {path.stem}.png in {pair.images}", "one. Restore it, or remove the labels."
                )
            content = take(read_object(path), "instance", dict)
            _add_objects(builder, builder.add_image(images.pop(path.stem)), content, path)
    for image in images.values():
        with request.problems.at(image):
            raise RowError(f"has no {image.stem}.json in {pair.labels}", "one. Restore it, or remove the image.")
    return builder.table()


def _add_objects(builder: TableBuilder, image: int, content: dict[str, Any], path: Path) -> None:
    width, height = builder.size_of(image)
    classes = take(content, "class", dict)
    hidden, outside = (take(content, key, dict) if key in content else {} for key in ("occluded", "truncated"))
    for key, box in take(content, "bbox2d", dict).items():
        with builder.problems.at(path, f"instance {key}"):
            label = take(classes, key, int) - FIRST_ID
            if not 0 <= label < len(CLASSES):
                continue
            box = take({"bbox2d": box}, "bbox2d", dict)
            sides = [box.get(name) for name in ("xmin", "ymin", "xmax", "ymax")]
            if not all(map(is_number, sides)):
                raise RowError(f"bbox2d {sides}", "four finite shares of the image. Fix or remove the instance.")
            x1, y1, x2, y2 = sides
            corners = (x1 * width, y1 * height, x2 * width, y2 * height)
            builder.add_box(image, label, corners, occlusion=share(hidden.get(key)), truncation=share(outside.get(key)))


SYNSCAPES = Format(
    name="synscapes",
    layout="meta/N.json beside img/rgb/ or img/rgb-2k/ with N.png",
    find=find_synscapes,
    read=read_synscapes,
)
