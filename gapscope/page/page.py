"""One page that answers: how big is the gap, where is it, how sure are we, and how was this made?

The page is a single HTML file that asks nothing of a network: plotly.js, numbers and pictures are inside.
"""

import base64
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from gapscope.files import write_text
from gapscope.findings.advice import advice
from gapscope.findings.confounds import confounds
from gapscope.findings.gap_sentences import headline
from gapscope.findings.gaps import gaps
from gapscope.findings.paper_numbers import PAPER_TABLES
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.findings.sentences import generated_note, verdict
from gapscope.findings.tables import UNDEFINED, Table, all_tables, printed
from gapscope.page.embedding import embed
from gapscope.page.material_context import material_context
from gapscope.page.page_data import page_data
from gapscope.page.performance_context import performance_context
from gapscope.page.where_tables import where_tables
from gapscope.paper.domain_figures import domain_figures
from gapscope.paper.paper_figures import write_figures
from gapscope.paper.table_files import to_csv, to_latex, to_markdown, write_tables
from gapscope.plot.style import write_figure
from gapscope.progress import Progress, silent
from gapscope.run_folder import RunFolder
from gapscope.words import byte_size, duration

SECTIONS = ("Verdict", "Performance", "Where", "Activations", "Pictures", "Data", "Training", "Provenance")
"""In the page's order; each is a template in templates/sections/."""


def write_report(run: Path | str, progress: Progress = silent) -> Path:
    """Write a run folder's tables, figures and `report.html`, from whatever has been done so far.

    Args:
        run: The run folder.
        progress: Told about every figure and the page.

    Returns:
        The path of the page.

    Raises:
        InputError: If `run` is no run folder or one of its files is broken.
    """
    results, folder = read_results(run), RunFolder(Path(run))
    write_tables(all_tables(results), folder.tables)
    write_figures(results, folder.figures, progress)
    for name, figure in domain_figures(results).items():
        write_figure(figure, folder.figures, name)
    progress("page", 0, 1)
    page = folder.report
    write_text(page, render_page(results))
    progress("page", 1, 1)
    return page


def render_page(results: Results) -> str:
    """The page's HTML."""
    environment = page_environment()
    html = environment.get_template("page.html.j2").render(
        results=results,
        experiment=results.experiment,
        sections=[(name.lower(), name) for name in SECTIONS],
        embedded=embed(environment.get_template("page.js.j2").render(), page_data(results)),
        generated=generated_note(results),
        verdict=verdict(results),
        headlines=[headline(results, gap) for gap in gaps(results)],
        advice=advice(results),
        confounds=confounds(results),
        tables={table.number: table for table in all_tables(results)},
        paper=PAPER_TABLES,
        downloads=_downloads,
        performance=performance_context(results),
        where=where_tables(results),
        **material_context(results),
        undefined=UNDEFINED,
    )
    return html.strip() + "\n"


def page_environment(*rooms: str) -> Environment:
    """The templates of pages, those of further rooms first. What they are given is shown as it is, whatever it is."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room) for room in (*rooms, "gapscope.page")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "plain": printed, "duration": duration, "byte_size": byte_size}
    return environment


def _share(cell: str) -> float | None:
    """A printed number between 0 and 1, else None: how far the bar behind the cell reaches."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _downloads(table: Table) -> list[tuple[str, str, str]]:
    """(title, file name, data URI) of a table in each format."""
    kinds = (("CSV", "csv", to_csv), ("Markdown", "md", to_markdown), ("LaTeX", "tex", to_latex))
    return [(title, f"{table.name}.{suffix}", _data_uri(convert(table))) for title, suffix, convert in kinds]


def _data_uri(text: str) -> str:
    return "data:text/plain;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()
