"""Looks at the losses of the last steps: adds them up, and stops when one is no number."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from gapscope.data.batches import Batch
from gapscope.errors import InputError
from gapscope.files import atomic_path
from gapscope.training.checkpoint import Reached
from gapscope.training.metrics import PARTS
from gapscope.training.processes import reduced

STEPS_ON_GPU = 32
"""Steps between two looks where a look waits for the GPU. The batches in between are kept, to be saved if need be."""


class LossWatch:
    """Keeps the losses of steps on their device until they are looked at.

    Args:
        fabric: Whose processes take part; losses are means over them.
        folder: Where a batch is saved whose loss is no number.
    """

    def __init__(self, fabric: Fabric, folder: Path) -> None:
        self.fabric, self.folder = fabric, folder
        self.every = 1 if fabric.device.type == "cpu" else STEPS_ON_GPU
        """A look is due after so many steps, counted from the first of the training."""
        self.waiting: list[tuple[int, float, Sequence[Batch], Tensor]] = []
        self.parts: Sequence[str] = PARTS
        """What the losses are made of."""

    def add(self, step: int, rate: float, batches: Sequence[Batch], losses: Tensor) -> None:
        """Remember a step's loss and parts (1 + parts,), still on the device."""
        self.waiting.append((step, rate, batches, losses))

    def look(self, at: Reached) -> None:
        """Add what is waiting to the sums of the running epoch.

        Raises:
            InputError: If a loss is not finite; the first such batch is saved.
        """
        if not self.waiting:
            return
        losses = reduced(self.fabric, torch.stack([losses for *_, losses in self.waiting]), "mean")
        for (step, rate, batches, _), row in zip(self.waiting, losses.double().tolist(), strict=True):
            if not math.isfinite(row[0]):
                self._refuse(step, rate, batches, row, at)
            at.running.add(row, self.parts)
        self.waiting.clear()

    def _refuse(self, step: int, rate: float, batches: Sequence[Batch], losses: list[float], at: Reached) -> None:
        share = f"-{self.fabric.global_rank}" if self.fabric.world_size > 1 else ""
        path = self.folder / f"nan_batch{share}.pt"
        names = ("images", "boxes", "classes", "ignore", "image_index", "indices")
        saved = [{name: getattr(batch, name) for name in names} for batch in batches]
        with atomic_path(path) as temporary:
            torch.save(saved if len(saved) > 1 else saved[0], temporary)
        said = ", ".join(
            f"{name.replace('classification', 'class')} {value:.3g}"
            for name, value in zip(self.parts, losses[1:], strict=True)
        )
        raise InputError(
            f"the loss stopped being a number at step {step} (epoch {at.epoch + 1}) of {self.folder}: {said}, learning "
            f"rate {rate:.3g}. The batch is saved in {path}; try a lower learning_rate, a longer warmup_steps or "
            "clip_norm = 10. The last checkpoint is kept."
        )
