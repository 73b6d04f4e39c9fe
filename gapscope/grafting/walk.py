"""Run many grafts of the same networks at once: what they share from the first layer on is computed once.

A recipe says of each layer which network it is from. Grafts whose recipes begin alike have the same activations there,
so all recipes together are a tree: it is walked from the images to the maps, and where recipes part, each branch goes
on with the activations at the cut.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from gapscope.detector.stack import IMAGE, Layer

if TYPE_CHECKING:  # who reads what grafts came to needs no network for it
    from gapscope.detector.network import Darknet

Recipe = tuple[int, ...]
"""For each layer the number of the network that it is from."""
Held = TypeVar("Held")
Compute = Callable[[Recipe, list[Held]], Held]
"""(recipe up to and with a layer, outputs of the layers it reads) -> output of the layer."""


def walk(
    host: "Darknet", recipes: Iterable[Recipe], images: Held, compute: Compute[Held]
) -> Iterator[tuple[Recipe, list[Held]]]:
    """Every recipe, once, with what its detection layers put out; in the order in which they are ready.

    Args:
        host: Whose layer table all networks share.
        recipes: Each as long as the table.
        images: What layer 0 reads.
        compute: Called once for every beginning that any recipe has.
    """
    table, outputs = host.table, [layer.index for layer in host.yolo_layers]
    last_reader = {source: layer.index for layer in table for source in layer.inputs}
    waiting: list[tuple[int, list[Recipe], dict[int, Held]]] = [(0, sorted(set(recipes)), {IMAGE: images})]
    while waiting:
        index, group, held = waiting.pop()
        while index < len(table):
            branches = sorted({recipe[index] for recipe in group})
            if len(branches) > 1:
                parts = ([recipe for recipe in group if recipe[index] == branch] for branch in branches)
                waiting += [(index, part, dict(held)) for part in parts]
                break
            layer = table[index]
            held[index] = compute(group[0][: index + 1], [held[i] for i in layer.inputs])
            for source in set(layer.inputs):
                if last_reader[source] == index and source not in outputs:
                    del held[source]
            index += 1
        else:
            if group:
                yield group[0], [held[i] for i in outputs]


def beginnings(recipes: Iterable[Recipe]) -> set[Recipe]:
    """All beginnings of the recipes: the layer calls of a walk, one each."""
    return {recipe[: end + 1] for recipe in set(recipes) for end in range(len(recipe))}


def operations(table: Sequence[Layer], size: int) -> list[int]:
    """Multiply-adds of each layer's convolution for one square image of `size` pixels; 0 for the other kinds."""
    return [
        layer.num_features(size) * layer.size**2 * layer.in_filters // layer.groups if layer.kind == "conv" else 0
        for layer in table
    ]


def walk_operations(table: Sequence[Layer], recipes: Iterable[Recipe], size: int) -> int:
    """Multiply-adds of a walk, for one image."""
    each = operations(table, size)
    return sum(each[len(beginning) - 1] for beginning in beginnings(recipes))
