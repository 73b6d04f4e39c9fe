"""Put layers of one network into another: a new network, neither of the two is changed."""

from copy import deepcopy
from dataclasses import replace

import torch

from gapscope.detector.guests import AnyNetwork, Network
from gapscope.detector.network import Darknet
from gapscope.detector.protocol import Guest
from gapscope.detector.stack import LEAK
from gapscope.errors import InputError
from gapscope.grafting.guest_grafts import check_guests_fit, put_layers
from gapscope.grafting.layer_names import Layers, layers_named


def graft(host: AnyNetwork, donor: AnyNetwork, layers: Layers) -> AnyNetwork:
    """The host with some layers of the donor: their weights, batch statistics and slopes.

    Args:
        host: What the graft is put into; the new network is in its mode and on its device.
        donor: Where the layers come from: a network of the same layers, classes and anchors.
        layers: Ranges (`"0-4, 62-74"`), blocks of the network by name (YOLOv3's `"stage 3, head 16"`; `"backbone"`,
            `"head"`), or indices.

    Raises:
        InputError: The networks do not fit each other, or have no such layers.

    All layers make the donor:

    >>> from gapscope.detector.network import fingerprint, yolov3
    >>> host, donor = (yolov3(2, 0.02, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    >>> fingerprint(graft(host, donor, "backbone, head")) == fingerprint(donor)
    True
    """
    check_fit(host, donor)
    chosen = layers_named(layers, host)
    network = deepcopy(host)
    if isinstance(network, Guest):
        assert isinstance(donor, Guest)
        put_layers(network, donor, chosen)
        return network
    assert isinstance(donor, Darknet)
    for index in chosen:
        network.layers[index].load_state_dict(donor.layers[index].state_dict())
    network.set_leaks({index: donor.table[index].leak for index in chosen})
    return network


def check_fit(host: Network, donor: Network, name: str = "donor") -> None:
    """Refuse two networks of which one cannot take the other's layers.

    Args:
        name: What the second one is called.

    Raises:
        InputError: Their layers, shapes, classes or anchors differ.
    """
    if isinstance(host, Guest) and isinstance(donor, Guest):
        check_guests_fit(host, donor, name)
        return
    if isinstance(host, Guest) or isinstance(donor, Guest):
        raise InputError(
            f"the host is {_kind(host)}, the {name} {_kind(donor)} - both must be the same network. Graft between "
            "networks of one kind."
        )
    if len(host.table) != len(donor.table):
        raise InputError(
            f"the host is {host.plan.name} of {len(host.table)} layers, the {name} {donor.plan.name} of "
            f"{len(donor.table)} - both must be the same network. Graft between networks of one kind."
        )
    if host.class_names != donor.class_names:
        raise InputError(
            f"the host knows the classes {', '.join(host.class_names)}, the {name} {', '.join(donor.class_names)} - "
            "both must know the same ones in the same order. Graft between networks of one study."
        )
    for one, other in zip(host.table, donor.table, strict=True):
        if replace(one, leak=LEAK) != replace(other, leak=LEAK):
            raise InputError(
                f"layer {one.index} is a {one.kind} of {one.filters} channels in the host and a {other.kind} of "
                f"{other.filters} in the {name} - both must be the same. Graft between networks of one width and plan."
            )
    if not torch.equal(host.anchors.cpu(), donor.anchors.cpu()):
        raise InputError(
            f"host and {name} have other anchors, so that a detection layer of one means other boxes in the other. "
            "Graft between networks of one study."
        )


def _kind(network: Network) -> str:
    return network.plan.name if isinstance(network, Darknet) else network.name
