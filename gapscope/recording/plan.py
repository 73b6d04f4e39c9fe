"""What can be recorded of a model? A few passes over the first images tell, and say why the rest cannot.

Three passes are made: two over the first two images, which must agree, and one over the first three. An output is a
layer if its first axis follows the number of images, its other axes stay, and an image's values do not depend on
which other images are in the batch.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gapscope.errors import InputError
from gapscope.recording.calls import Call, module_names, run_watched
from gapscope.recording.outputs import named_tensors
from gapscope.recording.probe_images import ProbeImages

SAME = 1e-5
"""How far two passes over one batch may be apart, as a share of the mean absolute value."""
ALIKE = 1e-3
"""The same for two batches that share images: kernels round differently with the batch size, and layers add to it."""

Digest = NDArray[np.float64]
"""(up to 2 images, 3): mean, mean absolute value and a weighted sum of an image's values."""
Key = tuple[Call, str]
"""A call and the way to one tensor in its output."""


@dataclass(frozen=True)
class Output:
    """One tensor that a model puts out for every batch of images: a layer."""

    key: Key
    name: str
    """The module's name; with `#0`, `#1` where it is called more than once, and the way to one of several tensors."""
    kind: str
    """The module's class."""
    shape: tuple[int, ...]
    """Of one image."""
    channel_axis: int
    """Which axis of the batch's tensor counts the channels; the others, but for the first, are places."""
    usual: bool
    """Recorded unless asked otherwise: no other module is called inside, or the tensor is none that one inside made."""
    digest: Digest

    @property
    def num_features(self) -> int:
        """Numbers per image."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class RecordingPlan:
    """The layers of a model, in the order in which they are computed."""

    outputs: tuple[Output, ...]
    skipped: dict[str, str]
    """What cannot be recorded, by name, with the reason."""
    leaves: frozenset[str]
    """Modules that call no others."""


@dataclass(frozen=True)
class _Sighting:
    """What one pass showed of one tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    dense: bool
    new: bool
    digest: Digest


@dataclass
class _Pass:
    seen: dict[Key, _Sighting]
    called: set[str]
    calling_others: set[str]


def explore(model: nn.Module, probe: ProbeImages) -> RecordingPlan:
    """Find the layers of a model that is in evaluation mode.

    Raises:
        InputError: If the model cannot take the images, or two passes over the same images differ.
    """
    modules = module_names(model)
    first, again, larger = (_look(model, modules, probe, num) for num in (2, 2, 3))
    keys = [*first.seen, *(key for key in larger.seen if key not in first.seen)]
    labels = _labels(keys, modules)
    _refuse_randomness(first, again, labels)

    leaves = first.called - first.calling_others
    skipped: dict[str, str] = {}
    outputs: list[Output] = []
    for key in keys:
        one, name, module = first.seen.get(key), labels[key], modules[key[0].module]
        reason = _reason_against(one, larger.seen.get(key))
        if reason or one is None:
            skipped[name] = reason
            continue
        shape = one.shape[1:]
        axis, usual = _channel_axis(module, shape, outputs), one.new or key[0].module in leaves
        outputs.append(Output(key, name, type(module).__name__, shape, axis, usual, one.digest))
    for name, module in modules.items():
        if name not in first.called and not any(module.children()):
            skipped[name] = "is never called"
    return RecordingPlan(tuple(outputs), skipped, frozenset(leaves))


def digest_of(rows: Tensor) -> Digest:
    """Three numbers for each of the first two rows, in float64; rows with other values or another order have others."""
    values = rows[:2] if rows.ndim else rows.reshape(1)
    values = (torch.view_as_real(values) if values.is_complex() else values).double()
    values = values.reshape(len(values), -1) if values.numel() else values.new_zeros(len(values), 1)
    weights = torch.sin(torch.arange(1, values.shape[1] + 1, device=values.device, dtype=torch.float64))
    mixed = (values * weights).sum(1) / values.shape[1] ** 0.5  # of the size of the values, in any order but this one
    found = [values.mean(1), values.abs().mean(1), mixed]
    return torch.stack(found, dim=1).cpu().numpy()


def alike(one: Digest, other: Digest, tolerance: float) -> bool:
    """Whether two digests are of the same values, up to rounding; two that are not finite in the same way are."""
    scale = np.abs(one[:, 1:2])
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= tolerance * np.where(np.isfinite(scale), scale, 0) + 1e-30
    return bool((near | (one == other) | (np.isnan(one) & np.isnan(other))).all())


def _look(model: nn.Module, modules: dict[str, nn.Module], probe: ProbeImages, num_images: int) -> _Pass:
    """One pass over the first images."""
    found = _Pass({}, set(), set())
    made: dict[int, tuple[weakref.ref[Tensor], int]] = {}  # the tensors seen so far, by identity, and their versions

    def look(call: Call, output: Any, alone: bool) -> None:
        found.called.add(call.module)
        if not alone:
            found.calling_others.add(call.module)
        for path, tensor in named_tensors(output):
            version = 0 if tensor.is_inference() else tensor._version  # counts changes in place
            known, then = made.get(id(tensor), (lambda: None, -1))
            dense = tensor.layout == torch.strided and not tensor.is_nested
            found.seen[call, path] = _Sighting(
                shape=tuple(tensor.shape) if dense else (),
                dtype=tensor.dtype,
                dense=dense,
                new=known() is not tensor or then != version,
                digest=digest_of(tensor) if dense else np.zeros((2, 3)),
            )
            made[id(tensor)] = weakref.ref(tensor), version

    arguments = probe.arguments(slice(0, num_images))
    try:
        run_watched(model, arguments, modules, look)
    except InputError:
        raise
    except Exception as error:  # whatever a model does with arguments that it was not made for
        shape = tuple(probe.images[:num_images].shape)
        raise InputError(
            f"{type(model).__name__} failed on images of shape {shape}: {type(error).__name__}: {error}. "
            "Check the size, and say by `preprocess` and `inputs` how the model is called."
        ) from error
    return found


def _labels(keys: Sequence[Key], modules: dict[str, nn.Module]) -> dict[Key, str]:
    """What the outputs are called, each differently.

    Modules that are called more than once get a number. Where the way to a tensor reads like another module, as `.0` of
    a list of blocks that puts out a list, `()` tells them apart.
    """
    found: dict[Key, str] = {}
    often = {call.module for call, _ in keys if call.number}
    taken = set(modules)
    whole = "output"
    while whole in modules:
        whole += "_"
    for call, path in keys:
        label = (call.module or whole) + (f"#{call.number}" if call.module in often else "")
        while path and label + path in taken:
            label += "()"
        taken.add(label + path)
        found[call, path] = label + path
    return found


def _refuse_randomness(first: _Pass, again: _Pass, labels: dict[Key, str]) -> None:
    for key, one in first.seen.items():
        other = again.seen.get(key)
        if other is None or one.shape != other.shape or not alike(one.digest, other.digest, SAME):
            raise InputError(
                f"layer {labels[key]} puts out something else each time it sees the same images: the model draws "
                "random numbers, or remembers earlier images, in evaluation mode too. Switch that off to record it."
            )


def _reason_against(one: _Sighting | None, other: _Sighting | None) -> str:
    """Why a tensor, seen for 2 images and for 3, is no layer; empty if it is one."""
    if one is None or other is None:
        return "is there for some numbers of images only"
    if not one.dense:
        return "is sparse or nested"
    if not one.dtype.is_floating_point:
        return f"holds {str(one.dtype).removeprefix('torch.')} values, which are no activations"
    if one.shape[:1] != (2,) or other.shape[:1] != (3,):
        return f"has the shapes {one.shape} for 2 images and {other.shape} for 3: its rows are not the images"
    if one.shape[1:] != other.shape[1:]:
        return f"has the shapes {one.shape} for 2 images and {other.shape} for 3: its features vary"
    if 0 in one.shape:
        return "is empty"
    if not alike(one.digest, other.digest, ALIKE):
        return "an image's values depend on the other images of the batch"
    return ""


def _channel_axis(module: nn.Module, shape: tuple[int, ...], earlier: list[Output]) -> int:
    """Where the channels are: modules that mix or scale channels know; others keep what came before in that shape."""
    if hasattr(module, "out_features") or hasattr(module, "normalized_shape"):
        return len(shape)
    if hasattr(module, "out_channels") or hasattr(module, "num_features") or len(shape) < 2:
        return 1
    known = (output.channel_axis for output in reversed(earlier) if output.shape == shape)
    return next(known, len(shape) if len(shape) == 2 else 1)
