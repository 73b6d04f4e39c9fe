"""A moving average of the weights, which is steadier than the weights themselves."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from gapscope.detector.network import YOLOv3


class WeightAverage:
    """average = decay * average + (1 - decay) * weights after every step; the first step's weights start it.

    Batch statistics are averaged as weights are. What does not change is not averaged: an average of equal values turns
    -0.0 into 0.0, and frozen layers must stay as they are, bit for bit.

    Attributes:
        network: Holds the average.
    """

    def __init__(self, network: YOLOv3, decay: float, *, frozen_statistics: bool = True) -> None:
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
        still = {f"layers.{index}." for index in network.frozen} if frozen_statistics else set()
        for name, value in network.named_buffers():
            if name.startswith("layers.") and not any(name.startswith(prefix) for prefix in still):
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


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]
