"""Targets and detections for the tests of gapscope.evaluation, and what other programs make of them."""

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from gapscope.evaluation.columns import Boxes

CLASSES = ["person", "cycle", "car"]
AREAS = ("all", "small", "medium", "large")


def random_case(seed: int, *, ties: bool, num_images: int = 12, m: int = 60, n: int = 150) -> tuple[Boxes, Boxes, int]:
    """Targets with ignore regions, and detections scattered about them."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 150, (m, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(5, 60, (m, 2))], 1)
    image, label = rng.integers(num_images, size=m), rng.integers(len(CLASSES), size=m)
    targets = Boxes.of(image, label, xyxy, ignore=(crowd := rng.random(m) < 0.15), crowd=crowd)
    picked = rng.integers(m, size=n)
    moved = xyxy[picked] + rng.normal(0, 6, (n, 4))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    confidence = rng.integers(1, 6, n) / 6 if ties else rng.random(n)
    labels = np.where(rng.random(n) < 0.8, label[picked], rng.integers(len(CLASSES), size=n))
    return targets, Boxes.of(image[picked], labels, moved, confidence), num_images


def odd_case(seed: int) -> tuple[Boxes, Boxes, int]:
    """Few boxes on a coarse grid: equal IoUs, IoUs that are exactly a threshold, equal confidences, empty images and
    classes, crowds of one class and of all, areas on the limits of COCO's sizes, no targets, no detections."""
    rng = np.random.default_rng(seed)
    num_images = int(rng.integers(1, 4))
    m, n = (int(rng.integers(0, 8)) * int(rng.random() < 0.9) for _ in range(2))

    def boxes(k: int) -> np.ndarray:
        corner = rng.integers(0, 4, (k, 2)) * 16
        return np.concatenate([corner, corner + rng.integers(1, 7, (k, 2)) * 16], 1)

    ignore = rng.random(m) < 0.3
    label = np.where(ignore & (rng.random(m) < 0.5), -1, rng.integers(len(CLASSES), size=m))
    scale = rng.choice([0.25, 1.0, 4.0])
    xyxy, found = boxes(m), boxes(n)
    own = [(one[:, 2:] - one[:, :2]).prod(1) * scale for one in (xyxy, found)]
    targets = Boxes.of(rng.integers(num_images, size=m), label, xyxy, ignore=ignore, crowd=ignore, area=own[0])
    image, confidence = rng.integers(num_images, size=n), rng.integers(1, 4, n) / 4
    return targets, Boxes.of(image, rng.integers(len(CLASSES), size=n), found, confidence, area=own[1]), num_images


def pycocotools_precision(
    targets: Boxes, detections: Boxes, num_images: int, evaluation: type = COCOeval
) -> np.ndarray:
    """(iou, recall, class, area) by the reference implementation or one like it, -1 where there is no target."""
    return np.asarray(_evaluated(targets, detections, num_images, evaluation).eval["precision"])[..., -1]


def _evaluated(targets: Boxes, detections: Boxes, num_images: int, evaluation: type) -> COCOeval:
    rows = [(i, c) for i in range(len(targets)) for c in _labels(targets.label[i])]
    truth = [
        _annotation(targets, i, c) | {"id": k, "iscrowd": int(targets.crowd[i]), "ignore": 0}
        for k, (i, c) in enumerate(rows, 1)
    ]
    found = [
        _annotation(detections, i, int(detections.label[i]))
        | {"id": i + 1, "iscrowd": 0, "score": float(detections.confidence[i])}
        for i in range(len(detections))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        one = evaluation(_coco(truth, num_images), _coco(found, num_images), "bbox")
        one.evaluate()
        one.accumulate()
    return one


def pycocotools_ap(targets: Boxes, detections: Boxes, num_images: int, area: str = "all") -> np.ndarray:
    """(iou, class) AP, NaN where there is no target."""
    ap = pycocotools_precision(targets, detections, num_images)[..., AREAS.index(area)].mean(1)
    return np.where(ap < 0, np.nan, ap)


def pycocotools_recall(targets: Boxes, detections: Boxes, num_images: int) -> np.ndarray:
    """(class, most detections 1, 10, 100) recall, a mean over IoUs; NaN where there is no target."""
    found = _evaluated(targets, detections, num_images, COCOeval).eval["recall"][:, :, 0].mean(0)
    return np.where(found < 0, np.nan, found)


def paper_ap(targets: Boxes, detections: Boxes, label: int) -> float | None:
    """The paper's rule once more, one detection after the other."""
    mine = np.flatnonzero((targets.label == label) & ~targets.ignore)
    if not len(mine):
        return None
    order = np.flatnonzero(detections.label == label)
    order = order[np.lexsort((detections.image[order], -detections.confidence[order]))]
    taken: set[int] = set()
    right = []
    for detection in order:
        near = [t for t in mine if targets.image[t] == detections.image[detection]]
        overlaps = [iou(targets.xyxy[t], detections.xyxy[detection]) for t in near]
        best = near[int(np.argmax(overlaps))] if near else -1
        right.append(bool(near) and max(overlaps) > 0.5 and best not in taken)
        if right[-1]:
            taken.add(best)
    if not right:
        return 0.0
    found = np.cumsum(right)
    recall, precision = found / len(mine), found / np.arange(1, len(right) + 1)
    recall = np.concatenate([[0.0], recall, [min(recall[-1] + 1e-3, 1.0)]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    grid = np.linspace(0, 1, 101)
    return float(np.trapezoid(np.interp(grid, recall, envelope), grid))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    shared = max(width, 0) * max(height, 0)
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def _labels(label: int) -> list[int]:
    return list(range(len(CLASSES))) if label < 0 else [int(label)]


def _annotation(boxes: Boxes, i: int, label: int) -> dict:
    x, y, x2, y2 = boxes.xyxy[i].tolist()
    place = {"image_id": int(boxes.image[i]), "category_id": label + 1}
    return place | {"bbox": [x, y, x2 - x, y2 - y], "area": float(boxes.area[i])}


def _coco(annotations: list[dict], num_images: int) -> COCO:
    one = COCO()
    one.dataset = {
        "images": [{"id": i} for i in range(num_images)],
        "categories": [{"id": c + 1} for c in range(len(CLASSES))],
        "annotations": annotations,
    }
    one.createIndex()
    return one
