"""Which grafts are made: each block alone, each left out, from the front, from the back, and the controls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gapscope.grafting.layer_names import Part
from gapscope.grafting.walk import Recipe

HOST, DONOR = 0, 1
"""Numbers of the two networks in every recipe; controls have the numbers from 2 on."""
Kind = Literal["alone", "left out", "from the front", "from the back"]
KINDS: tuple[Kind, ...] = ("alone", "left out", "from the front", "from the back")


@dataclass(frozen=True)
class Planned:
    """One graft of a plan."""

    kind: Kind
    source: int
    """Number of the network that the grafted layers are from."""
    block: int
    """The block that is grafted alone or left out; of a cut, the last from the front or the first from the back."""
    recipe: Recipe


def recipe_of(num_layers: int, parts: Iterable[Part], source: int) -> Recipe:
    """The host with these parts of a network; every other layer is the host's."""
    grafted = {layer for part in parts for layer in part.layers}
    return tuple(source if layer in grafted else HOST for layer in range(num_layers))


def planned(num_layers: int, parts: Sequence[Part], controls: Sequence[int] = ()) -> list[Planned]:
    """All grafts of the donor's blocks, and each control's blocks alone.

    Args:
        num_layers: Of the networks.
        parts: Blocks in the order of the layers. Layers in none of them are the host's in every graft.
        controls: Numbers of further networks.
    """

    def each(kind: Kind, source: int) -> list[Planned]:
        return [
            Planned(kind, source, block, recipe_of(num_layers, chosen(kind, parts, block), source))
            for block in range(len(parts))
        ]

    found = [one for kind in KINDS for one in each(kind, DONOR)]
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
