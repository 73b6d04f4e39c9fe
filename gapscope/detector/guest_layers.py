"""The layers of any network that a study trains, Darknet's or a guest's: frozen, hashed and averaged alike."""

import hashlib
from collections.abc import Iterable

from torch import nn

from gapscope.detector.network import Darknet, freeze_layers as freeze_darknet
from gapscope.detector.protocol import Guest


def layer_modules(network: Darknet | Guest) -> list[tuple[str, nn.Module]]:
    """Every layer with its name among the network's modules, in order."""
    if isinstance(network, Darknet):
        return [(f"layers.{index}", layer) for index, layer in enumerate(network.layers)]
    return [(f"model.{path}", network.model.get_submodule(path)) for path in network.paths]


def freeze_any(network: Darknet | Guest, layers: Iterable[int]) -> None:
    """Stop layers from learning, for good: neither weights nor batch statistics change."""
    if isinstance(network, Darknet):
        freeze_darknet(network, layers)
        return
    network.frozen |= frozenset(layers)
    modules = layer_modules(network)
    for index in network.frozen:
        modules[index][1].requires_grad_(False)
    network.train(network.training)


def hash_of_layers(network: Darknet | Guest, layers: Iterable[int]) -> str:
    """SHA-256 (hex) over the weights and the batch statistics of layers, in the order that is given.

    It does not depend on the device or the memory format.
    """
    digest, modules = hashlib.sha256(), layer_modules(network)
    for index in layers:
        for name, value in modules[index][1].state_dict().items():
            digest.update(f"{index}.{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
