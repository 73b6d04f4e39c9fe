"""Average precision under two named rules: how well do detections match the targets?

`coco`: the COCO protocol through faster-coco-eval: greedy matching, 101 recall points, ignore regions, at most 100
detections an image.
`paper`: the rule of the Ultralytics code of early 2020, which the paper used: see `paper_average_precision`.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Boxes:
    """Boxes of many images in one list: what was labelled, or what was detected.

    Args:
        image: (m,) index of the image of each box.
        label: (m,) class index; an ignore region of every class has -1.
        xyxy: (m, 4) continuous pixels.
        confidence: (m,) of detections; targets have ones.
        ignore: (m,) targets that are ignore regions; false for detections.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    xyxy: Array
    confidence: Array
    ignore: NDArray[np.bool_]

    @classmethod
    def of(cls, image, label, xyxy, confidence=None, ignore=None) -> "Boxes":
        """Boxes from anything array-like; missing confidences are 1, missing ignore flags are false."""
        image = np.asarray(image, np.int64).reshape(-1)
        m = len(image)
        return cls(
            image,
            np.asarray(label, np.int64).reshape(-1),
            np.asarray(xyxy, np.float64).reshape(-1, 4),
            np.ones(m) if confidence is None else np.asarray(confidence, np.float64).reshape(-1),
            np.zeros(m, bool) if ignore is None else np.asarray(ignore, bool).reshape(-1),
        )

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class AveragePrecision:
    """AP per class, 0 to 1; None for a class without targets, whose AP is not defined."""

    rule: str
    ap50: dict[str, float | None]
    ap50_95: dict[str, float | None]

    def mean50(self, classes: Sequence[str] | None = None) -> float | None:
        """mAP@0.5 over the classes that have targets; None if none has."""
        return _mean([self.ap50[name] for name in (self.ap50 if classes is None else classes)])

    def mean50_95(self) -> float | None:
        """mAP@0.5:0.95 over the classes that have targets; None if none has, or the rule does not define it."""
        return _mean(list(self.ap50_95.values()))


def coco_average_precision(
    targets: Boxes, detections: Boxes, num_images: int, classes: Sequence[str]
) -> AveragePrecision:
    """AP by the COCO protocol (Lin et al. 2014), equal to pycocotools.

    Ignore regions count as crowds: a detection on one is neither right nor wrong.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    target_boxes = _xywh(targets.xyxy)
    annotations = [
        {
            "image_id": int(targets.image[i]),
            "category_id": int(label) + 1,
            "bbox": target_boxes[i].tolist(),
            "area": float(target_boxes[i, 2:].prod()),
            "iscrowd": int(targets.ignore[i]),
        }
        for i in range(len(targets))
        for label in (range(len(classes)) if targets.label[i] < 0 else [targets.label[i]])
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    rows = [
        detections.image[:, None],
        _xywh(detections.xyxy),
        detections.confidence[:, None],
        detections.label[:, None] + 1,
    ]
    results = np.concatenate(rows, axis=1)
    has_targets = [bool(((targets.label == c) & ~targets.ignore).any()) for c in range(len(classes))]
    if not len(results) or not annotations:
        flat = {name: 0.0 if has_targets[c] else None for c, name in enumerate(classes)}
        return AveragePrecision("coco", flat, dict(flat))
    truth = {
        "info": {},
        "images": [{"id": i} for i in range(num_images)],
        "annotations": annotations,
        "categories": [{"id": c + 1, "name": name} for c, name in enumerate(classes)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(truth)
        evaluation = COCOeval_faster(ground_truth, ground_truth.loadRes(results), "bbox", print_function=_quiet)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = np.asarray(evaluation.eval["precision"])[..., 0, -1]  # (iou, recall, class): all areas, 100 detections
    ap = np.where(precision > -1, precision, 0).mean(1)  # (iou, class)
    names = list(enumerate(classes))
    return AveragePrecision(
        "coco",
        {name: float(ap[0, c]) if has_targets[c] else None for c, name in names},
        {name: float(ap[:, c].mean()) if has_targets[c] else None for c, name in names},
    )


def paper_average_precision(targets: Boxes, detections: Boxes, classes: Sequence[str]) -> AveragePrecision:
    """AP@0.5 by the rule of the code family that the paper used (Ultralytics YOLOv3, early 2020).

    Per class, detections by falling confidence; each looks only at the target of its image with the highest IoU and is
    right if that IoU is strictly above 0.5 and the target not yet taken. The precision envelope is read at 101 recalls
    by linear interpolation, ends with the point (last recall + 0.001, 0), and is integrated by the trapezoid rule.
    Boxes are expected in the pixels of the network's input. Ignore regions are unknown to this rule and left out.
    """
    ap50 = {name: _paper_ap(targets, detections, c) for c, name in enumerate(classes)}
    return AveragePrecision("paper", ap50, dict.fromkeys(classes))


def interpolated_area(recall: Array, precision: Array) -> float:
    """Area under the precision envelope, read at 101 recalls: the second half of the `paper` rule.

    Args:
        recall, precision: (m,) after each detection, by falling confidence; m >= 1.
    """
    recall = np.concatenate([[0.0], recall, [recall[-1] + 1e-3]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    grid = np.linspace(0, 1, 101)
    return float(np.trapezoid(np.interp(grid, recall, envelope), grid))


def _paper_ap(targets: Boxes, detections: Boxes, label: int) -> float | None:
    mine = (targets.label == label) & ~targets.ignore
    if not mine.any():
        return None
    order = np.flatnonzero(detections.label == label)
    order = order[np.argsort(-detections.confidence[order], kind="stable")]
    if not len(order):
        return 0.0
    by_image = {image: np.flatnonzero(mine & (targets.image == image)) for image in np.unique(targets.image[mine])}
    taken = np.zeros(len(targets), bool)
    right = np.zeros(len(order))
    for rank, detection in enumerate(order):
        candidates = by_image.get(detections.image[detection])
        if candidates is None:
            continue
        overlap = box_iou(detections.xyxy[detection], targets.xyxy[candidates])
        best = candidates[overlap.argmax()]
        if overlap.max() > 0.5 and not taken[best]:
            taken[best] = right[rank] = True
    found = right.cumsum()
    return interpolated_area(found / mine.sum(), found / np.arange(1, len(order) + 1))


def box_iou(box: Array, others: Array) -> Array:
    """IoU of one box (4,) with others (m, 4), xyxy -> (m,)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(0).prod(1)
    areas = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1)
    return shared / np.maximum(areas - shared, 1e-12)


def _xywh(xyxy: Array) -> Array:
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _quiet(*_: object) -> None:
    """faster-coco-eval reports its own timings; a library of ours does not print."""
