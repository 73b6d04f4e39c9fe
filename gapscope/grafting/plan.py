"""Which grafts are made: each block alone, each left out, from the front, from the back, and the controls."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gapscope.config import GraftForm
from gapscope.errors import InputError
from gapscope.grafting.layer_names import Layers, Named, Part, network_blocks, num_layers, parts_named
from gapscope.grafting.shares import Coalition, coalitions, sampled_orders
from gapscope.grafting.walk import Recipe

HOST, DONOR = 0, 1
"""Numbers of the two networks in every recipe; controls have the numbers from 2 on."""
Kind = GraftForm
KINDS: tuple[Kind, ...] = ("alone", "left out", "from the front", "from the back")
CONTROL, REWIND, UNTRAINED = "control", "rewind", "untrained"


@dataclass(frozen=True)
class Planned:
    """One graft of a plan."""

    kind: Kind
    source: int
    """Number of the network that the grafted layers are from."""
    block: int
    """The block that is grafted alone or left out; of a cut, the last from the front or the first from the back."""
    recipe: Recipe


@dataclass(frozen=True)
class GraftPlan:
    """Blocks and all grafts that are to be scored, whatever the networks hold."""

    num_layers: int
    controls: dict[str, int]
    """`control`, `rewind`, `untrained` -> number of its network."""
    parts: tuple[Part, ...]
    plan: tuple[Planned, ...]
    orders: NDArray[np.int64] | None
    """(orders, blocks) in which blocks are grafted for shares; (0, blocks) for all orders, None for no shares."""

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


def graft_plan(
    network: Named,
    *,
    blocks: str | Sequence[Layers] | None = None,
    forms: Sequence[Kind] = KINDS,
    controls: Sequence[str] = (),
    rewound: Collection[int] | None = None,
    orders: int = 0,
    seed: int = 0,
) -> GraftPlan:
    """Which grafts answer a question; arguments as those of `graft_blocks`.

    Args:
        network: A network of the kind that is grafted, or what it is made of.
        controls: Of `control`, `rewind` and `untrained` those that are there, in this order.
        rewound: The layers whose start is known; None for all. A block with another layer is not rewound.

    Raises:
        InputError: Layers are unknown, or the forms or orders are not what they can be.
    """
    if orders < 0 or orders == 1:
        raise InputError(f"{orders} orders for shares - expected 0 for none, or at least 2, which an error needs.")
    if unknown := [one for one in forms if one not in KINDS]:
        raise InputError(f"there is no form of grafts '{unknown[0]}'. Choose from: {', '.join(KINDS)}.")
    if "alone" not in forms:
        raise InputError("forms of grafts lack 'alone', which verdicts rest on. Add it.")
    parts = network_blocks(network) if blocks is None else parts_named(blocks, network)
    numbers = {name: DONOR + 1 + at for at, name in enumerate(controls)}
    plan = planned(num_layers(network), parts, list(numbers.values()), forms)
    if REWIND in numbers and rewound is not None:
        known = {one for one, part in enumerate(parts) if set(part.layers) <= set(rewound)}
        plan = [one for one in plan if one.source != numbers[REWIND] or one.block in known]
    drawn = sampled_orders(len(parts), orders, np.random.default_rng(seed)) if orders else None
    return GraftPlan(num_layers(network), numbers, parts, tuple(plan), drawn)


def recipe_of(num_layers: int, parts: Iterable[Part], source: int) -> Recipe:
    """The host with these parts of a network; every other layer is the host's."""
    grafted = {layer for part in parts for layer in part.layers}
    return tuple(source if layer in grafted else HOST for layer in range(num_layers))


def planned(
    num_layers: int, parts: Sequence[Part], controls: Sequence[int] = (), forms: Sequence[Kind] = KINDS
) -> list[Planned]:
    """All grafts of the donor's blocks, and each control's blocks alone.

    Args:
        num_layers: Of the networks.
        parts: Blocks in the order of the layers. Layers in none of them are the host's in every graft.
        controls: Numbers of further networks.
        forms: In which the donor's blocks are grafted.
    """

    def each(kind: Kind, source: int) -> list[Planned]:
        return [
            Planned(kind, source, block, recipe_of(num_layers, chosen(kind, parts, block), source))
            for block in range(len(parts))
        ]

    found = [one for kind in KINDS if kind in forms for one in each(kind, DONOR)]
    return found + [one for source in controls for one in each("alone", source)]


def chosen(kind: Kind, parts: Sequence[Part], block: int) -> Sequence[Part]:
    """The blocks that a graft takes from the other network."""
    match kind:
        case "alone":
            return parts[block : block + 1]
        case "left out":
            return [*parts[:block], *parts[block + 1 :]]
        case "from the front":
            return parts[: block + 1]
        case "from the back":
            return parts[block:]
