"""Which tensors are in what a module puts out, and what are they called?"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def named_tensors(value: Any, name: str = "", inside: frozenset[int] = frozenset()) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a module's output, with the way that leads to it, in order.

    The parts of lists and tuples are called `.0`, `.1`, those of named tuples and of other objects by their
    attribute, `.tensors`, and those of mappings by their key, `[logits]`. A tensor alone is called `name`.

    Args:
        value: What a module returned: a tensor, a list, a tuple, a mapping, an object with attributes, or these in
            each other. Anything else holds no tensors.
        name: What the output itself is called.
        inside: Identities of the objects around the value; an object inside itself is entered once.
    """
    if isinstance(value, Tensor):
        yield name, value
        return
    if id(value) in inside:
        return
    for step, part in _parts(value):
        yield from named_tensors(part, name + step, inside | {id(value)})


def is_dense(tensor: Tensor) -> bool:
    """Whether all of a tensor's values lie in memory: it is neither sparse nor nested."""
    return tensor.layout == torch.strided and not tensor.is_nested


def as_values(tensor: Tensor) -> Tensor:
    """The tensor, or of a quantized one the values that it stands for."""
    return tensor.dequantize() if tensor.is_quantized else tensor


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object is made of, and what leads there."""
    if isinstance(value, Mapping):
        yield from ((f"[{key}]", part) for key, part in value.items())
    elif isinstance(value, tuple | list):
        names = getattr(value, "_fields", range(len(value)))
        yield from ((f".{key}", part) for key, part in zip(names, value, strict=True))
    elif hasattr(value, "__dict__") and not isinstance(value, nn.Module | type):
        yield from ((f".{key}", part) for key, part in vars(value).items())
