"""CVAT for images 1.1: one XML file with the shapes of all images."""

import math
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gapscope.data.image_names import FOUND_BY_END, can_be_below, file_below, is_absolute
from gapscope.data.problems import RowError
from gapscope.data.readers.build import NOT_STATED, Corners, TableBuilder
from gapscope.data.readers.folders import files_in, first_bytes
from gapscope.data.readers.format import Format, Request
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import check_regular

SHAPES = ("box", "polygon", "ellipse", "mask")
"""Shapes with an area; the others (polyline, points, tag, skeleton) are counted."""
MOST_FILES = 20
"""A folder with more XML files has one per image."""


def find_cvat(request: Request) -> Path | None:
    """An XML file that begins with <annotations>, in the root or in annotations/.

    Raises:
        InputError: There are several.
    """
    if request.labels is not None:
        files = [request.labels] if request.labels.is_file() else []
    else:
        listed = [files_in(place, "*.xml") for place in (request.root, request.root / "annotations")]
        files = [path for some in listed if len(some) <= MOST_FILES for path in some]
    files = [path for path in files if re.search(rb"<annotations[\s>]", first_bytes(path, 4096))]
    if len(files) > 1:
        named = ", ".join(path.name for path in files)
        raise InputError(f"{request.root} holds several CVAT files: {named} - expected one. Say which with labels=.")
    return files[0] if files else None


def read_cvat(request: Request, labels: Path) -> AnnotationTable:
    """Read the images of a task or project.

    Pixel convention: coordinates are continuous with pixel edges from 0, so xbr and ybr are exclusive; kept as they
    are. A turned box, a polygon, an ellipse or a mask stands for the upright box around it. `occluded` is kept, as are
    subsets of images. There are no groups. Classes are the task's labels, in its order, then others. Shapes without an
    area are counted in the table's notes.

    Raises:
        InputError: The file is broken or holds the tracks of a video, an image is missing, or a shape is broken.
    """
    problems = request.problems
    builder = TableBuilder(request.root, tuple(_labels(labels)), request.clip, problems)
    skipped: Counter[str] = Counter()
    for place, node in enumerate(_nodes(labels, "image", "track"), 1):
        if node.tag == "track":
            raise InputError(f"{labels} holds tracks of a video - expected images. Export it as CVAT for images 1.1.")
        name = node.get("name", "")
        with problems.at(labels, f"image {name or place}"):
            image = _add_image(builder, request, node, name)
            for number, shape in enumerate(node, 1):
                if shape.tag in SHAPES:
                    with problems.at(labels, f"image {name}, shape {number}"):
                        _add_shape(builder, image, shape)
                else:
                    skipped[shape.tag] += 1
    if skipped:
        listed = ", ".join(f"{count} {tag}" for tag, count in sorted(skipped.items()))
        builder.notes.append(f"Shapes without an area are left out: {listed}.")
    return builder.table()


def _nodes(path: Path, *tags: str) -> Iterator[ElementTree.Element]:
    """The elements with one of these tags, one after the other; each is emptied when the next one is asked for."""
    try:
        check_regular(path)
        for _, node in ElementTree.iterparse(path):
            if node.tag in tags:
                yield node
                node.clear()
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise InputError(f"{path} is no whole XML file ({error}) - expected one. Export it again.") from error


def _labels(path: Path) -> dict[str, None]:
    """Names of the task's or project's labels."""
    for node in _nodes(path, "labels", "image"):
        if node.tag == "image":
            break
        return dict.fromkeys(name.strip() for label in node.iter("label") if (name := label.findtext("name")))
    return {}


def _add_image(builder: TableBuilder, request: Request, node: ElementTree.Element, name: str) -> int:
    if not can_be_below(name):
        raise RowError(f"name {name!r}", "a file below the image folder. Fix it.")
    subset = node.get("subset", "")
    usual = [request.root / "images", request.root / "images" / subset, request.root, request.root / subset]
    path = file_below([request.images] if request.images else usual, name)
    if path is None:
        looked = request.images or request.root / "images"
        raise RowError("the image file is missing", f"it in {looked}. Export with images, or give their folder.")
    if is_absolute(name):
        builder.tell(FOUND_BY_END)
    declared = (_number(node, "width"), _number(node, "height"))
    return builder.add_image(path, declared=declared, attributes={"subset": subset} if subset else {})


def _add_shape(builder: TableBuilder, image: int, shape: ElementTree.Element) -> None:
    name = (shape.get("label") or "").strip()
    if not name:
        raise RowError("has no label", "a class. Add it, or remove the shape.")
    occlusion = {"0": 0.0, "1": 1.0}.get(shape.get("occluded", ""), NOT_STATED)
    builder.add_box(image, builder.class_of(name), _corners(shape), occlusion=occlusion)


def _corners(shape: ElementTree.Element) -> Corners:
    if shape.tag == "polygon":
        points = [point.split(",") for point in shape.get("points", "").split(";")]
        try:
            xs, ys = zip(*((float(x), float(y)) for x, y in points), strict=True)
        except ValueError:
            raise RowError(f"points {shape.get('points')!r:.60}", "x,y;x,y;... in pixels. Fix the shape.") from None
        return min(xs), min(ys), max(xs), max(ys)
    if shape.tag == "mask":
        left, top, width, height = (_number(shape, key) for key in ("left", "top", "width", "height"))
        return left, top, left + width, top + height
    if shape.tag == "ellipse":
        x, y, across, down = (_number(shape, key) for key in ("cx", "cy", "rx", "ry"))
        x1, y1, x2, y2 = x - across, y - down, x + across, y + down
    else:
        x1, y1, x2, y2 = (_number(shape, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    turn = math.radians(_number(shape, "rotation")) if shape.get("rotation") else 0.0
    if not turn:
        return x1, y1, x2, y2
    cos, sin, wide, high = abs(math.cos(turn)), abs(math.sin(turn)), (x2 - x1) / 2, (y2 - y1) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    if shape.tag == "ellipse":
        reach = (math.hypot(wide * cos, high * sin), math.hypot(wide * sin, high * cos))
    else:
        reach = (wide * cos + high * sin, wide * sin + high * cos)
    return x - reach[0], y - reach[1], x + reach[0], y + reach[1]


def _number(node: ElementTree.Element, key: str) -> float:
    text = node.get(key)
    try:
        return float(text or "")
    except ValueError:
        raise RowError(f"{key} is {text!r:.60}", "a number. Fix it.") from None


CVAT = Format(
    name="cvat",
    layout="an .xml of CVAT for images 1.1 in the folder or in annotations/, beside images/",
    find=find_cvat,
    read=read_cvat,
    suffixes=(".xml",),
)
