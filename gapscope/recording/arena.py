"""One block of memory for all live activations: which of them lies where, and which must go to a file?

Memory that was used before costs nothing; memory that the system hands out anew is first filled with zeros, which for
all activations of YOLOv3 at 416 pixels takes a twentieth of a recording's time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Arena:
    """Where each layer's output starts, in numbers from the start of the block; layers without a place go to files."""

    places: dict[int, int]
    size: int
    """Numbers in the block."""


Span = tuple[int, int, int, int]
"""Of an output: start, end, first step, last step."""


def plan_arena(
    sizes: Sequence[int],
    last_use: Sequence[int],
    room: int,
    may_overwrite: Mapping[int, Sequence[int]] | None = None,
) -> Arena:
    """Places for outputs so that no two that are alive at the same time overlap.

    Largest first, each at the lowest place that is free during its whole life. Output i is alive from step i to step
    `last_use[i]`, at least through step i.

    Args:
        sizes: Numbers in each output.
        last_use: The last step that reads it.
        room: Numbers that fit in memory; what would reach beyond has no place.
        may_overwrite: By step, the outputs that its own may lie on while it reads them for the last time. It then
            starts where they start: a step that takes image after image never writes past the images it has read.

    Source:
        "Greedy by size", Pisarchyk and Lee 2020, arXiv:2001.03288.
    """
    placed: dict[int, Span] = {}
    for step in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        last, size = max(last_use[step], step), sizes[step]
        alive = {i: span for i, span in placed.items() if span[2] <= last and span[3] >= step}
        start = _lowest_gap(size, alive.values())
        for i in (may_overwrite or {}).get(step, ()):
            others = [span for j, span in alive.items() if j != i]
            if i in alive and last_use[i] == step and size <= sizes[i] and alive[i][0] < start:
                start = alive[i][0] if _is_free(alive[i][0], size, others) else start
        if start + size <= room:
            placed[step] = (start, start + size, step, last)
    return Arena(
        {step: span[0] for step, span in placed.items()}, max((span[1] for span in placed.values()), default=0)
    )


def _lowest_gap(size: int, spans: Iterable[Span]) -> int:
    start = 0
    for other_start, other_end, _, _ in sorted(spans):
        if start + size > other_start:
            start = max(start, other_end)
    return start


def _is_free(start: int, size: int, spans: Iterable[Span]) -> bool:
    return all(start + size <= other_start or other_end <= start for other_start, other_end, _, _ in spans)
