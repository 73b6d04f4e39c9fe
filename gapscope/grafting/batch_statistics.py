"""Batch statistics of a network, or of many grafts, estimated anew on images without labels.

A layer that was put into another network gets other inputs than those its batch statistics were gathered from. So each
graft may be asked twice: with the statistics its layers brought along, and with those of its own maps.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from gapscope.detector.guests import AnyNetwork
from gapscope.detector.modules import Convolution, activate
from gapscope.detector.network import Darknet, check_images
from gapscope.detector.protocol import Guest
from gapscope.errors import InputError
from gapscope.grafting.channel_statistics import as_input, mean_and_variance, mixed
from gapscope.grafting.guest_statistics import guest_statistics, with_guest_statistics
from gapscope.grafting.walk import Recipe, walk

Statistics = Mapping[Recipe, tuple[Tensor, Tensor]]
"""Beginning of a recipe -> mean and variance (c,) of the maps that its last layer normalizes, float32."""


@torch.no_grad()
def estimate_statistics(
    network: AnyNetwork, images: Tensor | Sequence[Tensor], layers: Collection[int] | None = None, keep: float = 0.0
) -> AnyNetwork:
    """The network with the mean and variance of its own maps over all these images as batch statistics.

    Layer by layer in order: a layer's maps come from layers that have their new statistics already. Both are taken in
    float64 over all images and cells; the variance is the mean squared deviation. The network itself stays as it is.

    Args:
        network: Is copied; the copy is in its mode.
        images: (n, 3, h, w) RGB, bytes or float values in 0..1, or a list of such batches. All maps of the layers that
            are still to be read are held at once.
        layers: Whose statistics are estimated; the others keep theirs. All by default.
        keep: Share of the old mean and variance in the new ones, from 0 to 1.

    Raises:
        InputError: There is no image, or the images do not fit the network.

    Source:
        Li et al. 2016, arXiv:1603.04779 (AdaBN), with exact statistics in place of running ones; mixed with the old
        ones as in Schneider et al. 2020, arXiv:2006.16971.
    """
    batches = [images] if isinstance(images, Tensor) else images
    if isinstance(network, Guest):
        found_in_pass = guest_statistics(network, batches, layers, keep)
        return cast("AnyNetwork", with_guest_statistics(network, found_in_pass))
    estimated = deepcopy(network).eval()
    recipe = (0,) * len(network.table)
    found = recipe_statistics([estimated], [recipe], batches, layers, keep)
    for beginning, (mean, variance) in found.items():
        norm = normalization(estimated, len(beginning) - 1)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
    estimated.train(network.training)
    return estimated


@torch.no_grad()
def recipe_statistics(
    networks: Sequence[Darknet],
    recipes: Iterable[Recipe],
    images: Sequence[Tensor],
    layers: Collection[int] | None = None,
    keep: float = 0.0,
) -> Statistics:
    """The statistics of every normalized layer of all recipes, those of shared beginnings once.

    Args:
        networks: What the recipes number, in evaluation mode.
        images: Batches, as `estimate_statistics` takes them, on the networks' device.
        layers: Those that are estimated; all by default.
        keep: Share of a layer's own statistics in what is found, from 0 to 1.
    """
    batches = [as_input(one) for one in images]
    if not sum(len(one) for one in batches):
        raise InputError("statistics were to be estimated on 0 images - expected at least one. Give images.")
    for one in batches:
        check_images(one, networks[0].largest_stride)
    found: dict[Recipe, tuple[Tensor, Tensor]] = {}

    def compute(beginning: Recipe, inputs: list[list[Tensor]]) -> list[Tensor]:
        network, index = networks[beginning[-1]], len(beginning) - 1
        module = network.layers[index]
        estimated = layers is None or index in layers
        if not isinstance(module, Convolution) or module.norm is None or not estimated:
            return [network.run_layer(index, *one) for one in zip(*inputs, strict=True)]
        maps = [module.conv(one) for one in inputs[0]]
        found[beginning] = mixed(module.norm, mean_and_variance(maps), keep)
        return [normalized(module, one, found[beginning]) for one in maps]

    for _ in walk(networks[0], recipes, batches, compute):
        pass
    return found


def normalized(module: Convolution, maps: Tensor, statistics: tuple[Tensor, Tensor]) -> Tensor:
    """What a convolution layer makes of its maps (n, c, h, w) under other batch statistics than its own."""
    norm = module.norm
    assert norm is not None
    x = F.batch_norm(maps, *statistics, norm.weight, norm.bias, False, 0.0, norm.eps)
    return activate(x, module.activation, module.leak)


def layer_output(
    networks: Sequence[Darknet], beginning: Recipe, inputs: Sequence[Tensor], statistics: Statistics
) -> Tensor:
    """What the last layer of a recipe's beginning puts out, with the batch statistics given for it or else its own."""
    network, index = networks[beginning[-1]], len(beginning) - 1
    module, given = network.layers[index], statistics.get(beginning)
    if given is None:
        return network.run_layer(index, *inputs)
    assert isinstance(module, Convolution)
    return normalized(module, module.conv(inputs[0]), given)


def normalization(network: Darknet, index: int) -> torch.nn.BatchNorm2d:
    """The batch normalization of a layer that has one."""
    module = network.layers[index]
    assert isinstance(module, Convolution) and module.norm is not None
    return module.norm
