"""Which numbers do the charts of the Training section need? Plain lists and strings, ready for JSON."""

from collections.abc import Iterator
from typing import Any

from gapscope.findings.findings import Findings

QUANTITIES = {
    "loss": "training loss",
    "box": "box loss",
    "objectness": "objectness loss",
    "classification": "class loss",
    "learning_rate": "learning rate",
    "images_per_second": "images per second",
    "data_wait": "share of the time spent waiting for data",
    "seconds": "seconds per epoch, with validation",
}
"""Columns of metrics.jsonl that can be drawn, and what they are; validation mAP has a chart of its own."""


def training_curves(findings: Findings) -> Iterator[dict[str, Any]]:
    """Per training its metrics by epoch, with the best epoch and whether it stopped early."""
    results = findings.results
    arms = list(results.experiment.arms)
    for row in findings.trainings:
        epochs = results.trainings[row.run].epochs
        if epochs:
            columns = {key: [line.get(key) for line in epochs] for key in ("epoch", "val_map50", *QUANTITIES)}
            facts = {"title": results.arm_title(row.run.arm), "arm": arms.index(row.run.arm), "seed": row.run.seed}
            yield {**facts, **columns, "best": row.best_epoch, "state": row.state}
