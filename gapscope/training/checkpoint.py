"""Where a training stands, on disk: enough to go on as if nothing had happened."""

import zipfile
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from gapscope.errors import InputError
from gapscope.files import atomic_path, check_unpacked
from gapscope.shortage import Remembering
from gapscope.training.metrics import EpochSums

CHECKPOINT = "checkpoint.pt"
"""Its name in a training's folder."""
END = "end.pt"
"""The same of a training that has ended and could go on."""


@dataclass
class Reached:
    """What the loop knows between two steps, besides weights and optimizer.

    There is no state of random numbers in it: order and variation of the images are functions of seed and epoch, and
    nothing else in a training is drawn.
    """

    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Optimizer steps taken."""
    running: EpochSums = field(default_factory=EpochSums)
    """The epoch that is not finished."""
    best_epoch: int = -1
    best_map50: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)
    """One row per finished epoch, as in metrics.jsonl."""
    seconds: float = 0.0
    """Of the finished epochs, with validation."""


def save_checkpoint(path: Path, key: str, progress: Reached, states: dict[str, Any]) -> None:
    """Write everything a later process needs, whole or not at all; the checkpoint before it is kept beside it.

    Args:
        path: The file.
        key: What the training is made from; a checkpoint with another key is not gone on with.
        progress: Counters and history.
        states: State dictionaries by name (network, average, optimizer, best).
    """
    with atomic_path(path) as temporary:
        with temporary.open("wb") as stream:
            file = Remembering(stream)
            try:
                torch.save({"key": key, "progress": asdict(progress), "states": states}, cast(Any, file))
            except RuntimeError:  # all that PyTorch says of a full disk
                if file.error is None:
                    raise
                raise file.error from None
        if path.exists() and path.name != END:
            path.replace(previous(path))


def load_checkpoint(path: Path, keys: str | Collection[str]) -> tuple[Reached, dict[str, Any]] | None:
    """What `save_checkpoint` wrote; None if there is none, or it is another training's: it has none of these keys.

    Nothing but tensors and plain values is unpickled.

    Raises:
        InputError: If the file is there but broken, be it by a single byte.
    """
    keys = {keys} if isinstance(keys, str) else keys
    if not path.exists():  # a kill between two renames leaves only the one before
        path = previous(path)
    if not path.exists():
        return None
    try:
        check_unpacked(path)
        broken = zipfile.ZipFile(path).testzip()  # torch.load does not look at the checksums
        content = torch.load(path, map_location="cpu", weights_only=True) if broken is None else {}
        if content["key"] not in keys:
            return None
        progress = content["progress"]
        return Reached(**progress | {"running": EpochSums(**progress["running"])}), content["states"]
    except Exception:  # PyTorch raises a different kind for every way a file can be broken
        older = previous(path)
        rest = f"goes on from {older.name}" if older.exists() and older != path else "starts anew"
        raise InputError(f"{path}: is no checkpoint that can be read. Delete it, and this training {rest}.") from None


def remove_checkpoints(path: Path) -> None:
    """Delete the checkpoint and the one before it, where they are there."""
    path.unlink(missing_ok=True)
    previous(path).unlink(missing_ok=True)


def previous(path: Path) -> Path:
    """Where the checkpoint before this one is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")
