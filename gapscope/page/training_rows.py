"""How did every training go, what did it cost, and did its frozen part stay the same?"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from gapscope.findings.results import Results, Training
from gapscope.run_folder import RunName

CURVES = {
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
UNCHANGED, CHANGED, NONE = "unchanged", "CHANGED", "none"


@dataclass(frozen=True)
class TrainingRow:
    """One training; what is not known, or not yet, is None."""

    run: RunName
    title: str
    summary: dict[str, Any]
    """Empty while it is not finished."""
    epochs: int
    """That are done."""
    most_epochs: int
    state: str
    """How it ended, or that it has not."""
    best_epoch: int | None
    best_val_map50: float | None
    """mAP@0.5 of the headline classes on the validation images, by the coco rule."""
    epoch_seconds: float | None
    """Median over the epochs, validation included."""
    images_per_second: float | None
    """Median over the epochs, of training alone."""
    data_wait: float | None
    """Share of the training time spent waiting for the next batch, mean over the epochs."""
    frozen: str
    """NONE, UNCHANGED or CHANGED: the hash of the frozen part after training against before."""

    @property
    def finished(self) -> bool:
        return bool(self.summary)


def training_rows(results: Results) -> list[TrainingRow]:
    """One row per training that has finished an epoch, arms that are only start weights for others included."""
    return [_row(results, run, training) for run, training in results.trainings.items()]


def not_begun(results: Results) -> list[str]:
    """Titles of the trainings of which nothing is on disk yet: not begun, or in their first epoch."""
    runs = (RunName(arm, seed) for arm in results.experiment.arms for seed in results.seeds)
    return [results.run_title(run) for run in runs if run not in results.trainings]


def training_curves(results: Results) -> Iterator[dict[str, Any]]:
    """Per training its metrics by epoch, ready for JSON, with the best epoch and whether it stopped early."""
    arms = list(results.experiment.arms)
    for row in training_rows(results):
        epochs = results.trainings[row.run].epochs
        if epochs:
            columns = {key: [line.get(key) for line in epochs] for key in ("epoch", "val_map50", *CURVES)}
            facts = {"title": results.arm_title(row.run.arm), "arm": arms.index(row.run.arm), "seed": row.run.seed}
            yield {**facts, **columns, "best": row.best_epoch, "state": row.state}


def _row(results: Results, run: RunName, training: Training) -> TrainingRow:
    summary, epochs = training.summary, training.epochs
    best_epoch, best = _best(training)
    done = summary.get("epochs", epochs[-1]["epoch"] if epochs else 0)
    before, after = summary.get("frozen_hash_before"), summary.get("frozen_hash_after")
    return TrainingRow(
        run=run,
        title=results.run_title(run),
        summary=summary,
        epochs=done,
        most_epochs=results.experiment.train.epochs,
        state=_state(results, training),
        best_epoch=best_epoch,
        best_val_map50=best,
        epoch_seconds=_over(median, training, "seconds"),
        images_per_second=_over(median, training, "images_per_second"),
        data_wait=_over(fmean, training, "data_wait"),
        frozen=NONE if before is None else UNCHANGED if before == after else CHANGED,
    )


def _best(training: Training) -> tuple[int | None, float | None]:
    """The best epoch and its mAP: from the summary, or so far."""
    if training.summary:
        epoch = training.summary["best_epoch"]
        return (epoch if epoch >= 0 else None), training.summary["best_val_map50"]
    known = [line for line in training.epochs if line.get("val_map50") is not None]
    best = max(known, key=lambda line: line["val_map50"], default=None)
    return (best["epoch"], best["val_map50"]) if best else (None, None)


def _state(results: Results, training: Training) -> str:
    train = results.experiment.train
    if not training.summary:
        return "not finished: still running, or interrupted"
    if training.summary["stopped_early"]:
        return f"stopped early: no better for {train.patience} epochs"
    return "went through all epochs"


def _over(average: Any, training: Training, key: str) -> float | None:
    values = [line[key] for line in training.epochs if line.get(key) is not None]
    return float(average(values)) if values else None
