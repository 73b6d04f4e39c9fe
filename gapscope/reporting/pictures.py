"""What do the images look like, and what does every arm find in them? Small JPEGs with boxes to draw over them."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.reporting.results import Results, RunName

SHOWN_CONFIDENCE = 0.3
MATCHING_IOU = 0.5
THUMBNAIL, PICTURE = 220, 320
"""Longer side in pixels of a sample image and of a test image."""


@dataclass(frozen=True)
class Box:
    """One labelled or found box, in pixels of the original image."""

    xyxy: tuple[float, float, float, float]
    label: int
    """Index of the class; -1 for an ignore region of any class."""
    confidence: float | None = None
    """None for a labelled box."""
    ignore: bool = False


@dataclass(frozen=True)
class Picture:
    """One image with its labelled boxes and, for a test image, what every arm found there."""

    path: str
    width: int
    height: int
    jpeg: str
    """A data URI."""
    truth: tuple[Box, ...]
    found: Mapping[str, tuple[Box, ...]]
    """By arm."""
    disagreement: float = 0.0
    """The arms' best F1 on this image minus their worst, 0 to 1."""


def read_table(results: Results, domain: str) -> AnnotationTable | None:
    """A domain's annotations if both they and the images are on this machine."""
    here = results.folder / "data" / domain
    images = here / results.summaries.get(domain, {}).get("root", ".")
    path = here / "annotations.npz"
    return AnnotationTable.load(path, images) if images.is_dir() and path.is_file() else None


def sample_pictures(results: Results, domain: str, count: int = 8) -> list[Picture]:
    """Training images of a domain, evenly spaced along its list, with their boxes."""
    table = read_table(results, domain)
    if table is None:
        return []
    images = _split_images(results, table, domain, "train")
    chosen = [images[i] for i in _evenly(len(images), count)]
    return [_picture(table, image, THUMBNAIL, {}) for image in chosen if table.path(image).is_file()]


def disputed_pictures(results: Results, domain: str, count: int = 3) -> list[Picture]:
    """Test images: the `count` that the arms disagree most about, then `count` evenly spaced along the list.

    The first seed of every arm is shown, with detections above a confidence of 0.3.
    """
    table, detections = read_table(results, domain), _read_detections(results, domain)
    if table is None or not detections:
        return []
    images = [i for i in _split_images(results, table, domain, "test") if table.path(i).is_file()]
    dispute = {image: _disagreement(table, image, detections) for image in images}
    disputed = sorted(images, key=lambda image: -dispute[image])[:count]
    others = [image for image in images if image not in disputed]
    chosen = disputed + [others[i] for i in _evenly(len(others), count)]
    return [_picture(table, image, PICTURE, detections, dispute[image]) for image in chosen]


def _split_images(results: Results, table: AnnotationTable, domain: str, split: str) -> list[int]:
    path = results.folder / "data" / domain / f"{split}.txt"
    index = {str(name): i for i, name in enumerate(table.paths)}
    names = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [index[name] for name in names if name in index]


def _evenly(total: int, count: int) -> list[int]:
    """`count` of 0..total-1, evenly spaced."""
    return sorted({int(i) for i in np.linspace(0, total - 1, min(count, total))})


def _read_detections(results: Results, domain: str) -> dict[str, dict[int, list[Box]]]:
    """By reported arm (first seed) and image: its detections above the shown confidence, most confident first."""
    found = {}
    for arm in results.arms:
        name = RunName(arm, results.seeds[0])
        path = results.folder / "evaluation" / f"{name}--{domain}.detections.json"
        if path.is_file():
            found[arm] = _boxes_by_image(path)
    return found


def _boxes_by_image(path: Path) -> dict[int, list[Box]]:
    boxes: dict[int, list[Box]] = {}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in sorted(rows, key=lambda row: -row["score"]):
            if row["score"] > SHOWN_CONFIDENCE:
                x, y, w, h = row["bbox"]
                box = Box((x, y, x + w, y + h), row["category_id"] - 1, row["score"])
                boxes.setdefault(row["image_id"], []).append(box)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error!r}. Delete it and run the study again.") from error
    return boxes


def _disagreement(table: AnnotationTable, image: int, detections: Mapping[str, Mapping[int, Sequence[Box]]]) -> float:
    truth = [box for box in _truth(table, image) if not box.ignore]
    scores = [agreement(truth, boxes.get(image, [])) for boxes in detections.values()]
    return max(scores) - min(scores)


def agreement(truth: Sequence[Box], found: Sequence[Box]) -> float:
    """F1 of detections against labels: 1 where all is found and nothing else, and where there is nothing at all.

    Detections, most confident first, each take the free label of their class that they overlap most, from IoU 0.5 on.
    """
    if not truth and not found:
        return 1.0
    free, hits = list(truth), 0
    for box in found:
        rivals = [label for label in free if label.label == box.label]
        best = max(rivals, key=lambda label: _iou(label, box), default=None)
        if best is not None and _iou(best, box) >= MATCHING_IOU:
            free.remove(best)
            hits += 1
    return 2 * hits / (len(truth) + len(found))


def _iou(a: Box, b: Box) -> float:
    width = min(a.xyxy[2], b.xyxy[2]) - max(a.xyxy[0], b.xyxy[0])
    height = min(a.xyxy[3], b.xyxy[3]) - max(a.xyxy[1], b.xyxy[1])
    inter = max(width, 0.0) * max(height, 0.0)
    return inter / (_area(a) + _area(b) - inter) if inter else 0.0


def _area(box: Box) -> float:
    x1, y1, x2, y2 = box.xyxy
    return (x2 - x1) * (y2 - y1)


def _truth(table: AnnotationTable, image: int) -> list[Box]:
    boxes, classes, ignore = table.boxes_of(image)
    return [
        Box(_corners(xyxy), int(label), ignore=bool(left_out))
        for xyxy, label, left_out in zip(boxes, classes, ignore, strict=True)
    ]


def _corners(xyxy: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in xyxy)
    return x1, y1, x2, y2


def _picture(
    table: AnnotationTable,
    image: int,
    side: int,
    detections: Mapping[str, Mapping[int, Sequence[Box]]],
    disagreement: float = 0.0,
) -> Picture:
    return Picture(
        path=str(table.paths[image]),
        width=int(table.widths[image]),
        height=int(table.heights[image]),
        jpeg=_jpeg(table.path(image), side),
        truth=tuple(_truth(table, image)),
        found={arm: tuple(boxes.get(image, ())) for arm, boxes in detections.items()},
        disagreement=disagreement,
    )


def _jpeg(path: Path, side: int) -> str:
    """The image, its longer side at most `side` pixels, as a data URI."""
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except OSError as error:
        raise InputError(f"{path} cannot be read as an image: {error}. Replace the file.") from error
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=78, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
