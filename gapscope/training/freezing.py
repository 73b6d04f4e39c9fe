"""What frozen layers still do while the others learn, and the proof that they stayed as they were."""

import hashlib
from collections.abc import Sequence

from torch import nn

from gapscope.config import Train
from gapscope.detector.guest_layers import hash_of_layers, layer_modules
from gapscope.detector.guests import Network


def training_mode(network: Network, bn: str) -> None:
    """Make the network learn: `frozen` keeps the batch statistics of frozen layers, `track` lets them follow.

    With `track`, frozen layers normalize by the statistics of the batch, as the code family of the paper did: their
    outputs, and what they do once training is over, drift with the training images although no weight changes.
    """
    network.train()
    if bn == "track":
        layers = layer_modules(network)
        for index in network.frozen:
            layers[index][1].train()


def frozen_hash(network: Network, layers: Sequence[int], config: Train) -> str:
    """SHA-256 (hex) over what may not change in these layers: weights and, unless tracked, batch statistics."""
    if config.bn == "frozen":
        return hash_of_layers(network, layers)
    digest, modules = hashlib.sha256(), layer_modules(network)
    for index in layers:
        _add(digest, modules[index][1], str(index))
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", layer: nn.Module, name: str) -> None:
    for key, value in layer.named_parameters():
        digest.update(f"{name}.{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
