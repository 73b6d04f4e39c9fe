"""A study of several networks on one page: are its gap and its findings one network's, or everyone's?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gapscope.findings.answer import Answer
from gapscope.findings.estimates import Estimate
from gapscope.findings.freezing import FreezingChange, freezing_changes
from gapscope.findings.result_tables import UNDEFINED
from gapscope.findings.results import Results
from gapscope.page.embedding import embed
from gapscope.page.grid_packing import pack_cells
from gapscope.page.page import page_environment
from gapscope.several.chart_numbers import several_data, shared_sizes
from gapscope.several.cross_grids import CrossGrid, cross_grids, matches_by_part, order_kept
from gapscope.several.dots import Axis, Dots, axis_of, dots
from gapscope.several.limits import OF_NETWORKS, limits
from gapscope.several.line_up import SideBySide
from gapscope.several.network_csv import network_csv
from gapscope.several.network_gaps import Differences, NetworkDifference, network_differences
from gapscope.several.network_sentences import gaps_in_order, has_not_learned, network_answers
from gapscope.several.run_gaps import RunGap
from gapscope.several.runs import Run, arm_title
from gapscope.several.several_page import ANSWERS, data_uri, gap_numbers, statement_rows
from gapscope.several.several_sentences import letters, with_interval
from gapscope.several.statements_by_parts import BY_PARTS

SECTIONS = (
    ("gap", "Gap", "Is the gap one network's, or everyone's?"),
    ("where", "Where", "Is it at the same place in every network?"),
    ("across", "Across", "What do layers of one network share with those of another?"),
    ("networks", "Networks", "What does each network say by itself?"),
    ("limits", "Limits", "What is not compared, and why?"),
)
"""Id, title and question, in the page's order; each is a template in templates/networks/."""


@dataclass(frozen=True, eq=False)
class GapTable:
    """One gap network by network, the differences between networks, and where their dots stand."""

    title: str
    axis: Axis
    rows: list[tuple[RunGap, Dots]]
    differences: list[tuple[NetworkDifference, Dots]]
    apart: Axis


def render_networks(results: Results, side: SideBySide, *, linked: bool = True) -> str:
    """The page's HTML.

    Args:
        results: Of all networks.
        side: The same network by network.
        linked: Whether the pages of single networks are there to be linked.
    """
    environment = page_environment("gapscope.several")
    environment.globals |= {"with_interval": with_interval, "letters": letters}
    crossed = cross_grids(results, side.runs)
    differences = network_differences(side)
    data = several_data(side) | {"maps": list(map(_map, crossed))}
    html = environment.get_template("networks.html.j2").render(
        results=results,
        side=side,
        runs=side.runs,
        sections=[(id, title) for id, title, _ in SECTIONS],
        questions=SECTIONS,
        embedded=embed(environment.get_template("several.js.j2").render(), data),
        answers={one.key: one for one in network_answers(side, differences)},
        gaps=list(_gap_tables(side, differences)),
        freezing=_freezing(side),
        scores=list(_scores(side)),
        pairs=data["pairs"],
        maps=data["maps"],
        sizes=shared_sizes(side),
        arm_title=lambda arm: arm_title(side.runs, arm),
        statements=list(statement_rows(side)),
        by_parts=BY_PARTS,
        verdicts=ANSWERS,
        crossed=[(one, order_kept(one), list(matches_by_part(one))) for one in crossed],
        pages=list(network_pages(side)),
        limits=[*_not_compared(side, crossed), *limits(side, OF_NETWORKS)],
        unlearned=[run for run in side.runs if has_not_learned(run)],
        linked=linked,
        files=[(name, text, data_uri(text)) for name, text in network_csv(side, differences, crossed).items()],
        undefined=UNDEFINED,
    )
    return html.strip() + "\n"


def network_pages(side: SideBySide) -> Iterator[tuple[Run, str, list[Answer]]]:
    """Every network, where its own page is, seen from the study's, and its answers there."""
    shown = ("gap", "sure", "where", "next")
    for run in side.runs:
        path = run.results.page_folder.report.relative_to(run.results.folder).as_posix()
        yield run, path, [one for one in run.findings.answers if one.key in shown]


def _gap_tables(side: SideBySide, differences: Differences) -> Iterator[GapTable]:
    kinds = gaps_in_order(side)
    axis = axis_of(number for gaps in kinds for one in gaps for number in gap_numbers(one.gap.estimate, one.gap.points))
    every = [one for found in differences.values() for one in found]
    apart = axis_of(number for one in every for number in gap_numbers(one.estimate))
    for gaps in kinds:
        _, home, other = gaps[0].kind
        title = f"{gaps[0].domain_title}: {arm_title(side.runs, home)} minus {arm_title(side.runs, other)}"
        rows = [(one, dots(axis, one.gap.estimate, one.gap.points)) for one in gaps]
        mine = [(one, dots(apart, one.estimate)) for one in differences.get(gaps[0].kind, ())]
        yield GapTable(title, axis, rows, mine, apart)


@dataclass(frozen=True, eq=False)
class FreezingTable:
    """What freezing changes, network by network, and where its dots stand."""

    axis: Axis
    rows: list[tuple[Run, FreezingChange, Dots]]
    """Domain by domain."""


def _freezing(side: SideBySide) -> FreezingTable:
    found = [(run, one) for run in side.runs for one in freezing_changes(run.results, run.findings.numbers.scores)]
    domains = side.runs[0].results.test_domains
    found.sort(key=lambda pair: domains.index(pair[1].gap.domain))
    axis = axis_of(number for _, one in found for number in gap_numbers(one.change, one.gap.points))
    return FreezingTable(axis, [(run, one, dots(axis, one.change, one.gap.points)) for run, one in found])


@dataclass(frozen=True, eq=False)
class ScoreRow:
    """mAP@0.5 of one arm of every network on one domain."""

    arm: str
    domain: str
    cells: list[tuple[Estimate, tuple[float, ...]] | None]
    """One per network, with every seed; None where it has no such arm."""


def _scores(side: SideBySide) -> Iterator[ScoreRow]:
    names = dict.fromkeys(run.called(arm) for run in side.runs for arm in run.results.arms)
    for domain in side.runs[0].results.test_domains:
        for name in names:
            cells: list[tuple[Estimate, tuple[float, ...]] | None] = []
            for run in side.runs:
                own = run.own(name)
                if own is None or own not in run.results.arms:
                    cells.append(None)
                else:
                    score = run.findings.numbers.scores.of(own, domain)
                    cells.append((Estimate(score.known_mean, score.mean.low, score.mean.high), score.values))
            yield ScoreRow(arm_title(side.runs, name), side.runs[0].results.domain_title(domain), cells)


def _map(one: CrossGrid) -> dict[str, Any]:
    a, b = (
        f"{run.letter} {run.title}, {run.results.run_title(name)}"
        for run, name in zip((one.a, one.b), one.names, strict=True)
    )
    axes = {"layersA": one.grid["layer_a"].to_numpy().tolist(), "layersB": one.grid["layer_b"].to_numpy().tolist()}
    return {"a": a, "b": b, "size": one.size, "n": int(one.grid.attrs["n"]), **axes, **pack_cells(one.value)}


def _not_compared(side: SideBySide, crossed: Sequence[CrossGrid]) -> Iterator[str]:
    yield (
        "There is no gap between arms of different networks: what one architecture finds more than another is no "
        "matter of data."
    )
    yield (
        "Layers of different networks have no counterparts: there is no floor, no ceiling and no effect layer by layer "
        "between them, only the best of all layers, against what the best of all layers reaches by chance."
    )
    if crossed:
        yield "Between networks, arms of the first seed are compared, at the first image size; nothing is grafted."
    names = {run.called(arm) for run in side.runs for arm in run.results.arms}
    alone = [name for name in sorted(names) if sum(run.own(name) is not None for run in side.runs) == 1]
    if alone:
        titles = ", ".join(arm_title(side.runs, name) for name in alone)
        yield (
            f"Without a counterpart in another network: {titles}. Arms are lined up where their images, frozen part "
            "and remedies are the same, whatever their names, starts and rates."
        )
