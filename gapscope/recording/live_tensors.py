"""Where do activations stay until no later layer needs them? In memory up to a budget, past it in mapped files."""

import os
import re
import shutil
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gapscope.errors import InputError
from gapscope.recording.arena import Arena
from gapscope.words import byte_size

UNITS = {"": 1, "B": 1, "BYTE": 1, "BYTES": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
FLOAT_BYTES = 4


def parse_memory(memory: str | int) -> int:
    """Bytes in "8GiB", "500 MB" or a plain number of bytes.

    Raises:
        InputError: If it is not a positive number with a known unit.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(memory))
    if not found or found[2].upper() not in UNITS or float(found[1]) <= 0:
        raise InputError(f"memory = {memory!r} is no amount of memory. Write it like '8GiB', '500MB' or 1073741824.")
    return int(float(found[1]) * UNITS[found[2].upper()])


class LiveTensors:
    """The activations that a later layer still needs, one float32 tensor (n, c, h, w) per layer.

    A tensor that would take the sum past the budget becomes a memory-mapped file in `folder`; the numbers in it are the
    same either way. Where all sizes are known beforehand, an `arena` says which tensor lies where in one block.
    `kept` bytes of the budget are for the recording itself.
    """

    def __init__(
        self, budget: int, device: torch.device, folder: Path, arena: Arena | None = None, *, kept: int = 0
    ) -> None:
        self.budget = budget - kept
        self.kept = kept
        self.device = device
        self.folder = folder
        self.tensors: dict[int, Tensor] = {}
        self.in_memory: dict[int, int] = {}
        self.peak_in_memory = 0
        self.spilled: list[int] = []
        self.arena = arena
        self.block = empty(arena.size if arena else 0, device)

    def __getitem__(self, layer: int) -> Tensor:
        return self.tensors[layer]

    def allocate(self, layer: int, shape: tuple[int, ...], *, channels_last: bool, reserve: int) -> Tensor:
        """An uninitialised tensor for a layer's output (n, c, h, w); each image's values lie together in memory.

        Args:
            layer: The layer whose output it is.
            shape: Images, channels, height, width.
            channels_last: Keep the channels of a pixel together, as the layer put them out.
            reserve: Bytes of the budget to leave for working copies.

        Raises:
            InputError: If it must be a file and the disk has no room for it.
        """
        size = prod(shape)
        held = sum(self.in_memory.values())
        if self.arena is not None and layer in self.arena.places:
            flat = self.block.narrow(0, self.arena.places[layer], size)
        elif self.arena is None and held + size * FLOAT_BYTES + reserve <= self.budget:
            flat = empty(size, self.device)
            self.in_memory[layer] = size * FLOAT_BYTES
            self.peak_in_memory = max(self.peak_in_memory, held + size * FLOAT_BYTES)
        else:
            self._check_disk(size * FLOAT_BYTES)
            reserve_file(self._file(layer), size * FLOAT_BYTES)
            flat = torch.from_file(str(self._file(layer)), shared=True, size=size, dtype=torch.float32)
            self.spilled.append(layer)
        n, c, h, w = shape
        self.tensors[layer] = flat.view(n, h, w, c).permute(0, 3, 1, 2) if channels_last else flat.view(shape)
        return self.tensors[layer]

    def hold(self, layer: int, num_values: int, *, reserve: int) -> bool:
        """Count values that stay in memory where the model has put them, if the budget has room for them.

        Args:
            layer: What they are counted as, until it is freed.
            num_values: Of all images.
            reserve: As for `allocate`.
        """
        held = sum(self.in_memory.values()) + num_values * FLOAT_BYTES
        if held + reserve > self.budget:
            return False
        self.in_memory[layer] = num_values * FLOAT_BYTES
        self.peak_in_memory = max(self.peak_in_memory, held)
        return True

    def free(self, layer: int) -> None:
        """Forget a layer's output and delete its file, if it has one."""
        self.tensors.pop(layer, None)
        self.in_memory.pop(layer, None)
        if layer in self.spilled:
            self._file(layer).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything, so that the folder can be deleted."""
        for layer in [*self.tensors, *self.in_memory]:
            self.free(layer)

    def _check_disk(self, needed: int) -> None:
        """A mapped file that finds the disk full ends the process without a word."""
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise InputError(
                f"one layer needs {byte_size(needed, up=True)} in a temporary file, but {self.folder.parent} has "
                f"{byte_size(free)} free. Set TMPDIR to a folder on a larger disk, or give more memory."
            )

    def _file(self, layer: int) -> Path:
        return self.folder / f"layer{layer}.float32"


def reserve_file(path: Path, size: int) -> None:
    """A file whose bytes have a place on the disk: writing through memory to one that has none ends the process.

    Raises:
        InputError: The disk, or a limit on it, has no room.
    """
    try:
        with path.open("wb") as stream:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(stream.fileno(), 0, size)
            else:
                stream.truncate(size)
    except OSError as error:
        raise InputError(
            f"one layer needs {byte_size(size, up=True)} in a temporary file, but {path.parent.parent} has no room for "
            f"it ({error.strerror}). Set TMPDIR to a folder on a larger disk, or give more memory."
        ) from None


def empty(size: int, device: torch.device) -> Tensor:
    """Uninitialised float32 memory. On a CPU numpy asks for huge pages, which are far quicker to fill at first."""
    if device.type == "cpu":
        return torch.from_numpy(np.empty(size, dtype=np.float32))
    return torch.empty(size, device=device)


def as_features(activation: Tensor) -> Tensor:
    """A stored activation (n, c, h, w) as features (n, p), in the order they have in memory: nothing is copied."""
    n, c = activation.shape[:2]
    if activation.stride(1) == 1 and c > 1:
        activation = activation.permute(0, 2, 3, 1)
    return activation.reshape(n, -1)


def span_of(activation: Tensor) -> tuple[int, int]:
    """Where in memory a stored activation begins and ends, bytes."""
    return activation.data_ptr(), activation.data_ptr() + FLOAT_BYTES * activation.numel()


def overlap(one: Tensor, other: Tensor) -> bool:
    """Whether two stored activations share memory."""
    (first, last), (start, end) = span_of(one), span_of(other)
    return first < end and start < last
