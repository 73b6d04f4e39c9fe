"""What a network found in a set of images, in a file: columns for gapscope, a list of results for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gapscope.data.problems import shortened
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.evaluation.columns import Array, Boxes
from gapscope.files import atomic_path, check_regular, check_unpacked
from gapscope.intact import check_intact, remedy

if TYPE_CHECKING:  # a report reads these files, and needs no network for it
    from gapscope.data.samples import Samples
    from gapscope.evaluation.evaluate import Evaluation

COLUMNS = {"image": np.int32, "label": np.int16, "xyxy": np.float32, "confidence": np.float32}


def labelled_boxes(table: AnnotationTable) -> Boxes:
    """All labelled boxes of a table, in pixels of the original images."""
    return Boxes.of(
        table.box_image, table.box_class, table.xyxy, ignore=table.ignore, area=table.object_areas, crowd=table.crowd
    )


def in_original_pixels(found: "Evaluation", samples: "Samples") -> Boxes:
    """The detections in pixels of the original images, best first within an image.

    `image` is the image's index in the samples' table. Boxes that lie wholly inside the letterbox bars are left out.
    """
    from gapscope.evaluation.evaluate import letterboxed

    detections, table = found.detections, samples.table
    scale, offset = letterboxed(samples)
    index = samples.indices[detections.image]
    sides = np.stack([table.widths, table.heights] * 2, axis=1)[index].astype(np.float64)
    xyxy = ((detections.xyxy - offset[detections.image]) / scale[detections.image]).clip(0, sides)
    seen = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
    return Boxes.of(index[seen], detections.label[seen], xyxy[seen], detections.confidence[seen])


def save_detections(path: Path | str, boxes: Boxes) -> None:
    """Write detections as one .npz file of `COLUMNS`, 26 bytes a box."""
    path = Path(path)
    with atomic_path(path) as temporary:
        np.savez(temporary, **{name: getattr(boxes, name).astype(kind) for name, kind in COLUMNS.items()})


def read_detections(path: Path | str, images: NDArray[np.int64], num_classes: int, least: float = 0.0) -> Boxes:
    """What `save_detections` wrote.

    Args:
        path: `evaluation/<run>--<domain>.detections.npz`.
        images: Indices of the test images in the domain's table; `image` of what is returned counts through them.
        num_classes: How many classes there are.
        least: Less confident detections are left out.

    Raises:
        InputError: The file is broken, or names an image or a class that the run does not have.
    """
    path = Path(path)
    check_intact(path)
    try:
        check_regular(path)
        check_unpacked(path)
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            columns = {name: file[name] for name in COLUMNS}
        return _checked(columns, images, num_classes, least)
    except Exception as error:  # numpy raises a different kind for every way a file can be broken
        raise InputError(
            f"{path} cannot be read as detections: {shortened(str(error)) or type(error).__name__}. "
            + remedy(path, "Delete it and run the study again: only what is missing is repeated")
        ) from error


def _checked(columns: dict[str, NDArray[Any]], images: NDArray[np.int64], num_classes: int, least: float) -> Boxes:
    index, label, xyxy, confidence = columns.values()
    if index.ndim != 1 or label.shape != index.shape or confidence.shape != index.shape:
        raise ValueError(f"its columns have shapes {[one.shape for one in columns.values()]}, not one row per box")
    if xyxy.shape != (len(index), 4):
        raise ValueError(f"xyxy has shape {xyxy.shape}, not ({len(index)}, 4)")
    order = np.argsort(images, kind="stable")
    place = np.searchsorted(images, index, sorter=order).clip(0, max(0, len(images) - 1))
    known = images[order[place]] == index if len(images) else np.zeros(len(index), bool)
    if not known.all():
        raise ValueError(f"image {index[~known][0]} is none of the {len(images)} test images")
    foreign = (label < 0) | (label >= num_classes)
    if foreign.any():
        raise ValueError(f"class {label[foreign][0]} is none of 0 to {num_classes - 1}")
    if not (np.isfinite(xyxy).all() and np.isfinite(confidence).all()):
        raise ValueError("a box or a confidence is no finite number")
    sure = confidence >= np.float32(least)
    return Boxes.of(order[place][sure], label[sure], xyxy[sure], confidence[sure])


def coco_content(found: "Evaluation", samples: "Samples") -> dict[str, Any]:
    """Images, classes and detections as COCO has them, for a JSON file."""
    table, indices = samples.table, samples.indices
    sizes = zip(indices.tolist(), table.widths[indices].tolist(), table.heights[indices].tolist(), strict=True)
    return {
        "images": [{"id": i, "file_name": str(table.paths[i]), "width": w, "height": h} for i, w, h in sizes],
        "categories": [{"id": i, "name": name} for i, name in enumerate(found.classes, start=1)],
        "results": coco_results(in_original_pixels(found, samples)),
    }


def coco_results(boxes: Boxes) -> list[dict[str, Any]]:
    """Detections as a COCO results list: `image_id` is `image`, `category_id` counts the classes from 1."""
    sides: Array = np.concatenate([boxes.xyxy[:, :2], boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]], axis=1).round(2)
    columns = (boxes.image, boxes.label + 1, sides, boxes.confidence.round(5))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [{"image_id": i, "category_id": c, "bbox": box, "score": score} for i, c, box, score in rows]
