"""Small made-up data sets for the tests of gapscope.data."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gapscope.data.table import AnnotationTable

Box = tuple[str, float, float, float, float]  # class, x1, y1, x2, y2


def table_of(
    boxes: Sequence[Sequence[Box]],
    *,
    root: Path = Path("nowhere"),
    size: tuple[int, int] = (100, 60),
    groups: Sequence[str] = (),
    paths: Sequence[str] = (),
    ignore: Sequence[bool] = (),
    class_names: Sequence[str] = ("car", "van", "person"),
) -> AnnotationTable:
    """A table of len(boxes) images of one size; no files are written."""
    rows = [(image, *box) for image, some in enumerate(boxes) for box in some]
    n = len(boxes)
    return AnnotationTable(
        root=root,
        class_names=tuple(class_names),
        paths=np.array(paths if len(paths) else [f"images/{i:03}.png" for i in range(n)], dtype=np.str_),
        widths=np.full(n, size[0], dtype=np.int32),
        heights=np.full(n, size[1], dtype=np.int32),
        groups=np.array(groups if len(groups) else [""] * n, dtype=np.str_),
        box_image=np.array([row[0] for row in rows], dtype=np.int32),
        box_class=np.array([list(class_names).index(row[1]) for row in rows], dtype=np.int16),
        xyxy=np.array([row[2:] for row in rows], dtype=np.float32).reshape(-1, 4),
        ignore=np.array(ignore if len(ignore) else [False] * len(rows), dtype=np.bool_),
    )


def noise(path: Path, size: tuple[int, int] = (100, 60), seed: int = 0, mode: str = "RGB") -> Path:
    """An image file of coarse noise, which survives compression."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR).convert(mode).save(path)
    return path


def painted(path: Path, boxes: Sequence[Box], size: tuple[int, int] = (100, 60)) -> Path:
    """A black image file with white rectangles exactly where the boxes are (whole pixels)."""
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    for _, x1, y1, x2, y2 in boxes:
        pixels[int(y1) : int(y2), int(x1) : int(x2)] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def coco_folder(root: Path, num_images: int = 3) -> dict:
    """Write images and return COCO content with one box per image, not yet written."""
    for i in range(num_images):
        noise(root / f"images/{i:03}.png", seed=i)
    return {
        "images": [{"id": i, "file_name": f"{i:03}.png", "width": 100, "height": 60} for i in range(num_images)],
        "annotations": [
            {"id": 10 + i, "image_id": i, "category_id": 7, "bbox": [10, 20, 30.5, 15]} for i in range(num_images)
        ],
        "categories": [{"id": 9, "name": "van"}, {"id": 7, "name": "car"}],
    }


def write_coco(root: Path, content: dict) -> Path:
    path = root / "annotations.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
