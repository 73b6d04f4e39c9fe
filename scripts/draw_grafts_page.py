"""A run with grafts of two arms in each other -> a figure and the tables of docs/results/where-the-gap-lives.md.

    python scripts/draw_grafts_page.py runs/road-vs-carla u-synthetic u-real docs/results/where-the-gap-lives/road-u.png

The figure: how different the layers of the two arms are, how well each tells the domains apart, and what each block
changes, put in alone, in either direction; two seeds beside each other. The tables are printed as Markdown.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from limits.pictures import drawn, write_picture
from matplotlib.axes import Axes

from gapscope.findings import find
from gapscope.findings.estimates import Estimate
from gapscope.findings.grafts import GraftedPart
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.findings.three_curves import BOUND, COST, DIFFERENT, ThreeCurves
from gapscope.plot.style import BANDS, COLORS, DASHES, STYLE, Plot, legend_below

SEEDS = (0, 1)
BETWEEN = [(DIFFERENT, COST), (BOUND, COST), (DIFFERENT, BOUND)]


def main() -> None:
    """Draw, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("host", help="the arm that does worse")
    parser.add_argument("donor", help="the arm that does better")
    parser.add_argument("figure", type=Path)
    asked = parser.parse_args()
    results = read_results(asked.run)
    every = [one for one in find(results).three_curves if one.pair.statistics == "own"]
    names = (asked.host, asked.donor)
    into = {
        host: [one for one in every if (one.pair.host.arm, one.pair.donor.arm) == (host, donor)]
        for host, donor in (names, names[::-1])
    }
    write_picture(drawn(figure_of(results, into)), asked.figure)
    for found in into.values():
        print("\n".join(table_of(results, found)), "\n")
    print("\n".join(ranks_of(results, [one for found in into.values() for one in found])))
    other = [one for one in find(results).three_curves if one.pair.statistics == "estimated"]
    for found in ([one for one in other if one.pair.host.arm == host] for host in into):
        if found:
            print("\nstatistics estimated anew\n")
            print("\n".join(table_of(results, found)))


def figure_of(results: Results, into: dict[str, list[ThreeCurves]]) -> Plot:
    """Four panels below each other on one axis of layers."""
    with mpl.rc_context(STYLE):
        figure = Plot(7.0, 7.6)
        panels = list(figure.subplots(4, 1, sharex=True))
        first = next(iter(into.values()))
        _draw_different(panels[0], first)
        _draw_bound(panels[1], results, [one for found in into.values() for one in found])
        for axes, found in zip(panels[2:], into.values(), strict=True):
            _draw_changes(axes, results, found)
        ends = [part.layers[-1] + 0.5 for part in first[0].pair.parts]
        for axes in panels:
            for end in ends[:-1]:
                axes.axvline(end, color="#dddddd", linewidth=0.6, zorder=0)
        for part in first[0].pair.parts:
            place = (part.layers[0] + part.layers[-1]) / 2
            label = part.name.replace("stage ", "s").replace("stem", "")
            panels[0].text(place, 1.02, label, transform=panels[0].get_xaxis_transform(), ha="center", fontsize=6.5)
        panels[-1].set(xlabel="layer", xlim=(-1, ends[-1] + 0.5))
        figure.align_ylabels(panels)
        labelled = [axes.get_legend_handles_labels() for axes in panels]
        known = {name: handle for handles, names in labelled for handle, name in zip(handles, names, strict=True)}
        legend_below(figure, list(known.values()), list(known))
    return figure


def _draw_different(axes: Axes, found: Sequence[ThreeCurves]) -> None:
    for at, one in enumerate(found):
        axes.plot(one.different, color=COLORS[0], linestyle=DASHES[at], label="seed 1" if at else "seed 0")
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(ylabel="how different:\nceiling - CKA")


def _draw_bound(axes: Axes, results: Results, every: Sequence[ThreeCurves]) -> None:
    for one in every:
        if one.bound is None:
            continue
        color = COLORS[1 if one.pair.host.arm == every[0].pair.host.arm else 2]
        title = results.arm_title(one.pair.host.arm)
        shown: Any = {"color": color, "linestyle": DASHES[SEEDS.index(one.pair.host.seed)]}
        axes.plot(
            one.bound.value, label=f"{title} (dashed: seed 1)" if one.pair.host.seed == SEEDS[0] else None, **shown
        )
        axes.fill_between(
            np.arange(len(one.bound.value)), one.bound.floor_low, one.bound.floor_high, color=BANDS["floor"], alpha=0.3
        )
    axes.set(ylabel="how domain-bound:\nCKA with labels")


def _draw_changes(axes: Axes, results: Results, found: Sequence[ThreeCurves]) -> None:
    for at, one in enumerate(found):
        for part in one.pair.parts:
            first, last = part.layers[0] - 0.4, part.layers[-1] + 0.4
            room = (last - first) / len(found)
            place = first + (at + 0.5) * room
            color = COLORS[3 + at]
            look: Any = {"facecolor": color if part.told else "white", "edgecolor": color, "linewidth": 0.8}
            axes.bar(place, 100 * part.alone.value, 0.86 * room, **look)
            axes.plot([place, place], [100 * part.alone.low, 100 * part.alone.high], color="black", linewidth=0.7)
            if part.control is not None:
                axes.plot(place, 100 * part.control.value, marker="x", color="black", markersize=4)
        axes.bar(0, 0, 0, color=COLORS[3 + at], label=f"a block alone, seed {one.pair.host.seed}")
    axes.bar(0, 0, 0, facecolor="white", edgecolor="#555555", label="cannot be told")
    axes.plot([], [], marker="x", color="black", linestyle="", markersize=4, label="control: another seed's block")
    host, donor = (results.arm_title(name) for name in (found[0].pair.host.arm, found[0].pair.donor.arm))
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(ylabel=f"{donor}'s in\n{host},\nAP points")


def table_of(results: Results, found: Sequence[ThreeCurves]) -> Iterator[str]:
    """A row for each block; for each seed what it changes, what the control and a rewound block do, and the verdict."""
    pair = found[0].pair
    for one in found:
        whole = f"{points(one.pair.gap)}, all blocks of the control {100 * (one.pair.control_map50 or 0):.1f}"
        yield (
            f"{results.arm_title(pair.donor.arm)} into {results.arm_title(pair.host.arm)}, seed {one.pair.host.seed}: "
            f"{100 * one.pair.host_map50:.1f} -> {100 * one.pair.all_grafted:.1f}, {whole}, n = {one.pair.num_images}\n"
        )
    others = [name for name in ("left_out", "control", "rewind") if any(getattr(part, name) for part in pair.parts)]
    each = ["alone", *(name.replace("_", " ") for name in others), "verdict"]
    names = ["block", "layers", *(f"different, {s}" for s in SEEDS), *(f"{name}, {s}" for s in SEEDS for name in each)]
    yield "| " + " | ".join(names) + " |"
    yield "| " + " | ".join("---" for _ in names) + " |"
    for at, part in enumerate(pair.parts):
        layers = list(part.layers)
        cells = [part.name, f"{layers[0]}-{layers[-1]}" if len(layers) > 1 else f"{layers[0]}"]
        cells += [f"{np.nanmean(one.different[layers]):.2f}" for one in found]
        for one in found:
            cells += _cells(one.pair.parts[at], others)
        yield "| " + " | ".join(cells) + " |"


def _cells(part: GraftedPart, others: Sequence[str]) -> Iterator[str]:
    yield points(part.alone)
    for name in others:
        yield bare(getattr(part, name))
    yield part.verdict if part.verdict in ("no change", "cannot be told") else f"**{part.verdict}**"


def points(found: Estimate) -> str:
    """AP points with their interval."""
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f}, {100 * found.high:+.1f})"


def bare(found: Estimate | None) -> str:
    """AP points alone."""
    return "-" if found is None else f"{100 * found.value:+.1f}"


def ranks_of(results: Results, every: Sequence[ThreeCurves]) -> Iterator[str]:
    """A row for each direction and seed."""
    yield "| into | seed | least alike | costs most | told | different, cost | bound, cost | different, bound |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in every:
        told = sum(part.told for part in one.pair.parts)
        cells = [results.arm_title(one.pair.host.arm), str(one.pair.host.seed), one.least_alike, one.costliest or "-"]
        cells.append(f"{told} of {len(one.pair.parts)}")
        for key in BETWEEN:
            rank = one.ranks.get(key)
            known = rank is not None and np.isfinite(rank.rho)
            cells.append(f"{rank.rho:+.2f}, p {rank.p_either:.2f}, {rank.layers} layers" if rank and known else "-")
        yield "| " + " | ".join(cells) + " |  " + one.answer


if __name__ == "__main__":
    main()
