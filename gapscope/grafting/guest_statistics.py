"""Batch statistics of detectors of other makes, estimated anew on images without labels."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from gapscope.detector.guest_layers import layer_modules
from gapscope.detector.protocol import Guest
from gapscope.errors import InputError
from gapscope.grafting.channel_statistics import as_input, mean_and_variance, mixed

GuestStatistics = Mapping[str, tuple[Tensor, Tensor]]
"""Name of a batch normalization -> mean and variance (c,) of the maps that it normalizes, float32."""

Hear = Callable[[str, nn.BatchNorm2d, Tensor], None]


@torch.no_grad()
def guest_statistics(
    network: Guest, images: Sequence[Tensor], layers: Collection[int] | None = None, keep: float = 0.0
) -> GuestStatistics:
    """What `estimate_statistics` finds, of a detector whose layers run in an order of its own.

    All images go through it in one pass in evaluation mode, and each batch normalization takes what reaches it before
    it normalizes: so its maps come from layers that have their new statistics already. One that a pass calls several
    times, as heads do that look at every level of a pyramid, keeps those of its own.

    Args:
        network: Is left as it was.
        images: Batches (n, 3, h, w) RGB, bytes or float values in 0..1, all of one size.
        layers: Those whose statistics are estimated; all by default.
        keep: Share of the old mean and variance in the new ones, from 0 to 1.

    Raises:
        InputError: There is no image.
    """
    if not sum(len(one) for one in images):
        raise InputError("statistics were to be estimated on 0 images - expected at least one. Give images.")
    copy, found = deepcopy(network).eval(), dict[str, tuple[Tensor, Tensor]]()
    batch = torch.cat([as_input(one) for one in images])
    once = {name for name, calls in _calls(copy, batch[:1], layers).items() if calls == 1}

    def take(name: str, norm: nn.BatchNorm2d, maps: Tensor) -> None:
        if name in once:
            found[name] = mixed(norm, mean_and_variance([maps]), keep)
            set_statistics(norm, found[name])

    with _heard(copy, layers, take):
        copy(batch)
    return found


def with_guest_statistics(network: Guest, statistics: GuestStatistics) -> Guest:
    """A copy of the network with these."""
    copy = deepcopy(network)
    for name, norm in normalizations(copy).items():
        if name in statistics:
            set_statistics(norm, statistics[name])
    return copy


def normalizations(network: Guest, layers: Collection[int] | None = None) -> dict[str, nn.BatchNorm2d]:
    """The batch normalizations with statistics of their own in some layers, by name."""
    found = dict[str, nn.BatchNorm2d]()
    for index, (path, layer) in enumerate(layer_modules(network)):
        if layers is not None and index not in layers:
            continue
        for name, module in layer.named_modules(prefix=path):
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                found[name] = module
    return found


@torch.no_grad()
def set_statistics(norm: nn.BatchNorm2d, statistics: tuple[Tensor, Tensor]) -> None:
    """Give a batch normalization mean and variance (c,)."""
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.copy_(statistics[0])
    norm.running_var.copy_(statistics[1])


def _calls(network: Guest, images: Tensor, layers: Collection[int] | None) -> dict[str, int]:
    """How often a pass calls each batch normalization."""
    calls = dict[str, int]()

    def count(name: str, norm: nn.BatchNorm2d, maps: Tensor) -> None:
        calls[name] = calls.get(name, 0) + 1

    with _heard(network, layers, count):
        network(images)
    return calls


@contextmanager
def _heard(
    network: Guest, layers: Collection[int] | None, hear: Callable[[str, nn.BatchNorm2d, Tensor], None]
) -> Iterator[None]:
    """Within the block, `hear(name, norm, maps)` is called before a batch normalization normalizes."""
    handles = [
        norm.register_forward_pre_hook(lambda module, given, name=name: hear(name, module, given[0]))
        for name, norm in normalizations(network, layers).items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
