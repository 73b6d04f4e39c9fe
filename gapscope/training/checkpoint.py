"""Where a training stands, on disk: enough to go on as if nothing had happened."""

import pickle
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from gapscope.errors import InputError
from gapscope.files import atomic_path


@dataclass
class Progress:
    """What the loop knows between two epochs, besides weights and optimizer."""

    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Optimizer steps taken."""
    best_epoch: int = -1
    best_map50: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)
    """One row per finished epoch, as in metrics.jsonl."""
    seconds: float = 0.0


def save_checkpoint(path: Path, key: str, progress: Progress, states: dict[str, Any]) -> None:
    """Write everything a later process needs, whole or not at all.

    Args:
        path: The file.
        key: What the training is made from; a checkpoint with another key is not gone on with.
        progress: Counters and history.
        states: State dictionaries by name (network, average, optimizer, best).
    """
    with atomic_path(path) as temporary:
        torch.save({"key": key, "progress": asdict(progress), "states": states}, temporary)


def load_checkpoint(path: Path, key: str) -> tuple[Progress, dict[str, Any]] | None:
    """What `save_checkpoint` wrote, or None if there is none or it belongs to another training.

    Nothing but tensors and plain values is unpickled.

    Raises:
        InputError: If the file is there but broken.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["key"] != key:
            return None
        return Progress(**content["progress"]), content["states"]
    except (
        OSError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ):
        raise InputError(
            f"{path}: is no checkpoint that can be read. Delete it, and this training starts anew."
        ) from None
