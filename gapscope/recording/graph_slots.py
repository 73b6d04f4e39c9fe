"""Where the tensors stay that a step of a model's graph hands on: as the model left them, or in room for all images."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from gapscope.recording.live_tensors import LiveTensors
from gapscope.recording.measured import allocate, check_budget, working_bytes
from gapscope.recording.outputs import as_values, is_dense, named_tensors
from gapscope.recording.plan import Output
from gapscope.recording.probe_images import ProbeImages
from gapscope.recording.trace import CannotFollowError

KEEPABLE = (torch.float32, torch.float16, torch.bfloat16)
"""What float32 holds without loss."""
AROUND = 2
"""A part of a tensor that is more than so many times as large is copied, so that the whole can go."""


@dataclass(frozen=True)
class Kept:
    """Stands for some images' rows of a tensor that is kept."""

    slot: int
    batch: int
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass
class Slot:
    """A tensor of all images."""

    num_features: int
    room: Tensor | None = None
    """(n, p) on a device or past the budget; otherwise the model's own tensors are kept."""
    batches: dict[int, Tensor] = field(default_factory=dict)

    def put(self, batch: int, rows: slice, tensor: Tensor) -> None:
        """Keep the rows of one batch."""
        if self.room is not None:
            self.room[rows] = tensor.reshape(rows.stop - rows.start, self.num_features)
        elif tensor.untyped_storage().nbytes() > AROUND * tensor.numel() * tensor.element_size():
            self.batches[batch] = tensor.clone()
        else:
            self.batches[batch] = tensor

    def parts(self, batches: list[slice]) -> list[Tensor]:
        """The rows of all images, float32 (k, p) each, in order; nothing is copied where they lie so."""
        if self.room is not None:
            return [self.room]
        found = [self.batches[at].reshape(rows.stop - rows.start, -1) for at, rows in enumerate(batches)]
        return [one.detach().float() for one in found]


class Slots:
    """All that is kept from step to step.

    Args:
        probe: The images.
        live: Whose budget it counts in, and where it goes past that.
    """

    def __init__(self, probe: ProbeImages, live: LiveTensors) -> None:
        self.probe, self.live = probe, live
        self.held: dict[int, Slot] = {}
        self._numbers = itertools.count()

    def __getitem__(self, slot: int) -> Slot:
        return self.held[slot]

    def fetch(self, kept: Kept) -> Tensor:
        """One batch's rows. No copy: what a step changes in place, later steps must see changed, as in the model."""
        slot = self.held[kept.slot]
        if slot.room is None:
            return slot.batches[kept.batch]
        rows = self.probe.batches[kept.batch]
        return slot.room[rows].to(self.probe.device, kept.dtype).view(kept.shape)

    def start(self, name: str, num_features: int, working_values: int) -> int:
        """A slot for a tensor; `working_values` are what one batch reads and writes meanwhile.

        Raises:
            InputError: If one step does not fit the budget.
        """
        n = len(self.probe)
        working = working_bytes(working_values, n, num_features)
        check_budget(self.live, working, name, n, self.probe.images.shape[-1])
        number = next(self._numbers)
        on_cpu = self.probe.device.type == "cpu"
        if on_cpu and self.live.hold(number, n * num_features, reserve=working):
            self.held[number] = Slot(num_features)
        else:
            self.held[number] = Slot(num_features, allocate(self.live, number, n, num_features, working))
        return number

    def keep_only(self, numbers: set[int]) -> None:
        """Forget all others."""
        for number in set(self.held) - numbers:
            del self.held[number]
            self.live.free(number)


class Keeper:
    """Keeps tensors that one batch has computed in a step; a tensor that is met twice is kept once.

    Args:
        slots: Where they are kept.
        batch: Which of the probe's batches it is.
        numbers: The slots of this step, by what asked first for a tensor to be kept and which of its tensors it is;
            the same for all batches.
        num_read: Values that the batch has read.
    """

    def __init__(self, slots: Slots, batch: int, numbers: dict[tuple[str, int], int], num_read: int) -> None:
        self.slots, self.batch, self.numbers, self.num_read = slots, batch, numbers, num_read
        self.rows = slots.probe.batches[batch]
        self.met: dict[int, tuple[Tensor, Kept]] = {}

    def keep_layer(self, output: Output, value: Any) -> int:
        """Keep the tensor that is a layer, and say in which slot."""
        for path, tensor in named_tensors(value):
            if path == output.key[1] and output.fits(tensor, self.rows.stop - self.rows.start):
                kept = self._keep(f"layer {output.name}", 0, as_values(tensor), output.rows)
                if isinstance(kept, Kept):
                    return kept.slot
                raise CannotFollowError(f"layer {output.name} is {tensor.dtype}, which float32 cannot keep for others")
        raise CannotFollowError(f"layer {output.name} has another shape in the graph")

    def keep_all(self, name: str, value: Any) -> Any:
        """A value with every tensor that can be kept replaced by what stands for it."""
        numbers = itertools.count()

        def keep(part: Any) -> Any:
            return self._keep(name, next(numbers), part) if isinstance(part, Tensor) else part

        return fx.node.map_aggregate(value, keep)

    def _keep(self, name: str, number: int, tensor: Tensor, rows: int = 1) -> Kept | Tensor:
        """As many rows per image and nothing lost in float32: it is kept; any other tensor stays what it is."""
        num_rows = self.rows.stop - self.rows.start
        if tensor.dtype not in KEEPABLE or not is_dense(tensor) or not tensor.numel():
            return tensor
        if tensor.shape[:1] != (num_rows * rows,):
            return tensor
        if id(tensor) not in self.met:
            num_features = tensor.numel() // num_rows
            slot = self.numbers.get((name, number))
            if slot is None:
                slot = self.slots.start(name, num_features, self.num_read + tensor.numel())
                self.numbers[name, number] = slot
            if self.slots[slot].num_features != num_features:
                return tensor
            self.slots[slot].put(self.batch, self.rows, tensor)
            self.met[id(tensor)] = tensor, Kept(slot, self.batch, tuple(tensor.shape), tensor.dtype)
        return self.met[id(tensor)][1]
