"""What is asked of two networks: which blocks are grafted from which networks, and so which grafts are scored."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gapscope.detector.network import Darknet, initialize
from gapscope.detector.weights import load_backbone
from gapscope.errors import InputError
from gapscope.grafting.graft import check_fit
from gapscope.grafting.layer_names import PARTS, Layers, Part, network_blocks, parts_named
from gapscope.grafting.plan import DONOR, Planned, planned, recipe_of
from gapscope.grafting.shares import Coalition, coalitions, sampled_orders
from gapscope.grafting.walk import Recipe

CONTROL, REWIND, UNTRAINED = "control", "rewind", "untrained"


@dataclass(frozen=True)
class Question:
    """Networks, blocks and all grafts that are to be scored."""

    networks: tuple[Darknet, ...]
    """Host, donor, then the controls that were asked for."""
    controls: dict[str, int]
    """`control`, `rewind`, `untrained` -> number of its network."""
    parts: tuple[Part, ...]
    plan: tuple[Planned, ...]
    orders: NDArray[np.int64] | None
    """(orders, blocks) in which blocks are grafted for shares; (0, blocks) for all orders, None for no shares."""

    @property
    def num_layers(self) -> int:
        return len(self.networks[0].table)

    def coalition(self, blocks: Coalition, source: int) -> Recipe:
        """The host with these blocks of a network."""
        return recipe_of(self.num_layers, [self.parts[block] for block in blocks], source)

    @property
    def share_sources(self) -> list[int]:
        """Whose shares are taken: the donor's, and the control's with them."""
        control = [self.controls[CONTROL]] if CONTROL in self.controls else []
        return [] if self.orders is None else [DONOR, *control]

    @property
    def recipes(self) -> list[Recipe]:
        """All grafts, each once; the host itself and the host with all blocks are among them."""
        every = range(len(self.parts))
        found = {one.recipe for one in self.plan}
        found |= {self.coalition(frozenset(), DONOR), self.coalition(frozenset(every), DONOR)}
        if CONTROL in self.controls:
            found.add(self.coalition(frozenset(every), self.controls[CONTROL]))
        if self.orders is not None:
            sets = coalitions(len(self.parts), self.orders)
            found |= {self.coalition(some, source) for some in sets for source in self.share_sources}
        return sorted(found)


def question(
    host: Darknet,
    donor: Darknet,
    *,
    blocks: str | Sequence[Layers] | None = None,
    control: Darknet | None = None,
    start: Path | None = None,
    untrained: bool = False,
    orders: int = 0,
    seed: int = 0,
) -> Question:
    """Check what is asked for, and say which grafts answer it. Arguments as those of `graft_blocks`.

    Raises:
        InputError: A network does not fit the host, layers are unknown, or the start weights cannot be read.
    """
    if not host.yolo_layers:
        raise InputError(f"{host.plan.name} has no detection layers - it finds nothing. Use a whole detector.")
    if orders < 0 or orders == 1:
        raise InputError(f"{orders} orders for shares - expected 0 for none, or at least 2, which an error needs.")
    others: Mapping[str, Darknet | None] = {
        CONTROL: control,
        REWIND: None if start is None else rewound(host, start),
        UNTRAINED: drawn_anew(host, seed) if untrained else None,
    }
    networks, controls = [host, donor], {}
    check_fit(host, donor)
    for name, network in others.items():
        if network is not None:
            check_fit(host, network, f"{name} network")
            controls[name] = len(networks)
            networks.append(network)
    parts = network_blocks(host) if blocks is None else parts_named(blocks, host)
    plan = planned(len(host.table), parts, list(controls.values()))
    if REWIND in controls:  # heads start at random, which no file holds
        in_file = {one for one, part in enumerate(parts) if part.layers[-1] <= PARTS["backbone"][1]}
        plan = [one for one in plan if one.source != controls[REWIND] or one.block in in_file]
    drawn = sampled_orders(len(parts), orders, np.random.default_rng(seed)) if orders else None
    return Question(tuple(networks), controls, parts, tuple(plan), drawn)


def rewound(host: Darknet, start: Path) -> Darknet:
    """The host with the backbone that its training started from (Zhang et al. 2019, arXiv:1902.01996).

    Raises:
        InputError: The file cannot be read, or does not fit the host's backbone.
    """
    network = deepcopy(host)
    load_backbone(network, start)
    return network


def drawn_anew(host: Darknet, seed: int) -> Darknet:
    """A network like the host that has learnt nothing: random convolutions, batch normalization as at first."""
    network = deepcopy(host).cpu()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_parameters()
    initialize(network, torch.Generator().manual_seed(seed))
    return network
