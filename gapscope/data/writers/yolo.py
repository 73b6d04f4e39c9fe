"""YOLO text labels, out: classes and boxes, nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import write_text


def write_yolo(table: AnnotationTable, names: Sequence[str], folder: Path) -> None:
    """Write `folder`/labels/*.txt and data.yaml for images that lie in `folder`/images under these names.

    The format knows no ignore regions: they are left out, so what they hid counts as background. Nor does it know
    groups, attributes, occlusion or truncation. Every image gets a label file, an empty one if it has no objects.

    Raises:
        InputError: Two images would share a label file.
    """
    scored = table.keep_boxes(~table.ignore)
    files = [PurePosixPath(name).with_suffix(".txt") for name in names]
    if len(set(files)) < len(files):
        twin = next(name for i, name in enumerate(names) if files[i] in files[:i])
        raise InputError(
            f"{twin} differs from another image only in its suffix, and YOLO has one label file for both - expected "
            "different names. Rename one image, or write coco."
        )
    for i, file in enumerate(files):
        path = folder / "labels" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{row}\n" for row in _rows(scored, i)), encoding="utf-8")
    # Every name in quotes: without them readers of YAML take off, y or 1e3 for something else than text.
    listed = [f"  {i}: {json.dumps(name, ensure_ascii=False)}" for i, name in enumerate(table.class_names)]
    write_text(folder / "data.yaml", "\n".join(["path: .", "train: images", "val: images", "names:", *listed, ""]))


def _rows(scored: AnnotationTable, image: int) -> list[str]:
    width, height = float(scored.widths[image]), float(scored.heights[image])
    boxes, labels, _ = scored.boxes_of(image)
    rows = []
    for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist(), strict=True):
        shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        rows.append(" ".join([str(label), *(f"{share:.10g}" for share in shares)]))
    return rows
