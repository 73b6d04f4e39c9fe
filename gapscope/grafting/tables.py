"""The grafts of two networks as a terminal and a notebook show them."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gapscope.grafting.cost import Cost
from gapscope.grafting.plan import CONTROL, REWIND, UNTRAINED
from gapscope.grafting.result import Change, GraftResult, Grafts, Interval, Share
from gapscope.grafting.verdicts import CANNOT_BE_TOLD, VERDICTS
from gapscope.words import duration, number_of, percent

TITLES = {
    "own": "with the batch statistics that layers bring along",
    "estimated": "with batch statistics estimated anew on unlabelled images",
}
MEANINGS = {
    "alone": "mAP@0.5 of the host with this block of the donor",
    "left out": "of the host with all blocks of the donor but this one",
    CONTROL: "of the host with this block of another seed of its arm: what any foreign part changes",
    "alone - host": "with its 95 % interval",
    "front": "of the host with all blocks of the donor up to this one",
    "back": "of the host with this block of the donor and all after it",
    REWIND: "of the host with this block as it was before training",
    UNTRAINED: "of the host with this block as if it had learnt nothing",
    "share": "of the gap, a Shapley value",
}
"""Column -> what stands in it."""


def graft_tables(result: GraftResult) -> list[Table]:
    """For each kind of batch statistics a table of blocks alone and left out, and one of all else; 80 letters wide."""
    return [table for one in result.grafts for table in (_first_table(one), _second_table(one))]


def graft_notes(result: GraftResult) -> list[str]:
    """Sentences that belong below the tables."""
    about, first = result.about, result.grafts[0]
    controls = _controls(first)
    shown = [name for name in MEANINGS if name not in (CONTROL, REWIND, UNTRAINED, "share") or name in controls]
    shown += ["share"] if first.orders is not None else []
    lines = [f"{name}: {MEANINGS[name]}" for name in shown]
    lines += [
        f"{word}: {VERDICTS[word]}" for word in sorted({one.verdict for some in result.grafts for one in some.blocks})
    ]
    lines.append(
        f"Intervals: from the {number_of(about['num_images'], 'image')} drawn anew {about['draws']} times; they do not "
        "hold what other trainings would change. Intervals are of single blocks, verdicts of all blocks together."
    )
    if CONTROL not in controls:
        lines.append("No control was given: what any foreign part changes is not known. Give another seed: --control.")
    if first.orders:
        lines.append(f"Shares are means over {first.orders} drawn orders; the standard error over orders is behind +-.")
    return lines


def cost_lines(cost: Cost) -> list[str]:
    """What `--plan` prints."""
    kinds = "" if cost.kinds == 1 else f", each with {cost.kinds} kinds of batch statistics"
    return [
        f"{number_of(cost.grafts, 'network')} to evaluate{kinds}, {duration(cost.seconds_of_one)} for one alone",
        f"layers to compute for a batch of images: {cost.layer_calls:,} of {cost.layer_calls_apart:,} "
        f"({percent(cost.operations)} of the multiply-adds), since grafts share what they have in common from "
        "layer 0 on",
        f"about {duration(cost.seconds)} here, going by the first images",
    ]


def _first_table(grafts: Grafts) -> Table:
    gap = _with_interval(grafts.gap, grafts.gap_interval)
    control = "" if grafts.control is None else f", of the control {grafts.control:.3f}"
    title = f"Grafts {TITLES[grafts.statistics]}\n"
    title += f"host {grafts.host:.3f}; with all blocks of the donor {grafts.all_grafted:.3f}{control}\ngap {gap}"
    controls = [name for name in _controls(grafts) if name == CONTROL]
    table = _empty(title, ["alone", "left out", *controls, "alone - host"])
    table.add_column("verdict", no_wrap=True)
    for one in grafts.blocks:
        changes = [one.alone, one.left_out, *(one.controls.get(name) for name in controls)]
        table.add_row(one.name, *_scores(changes), _with_interval(one.alone.change, one.alone.interval), one.verdict)
    return table


def _second_table(grafts: Grafts) -> Table:
    others = [name for name in _controls(grafts) if name != CONTROL]
    shares = ["share"] if grafts.orders is not None else []
    table = _empty("Cuts and the rest, likewise", ["layers", "front", "back", *others, *shares])
    for one in grafts.blocks:
        changes = [one.from_front, one.from_back, *(one.controls.get(name) for name in others)]
        share = [] if one.share is None else [share_text(one.share)]
        table.add_row(one.name, one.layers, *_scores(changes), *share)
    return table


def _empty(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("block", overflow="fold", min_width=8)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _scores(changes: Sequence[Change | None]) -> list[str]:
    return ["-" if one is None else f"{one.map50:.3f}" for one in changes]


def share_text(share: Share) -> str:
    """`+0.031 +-0.004`; no number where the control's share is as large."""
    if share.told is False:
        return CANNOT_BE_TOLD
    return f"{share.value:+.3f}" + (f" +-{share.order_error:.3f}" if share.order_error else "")


def _controls(grafts: Grafts) -> list[str]:
    made = {name for block in grafts.blocks for name in block.controls}
    return [name for name in (CONTROL, REWIND, UNTRAINED) if name in made]


def _with_interval(value: float, interval: Interval) -> str:
    return f"{value:+.3f}" + ("" if interval is None else f" ({interval[0]:+.3f}, {interval[1]:+.3f})")
