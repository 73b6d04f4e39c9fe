"""Which axis of a layer's output counts the channels? The others are places, over which channels are averaged.

Nothing in a tensor says so, and networks mix both orders: Swin keeps its maps as (n, h, w, c), ConvNeXt goes from one
order to the other and back in each block. What a module says of itself is evidence where the number occurs in the
shape; values that come again in another order are; and what neither tells goes by what the layer was given.
"""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gapscope.recording.outputs import as_values, is_dense, named_tensors

FIRST = ("out_channels", "num_features", "num_channels")
"""What modules call their number of channels that usually stand behind the images."""
LAST = ("out_features", "normalized_shape", "embed_dim", "embedding_dim")
"""And of channels that usually stand at the end."""
EQUAL = 1e-5
"""How far means of the same values may be apart, as a share of the largest: float32 rounds."""
DIFFERENT = 1e-3
"""How far a layer's channels must be apart to be told from each other, likewise."""


@dataclass(frozen=True)
class _Seen:
    """A tensor whose channels are known."""

    shape: tuple[int, ...]
    """Of one row."""
    axis: int
    means: NDArray[np.float64]
    """(c,) of each channel over rows and places; empty where they tell no channels apart."""
    inside: str
    """The name of the module that put it out."""


class ChannelAxes:
    """Follows the channels through one forward pass, call by call in the order in which the calls end."""

    def __init__(self) -> None:
        self.seen: list[_Seen] = []
        self.by_tensor: dict[int, tuple[weakref.ref[Tensor], int]] = {}

    def images(self, given: Any) -> None:
        """What the model itself is given; (n, 3, h, w) has three channels."""
        for _, tensor in named_tensors(given):
            if tensor.ndim == 4 and tensor.shape[1] == 3:
                self._keep(tensor, 1, "")

    def axis_of(self, name: str, module: nn.Module, tensor: Tensor, given: Any, *, alone: bool) -> int:
        """The axis of an output of a module that counts the channels, from 1 on.

        Args:
            name: What the module is called.
            tensor: (rows, ...); where it has one axis beside the rows, that is the one.
            given: What the module was called with.
            alone: No other module was called inside.
        """
        axis = self._find(name, module, tensor, given, alone)
        self._keep(tensor, axis, name)
        return axis

    def _find(self, name: str, module: nn.Module, tensor: Tensor, given: Any, alone: bool) -> int:
        if tensor.ndim <= 2:
            return 1
        shape = tuple(tensor.shape[1:])
        inner = (one.axis for one in reversed(self.seen) if one.shape == shape and one.inside.startswith(name + "."))
        found = chain(
            _own(module, tensor, alone),
            self._again(tensor),
            () if alone else inner,
            self._from_inputs(shape, given),
            (one.axis for one in reversed(self.seen) if one.shape == shape),
            (tensor.ndim - 1 if tensor.ndim == 3 else 1,),
        )
        return next(iter(found))

    def _again(self, tensor: Tensor) -> Iterable[int]:
        """The axis along which the means are those of an earlier tensor's channels: it was permuted, cut or pooled."""
        means = {axis: _means(tensor, axis) for axis in range(1, tensor.ndim)} if _readable(tensor) else {}
        for one in reversed(self.seen):
            axes = [axis for axis, own in means.items() if len(one.means) and _alike(own, one.means)]
            if len(axes) == 1:
                yield axes[0]

    def _from_inputs(self, shape: tuple[int, ...], given: Any) -> Iterable[int]:
        for _, tensor in named_tensors(given):
            axis = self._known(tensor)
            if axis is None:
                continue
            before = tuple(tensor.shape[1:])
            places = [at for at, size in enumerate(shape, start=1) if size == tensor.shape[axis]]
            moved = len(places) == 1 and (len(before) != len(shape) or sorted(before) == sorted(shape))
            if moved and axis not in places:
                yield places[0]
            elif len(before) == len(shape):
                yield axis

    def _known(self, tensor: Tensor) -> int | None:
        reference, axis = self.by_tensor.get(id(tensor), (lambda: None, 0))
        if reference() is tensor:
            return axis
        return next(iter(self._again(tensor)), None) if tensor.ndim > 2 else None

    def _keep(self, tensor: Tensor, axis: int, name: str) -> None:
        means = _means(tensor, axis) if _readable(tensor) and axis < tensor.ndim else np.empty(0)
        told = len(means) > 1 and np.ptp(means) > DIFFERENT * np.abs(means).max()  # False with NaN too
        self.seen.append(_Seen(tuple(tensor.shape[1:]), axis, means if told else np.empty(0), name))
        self.by_tensor[id(tensor)] = weakref.ref(tensor), axis


def _own(module: nn.Module, tensor: Tensor, alone: bool) -> Iterable[int]:
    """What the module's own numbers say, where they occur in the shape."""
    for names, usual in ((LAST, tensor.ndim - 1), (FIRST, 1)):
        for width in (_width(getattr(module, name, None)) for name in names):
            axes = [axis for axis in range(1, tensor.ndim) if tensor.shape[axis] == width]
            if len(axes) == 1:
                yield axes[0]
            elif axes and alone:
                yield from _normalized(module, tensor, axes) if names is LAST else ()
                if usual in axes:
                    yield usual


def _width(value: Any) -> int | None:
    """A number of channels, also as the only entry of a list; nothing else, such as a list of names."""
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _normalized(module: nn.Module, tensor: Tensor, axes: list[int]) -> Iterable[int]:
    """Of axes of equal length the one along which a normalization has made the mean square 1, if that is one alone."""
    if not hasattr(module, "normalized_shape"):
        return
    weight, bias = (getattr(module, name, None) for name in ("weight", "bias"))
    fitting = []
    for axis in axes:
        values = as_values(tensor).double().movedim(axis, -1)
        values = values if bias is None else values - bias.double()
        values = values if weight is None else values / weight.double()
        if bool(((values**2).mean(-1) - 1).abs().median() < 0.01):
            fitting.append(axis)
    if len(fitting) == 1:
        yield fitting[0]


def _readable(tensor: Tensor) -> bool:
    return (tensor.is_floating_point() or tensor.is_quantized) and is_dense(tensor) and tensor.numel() > 0


def _means(tensor: Tensor, axis: int) -> NDArray[np.float64]:
    """(c,) means over all other axes."""
    others = [other for other in range(tensor.ndim) if other != axis]
    return as_values(tensor).mean(others, dtype=torch.float64).cpu().numpy()


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return len(one) == len(other) and bool((np.abs(one - other) <= EQUAL * np.abs(other).max()).all())
