"""Networks that find something without being trained: what the donor finds in a few images is labelled there."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from small_data import table_of

from gapscope.config import Evaluate
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.detector.network import Darknet, initialize, yolov3
from gapscope.evaluation.evaluate import evaluate
from gapscope.grafting.batch_statistics import estimate_statistics
from gapscope.grafting.scoring import unlabelled_batches

SIZE, CLASSES = 64, ("car", "person")
SETTINGS = Evaluate(bootstraps=100, confidence=0.0)


def pictures(folder: Path, n: int = 6) -> AnnotationTable:
    """Coarse noise, and no boxes yet."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i in range(n):
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(folder / f"images/{i:03}.png")
    return table_of([[]] * n, root=folder, size=(SIZE, SIZE), class_names=CLASSES)


def settled(table: AnnotationTable, seed: int) -> Darknet:
    """A network of random weights whose batch statistics fit the images, so that it tells them apart."""
    generator = torch.Generator().manual_seed(seed)
    network = yolov3(CLASSES, 0.02, 0.3, generator, None).eval()
    return estimate_statistics(network, unlabelled_batches(Samples(table, size=SIZE), 100, "cpu"))


def labelled_by(network: Darknet, table: AnnotationTable, count: int = 12) -> AnnotationTable:
    """The table with the network's most confident detections of each class as its boxes: its own AP is 1."""
    found = evaluate(network, Samples(table, size=SIZE), SETTINGS, rules=()).detections
    boxes = [[] for _ in range(len(table))]
    for label, name in enumerate(CLASSES):
        rows = np.flatnonzero(found.label == label)
        for row in rows[np.argsort(-found.confidence[rows], kind="stable")][:count]:
            boxes[found.image[row]].append((name, *found.xyxy[row]))
    return table_of(boxes, root=table.root, size=(SIZE, SIZE), class_names=CLASSES)


def randomised(network: Darknet, layers: range, share: float = 1.0, seed: int = 9) -> Darknet:
    """The network with a share of other random weights in some layers, at the same statistics."""
    other, broken = deepcopy(network), deepcopy(network)
    initialize(other, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for index in layers:
            for own, foreign in zip(broken.layers[index].parameters(), other.layers[index].parameters(), strict=True):
                own.lerp_(foreign, share)
    return broken
