"""A layer's output, written straight to where it is kept: copying all activations once more would cost time."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gapscope.detector.modules import Convolution, Route, Shortcut
from gapscope.detector.network import Darknet


def writes_directly(network: Darknet) -> bool:
    """Whether `run_into` does what the network does: not if a subclass has its own way to run a layer."""
    return type(network).run_layer is Darknet.run_layer


def run_into(target: Tensor, network: Darknet, index: int, inputs: Sequence[Tensor]) -> None:
    """What `network.run_layer(index, *inputs)` gives, in `target` (b, c, h, w): the last step of a layer writes there.

    The arithmetic is the same, to the last bit. Inputs stay as they are.
    """
    module = network.layers[index]
    match module:
        case Convolution(norm=norm, activation="leaky", leak=leak):
            x = module.conv(inputs[0])
            torch.ops.aten.leaky_relu.out(x if norm is None else norm(x), leak, out=target)
        case Shortcut(activation="linear") if len(inputs) == 2 and inputs[0].shape == inputs[1].shape:
            torch.add(*inputs, out=target)
        case Route(groups=1) if len(inputs) > 1:
            at = 0
            for part in inputs:
                target[:, at : at + part.shape[1]] = part
                at += part.shape[1]
        case _:
            target.copy_(network.run_layer(index, *inputs))
