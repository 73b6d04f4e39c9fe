"""What do a training's `summary.json` and `metrics.jsonl` hold?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gapscope.typed import typed

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
    images: Mapping[str, int] = field(default_factory=dict)
    """Domain -> training images, with labels; empty in files of before there were diets."""
    steps: int = 0
    """Optimizer steps; 0 in such files."""
    learning_rate: float | None = None
    trained: bool = True
    """Otherwise its network was made of those of other arms, or comes from elsewhere."""
    given: Mapping[str, str] = field(default_factory=dict)
    """File -> its SHA-256, of an arm that was trained elsewhere."""
    unlabelled_images: Mapping[str, int] = field(default_factory=dict)
    """By domain: training images that it saw without their labels."""
    taught_boxes: float | None = None
    """Boxes an image that its mean teacher taught in the last epoch; None where it had none."""
    average: Mapping[str, float] = field(default_factory=dict)
    """By arm: its share, if it is an average of several."""
    path: Sequence[Mapping[str, Mapping[str, float]]] = ()
    """Where shares were chosen: those that were tried (`shares`), and what came of each (`val_map50`, by domain)."""
    chosen_on: Sequence[str] = ()
    """The domains on whose validation images they were chosen."""

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
        KeyError, ValueError: If a part that every version has is missing, or one is not what it should be.
    """
    return typed(TrainingSummary, found)


def parse_epoch(found: Any) -> EpochLine:
    """The JSON of a line of metrics.jsonl.

    Raises:
        ValueError: It holds something else than numbers.
    """
    return typed(dict[str, float | None], found)
