"""A model's graph cut into steps, each from the end of one recorded layer to the end of the next."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from torch import fx

from gapscope.recording.plan import Output
from gapscope.recording.trace import CannotFollowError, Traced


@dataclass(frozen=True)
class Step:
    """What is computed for all images before anything else."""

    nodes: list[fx.Node]
    reads: list[fx.Node]
    """Of earlier steps, in order."""
    hands_on: list[fx.Node]
    """What later steps read."""
    layers: list[tuple[Output, Any]]
    """The layers that are complete at its end, each with what its module's call puts out, in nodes."""


def cut_into_steps(traced: Traced, outputs: list[Output]) -> list[Step]:
    """The graph cut behind every node that completes a wanted layer; what follows the last is left out."""
    complete: dict[fx.Node, list[tuple[Output, Any]]] = defaultdict(list)
    for output in outputs:
        if output.key[0] not in traced.ends:
            raise CannotFollowError(f"layer {output.name} is no part of the graph")
        node, structure = traced.ends[output.key[0]]
        complete[node].append((output, structure))
    pieces: list[list[fx.Node]] = [[]]
    for node in traced.graph.graph.nodes:
        pieces[-1].append(node)
        if node in complete:
            pieces.append([])
    pieces.pop()  # what follows the last layer

    made_in = {node: at for at, piece in enumerate(pieces) for node in piece}
    read_in = [_inputs_of(piece, complete[piece[-1]]) for piece in pieces]
    last_read = {node: at for at, nodes in enumerate(read_in) for node in nodes}
    return [
        Step(
            nodes=piece,
            reads=[node for node in read_in[at] if made_in[node] < at],
            hands_on=[node for node, last in last_read.items() if made_in[node] <= at < last],
            layers=complete[piece[-1]],
        )
        for at, piece in enumerate(pieces)
    ]


def _inputs_of(piece: list[fx.Node], layers: list[tuple[Output, Any]]) -> list[fx.Node]:
    """All nodes that a piece of the graph reads, its own among them, each once."""
    read = [source for node in piece for source in node.all_input_nodes]
    return list(dict.fromkeys([*read, *(node for _, structure in layers for node in nodes_in(structure))]))


def nodes_in(structure: Any) -> list[fx.Node]:
    found: list[fx.Node] = []
    fx.node.map_aggregate(structure, lambda part: found.append(part) if isinstance(part, fx.Node) else None)
    return found
