"""How did every training go, what did it cost, and did its frozen part stay the same?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from gapscope.findings.results import Results
from gapscope.findings.training_files import TrainingRecord, TrainingSummary
from gapscope.run_folder import RunName
from gapscope.words import number_of, percent

UNCHANGED, CHANGED, NONE = "unchanged", "CHANGED", "none"


@dataclass(frozen=True)
class TrainingRow:
    """One training; what is not known, or not yet, is None."""

    run: RunName
    title: str
    domains: str
    """Those that it was trained on, here or as its file says; `none` for an arm that is made of others."""
    start: str
    """Where its weights are from."""
    images: str
    """How many it was trained on, or saw without labels."""
    summary: TrainingSummary | None
    """None while it is not finished."""
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
        return self.summary is not None


def training_rows(results: Results) -> list[TrainingRow]:
    """One row per training that has finished an epoch, arms that are only start weights for others included."""
    return [_row(results, run, training) for run, training in results.trainings.items()]


def not_begun(results: Results) -> list[str]:
    """Titles of the trainings of which nothing is on disk yet: not begun, or in their first epoch."""
    runs = results.runs(*results.experiment.arms)
    return [results.run_title(run) for run in runs if run not in results.trainings]


def _row(results: Results, run: RunName, training: TrainingRecord) -> TrainingRow:
    summary, epochs = training.summary, training.epochs
    best_epoch, best = _best(training)
    begun = int(epochs[-1]["epoch"] or 0) if epochs else 0
    return TrainingRow(
        run=run,
        title=results.run_title(run),
        domains=", ".join(results.experiment.arms[run.arm].domains) or "none",
        start=_start(results, run.arm, summary),
        images=_images(summary),
        summary=summary,
        epochs=summary.epochs if summary else begun,
        most_epochs=results.experiment.train_of(run.arm).epochs if results.experiment.arms[run.arm].is_trained else 0,
        state=_state(results, summary),
        best_epoch=best_epoch,
        best_val_map50=best,
        epoch_seconds=_over(median, training, "seconds"),
        images_per_second=_over(median, training, "images_per_second"),
        data_wait=_over(fmean, training, "data_wait"),
        frozen=_frozen(summary),
    )


def _frozen(summary: TrainingSummary | None) -> str:
    if summary is None or summary.frozen_hash_before is None:
        return NONE
    return CHANGED if summary.frozen_part_changed else UNCHANGED


def _best(training: TrainingRecord) -> tuple[int | None, float | None]:
    """The best epoch and its mAP: from the summary, or so far."""
    if training.summary:
        epoch = training.summary.best_epoch
        return (epoch if epoch >= 0 else None), training.summary.best_val_map50
    known = [(line["val_map50"], line["epoch"]) for line in training.epochs if line.get("val_map50") is not None]
    best = max(known, key=lambda one: one[0] or 0.0, default=None)
    return (int(best[1] or 0), best[0]) if best else (None, None)


def _start(results: Results, arm: str, summary: TrainingSummary | None) -> str:
    """Where an arm's weights are from; an average names its arms with the shares that it has, as far as known."""
    shares = summary.average if summary else {}
    if shares:
        return " + ".join(f"{percent(share)} {one}" for one, share in shares.items())
    settings = results.experiment.arms[arm]
    if settings.is_given:
        return ", ".join(Path(one).name for one in summary.given) if summary else "its own file"
    return ", ".join(settings.average) or settings.start


def _images(summary: TrainingSummary | None) -> str:
    if summary is None:
        return ""
    if summary.given:
        return "not known"
    seen = ", ".join(f"{count} of {domain}" for domain, count in summary.unlabelled_images.items())
    without = f"{seen}, without labels" if seen else ""
    if summary.trained:
        return f"{summary.train_images}" + (f", and {without}" if without else "")
    return without or "none"


def _state(results: Results, summary: TrainingSummary | None) -> str:
    if summary is None:
        return "not finished: still running, or interrupted"
    if summary.given:
        return "trained elsewhere"
    if not summary.trained:
        return "made without training"
    if summary.stopped_early:
        return f"stopped early: no better for {number_of(results.experiment.train.patience, 'epoch')}"
    return "went through all epochs"


def _over(average: Callable[[list[float]], float], training: TrainingRecord, key: str) -> float | None:
    values = [value for line in training.epochs if (value := line.get(key)) is not None]
    return float(average(values)) if values else None
