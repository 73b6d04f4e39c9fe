"""A model in evaluation mode while it is looked at, and handed back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode, no gradients, on a device; afterwards everything is as before, also after an error.

    What a forward pass leaves behind in the model's attributes (a cache, say) is undone too, and so is its use of the
    global random numbers.
    """
    before = [(module, dict(vars(module)), dict(module._buffers)) for module in model.modules()]
    home = home_of(model)
    try:
        if device != home:
            model.to(device)
        for module, _, _ in before:
            module.training = False
        # TF32 would make the numbers depend on the batch size
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            torch.no_grad(),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        ):
            yield
    finally:
        if device != home:
            model.to(home)
        for module, attributes, buffers in before:
            vars(module).clear()
            vars(module).update(attributes)
            module._buffers.clear()
            module._buffers.update(buffers)


def home_of(model: nn.Module) -> torch.device:
    """Where a model's first weights are; the CPU if it has none."""
    return next((tensor.device for tensor in _tensors(model)), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """The type of a model's first weights; float32 if it has none."""
    return next((tensor.dtype for tensor in _tensors(model) if tensor.is_floating_point()), torch.float32)


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()
