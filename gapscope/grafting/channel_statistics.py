"""Mean and variance of each channel, which batch normalizations keep."""

from collections.abc import Sequence

import torch
from torch import Tensor


def mean_and_variance(maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Of each channel over all maps (n, c, h, w), taken in float64 and handed on in float32."""
    count = sum(one.numel() // one.shape[1] for one in maps)
    mean = sum(one.double().sum((0, 2, 3)) for one in maps) / count
    assert isinstance(mean, Tensor)
    squares = sum((one.double() - mean[:, None, None]).square().sum((0, 2, 3)) for one in maps)
    assert isinstance(squares, Tensor)
    return mean.float(), (squares / count).float()


def mixed(norm: torch.nn.BatchNorm2d, found: tuple[Tensor, Tensor], keep: float) -> tuple[Tensor, Tensor]:
    """Mean and variance (c,) of which this share is the layer's own; with 0 those that were found, bit for bit."""
    if not keep:
        return found
    assert norm.running_mean is not None and norm.running_var is not None
    mean, variance = found
    return torch.lerp(mean, norm.running_mean, keep), torch.lerp(variance, norm.running_var, keep)


def as_input(images: Tensor) -> Tensor:
    """Bytes as float values in 0..1."""
    return images if images.is_floating_point() else images.float() / 255
