"""Which numbers do the charts of the Training section need? Plain lists and strings, ready for JSON."""

from collections.abc import Iterator
from typing import Any

from gapscope.findings.findings import Findings
from gapscope.findings.results import Results

QUANTITIES = {
    "loss": "training loss",
    "box": "box loss",
    "objectness": "objectness loss",
    "classification": "class loss",
    "taught_boxes": "boxes an image that the mean teacher taught",
    "learning_rate": "learning rate",
    "images_per_second": "images per second",
    "data_wait": "share of the time spent waiting for data",
    "seconds": "seconds per epoch, with validation",
}
"""Columns of metrics.jsonl that can be drawn, and what they are; validation mAP has a chart of its own."""
OF_YOLO = ("box", "objectness", "classification")
"""Those of them that only networks of Darknet's have."""
OF_SOME = (*OF_YOLO, "taught_boxes")
"""Those that are offered only where a training has written them down."""


def quantities(results: Results) -> dict[str, str]:
    """Column -> what it is: of what the trainings have written down, parts of guests' losses too."""
    lines = [line for training in results.trainings.values() for line in training.epochs]
    parts = dict.fromkeys(key for line in lines for key in line if key.startswith("loss_"))
    there = {key: title for key, title in QUANTITIES.items() if key not in OF_SOME or any(key in one for one in lines)}
    first = {key: there.pop(key) for key in ("loss", *OF_YOLO) if key in there}
    return first | {key: f"loss: {key.removeprefix('loss_').replace('_', ' ')}" for key in parts} | there


def training_curves(findings: Findings) -> Iterator[dict[str, Any]]:
    """Per training its metrics by epoch, with the best epoch and whether it stopped early."""
    results = findings.results
    arms, named = list(results.experiment.arms), quantities(results)
    for row in findings.trainings:
        epochs = results.trainings[row.run].epochs
        if epochs:
            columns = {key: [line.get(key) for line in epochs] for key in ("epoch", "val_map50", *named)}
            facts = {"title": results.arm_title(row.run.arm), "arm": arms.index(row.run.arm), "seed": row.run.seed}
            yield {**facts, **columns, "best": row.best_epoch, "state": row.state}
