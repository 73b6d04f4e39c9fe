"""A run folder with one domain, made of labels and detections that are written down by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from small_data import Box, noise, table_of

from gapscope.data.source_files import note_source_files
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import save_detections
from gapscope.files import write_json, write_text

CONFIG = """\
name = "small"
seeds = [0]

[data]
classes = {classes}
image_size = 96

[domains.road]
role = "real"
root = "photos"

[arms.one]
domains = ["road"]

[arms.two]
title = "Arm <two>"
domains = ["road"]

[probe]
domain = "road"
images = 4
"""

Found = tuple[str, float, float, float, float, float]  # class, x1, y1, x2, y2, confidence
SIZE = (100, 60)


def write_small_run(
    run: Path,
    labels: Sequence[Sequence[Box]],
    found: Mapping[str, Sequence[Sequence[Found]]],
    *,
    classes: Sequence[str] = ("car", "van"),
    paths: Sequence[str] = (),
    ignore: Sequence[bool] = (),
    first: int = 2,
) -> Path:
    """A run folder after its data and evaluation stages.

    Args:
        run: The folder.
        labels: Labels of each test image.
        found: Arm ("one", "two") -> what it found in each test image.
        classes: The common labels.
        paths: Names of the test images.
        ignore: Of all labels, those that do not count.
        first: So many training images, without labels, stand before the test images in the table.
    """
    write_text(run / "experiment.resolved.toml", CONFIG.format(classes=json.dumps(list(classes))))
    here, photos = run / "data/road", run.parent / "photos"
    names = [f"train-{i}.png" for i in range(first)]
    names += list(paths) or [f"test-{i}.png" for i in range(len(labels))]
    for i, name in enumerate(names):
        noise(photos / name, SIZE, seed=i)
    boxes: list[Sequence[Box]] = [[]] * first + list(labels)
    table = table_of(boxes, root=photos, size=SIZE, paths=names, ignore=ignore, class_names=classes)
    table.save(here / "annotations.npz")
    note_source_files(here / "source-files.jsonl", photos)
    write_text(here / "train.txt", "".join(f"{name}\n" for name in names[:first]))
    write_text(here / "test.txt", "".join(f"{name}\n" for name in names[first:]))
    write_json(here / "summary.json", small_summary(str(photos), classes, len(labels)))
    for arm, images in found.items():
        rows = [(first + i, list(classes).index(one[0]), *one[1:]) for i, image in enumerate(images) for one in image]
        image, label, *xyxy, confidence = np.array(rows, float).reshape(-1, 7).T
        boxes = Boxes.of(image, label, np.transpose(xyxy), confidence)
        save_detections(run / f"evaluation/{arm}-seed0--road.detections.npz", boxes)
    return run


def small_summary(root: str, classes: Sequence[str], tests: int) -> dict:
    """As the data stage of an older version left it."""
    counts = {split: dict.fromkeys(classes, 0) for split in ("train", "val", "test")}
    return {
        "images": {"train": 2, "val": 0, "test": tests},
        "boxes": counts,
        "ignored": dict.fromkeys(counts, 0),
        "label_map": {name: {name: 0} for name in classes},
        "dropped": {},
        "ignored_sources": {},
        "removed": {},
        "fingerprint": "0" * 64,
        "root": root,
        "split": "by hand",
        "leaks": {"shared_groups": 0, "near_duplicates": 1, "adjacent_frames": 0, "examples": [["a.png", "b.png"]]},
    }
