"""Averages of weights: a moving one, which is steadier than the weights themselves, and that of several networks."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from gapscope.detector.guest_layers import layer_modules
from gapscope.detector.guests import AnyNetwork, Network


class WeightAverage:
    """average = decay * average + (1 - decay) * weights after every step; the first step's weights start it.

    Batch statistics are averaged as weights are. What does not change is not averaged: an average of equal values turns
    -0.0 into 0.0, and frozen layers must stay as they are, bit for bit.

    Attributes:
        network: Holds the average.
    """

    def __init__(self, network: Network, decay: float, *, frozen_statistics: bool = True) -> None:
        """
        Args:
            network: What is trained, on the device where it is trained.
            decay: From 0 to 1; the average remembers about 1 / (1 - decay) steps.
            frozen_statistics: Whether the batch statistics of frozen layers stay as they are.
        """
        self.network = deepcopy(network)
        self.decay, self.updates = decay, 0
        theirs, ours = dict(network.named_parameters()), dict(self.network.named_parameters())
        pairs: list[tuple[Tensor, Tensor]] = [
            (ours[name], value) for name, value in theirs.items() if value.requires_grad
        ]
        layers = [f"{name}." for name, _ in layer_modules(network)]
        still = {layers[index] for index in network.frozen} if frozen_statistics else set()
        for name, value in network.named_buffers():
            if name.startswith(tuple(layers)) and not any(name.startswith(prefix) for prefix in still):
                pairs.append((self.network.get_buffer(name), value))
        self._floats = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        ours, theirs = _columns(self._floats)
        if self.updates:
            torch._foreach_lerp_(ours, theirs, 1 - self.decay)
        else:
            torch._foreach_copy_(ours, theirs)
        if self._counts:
            torch._foreach_copy_(*_columns(self._counts))
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "network": self.network.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        self.network.load_state_dict(state["network"])


@torch.no_grad()
def average_of(networks: Sequence[AnyNetwork], shares: Sequence[float]) -> AnyNetwork:
    """sum_i share_i * network_i over all weights and batch statistics, in float64, handed on in float32.

    The statistics that such a network would need are other ones (see `estimate_statistics`), since the average of maps
    is not the map of the average. A network whose share is 1 comes back bit for bit.

    Args:
        networks: Of the same layers, from one start: the average of weights that did not begin alike means nothing.
        shares: One for each, 0 or more, 1 in all; those with 0 are not looked at.

    Source:
        Wortsman et al. 2022, arXiv:2109.01903 (averages of two ends of a training), arXiv:2203.05482 (of several).
    """
    parts = [(network, share) for network, share in zip(networks, shares, strict=True) if share]
    average = deepcopy(parts[0][0])
    if len(parts) > 1:
        states = [(network.state_dict(), share) for network, share in parts]
        layers = tuple(f"{name}." for name, _ in layer_modules(average))
        for name, value in average.state_dict().items():
            if name.startswith(layers) and value.is_floating_point():
                value.copy_(sum(share * state[name].double() for state, share in states))
    return average


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]
