"""One page that answers: how big is the gap, how sure is that, where is it, what next, and how was this made?

The page is a single HTML file that asks nothing of a network: plotly.js, numbers and pictures are inside. What few
readers ask for stands in a second one, the appendix.
"""

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from gapscope.files import write_text
from gapscope.findings.domain_facts import LEAK_WORDS
from gapscope.findings.elsewhere import trains_nothing
from gapscope.findings.findings import Findings
from gapscope.findings.paper_numbers import PAPER_TABLES
from gapscope.findings.result_tables import UNDEFINED, ResultTable, printed
from gapscope.findings.suggestion import sentence
from gapscope.page.appendix import PAPER_WORDS, blocks_section, figure_uris
from gapscope.page.box_marks import BOX_KINDS
from gapscope.page.embedding import embed, embed_script
from gapscope.page.graft_section import graft_section
from gapscope.page.page_context import material, performance_section, where_section
from gapscope.page.page_data import page_data
from gapscope.page.performance_tables import rule_table
from gapscope.page.provenance import MOST_LISTED, provenance
from gapscope.page.remedy_section import remedy_section
from gapscope.page.screens import first_screens
from gapscope.page.seed_marks import marked_seeds, seed_marks
from gapscope.page.training_charts import quantities
from gapscope.paper.redraw import Redrawn
from gapscope.paper.report_figures import draw_report_figures
from gapscope.paper.table_files import to_csv, to_latex, to_markdown, write_tables
from gapscope.paper.verdict_files import write_verdict
from gapscope.progress import Progress, silent
from gapscope.words import byte_size, duration

FIRST = (
    ("gap", "Gap", "How big is the gap, and how sure is that?"),
    ("where", "Where", "Where in the network is it?"),
    ("next", "Next", "What next, and how was it made?"),
)
"""(id, title, question) of what stands on the first three screens; each is a template in templates/sections/."""
MORE = (
    ("caveats", "Caveats", "What weakens this?"),
    ("performance", "Performance", "How well does every arm detect, at home and away, and what goes wrong?"),
    ("remedies", "Remedies", "What closes the gap, how much of it, and at which cost?"),
    ("layers", "Layers", "At which layers do the networks see the same images differently?"),
    ("activations", "Activations", "What do the layers put out, and which images do the networks agree about?"),
    ("grafts", "Grafts", "Which layers cost?"),
    ("pictures", "Pictures", "What does every arm find in the same test images?"),
    ("data", "Data", "What was every network shown?"),
    ("training", "Training", "Did every arm learn, and did frozen layers stay frozen?"),
)
"""The same of what is folded up below, and drawn when it is opened; remedies and grafts only of a run that has them."""


def write_pages(
    findings: Findings, progress: Progress = silent, told: Callable[[Redrawn], None] = lambda redrawn: None
) -> Path:
    """Write tables, figures, `report.html`, `appendix.html`, `report.md` and `verdict.json` of a run of one network.

    Args:
        findings: Of the run.
        progress: Told about every figure and the page.
        told: Given which figures were drawn, and which were there as they would be drawn now.

    Returns:
        The path of the page.
    """
    folder = findings.results.page_folder
    write_tables(findings.tables, folder.tables)
    told(draw_report_figures(findings, folder.figures, progress))
    progress("page", 0, 1)
    write_verdict(findings)
    write_text(folder.appendix, render_appendix(findings))
    write_text(folder.report, render_page(findings, folder.appendix.name))
    progress("page", 1, 1)
    return folder.report


def render_page(findings: Findings, appendix: str = "") -> str:
    """The page's HTML.

    Args:
        findings: Of a run.
        appendix: Where the appendix lies, seen from the page; no link leads there if left out.

    Raises:
        InputError: If a file of the run folder, or an image, is broken.
    """
    environment = page_environment()
    grafted, tried = (
        findings.results.experiment.graft is not None,
        bool(findings.numbers.remedies or findings.numbers.controls),
    )
    there = {"grafts": grafted, "remedies": tried}
    more = [one for one in MORE if there.get(one[0], True)]
    sections = [(id, title) for id, title, _ in (*FIRST, *more)]
    html = environment.get_template("page.html.j2").render(
        sections=[*sections, *([(appendix, "Appendix")] if appendix else [])],
        first=FIRST,
        more=more,
        appendix=appendix,
        embedded=embed(environment.get_template("page.js.j2").render(), page_data(findings)),
        short=first_screens(findings),
        performance=performance_section(findings),
        where=where_section(findings),
        grafts=graft_section(findings) if grafted else None,
        remedies=remedy_section(findings) if tried else None,
        material=material(findings),
        **page_names(findings),
    )
    return html.strip() + "\n"


def page_names(findings: Findings) -> dict[str, Any]:
    """What every section's template may use, by name."""
    return {
        "findings": findings,
        "results": findings.results,
        "experiment": findings.results.experiment,
        "tables": {table.number: table for table in findings.tables},
        "paper": PAPER_TABLES,
        "box_kinds": BOX_KINDS,
        "downloads": _downloads,
        "leak_words": LEAK_WORDS,
        "training_quantities": quantities(findings.results),
        "most_listed": MOST_LISTED,
        "undefined": UNDEFINED,
        "trains_nothing": trains_nothing(findings.results),
        "beside_page": [f"figures/{path.name}" for path in sorted(findings.results.page_folder.figures.glob("*.png"))],
    }


def render_appendix(findings: Findings) -> str:
    """The HTML of what stands in a second file: tables beside the paper's, blocks, figures, how it was made.

    Raises:
        InputError: If a file of the run folder is broken.
    """
    environment, results = page_environment(), findings.results
    html = environment.get_template("appendix.html.j2").render(
        sections=[(id, id.title()) for id in ("tables", "blocks", "figures", "provenance")],
        embedded=embed_script(environment.get_template("appendix.js.j2").render()),
        paper_words={} if trains_nothing(findings.results) else PAPER_WORDS,
        by_rule=rule_table(findings.numbers),
        where=blocks_section(findings),
        figures=figure_uris(results.page_folder.figures),
        provenance=provenance(results),
        environment=results.environment,
        **page_names(findings),
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
    environment.globals |= {"seed_marks": partial(seed_marks, environment), "marked_seeds": marked_seeds}
    environment.filters |= {
        "share": _share,
        "plain": printed,
        "duration": duration,
        "byte_size": byte_size,
        "sentence": sentence,
    }
    return environment


def _share(cell: str) -> float | None:
    """A printed number between 0 and 1, else None: how far the bar behind the cell reaches."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _downloads(table: ResultTable) -> list[tuple[str, str, str]]:
    """(title, file name, data URI) of a table in each format."""
    kinds = (("CSV", "csv", to_csv), ("Markdown", "md", to_markdown), ("LaTeX", "tex", to_latex))
    return [(title, f"{table.name}.{suffix}", _data_uri(convert(table))) for title, suffix, convert in kinds]


def _data_uri(text: str) -> str:
    return "data:text/plain;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()
