"""Which layers does `0-4, stage 3, head` mean, and which blocks is a network cut into?"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from gapscope.detector.layers import check_range, layer_ranges
from gapscope.detector.network_map import LayerMap, darknet_map
from gapscope.detector.plans import Plan
from gapscope.errors import InputError

if TYPE_CHECKING:
    from gapscope.detector.guests import Network  # which needs torch: names of layers do not

Layers = str | int | Iterable[int | str]
"""Names, ranges and indices: `"0-4, stage 3"`, `62`, `[0, 1, "head 16"]`."""
Named: TypeAlias = "Network | Plan | LayerMap"
"""A network, what it is made of, or what its layers are: they have names either way."""


@dataclass(frozen=True)
class Part:
    """Layers that are grafted together."""

    name: str
    layers: tuple[int, ...]
    """Indices, rising."""

    @property
    def ranges(self) -> str:
        """`0-4, 62`."""
        return layer_ranges(self.layers)


def layers_named(layers: Layers, network: Named) -> tuple[int, ...]:
    """The indices that are meant, rising, each once; none for an empty text.

    Args:
        layers: Ranges with commas between them, blocks by name (`stage 3`, `head 16`, `backbone`, `head`), or
            indices.
        network: Whose layers are meant.

    Raises:
        InputError: The network has no such layers.
    """
    words = [layers] if isinstance(layers, str | int) else list(layers)
    found: set[int] = set()
    for word in words:
        for one in word.split(",") if isinstance(word, str) else [word]:
            if not isinstance(one, str) or one.strip():
                found |= set(_range_of(one, network))
    return tuple(sorted(found))


def network_blocks(network: Named) -> tuple[Part, ...]:
    """The blocks of a detector, such as the nine of YOLOv3.

    Raises:
        InputError: The network has no detection layers, and so no named blocks.
    """
    found = _map_of(network)
    if found is None:
        raise InputError(
            f"{_name_of(network)} has no named blocks, as YOLOv3 has. Give ranges of its layers "
            f"0-{num_layers(network) - 1}."
        )
    return tuple(Part(block.name, tuple(range(block.first, block.last + 1))) for block in found.blocks)


def parts_named(blocks: str | Sequence[Layers], network: Named) -> tuple[Part, ...]:
    """Blocks as a user names them, in the order of the layers: `"0-4, 5-11, head"` are three.

    Raises:
        InputError: The network has no such layers, there is no block, or two of them share a layer.
    """
    texts = [one for one in blocks.split(",") if one.strip()] if isinstance(blocks, str) else list(blocks)
    parts = [Part(_name(one), layers_named(one, network)) for one in texts]
    parts = sorted((part for part in parts if part.layers), key=lambda part: part.layers)
    if not parts:
        raise InputError("no block of layers is named. Give ranges or blocks, such as '0-4, 5-74, head'.")
    owner: dict[int, str] = {}
    for part in parts:
        for layer in part.layers:
            if layer in owner:
                raise InputError(
                    f"layer {layer} is in two blocks, '{owner[layer]}' and '{part.name}' - each layer may be in one. "
                    "Name blocks that do not overlap."
                )
            owner[layer] = part.name
    return tuple(parts)


def _name(one: Layers) -> str:
    return str(one).strip() if isinstance(one, str | int) else ", ".join(str(i) for i in one)


def _range_of(one: int | str, network: Named) -> range:
    text = " ".join(str(one).split()).lower()
    named = _map_of(network)
    known = named.ranges if named is not None else {}
    if text in known:
        return range(known[text][0], known[text][1] + 1)
    match = re.fullmatch(r"(\d+)(?: ?- ?(\d+))?", text, flags=re.ASCII)
    if match is None:
        names = f", or one of {', '.join(known)}" if known else ""
        raise InputError(f"'{one}' names no layers of {_name_of(network)} - expected an index, a range '0-4'{names}.")
    first, last = int(match[1]), int(match[2] or match[1])
    check_range(first, last, num_layers(network))
    return range(first, last + 1)


def num_layers(network: Named) -> int:
    """How many layers it has."""
    found = _described(network)
    return len(found.layers)


def _map_of(network: Named) -> LayerMap | None:
    """The layers of a detector; None of a network without detection layers."""
    found = _described(network)
    if isinstance(found, LayerMap):
        return found
    return darknet_map(found) if found.classes else None


def _name_of(network: Named) -> str:
    found = _described(network)
    return found.network if isinstance(found, LayerMap) else found.name


def _described(network: Named) -> Plan | LayerMap:
    """What a Darknet network is made of, or what the layers of any other are."""
    if isinstance(network, Plan | LayerMap):
        return network
    found = vars(network)  # a network is no module here, since names do not need torch
    return cast("Plan | LayerMap", found["plan"] if "plan" in found else found["map"])
