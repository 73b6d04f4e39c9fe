"""What do a training's `summary.json` and `metrics.jsonl` hold?"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

EpochLine = Mapping[str, float | None]
"""One line of metrics.jsonl: `epoch`, losses, `val_map50`, ... ; what was not measured is None or not there."""


@dataclass(frozen=True)
class TrainingSummary:
    """A training that is finished."""

    epochs: int
    best_epoch: int
    """Below 0 where no epoch was validated."""
    best_val_map50: float | None
    stopped_early: bool
    freeze: str
    """Layers, such as `0-74`; empty where none is frozen."""
    train_images: int
    parameters: int
    trainable_parameters: int
    weights_sha256: str
    seconds: float
    device: str
    frozen_hash_before: str | None = None
    frozen_hash_after: str | None = None
    frozen_hash_covers: str | None = None
    devices: int = 1
    precision: str = "32"

    @property
    def frozen_part_changed(self) -> bool:
        return self.frozen_hash_before != self.frozen_hash_after


@dataclass(frozen=True)
class TrainingRecord:
    """One training as far as it is."""

    summary: TrainingSummary | None
    """None while it runs."""
    epochs: tuple[EpochLine, ...]
    """Those that are finished."""


def parse_training(found: Mapping[str, Any]) -> TrainingSummary:
    """The JSON of a summary.

    Raises:
        KeyError, TypeError: If a part that every version has is missing, or the file holds something else.
    """
    known = {one.name for one in fields(TrainingSummary)}
    missing = {"epochs", "best_epoch", "weights_sha256", "freeze"} - set(found)
    if missing:
        raise KeyError(min(missing))
    return TrainingSummary(**{name: value for name, value in found.items() if name in known})
