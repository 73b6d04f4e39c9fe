"""What came out of the grafts of two networks, as numbers that a file holds."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json, write_json
from gapscope.showing import text_table
from gapscope.typed import typed

FORMAT = "gapscope graft 1"
Interval = tuple[float, float] | None
"""Central 95 % over images drawn anew, bias-corrected; None where there is none."""


@dataclass(frozen=True)
class Change:
    """mAP@0.5 of a graft, and what it changed of the network it was made in, over the same draws of images."""

    map50: float
    change: float
    interval: Interval
    """Of the change."""


@dataclass(frozen=True)
class Share:
    """How much of the gap is a block's, 0 to 1 of mAP: a Shapley value."""

    value: float
    interval: Interval
    order_error: float
    """Standard error over the orders that were drawn; 0 where all count."""
    control: float | None
    """The same of the control's blocks in their place."""
    told: bool | None
    """Whether it is surely larger than the control's; None without a control."""


@dataclass(frozen=True)
class BlockResult:
    """One block in all its grafts; a change is against the host, that of `left_out` against all blocks grafted."""

    name: str
    layers: str
    """As ranges: `12-36`."""
    alone: Change
    left_out: Change | None
    """None, as for the two below, where this form was not asked for."""
    from_front: Change | None
    """All blocks up to this one."""
    from_back: Change | None
    """This block and all after it."""
    controls: dict[str, Change]
    """Of `control`, `rewind` and `untrained` those that were made: this block alone from another network."""
    share: Share | None
    verdict: str
    untold: str = ""
    """Why nothing can be told whatever was found; empty where something can."""


@dataclass(frozen=True)
class Grafts:
    """All grafts under one kind of batch statistics."""

    statistics: str
    """`own`: those that the layers brought along; `estimated`: of the graft's own maps."""
    host: float
    """mAP@0.5"""
    all_grafted: float
    gap: float
    """`all_grafted` minus `host`."""
    gap_interval: Interval
    control: float | None
    """mAP@0.5 of the host with all blocks of the control."""
    blocks: tuple[BlockResult, ...]
    orders: int | None
    """How many were drawn for shares; 0 where all count, None where none were asked for."""


@dataclass(frozen=True)
class GraftResult:
    """What `gapscope.graft_blocks` returns; `save` keeps it."""

    about: dict[str, Any]
    """Networks, images, rule, classes, draws, device and what it cost."""
    grafts: tuple[Grafts, ...]

    def __repr__(self) -> str:
        parts = []
        for one in self.grafts:
            caption = f"Grafts with {one.statistics} statistics: host {one.host:.3f}, all blocks {one.all_grafted:.3f}"
            heading = ("block", "layers", "alone", "left out", "verdict")
            rows = [
                (b.name, b.layers, f"{b.alone.change:+.3f}", "-" if out is None else f"{out.change:+.3f}", b.verdict)
                for b in one.blocks
                for out in (b.left_out,)
            ]
            parts.append(text_table(caption, [heading, *rows]))
        return "\n".join(parts)

    def with_facts(self, **facts: Any) -> "GraftResult":
        """The same, with more in `about`."""
        return replace(self, about=self.about | facts)

    def save(self, path: Path | str) -> None:
        """Write JSON, whole or not at all."""
        content = {"format": FORMAT, "about": self.about, "grafts": [asdict(one) for one in self.grafts]}
        write_json(Path(path), content)


def read_grafts(path: Path | str) -> GraftResult:
    """What `GraftResult.save` wrote.

    Raises:
        InputError: The file is missing, broken or something else.
    """
    try:
        content = read_json(Path(path))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        return typed(GraftResult, {name: content[name] for name in ("about", "grafts")})
    except OTHER_CONTENT as error:
        raise InputError(
            f"{path} cannot be read as grafts: {str(error) or type(error).__name__}. Make it again: gapscope graft."
        ) from error
