"""A run folder -> figures, captions and tables that go into a paper as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from gapscope.errors import InputError
from gapscope.files import write_text
from gapscope.findings.findings import Findings, find
from gapscope.findings.layer_curves import BIASED, DEBIASED
from gapscope.findings.run_reader import read_results
from gapscope.paper.captions import in_short
from gapscope.paper.graft_figures import graft_figures
from gapscope.paper.more_figures import more_figures
from gapscope.paper.paper_figures import SUFFIXES, planned_paper_figures
from gapscope.paper.performance_figures import performance_figures
from gapscope.paper.planned import Planned
from gapscope.paper.redraw import Redrawn, redraw
from gapscope.paper.remedy_figures import remedy_figures
from gapscope.paper.table_files import escape_latex, write_tables
from gapscope.plot.style import DOTS_PER_INCH, FORMATS, ONE_COLUMN, TWO_COLUMNS
from gapscope.progress import Progress, silent

Columns = Literal["one", "two", "both"]
Estimator = Literal["debiased", "biased", "both"]
WIDTHS = {"one": ONE_COLUMN, "two": TWO_COLUMNS}
FOLDERS = {"one": "one-column", "two": "two-columns"}
ESTIMATOR_KEYS = {"debiased": (DEBIASED,), "biased": (BIASED,), "both": (DEBIASED, BIASED)}
TABLES = "tables"


@dataclass(frozen=True)
class Written:
    """What was written."""

    out: Path
    figures: int
    """Different ones, whatever their widths and formats."""
    tables: int
    redrawn: Redrawn
    """Which of them had to be drawn, and which were there as they would be drawn now."""


def write_paper_output(
    run: Path | str,
    out: Path | str | None = None,
    *,
    columns: Columns = "both",
    formats: Sequence[str] = ("pdf", "png"),
    estimator: Estimator = "debiased",
    only: Sequence[str] = (),
    progress: Progress = silent,
) -> Written:
    """Write a run's figures at the widths of a paper, with captions, and its tables.

    `one-column/` and `two-columns/` hold `<figure>.<format>`, `figures.tex` with a float and its caption per figure,
    and `captions.md`; `tables/` holds each table as CSV, Markdown and LaTeX, and Tables 2-5 once more beside the
    paper's. A figure that is there as it would be drawn is kept: `made-from.json` beside it says what it is made from.
    Of a study of several networks each has a folder of its own with all that.

    Args:
        run: A run folder; what is not done yet is left out.
        out: Where to; None: `paper` in the run folder. Files with the same names are replaced.
        columns: 3.3 inches wide, 7 inches wide, or both.
        formats: Of pdf, png (300 dots per inch) and svg.
        estimator: CKA debiased, biased as in the paper (its files end in `-paper`), or both.
        only: Figures by number or name, such as `1`, `effect`; `tables`; nothing means everything.
        progress: Told about every figure.

    Raises:
        InputError: If `run` is no run folder, has nothing to show yet, or a format or figure is unknown.
    """
    unknown = [form for form in formats if form not in FORMATS]
    if unknown or not formats:
        named = f"there is no format {unknown[0]!r}" if unknown else "no format is given"
        raise InputError(f"{named}. Choose from {', '.join(FORMATS)}.")
    results = read_results(run)
    place = Path(out or results.run_folder.paper)
    asked: tuple[Any, ...] = (columns, formats, estimator, only, progress)
    if len(results.networks) == 1:
        return _write(find(results), run, place, *asked)
    each = [_write(find(one), run, place / one.network, *asked) for one in results.by_network]
    redrawn = Redrawn()
    for one in each:
        redrawn |= one.redrawn.of(one.out.name)
    return Written(place, sum(one.figures for one in each), sum(one.tables for one in each), redrawn)


def _write(
    findings: Findings,
    run: Path | str,
    out: Path,
    columns: str,
    formats: Sequence[str],
    estimator: str,
    only: Sequence[str],
    progress: Progress,
) -> Written:
    """The figures and tables of one network."""
    planned = list(planned_figures(findings, ESTIMATOR_KEYS[estimator]))
    tables = [*findings.tables, *findings.tables_beside_paper]
    if not planned and not tables:
        raise InputError(f"{run} has nothing to show yet. See how far it is: gapscope status {run}")
    chosen = _chosen(planned, only, findings.results.folder)
    widths = ["one", "two"] if columns == "both" else [columns]
    done, redrawn = count(1), Redrawn()
    others = {one.name for one in planned_figures(findings, ESTIMATOR_KEYS["both"])}
    for width in widths if chosen else []:
        folder = out / FOLDERS[width]
        redrawn |= redraw(
            chosen,
            folder,
            WIDTHS[width],
            formats=formats,
            dpi=DOTS_PER_INCH,
            others=others,
            done=lambda so_far: progress("figures", next(done), len(chosen) * len(widths), str(so_far)),
        )
        write_text(folder / "figures.tex", latex_floats(chosen, wide=width == "two"))
        write_text(folder / "captions.md", markdown_captions(chosen, wide=width == "two"))
    with_tables = not only or TABLES in only
    if with_tables:
        write_tables(tables, out / TABLES)
    return Written(out, len(chosen), len(tables) if with_tables else 0, redrawn)


def planned_figures(findings: Findings, estimators: Sequence[str] = (DEBIASED,)) -> Iterator[Planned]:
    """Every figure that this run can fill, those of the paper first; names of biased ones end in `-paper`."""
    layers = findings.numbers.layers
    for estimator in estimators:
        for one in (*planned_paper_figures(layers, estimator), *more_figures(layers, estimator)):
            yield replace(one, name=one.name + SUFFIXES[estimator])
    yield from performance_figures(findings.numbers)
    yield from graft_figures(findings)
    yield from remedy_figures(findings.numbers)


def _chosen(planned: Sequence[Planned], only: Sequence[str], run: Path) -> list[Planned]:
    """Those asked for; `1` is Figure 1 by every estimator that is drawn."""
    if not only:
        return list(planned)
    keys = {one.key.removesuffix(SUFFIXES[BIASED]): None for one in planned}
    for name in only:
        if name not in keys and name != TABLES:
            there = ", ".join([*keys, TABLES])
            raise InputError(
                f"{run} has no figure {name!r} to draw. There are: {there}. What is missing may not be computed yet: "
                f"gapscope status {run}"
            )
    return [one for one in planned if one.key.removesuffix(SUFFIXES[BIASED]) in only]


def latex_floats(planned: Sequence[Planned], *, wide: bool) -> str:
    """A float per figure, to be read by `\\\\input` from a paper; needs \\\\usepackage{graphicx}."""
    place, width = ("figure*", r"\textwidth") if wide else ("figure", r"\columnwidth")
    folder = FOLDERS["two" if wide else "one"]
    lines = ["% Written by gapscope figures. Needs \\usepackage{graphicx}; \\graphicspath names the folder above."]
    for one in planned:
        short, more = in_short(one.caption + (one.beside if wide else ""))
        caption = escape_latex(short)
        lines += [
            "",
            *([f"% For the text: {more}"] if more else []),
            rf"\begin{{{place}}}",
            r"\centering",
            rf"\includegraphics[width={width}]{{{folder}/{one.name}}}",
            rf"\caption{{{caption}}}",
            rf"\label{{fig:gapscope-{one.key}}}",
            rf"\end{{{place}}}",
        ]
    return "\n".join([*lines, ""])


def markdown_captions(planned: Sequence[Planned], *, wide: bool) -> str:
    """The same captions for everything else, and below each what its words had no room for."""
    shown = []
    for one in planned:
        short, more = in_short(one.caption + (one.beside if wide else ""))
        shown += [f"**{one.name}.** {short}", *([f"For the text: {more}"] if more else [])]
    return "\n\n".join([*shown, ""])
