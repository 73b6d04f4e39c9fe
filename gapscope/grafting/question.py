"""What is asked of two networks: which blocks are grafted from which networks, and so which grafts are scored."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from gapscope.detector.foreign_starts import begin_from
from gapscope.detector.guests import AnyNetwork, Network, build_guest
from gapscope.detector.network import Darknet, initialize
from gapscope.detector.network_map import backbone_end
from gapscope.detector.protocol import Guest
from gapscope.detector.weights import load_backbone
from gapscope.errors import InputError
from gapscope.grafting.graft import check_fit
from gapscope.grafting.layer_names import Layers
from gapscope.grafting.plan import CONTROL, KINDS, REWIND, UNTRAINED, GraftPlan, Kind, graft_plan


@dataclass(frozen=True)
class Question(GraftPlan):
    """Networks, blocks and all grafts that are to be scored."""

    networks: tuple[Network, ...] = ()
    """Host, donor, then the controls that were asked for."""
    untold: tuple[str, ...] = ()
    """Of each block, why nothing can be told of it whatever is found, such as that there is no second seed to hold it
    against; empty where that is not so. () where it is so of none."""


def question(
    host: Network,
    donor: Network,
    *,
    blocks: str | Sequence[Layers] | None = None,
    forms: Sequence[Kind] = KINDS,
    control: Network | None = None,
    start: Path | Network | None = None,
    untrained: bool = False,
    orders: int = 0,
    seed: int = 0,
) -> Question:
    """Check what is asked for, and say which grafts answer it. Arguments as those of `graft_blocks`.

    Raises:
        InputError: A network does not fit the host, layers are unknown, or the start weights cannot be read.
    """
    if isinstance(host, Darknet) and not host.yolo_layers:
        raise InputError(f"{host.plan.name} has no detection layers - it finds nothing. Use a whole detector.")
    others: Mapping[str, Network | None] = {
        CONTROL: control,
        REWIND: rewound(host, start) if isinstance(start, Path) else start,
        UNTRAINED: drawn_anew(host, seed) if untrained else None,
    }
    check_fit(host, donor)
    given = {name: network for name, network in others.items() if network is not None}
    for name, network in given.items():
        check_fit(host, network, f"{name} network")
    last = backbone_end(host.plan) if isinstance(host, Darknet) else host.map.backbone_last
    known = range(last + 1) if isinstance(start, Path) else None  # heads start at random
    plan = graft_plan(host, blocks=blocks, forms=forms, controls=list(given), rewound=known, orders=orders, seed=seed)
    return Question(**vars(plan), networks=(host, donor, *given.values()))


def rewound(host: AnyNetwork, start: Path) -> AnyNetwork:
    """The host with the backbone that its training started from (Zhang et al. 2019, arXiv:1902.01996).

    Raises:
        InputError: The file cannot be read, or does not fit the host's backbone.
    """
    network = deepcopy(host)
    if isinstance(network, Guest):
        begin_from(network, start, keep_head=False)
    else:
        load_backbone(network, start)
    return network


def drawn_anew(host: AnyNetwork, seed: int) -> AnyNetwork:
    """A network like the host that has learnt nothing: random convolutions, batch normalization as at first."""
    if isinstance(host, Guest):
        settings = {name: value for name, value in host.settings.items() if name != "size"}
        size = int(host.settings["size"])
        drawn = build_guest(host.name, host.class_names, size, seed, **settings, learns=False).eval()
        return cast("AnyNetwork", drawn)
    network = deepcopy(host).cpu()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_parameters()
    initialize(network, torch.Generator().manual_seed(seed))
    return network
