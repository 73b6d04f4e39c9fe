"""What was an epoch of training like, in numbers? The rows of metrics.jsonl."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, parse_json, read_text
from gapscope.intact import check_intact
from gapscope.words import percent

PARTS = ("box", "objectness", "classification")
"""What the loss of a Darknet network is made of, in the order of `LossParts`."""
TAUGHT = ("taught", "taught_boxes")
"""What a mean teacher adds: its loss with its weight, and the boxes that it has taught, per image."""


@dataclass
class EpochSums:
    """The running epoch so far. A checkpoint holds it, so that an epoch's numbers survive an interruption."""

    batches: int = 0
    """Batches that are done: where an interrupted epoch goes on."""
    steps: int = 0
    """Optimizer steps whose loss has been looked at."""
    losses: list[float] = field(default_factory=lambda: [0.0] * (1 + len(PARTS)))
    """The loss and its parts, summed over these steps."""
    parts: list[str] = field(default_factory=lambda: list(PARTS))
    """Names of the parts."""
    images: int = 0
    seconds: float = 0.0
    """Spent training, without validation."""
    waited: float = 0.0
    """Seconds of these that were spent waiting for the next batch."""

    def add(self, losses: list[float], parts: Sequence[str] = PARTS) -> None:
        """Count one more step."""
        if not self.steps:
            self.parts, self.losses = list(parts), [0.0] * (1 + len(parts))
        self.steps += 1
        self.losses = [total + one for total, one in zip(self.losses, losses, strict=True)]

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def data_wait(self) -> float:
        """Share of the time that was spent waiting for the next batch, 0 to 1."""
        return self.waited / self.seconds if self.seconds else 0.0

    def row(self, epoch: int, rate: float) -> dict[str, Any]:
        """A line of metrics.jsonl, before validation."""
        names = ["loss", *map(column_of, self.parts)]
        means = {name: round(total / self.steps, 6) for name, total in zip(names, self.losses, strict=True)}
        speed = {"images_per_second": round(self.images_per_second, 2), "data_wait": round(self.data_wait, 4)}
        return {"epoch": epoch, **means, "val_map50": None, "learning_rate": rate, **speed}

    def note(self) -> str:
        """For the progress line."""
        if not self.steps:
            return ""
        speed = f"{self.images_per_second:.3g} images/s, waiting for data {percent(self.data_wait)}"
        return f"loss {self.losses[0] / self.steps:.2f}, {speed}"


def column_of(part: str) -> str:
    """What a part of the loss is called in metrics.jsonl: guests' parts begin with `loss_`, so that none is taken for
    another column."""
    return part if part in (*PARTS, TAUGHT[1]) or part.startswith("loss_") else f"loss_{part}"


def read_epochs(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; none where there is no such file yet.

    Raises:
        InputError: If a line cannot be read.
    """
    check_intact(path)
    try:
        lines = [parse_json(line) for line in read_text(path).splitlines() if line.strip()]
        return [line for line in lines if line["epoch"] is not None and line["loss"] is not None]
    except FileNotFoundError:
        return []
    except OTHER_CONTENT as error:
        raise InputError(
            f"{path} cannot be read as one line of JSON per epoch ({error}). Delete it: the training writes it again "
            "at the end of its next epoch."
        ) from None
