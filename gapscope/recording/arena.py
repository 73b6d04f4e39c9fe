"""One block of memory for all live activations: which of them lies where, and which must go to a file?

Memory that was used before costs nothing; memory that the system hands out anew is first filled with zeros, which for
all activations of YOLOv3 at 416 pixels takes a twentieth of a recording's time.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Arena:
    """Where each layer's output starts, in numbers from the start of the block; layers without a place go to files."""

    places: dict[int, int]
    size: int
    """Numbers in the block."""


def plan_arena(sizes: Sequence[int], last_use: Sequence[int], room: int) -> Arena:
    """Places for outputs so that no two that are alive at the same time overlap.

    Largest first, each at the lowest place that is free during its whole life. Output i is alive from step i to step
    `last_use[i]`, at least through step i.

    Args:
        sizes: Numbers in each output.
        last_use: The last step that reads it.
        room: Numbers that fit in memory; what would reach beyond has no place.

    Source:
        "Greedy by size", Pisarchyk and Lee 2020, arXiv:2001.03288.
    """
    placed: list[tuple[int, int, int, int]] = []  # start, end, first step, last step
    places: dict[int, int] = {}
    for step in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        last = max(last_use[step], step)
        start = 0
        for other_start, other_end, born, died in sorted(placed):
            if born <= last and died >= step and start + sizes[step] > other_start:
                start = max(start, other_end)
        if start + sizes[step] <= room:
            placed.append((start, start + sizes[step], step, last))
            places[step] = start
    return Arena(places, max((end for _, end, _, _ in placed), default=0))
