"""Does YOLOv3-tiny, as published, find vehicles in photographs and in CARLA? AP@0.5 of one merged class.

    python benchmarks/detect_vehicles.py --weights FOLDER --data-root FOLDER

FOLDER of weights: yolov3-tiny.weights and coco.names; of data: the two sets of configs/road-vs-carla.toml. A COCO car,
bus or truck counts as a vehicle; other classes of either side play no part. On 300 photographs and 249 rendered images,
measured elsewhere with images stretched to 416 pixels: about 0.43 and 0.64.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from gapscope.data.labels import map_labels
from gapscope.data.readers.detect import read_annotations
from gapscope.data.table import AnnotationTable
from gapscope.detector.class_names import read_names
from gapscope.detector.detect_files import FoundImage, ImageFile, Resize, detect_files
from gapscope.detector.network import Darknet
from gapscope.detector.weights import load_weights
from gapscope.evaluation.average_precision import coco_average_precision, paper_average_precision
from gapscope.evaluation.columns import Boxes
from gapscope.experiment_file import read_config

CONFIG = Path(__file__).parents[1] / "configs" / "road-vs-carla.toml"
TEST_FOLDERS = {"road": "val/", "carla": "test/"}
VEHICLES = ("car", "bus", "truck")
"""COCO's classes that count as a vehicle."""
SIZE, CONFIDENCE, IOU = 416, 0.001, 0.45


def vehicle_table(domain: str, data_root: Path, every: int = 1) -> AnnotationTable:
    """Every so-manieth test image of a domain, with its vehicles alone."""
    settings = read_config(CONFIG).domains[domain]
    table = read_annotations(data_root / str(settings.root), settings.format)
    vehicles = list(settings.labels["vehicle"])
    others = [name for name in table.class_names if name not in vehicles]
    table, _ = map_labels(table, {"vehicle": vehicles}, drop=others)
    tests = [i for i, path in enumerate(table.paths) if str(path).startswith(TEST_FOLDERS[domain])]
    return table.select(tests[::every])


def detected_vehicles(network: Darknet, table: AnnotationTable, resize: Resize) -> Boxes:
    """All cars, buses and trucks that a network finds, as one class, in pixels of the images."""
    files = [ImageFile(table.path(i), str(table.paths[i])) for i in range(len(table))]
    found = detect_files(network, files, size=SIZE, confidence=CONFIDENCE, iou=IOU, resize=resize)
    return merged(list(found), [network.class_names.index(name) for name in VEHICLES])


def merged(found: Sequence[FoundImage], labels: Sequence[int]) -> Boxes:
    """The detections of some classes as those of one."""
    kept = [torch.isin(one.detections.classes, torch.tensor(labels)) for one in found]
    image = np.repeat(np.arange(len(found)), [int(mask.sum()) for mask in kept])
    boxes = torch.cat([one.detections.boxes[mask] for one, mask in zip(found, kept, strict=True)])
    confidence = torch.cat([one.detections.confidences[mask] for one, mask in zip(found, kept, strict=True)])
    return Boxes.of(image, np.zeros(len(image)), boxes.numpy(), confidence.numpy())


def vehicle_ap(network: Darknet, table: AnnotationTable, resize: Resize) -> tuple[float, float]:
    """AP@0.5 by the coco and by the paper's rule."""
    targets = Boxes.of(table.box_image, table.box_class, table.xyxy)
    found = detected_vehicles(network, table, resize)
    rules = [
        rule(targets, found, len(table), ["vehicle"]) for rule in (coco_average_precision, paper_average_precision)
    ]
    coco, paper = (ap.ap50["vehicle"] or 0.0 for ap in rules)
    return coco, paper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cfg", help="another .cfg than the built-in yolov3-tiny")
    parser.add_argument("--every", type=int, default=1, help="only every so-manieth image")
    arguments = parser.parse_args()
    names = read_names(arguments.weights / "coco.names")
    network = load_weights(arguments.weights / "yolov3-tiny.weights", arguments.cfg, names)
    print(f"{network.plan.name}, {SIZE} pixels, confidence {CONFIDENCE}, IoU {IOU}, {torch.get_num_threads()} threads")
    for domain in TEST_FOLDERS:
        table = vehicle_table(domain, arguments.data_root, arguments.every)
        for resize in ("stretch", "letterbox"):
            start = time.perf_counter()
            coco, paper = vehicle_ap(network, table, resize)
            seconds = time.perf_counter() - start
            sizes = f"{len(table)} images, {len(table.box_image)} vehicles"
            print(f"{domain:6} {resize:10} AP@0.5 coco {coco:.4f}, paper {paper:.4f}  ({sizes}, {seconds:.0f} s)")


if __name__ == "__main__":
    main()
