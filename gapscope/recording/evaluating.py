"""A model in evaluation mode while it is looked at, and handed back as it was."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gapscope.recording.handed_back import remembered


@contextmanager
def evaluating(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode, no gradients, on a device; afterwards everything is as before, also after an error.

    What a forward pass leaves behind in the model is undone too (a cache, a list that grows, parts that it makes or
    replaces, a buffer that it counts in), and so is its use of the global random numbers of torch, numpy and Python.
    """
    before = remembered(model)
    drawn = random.getstate(), np.random.get_state()
    home = home_of(model)
    try:
        if device != home:
            model.to(device)
        for module in model.modules():
            module.training = False
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            torch.no_grad(),
            full_precision(),
        ):
            yield
    finally:
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])
        try:
            if device != home:
                model.to(home)
        finally:
            before.put_back()


@contextmanager
def full_precision() -> Iterator[None]:
    """Products and convolutions of float32 in float32: with TF32 the numbers would depend on the batch size."""
    before, finer = torch.get_float32_matmul_precision(), _fine_precisions()
    try:
        torch.set_float32_matmul_precision("highest")
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
        for place, precision in finer:
            place.fp32_precision = precision


def _fine_precisions() -> list[tuple[Any, str]]:
    """The newer switches beside the one of old, which sets them; older releases of torch have none."""
    places: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
    return [(place, place.fp32_precision) for place in places if hasattr(place, "fp32_precision")]


def home_of(model: nn.Module) -> torch.device:
    """Where a model's first weights are; the CPU if it has none."""
    return next((tensor.device for tensor in _tensors(model)), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """The type of a model's first weights; float32 if it has none."""
    return next((tensor.dtype for tensor in _tensors(model) if tensor.is_floating_point()), torch.float32)


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()
