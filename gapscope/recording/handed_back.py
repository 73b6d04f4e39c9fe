"""What a model holds, so that it can be put back whatever a forward pass does to it: flags, parts, caches, buffers."""

import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.jit import ScriptModule

LONGEST = 10_000
"""Entries of a list or dictionary that are looked into; of a longer one it is kept only which they are."""
OTHERS = frozenset(sys.stdlib_module_names | {"torch", "torchvision", "numpy"})
"""Packages whose objects look after themselves."""


PLAIN = ("torch.nn.modules.", "gapscope.detector.")
"""Modules whose classes are from here leave nothing behind in evaluation mode."""


def remembered(model: nn.Module) -> "Remembered | Flags":
    """What to put back; of a model that leaves nothing behind the flags alone, which takes a hundredth of the time."""
    return Flags(model) if all(_is_plain(module) for module in model.modules()) else Remembered(model)


def _is_plain(module: nn.Module) -> bool:
    hooked = module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    return type(module).__module__.startswith(PLAIN) and not hooked


class Flags:
    """Which modules of a model are in training mode."""

    def __init__(self, model: nn.Module) -> None:
        self.before = [(module, module.training) for module in model.modules()]

    def put_back(self) -> None:
        """As it was."""
        for module, training in self.before:
            module.training = training


class Remembered:
    """The state of all modules of a model, their parameters' values excepted.

    That is which parts, hooks and attributes each has, what is in its lists, dictionaries, sets and plain objects, and
    the values of buffers and of other tensors and arrays there. Of TorchScript it is the flags and the buffers.
    """

    def __init__(self, model: nn.Module) -> None:
        self.undo: list[Callable[[], None]] = []
        self.met: dict[int, Any] = {}  # holds on to what was met, so that no other object gets its number
        waiting: deque[Any] = deque(model.modules())
        while waiting:
            value = waiting.popleft()
            if id(value) not in self.met:
                self.met[id(value)] = value
                waiting.extend(self._remember(value))

    def put_back(self) -> None:
        """Everything as it was. An error at one module keeps no other from being put back; the first is raised."""
        errors: list[Exception] = []
        for step in self.undo:
            try:
                step()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _remember(self, value: Any) -> Iterable[Any]:
        """Note how to put a value back, and say what is in it."""
        match value:
            case ScriptModule():
                training = value.training
                self.undo.append(lambda: setattr(value, "training", training))
                return value.buffers(recurse=False)
            case nn.Parameter() | type():
                return ()
            case Tensor():
                return self._tensor(value)
            case np.ndarray():
                return self._array(value)
            case dict():
                return self._dict(value)
            case list() | deque():
                return self._sequence(value)
            case set():
                return self._set(value)
            case tuple():
                return _looked_into(value)
            case nn.Module():
                return self._dict(vars(value))
        foreign = type(value).__module__.partition(".")[0] not in OTHERS
        return self._dict(vars(value)) if foreign and hasattr(value, "__dict__") else ()

    def _dict(self, value: dict[Any, Any]) -> Iterable[Any]:
        before = list(value.items())

        def put_back() -> None:
            if not _same(value.items(), before):
                value.clear()
                value.update(before)

        self.undo.append(put_back)
        return _looked_into([held for _, held in before])

    def _sequence(self, value: "list[Any] | deque[Any]") -> Iterable[Any]:
        before = list(value)

        def put_back() -> None:
            if len(value) != len(before) or any(a is not b for a, b in zip(value, before, strict=True)):
                value.clear()
                value.extend(before)

        self.undo.append(put_back)
        return _looked_into(before)

    def _set(self, value: set[Any]) -> Iterable[Any]:
        before = set(value)

        def put_back() -> None:
            value.clear()
            value.update(before)

        self.undo.append(put_back)
        return ()

    def _tensor(self, value: Tensor) -> Iterable[Any]:
        if value.is_nested or value.layout != torch.strided or value.is_meta:
            return ()
        before = value.detach().clone()
        version = None if value.is_inference() else value._version

        def put_back() -> None:
            if version is None or value._version != version:
                with torch.inference_mode(version is None), torch.no_grad():
                    value.copy_(before)

        self.undo.append(put_back)
        return ()

    def _array(self, value: "np.ndarray[Any, Any]") -> Iterable[Any]:
        before = value.copy()

        def put_back() -> None:
            if value.flags.writeable:
                value[...] = before

        self.undo.append(put_back)
        return ()


def _same(items: Iterable[tuple[Any, Any]], before: list[tuple[Any, Any]]) -> bool:
    now = list(items)
    return len(now) == len(before) and all(a is c and b is d for (a, b), (c, d) in zip(now, before, strict=True))


def _looked_into(values: Any) -> Iterable[Any]:
    """What may hold something that changes."""
    if len(values) > LONGEST:
        return ()
    return [value for value in values if not isinstance(value, str | bytes | int | float | bool | None | nn.Module)]
