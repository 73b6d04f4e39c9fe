"""YOLO text labels, out: classes and boxes, nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gapscope.data.readers.folders import SPLIT_FOLDERS, split_of_folder
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
    splits = _split_folders(names)
    write_text(folder / "data.yaml", "\n".join(["path: .", *splits, "names:", *listed, ""]))


def _split_folders(names: Sequence[str]) -> list[str]:
    """The lines of data.yaml that say where the images of each split lie; all of them, where no folder tells.

    Whoever trains needs a val: without a folder for it, it is what there is.
    """
    found: dict[str, dict[str, None]] = {split: {} for split in SPLIT_FOLDERS}
    for name in names:
        parts = PurePosixPath(name).parts[:-1]
        at = next((i for i, part in enumerate(parts) if split_of_folder(part)), None)
        if at is not None:
            found[split_of_folder(parts[at])]["/".join(("images", *parts[: at + 1]))] = None
    if not found["train"]:
        found = {"train": {"images": None}, "val": {"images": None}}
    found["val"] = found["val"] or found.get("test") or found["train"]
    return [
        f"{split}: {next(iter(folders)) if len(folders) == 1 else json.dumps(list(folders))}"
        for split, folders in found.items()
        if folders
    ]


def _rows(scored: AnnotationTable, image: int) -> list[str]:
    width, height = float(scored.widths[image]), float(scored.heights[image])
    boxes, labels, _ = scored.boxes_of(image)
    rows = []
    for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist(), strict=True):
        shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        rows.append(" ".join([str(label), *(f"{share:.10g}" for share in shares)]))
    return rows
