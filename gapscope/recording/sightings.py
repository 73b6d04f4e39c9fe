"""What does one pass over the first images show of each tensor that a model's modules put out?"""

import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gapscope.errors import InputError
from gapscope.recording.calls import Call, run_watched
from gapscope.recording.channels import ChannelAxes
from gapscope.recording.outputs import as_values, is_dense, named_tensors
from gapscope.recording.probe_images import ProbeImages

Digest = NDArray[np.float64]
"""(up to 2 images, 3): mean, mean absolute value and a weighted sum of an image's values."""
Key = tuple[Call, str]
"""A call and the way to one tensor in its output."""


@dataclass(frozen=True)
class Sighting:
    """What one pass showed of one tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    dense: bool
    new: bool
    handed_on: bool
    """It is what the module was given, as it was."""
    digest: Digest
    """Of each image, where its rows can be told; otherwise of the first two rows."""
    channel_axis: int


@dataclass
class Pass:
    """What one pass over a model showed."""

    seen: dict[Key, Sighting]
    called: set[str]
    calling_others: set[str]
    live_bytes: int = 0
    """The most that tensors which modules had put out, and were still in use, took at a time."""


def digest_of(rows: Tensor) -> Digest:
    """Three numbers for each of the first two rows, in float64; rows with other values or another order have others."""
    values = rows[:2] if rows.ndim else rows.reshape(1)
    values = (torch.view_as_real(values) if values.is_complex() else values).double()
    values = values.reshape(len(values), -1) if values.numel() else values.new_zeros(len(values), 1)
    weights = _waves(1 << (values.shape[1] - 1).bit_length(), values.device)[: values.shape[1]]
    mixed = values @ weights / values.shape[1] ** 0.5  # of the size of the values, in any order but this one
    found = [values.mean(1), torch.linalg.vector_norm(values, 1, dim=1) / values.shape[1], mixed]
    return torch.stack(found, dim=1).cpu().numpy()


@lru_cache(maxsize=4)
def _waves(count: int, device: torch.device) -> Tensor:
    """sin(1), sin(2), ... (count,); what many layers need, so that it is not made for each."""
    return torch.sin(torch.arange(1, count + 1, device=device, dtype=torch.float64))


def alike(one: Digest, other: Digest, tolerance: float) -> bool:
    """Whether two digests are of the same values, up to rounding; two that are not finite in the same way are."""
    scale = np.abs(one[:, 1:2])
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= tolerance * np.where(np.isfinite(scale), scale, 0) + 1e-30
    return bool((near | (one == other) | (np.isnan(one) & np.isnan(other))).all())


def look_at(
    model: nn.Module,
    modules: dict[str, nn.Module],
    probe: ProbeImages,
    num_images: int,
    axes: ChannelAxes | None = None,
) -> Pass:
    """One pass over the first images; `axes` follows their channels.

    Raises:
        InputError: If the model cannot take the images.
    """
    found = Pass({}, set(), set())
    made: dict[int, tuple[weakref.ref[Tensor], int]] = {}  # the tensors seen so far, by identity, and their versions
    given_first: dict[int, tuple[weakref.ref[Tensor], int]] = {}  # and those that no watched module had put out

    def given(inputs: Any) -> None:
        for _, tensor in named_tensors(inputs):
            if not _is_same(made.get(id(tensor)), tensor):
                given_first[id(tensor)] = weakref.ref(tensor), _version(tensor)

    def look(call: Call, output: Any, alone: bool, inputs: Any) -> None:
        found.called.add(call.module)
        if not alone:
            found.calling_others.add(call.module)
        taken = {id(tensor) for _, tensor in named_tensors(inputs)}
        for path, tensor in named_tensors(output):
            dense, module, values = is_dense(tensor), modules[call.module], as_values(tensor)
            known = _is_same(made.get(id(tensor)), tensor)
            found.seen[call, path] = Sighting(
                shape=tuple(tensor.shape) if dense else (),
                dtype=values.dtype,
                dense=dense,
                new=not known,
                handed_on=id(tensor) in taken and (known or _is_same(given_first.get(id(tensor)), tensor)),
                digest=digest_of(_by_image(values, num_images)) if dense else np.zeros((2, 3)),
                channel_axis=axes.axis_of(call.module, module, tensor, inputs, alone=alone) if axes and dense else 1,
            )
            made[id(tensor)] = weakref.ref(tensor), _version(tensor)
        forget_dead()

    def forget_dead() -> None:
        alive = {key: tensor for key, (reference, _) in made.items() if (tensor := reference()) is not None}
        for key in set(made) - set(alive):
            del made[key]
        stored = {one.data_ptr(): one.numel() * one.element_size() for one in alive.values() if is_dense(one)}
        found.live_bytes = max(found.live_bytes, sum(stored.values()))

    arguments = probe.arguments(slice(0, num_images))
    for _, tensor in named_tensors([arguments.positional, arguments.named]):
        made[id(tensor)] = weakref.ref(tensor), _version(tensor)
    if axes:
        axes.images([arguments.positional, arguments.named])
    try:
        run_watched(model, arguments, modules, look, given)
    except InputError:
        raise
    except Exception as error:  # whatever a model does with arguments that it was not made for
        shape = tuple(probe.images[:num_images].shape)
        raise InputError(
            f"{type(model).__name__} failed on images of shape {shape}: {type(error).__name__}: {error}. "
            "Check the size, and say by `preprocess` and `inputs` how the model is called."
        ) from error
    return found


def _version(tensor: Tensor) -> int:
    """How often a tensor was changed in place."""
    return 0 if tensor.is_inference() else tensor._version


def _is_same(known: tuple[weakref.ref[Tensor], int] | None, tensor: Tensor) -> bool:
    """Whether it is the tensor that was noted, and was not changed since."""
    return known is not None and known[0]() is tensor and known[1] == _version(tensor)


def _by_image(tensor: Tensor, num_images: int) -> Tensor:
    """The rows of each image put together, where there are several for each."""
    several = tensor.ndim > 1 and len(tensor) > num_images and len(tensor) % num_images == 0
    return tensor.reshape(num_images, -1) if several else tensor
