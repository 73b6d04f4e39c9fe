"""Several runs on one page: what differs between them, their gaps, where these are, and what holds in all of them."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapscope.errors import InputError
from gapscope.files import write_text
from gapscope.findings.estimates import Estimate
from gapscope.findings.result_tables import UNDEFINED
from gapscope.page.embedding import embed
from gapscope.page.page import page_environment
from gapscope.progress import Progress, silent
from gapscope.several.chart_numbers import several_data, shared_sizes
from gapscope.several.csv_files import csv_files
from gapscope.several.dots import Axis, Dots, axis_of, dots
from gapscope.several.limits import limits
from gapscope.several.line_up import SideBySide, line_up
from gapscope.several.run_gaps import RunGap, by_kind
from gapscope.several.runs import Run, arm_title, read_runs, stages_of
from gapscope.several.settings import differing
from gapscope.several.several_sentences import (
    asked_statements,
    holds_in,
    in_short,
    judged_runs,
    letters,
    with_interval,
)

SECTIONS = (
    ("short", "In short"),
    ("settings", "What differs"),
    ("gap", "The gap"),
    ("where", "Where"),
    ("consistency", "Consistency"),
    ("trust", "Trust"),
    ("files", "Files"),
)
"""Id and title, in the page's order; each is a template in templates/several/."""
MARK = "runs side by side - gapscope</title>"
"""Near the start of every such page, and of nothing else: only such a file is replaced."""
ANSWERS = {"yes": "holds", "no": "fails", "open": "cannot be told", None: "no interval"}
"""A statement in one run, in words."""


def write_several(
    folders: Sequence[Path | str], out: Path | str, *, titles: Sequence[str] = (), progress: Progress = silent
) -> Path:
    """Write a page that shows run folders side by side. Nothing in them is changed.

    Args:
        folders: Two or more run folders, finished or not.
        out: The page; one that an earlier call wrote is replaced.
        titles: What the page calls the runs, one for each, instead of their own titles.
        progress: Told about every run.

    Returns:
        The path of the page.

    Raises:
        InputError: If one is no run folder or given twice, a file is broken, or `out` is somebody else's.
    """
    out = Path(out)
    _check_free(out)
    runs = read_runs(folders, titles)
    page = render_several(line_up(runs, progress))
    write_text(out, page)
    return out


def _check_free(out: Path) -> None:
    if out.is_dir():
        raise InputError(f"--out {out} is a folder. Name a file, such as {out / 'several.html'}.")
    if out.exists() and MARK not in out.read_text(encoding="utf-8", errors="replace")[:4000]:
        raise InputError(f"{out} is there and is no page of several runs. Choose another file with --out.")


def render_several(side: SideBySide) -> str:
    """The page's HTML."""
    environment = page_environment("gapscope.several")
    environment.globals |= {"with_interval": with_interval, "letters": letters}
    data = several_data(side)
    html = environment.get_template("several.html.j2").render(
        side=side,
        runs=side.runs,
        sections=SECTIONS,
        embedded=embed(environment.get_template("several.js.j2").render(), data),
        notes=_notes(side),
        short=in_short(side),
        limits=limits(side),
        differing=differing(side.settings),
        kinds=list(_gap_kinds(side)),
        comparables=list(_over_runs(side)),
        pairs=data["pairs"],
        maps=data["maps"],
        sizes=shared_sizes(side),
        arm_title=lambda arm: arm_title(side.runs, arm),
        statements=list(statement_rows(side)),
        answers=ANSWERS,
        stages=[(stage.stage, [stages_of(run.results)[at] for run in side.runs]) for at, stage in _stages(side)],
        warnings=_warnings(side),
        files=[(name, text, data_uri(text)) for name, text in csv_files(side).items()],
        undefined=UNDEFINED,
    )
    return html.strip() + "\n"


def _notes(side: SideBySide) -> list[tuple[list[Run], str]]:
    """What has to be known of the images first, each note with the runs that it is about."""
    found: dict[str, list[Run]] = {}
    for run in side.runs:
        found.setdefault(run.findings.generated_note, []).append(run)
    return [(runs, note) for note, runs in found.items() if note]


def data_uri(text: str) -> str:
    """A CSV file to be downloaded from the page itself."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


@dataclass(frozen=True, eq=False)
class GapKind:
    """One gap in all runs that measure it, and where its dots stand."""

    role: str
    home: str
    other: str
    axis: Axis
    rows: list[tuple[RunGap, Dots]]


def _gap_kinds(side: SideBySide) -> Iterator[GapKind]:
    every = [number for gap in side.gaps for number in gap_numbers(gap.gap.estimate, gap.gap.points)]
    axis = axis_of(every)
    for gaps in by_kind(side.gaps):
        role, home, other = gaps[0].kind
        rows = [(gap, dots(axis, gap.gap.estimate, gap.gap.points)) for gap in gaps]
        yield GapKind(role, arm_title(side.runs, home), arm_title(side.runs, other), axis, rows)


def gap_numbers(of: Estimate, more: Sequence[float] = ()) -> list[float]:
    """All numbers of a row, which an axis has to hold."""
    return [of.value, of.low, of.high, *more]


@dataclass(frozen=True, eq=False)
class OverRuns:
    """One row about runs that share their test images: their mean, or one minus another."""

    gap: str
    what: str
    estimate: Estimate
    place: Dots
    axis: Axis


def _over_runs(side: SideBySide) -> Iterator[OverRuns]:
    rows = []
    for same in side.comparables:
        _, home, other = same.kind
        gap = f"{same.gaps[0].domain_title}: {arm_title(side.runs, home)} minus {arm_title(side.runs, other)}"
        count = len(same.networks)
        pairs = f"{count} pair{'s' if count > 1 else ''} of networks"
        rows.append((gap, f"mean of {letters([one.run for one in same.gaps])} ({pairs})", same.pooled))
        rows += [(gap, f"{a.run.letter} minus {b.run.letter}", difference) for a, b, difference in same.differences()]
    axis = axis_of(number for _, _, estimate in rows for number in gap_numbers(estimate))
    return (OverRuns(gap, what, estimate, dots(axis, estimate), axis) for gap, what, estimate in rows)


def statement_rows(side: SideBySide) -> Iterator[dict[str, Any]]:
    """One row per statement of the paper: what becomes of it in every run, and in how many it surely holds."""
    judged, held = judged_runs(side), side.statements.values()
    for statement in asked_statements(side):
        letter = statement.letter
        cells = [next((one for one in found if one.statement.letter == letter), None) for found in held]
        asked = [one for one in judged if any(held.statement.letter == letter for held in one)]
        count = f"{holds_in(judged, letter)} of {len(asked)}" if asked else UNDEFINED
        yield {"statement": statement, "cells": cells, "count": count}


def _stages(side: SideBySide) -> list[tuple[int, Any]]:
    return list(enumerate(stages_of(side.runs[0].results)))


def _warnings(side: SideBySide) -> list[tuple[str, str, list[tuple[str, ...]]]]:
    """(title, advice, what was found in each run) of every confound that some run has."""
    found = [{one.title: one for one in run.findings.confounds} for run in side.runs]
    advice = {title: one.advice for of_run in found for title, one in of_run.items()}
    return [
        (title, text, [of_run[title].texts if title in of_run else () for of_run in found])
        for title, text in advice.items()
    ]
