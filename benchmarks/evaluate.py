"""How long do the scores of a large test set take, beside pycocotools and faster-coco-eval?

    python benchmarks/evaluate.py            # 16,000 images; the others on a tenth, their time scaled up and said so
    python benchmarks/evaluate.py --full     # the others on all images too: pycocotools takes minutes

Boxes are made up: 17 targets an image, half of the detections scattered about them. Each program runs in a process of
its own, which tells its greatest memory. Needs the `dev` extra.
"""

import argparse
import contextlib
import io
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from gapscope.evaluation.average_precision import coco_average_precision, paper_average_precision
from gapscope.evaluation.bootstrap import bootstrap
from gapscope.evaluation.columns import Array, Boxes
from gapscope.evaluation.matching import coco_candidates, match_coco

CLASSES = ["person", "cycle", "car", "bus", "truck"]
SHARES = [0.13, 0.05, 0.70, 0.06, 0.06]
TARGETS = 17
"""Of each image."""


@dataclass(frozen=True)
class Took:
    seconds: float
    cpu_seconds: float
    """What it takes on a machine that does nothing else: all programs here use one thread."""
    gigabytes: float
    """Greatest resident memory of the process, with the made-up boxes."""
    map50_95: float | None


def made_up(images: int, per_image: int, seed: int = 0) -> tuple[Boxes, Boxes, int]:
    """Targets, and detections of which half lie about a target, with confidences that know it half of the time."""
    rng = np.random.default_rng(seed)

    def anywhere(m: int) -> Array:
        corner = rng.uniform(0, [1200, 650], (m, 2))
        return np.concatenate([corner, corner + np.exp(rng.normal(3.6, 0.9, (m, 2))).clip(3, 600)], axis=1)

    image, label = np.repeat(np.arange(images), TARGETS), rng.choice(len(CLASSES), images * TARGETS, p=SHARES)
    targets = anywhere(len(image))
    found_in = np.repeat(np.arange(images), per_image)
    n = len(found_in)
    picked = found_in * TARGETS + rng.integers(TARGETS, size=n)
    near = rng.random(n) < 0.5
    moved = targets[picked] + rng.normal(0, 0.08, (n, 4)) * np.tile(targets[picked, 2:] - targets[picked, :2], 2)
    xyxy = np.where(near[:, None], moved, anywhere(n))
    xyxy[:, 2:] = np.maximum(xyxy[:, 2:], xyxy[:, :2] + 1)
    named = np.where(near & (rng.random(n) < 0.9), label[picked], rng.integers(len(CLASSES), size=n))
    confidence = (rng.beta(1, 6, n) + near * rng.beta(2, 3, n) * 0.6).clip(0, 1)
    ignore = rng.random(len(image)) < 0.02
    return Boxes.of(image, label, targets, ignore=ignore), Boxes.of(found_in, named, xyxy, confidence), images


def coco_rule(targets: Boxes, detections: Boxes, images: int) -> float | None:
    return coco_average_precision(targets, detections, images, CLASSES).mean50_95()


def coco_rule_with_sizes(targets: Boxes, detections: Boxes, images: int) -> float | None:
    return coco_average_precision(targets, detections, images, CLASSES, sizes=True).mean50_95()


def paper_rule(targets: Boxes, detections: Boxes, images: int) -> float | None:
    paper_average_precision(targets, detections, images, CLASSES)
    return None


def draws(targets: Boxes, detections: Boxes, images: int) -> float | None:
    """1,000 draws of images for mAP@0.5 and @0.5:0.95, with the matching before."""
    bootstrap("coco", match_coco(coco_candidates(targets, detections, images, len(CLASSES))), 1000)
    return None


def pycocotools(targets: Boxes, detections: Boxes, images: int) -> float | None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _other(COCO, COCOeval, targets, detections, images)


def faster_coco_eval(targets: Boxes, detections: Boxes, images: int) -> float | None:
    from faster_coco_eval import COCO, COCOeval_faster

    return _other(COCO, COCOeval_faster, targets, detections, images)


def _other(coco: type, evaluation: type, targets: Boxes, detections: Boxes, images: int) -> float | None:
    """Both take the same dictionaries for targets and the same array for detections."""
    sides = targets.xyxy[:, 2:] - targets.xyxy[:, :2]
    columns = zip(
        targets.image.tolist(),
        targets.label.tolist(),
        targets.xyxy[:, :2].tolist(),
        sides.tolist(),
        targets.ignore,
        strict=True,
    )
    annotations = [
        {
            "id": i,
            "image_id": image,
            "category_id": c + 1,
            "bbox": at + wh,
            "area": wh[0] * wh[1],
            "iscrowd": int(crowd),
        }
        for i, (image, c, at, wh, crowd) in enumerate(columns, start=1)
    ]
    extents = detections.xyxy[:, 2:] - detections.xyxy[:, :2]
    parts = (detections.image[:, None], detections.xyxy[:, :2], extents, detections.confidence[:, None])
    results = np.concatenate([*parts, detections.label[:, None] + 1], axis=1)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco()
        truth.dataset = {
            "info": {},
            "images": [{"id": i} for i in range(images)],
            "annotations": annotations,
            "categories": [{"id": c + 1, "name": name} for c, name in enumerate(CLASSES)],
        }
        truth.createIndex()
        one = evaluation(truth, truth.loadRes(results), "bbox")
        one.evaluate()
        one.accumulate()
        one.summarize()
    return float(one.stats[0])


def timed(program: Callable[[Boxes, Boxes, int], float | None], images: int, per_image: int) -> Took:
    """Run a program on made-up boxes; making them is not timed."""
    boxes = made_up(images, per_image)
    start, cpu_start = time.perf_counter(), time.process_time()
    score = program(*boxes)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return Took(seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, score)


def alone(program: Callable[[Boxes, Boxes, int], float | None], images: int, per_image: int) -> Took:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(partial(timed, program), images, per_image).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--detections", type=int, default=100, help="of each image")
    parser.add_argument("--full", action="store_true", help="run the other programs on all images")
    arguments = parser.parse_args()
    n, per_image = arguments.images, arguments.detections
    print(f"{n} images, {per_image} detections each, {len(CLASSES)} classes, IoU 0.5:0.95")
    few = min(n, 2000)
    ours = [(coco_rule, n), (coco_rule_with_sizes, n), (paper_rule, n), (draws, few)]
    others = [(program, n if arguments.full else max(n // 10, 1)) for program in (faster_coco_eval, pycocotools)]
    for program, images in [*ours, (coco_rule, others[0][1]), *others]:
        took = alone(program, images, per_image)
        scaled = (program, images) in others and images < n
        whole = f" (scaled to {n}: {took.cpu_seconds * n / images:.1f} s CPU)" if scaled else ""
        score = "" if took.map50_95 is None else f"  mAP {took.map50_95:.10f}"
        times = f"{took.seconds:7.2f} s, {took.cpu_seconds:7.2f} s CPU{whole}"
        print(f"{program.__name__:22}{images:7} images {times} {took.gigabytes:5.2f} GB{score}", flush=True)


if __name__ == "__main__":
    main()
