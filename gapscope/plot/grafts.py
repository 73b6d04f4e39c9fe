"""What each block of one network does in another, along the layers: bars with intervals, controls beside them."""

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from gapscope.errors import InputError
from gapscope.grafting.result import BlockResult, Change, GraftResult, Grafts
from gapscope.grafting.verdicts import CANNOT_BE_TOLD, NO_CHANGE
from gapscope.plot.lines import along_layers
from gapscope.plot.style import (
    COLORS,
    HATCHES,
    SMALLEST_TEXT,
    TWO_COLUMNS,
    Plot,
    fitted,
    legend_below,
    style_of,
)

KINDS = {
    "own": "with the statistics that layers bring along",
    "estimated": "with statistics estimated anew",
}


def graft(result: GraftResult, *, title: str = "", width: float = TWO_COLUMNS) -> Plot:
    """What the donor's blocks change in the host, each alone, over the layers that they stand for.

    A bar for each block is as wide as its layers are many; beside it stands what the same block of the controls changes
    (another seed, rewound, untrained). A bar without colour says nothing of the donor: the
    change is not sure, or the control's is as large. Whiskers are 95 % intervals over the images; the dashed line is
    the whole gap.

    Args:
        result: What `gapscope.graft_blocks` returned, or `gapscope.read_grafts` read.
        title: Above the figure.
        width: Inches.

    Raises:
        InputError: If something else is given.
    """
    if not isinstance(result, GraftResult):
        raise InputError(f"a {type(result).__name__} holds no grafts. Give what gapscope.graft_blocks returned.")
    high = 1.9 if width < 5 else 2.3
    labels = list(range(result.about["num_layers"]))
    figure, panels, _ = along_layers(labels, width, 1.3 + high * len(result.grafts), panels=len(result.grafts))
    with mpl.rc_context(style_of(width)):
        for axes, grafts in zip(panels, result.grafts, strict=True):
            _draw(axes, grafts, width)
        if title:
            panels[0].set_title(fitted(title, mpl.rcParams["axes.titlesize"], width - 0.6))
        legend_below(figure, *panels[0].get_legend_handles_labels())
    return figure


def _draw(axes: Axes, grafts: Grafts, width: float) -> None:
    names = ["alone", *dict.fromkeys(name for block in grafts.blocks for name in block.controls)]
    for number, name in enumerate(names):
        for block in grafts.blocks:
            change = block.alone if name == "alone" else block.controls.get(name)
            if change is not None:
                _bar(axes, block, change, number, len(names))
        color = COLORS[number % len(COLORS)]
        meaning = "the donor's block" if name == "alone" else f"the {name}'s" if name == "control" else name
        axes.bar(0, 0, 0, color=color, hatch=HATCHES[number], edgecolor="white", linewidth=0, label=meaning)
    axes.bar(0, 0, 0, facecolor="white", edgecolor=COLORS[0], linewidth=0.6, label="nothing can be told of it")
    axes.axhline(0, color="black", linewidth=0.7)
    axes.axhline(grafts.gap, color="#555555", linewidth=0.9, linestyle="--", label="the whole gap")
    axes.set_ylabel("change of mAP@0.5" if width >= 5 else "change")
    note = KINDS[grafts.statistics]
    axes.text(0.01, 0.98, note, transform=axes.transAxes, ha="left", va="top", fontsize=SMALLEST_TEXT, color="#333333")
    low, upper = axes.get_ylim()
    axes.set_ylim(low - 0.03 * (upper - low), upper + 0.14 * (upper - low))


def _bar(axes: Axes, block: BlockResult, change: Change, number: int, count: int) -> None:
    """The block's layers, side by side for each network that its layers are from."""
    first, last = _ends(block)
    room = (last - first + 1) * 0.94 / count
    place = first - 0.5 + (last - first + 1) * 0.03 + (number + 0.5) * room
    color = COLORS[number % len(COLORS)]
    untold = number == 0 and block.verdict in (CANNOT_BE_TOLD, NO_CHANGE)
    look: Any = {"facecolor": "white" if untold else color, "edgecolor": color if untold else "white"}
    axes.bar(place, change.change, room, hatch=HATCHES[number], linewidth=0.6, **look)
    if change.interval is not None:
        axes.plot([place, place], change.interval, color="black", linewidth=0.8)


def _ends(block: BlockResult) -> tuple[int, int]:
    numbers = [int(number) for part in block.layers.split(", ") for number in part.split("-")]
    return min(numbers), max(numbers)
