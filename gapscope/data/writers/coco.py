"""COCO JSON, out: everything that a table knows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gapscope.data.table import ANY_CLASS, AnnotationTable
from gapscope.files import write_text

ANY_CATEGORY = 0
"""The category of ignore regions that hide every class; no category of the file has this number."""


def write_coco(table: AnnotationTable, names: Sequence[str], folder: Path) -> None:
    """Write `folder`/annotations.json for images that lie in `folder`/images under these names.

    Besides COCO's own keys there are, where known: "group" and "attributes" of an image; "ignore", "occlusion" and
    "truncation" (shares, 0 to 1) of an annotation. Categories count from 1; 0 is an ignore region of every class.
    """
    content = {
        "info": {"description": "written by gapscope data convert"},
        "images": [_image(table, i, name) for i, name in enumerate(names)],
        "annotations": [_annotation(table, row) for row in range(table.num_boxes)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(table.class_names, 1)],
    }
    write_text(folder / "annotations.json", json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def _image(table: AnnotationTable, i: int, name: str) -> dict[str, Any]:
    entry = {"id": i + 1, "file_name": name, "width": int(table.widths[i]), "height": int(table.heights[i])}
    if table.groups[i]:
        entry["group"] = str(table.groups[i])
    known = {key: str(values[i]) for key, values in table.attributes.items() if values[i]}
    return entry | ({"attributes": known} if known else {})


def _annotation(table: AnnotationTable, row: int) -> dict[str, Any]:
    x1, y1, x2, y2 = map(float, table.xyxy[row])
    label = int(table.box_class[row])
    entry: dict[str, Any] = {
        "id": row + 1,
        "image_id": int(table.box_image[row]) + 1,
        "category_id": ANY_CATEGORY if label == ANY_CLASS else label + 1,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1) if np.isnan(table.stated_area[row]) else float(table.stated_area[row]),
        "iscrowd": int(table.crowd[row]),
    }
    if table.ignore[row]:
        entry["ignore"] = 1
    shares = {"occlusion": float(table.occlusion[row]), "truncation": float(table.truncation[row])}
    return entry | {key: share for key, share in shares.items() if not np.isnan(share)}
