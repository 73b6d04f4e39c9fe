"""Which PyTorch module computes a line of the table?"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from gapscope.detector.stack import Activation, Layer


def activate(x: Tensor, name: Activation, leak: float) -> Tensor:
    """An activation of a tensor that nobody else holds; it may be overwritten.

    In place is safe for these: neither a convolution nor a normalization nor a sum needs its output for its gradient.
    """
    match name:
        case "linear":
            return x
        case "leaky":
            return F.leaky_relu(x, leak, inplace=True)
        case "relu":
            return F.relu(x, inplace=True)
        case "mish":
            return F.mish(x)
        case "swish":
            return F.silu(x)
        case "logistic":
            return x.sigmoid()


class Convolution(nn.Module):
    """Convolution, then batch normalization (eps 1e-5, momentum 0.1) or a bias, then the activation."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.conv = skip_init(
            nn.Conv2d,
            layer.in_filters,
            layer.filters,
            layer.size,
            stride=layer.step,
            padding=layer.pad,
            groups=layer.groups,
            bias=not layer.normalized,
        )
        self.norm = nn.BatchNorm2d(layer.filters) if layer.normalized else None
        self.activation = layer.activation
        self.leak = layer.leak

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return activate(x if self.norm is None else self.norm(x), self.activation, self.leak)


def add_shared(x: Tensor, other: Tensor) -> Tensor:
    """x (n, c, h, w) with `other` (n, d, i, j) added where both have channels and cells: Darknet's shortcut.

    The channels are the first min(c, d). If `other` has k times the cells along a side, every k-th of them is added; if
    x has, only its every k-th cell gains anything.

    Source: `shortcut_cpu` in blas.c of Redmon's Darknet.
    """
    if x.shape == other.shape:
        return x + other
    shared = min(x.shape[1], other.shape[1])
    sample, stride = max(x.shape[2] // other.shape[2], 1), max(other.shape[2] // x.shape[2], 1)
    added = x.clone()
    added[:, :shared, ::sample, ::sample] += other[:, :shared, ::stride, ::stride]
    return added


class Shortcut(nn.Module):
    """The sum of layers, in the shape of the first."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.activation = layer.activation
        self.leak = layer.leak

    def forward(self, x: Tensor, *earlier: Tensor) -> Tensor:
        for other in earlier:
            x = add_shared(x, other)
        return activate(x, self.activation, self.leak)


class Route(nn.Module):
    """One layer passed on, or several joined along the channels; of each, where it is cut into groups, one part."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.groups, self.part = layer.groups, layer.part

    def forward(self, *inputs: Tensor) -> Tensor:
        if self.groups > 1:
            inputs = tuple(x.chunk(self.groups, dim=1)[self.part] for x in inputs)
        return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=1)


class MaxPool(nn.Module):
    """Maxpool with Darknet's padding: of an odd number of cells the larger half lies right and below."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.size, self.step = layer.size, layer.step
        first = layer.pad // 2
        self.padding = [first, layer.pad - first] * 2

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(x, self.padding, value=-torch.inf), self.size, self.step)


class AveragePool(nn.Module):
    """The mean of each channel, as one cell."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


def layer_module(layer: Layer) -> nn.Module:
    """The module that computes one line of the table; a yolo layer hands on the raw map, nothing decoded."""
    match layer.kind:
        case "conv":
            return Convolution(layer)
        case "shortcut":
            return Shortcut(layer)
        case "route":
            return Route(layer)
        case "upsample":
            return nn.Upsample(scale_factor=layer.factor, mode="nearest")
        case "yolo":
            return nn.Identity()
        case "maxpool":
            return MaxPool(layer)
        case "avgpool":
            return AveragePool()
        case "dropout":
            return nn.Dropout(layer.probability)
        case "softmax":
            return nn.Softmax(dim=1)
