"""One page that answers: how big is the gap, where is it, how sure are we, and how was this made?

The page is a single HTML file that asks nothing of a network: plotly.js, numbers and pictures are inside.
"""

import base64
import json
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from gapscope.files import write_text
from gapscope.progress import Progress, silent
from gapscope.reporting.confounds import confounds
from gapscope.reporting.domain_figures import as_data_uri, domain_figures
from gapscope.reporting.figures import write_figure
from gapscope.reporting.page_data import page_data
from gapscope.reporting.paper_figures import write_figures
from gapscope.reporting.paper_numbers import PAPER_TABLES
from gapscope.reporting.pictures import SHOWN_CONFIDENCE, disputed_pictures, sample_pictures
from gapscope.reporting.results import Results, RunName, read_results
from gapscope.reporting.table_files import to_csv, to_latex, to_markdown, write_tables
from gapscope.reporting.tables import UNDEFINED, Table, all_tables, printed
from gapscope.reporting.verdict import gaps, generated_note, verdict


def write_report(run: Path, progress: Progress = silent) -> Path:
    """Write a run folder's tables, figures and `report.html`, from whatever has been done so far.

    Args:
        run: The run folder.
        progress: Told about every figure and the page.

    Returns:
        The path of the page.

    Raises:
        InputError: If `run` is no run folder or one of its files is broken.
    """
    results = read_results(run)
    write_tables(all_tables(results), run / "tables")
    write_figures(results, run / "figures", progress)
    for name, figure in domain_figures(results).items():
        write_figure(figure, run / "figures", name)
    progress("page", 0, 1)
    page = run / "report.html"
    write_text(page, render_page(results))
    progress("page", 1, 1)
    return page


def render_page(results: Results) -> str:
    """The page's HTML."""
    environment = Environment(
        loader=PackageLoader("gapscope.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "plain": printed}
    domains = list(results.experiment.domains)
    html = environment.get_template("page.html.j2").render(
        results=results,
        plotly=Markup(get_plotlyjs()),
        data=_script_json(page_data(results)),
        generated=generated_note(results),
        verdict=verdict(results),
        confounds=confounds(results),
        gaps=gaps(results),
        tables={table.number: table for table in all_tables(results)},
        paper=PAPER_TABLES,
        downloads=_downloads,
        class_tables=[_class_table(results, domain) for domain in results.test_domains],
        training=_training_rows(results),
        domain_figures={name: as_data_uri(figure) for name, figure in domain_figures(results).items()},
        samples={domain: sample_pictures(results, domain) for domain in domains},
        disputed={domain: disputed_pictures(results, domain) for domain in results.test_domains},
        shown_confidence=SHOWN_CONFIDENCE,
        config_text=_config_text(results),
        undefined=UNDEFINED,
    )
    return html.strip() + "\n"


def _script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in, whatever strings it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


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


@dataclass(frozen=True)
class ClassTable:
    """AP@0.5 per class on one domain's test images, averaged over the seeds."""

    domain: str
    arms: list[str]
    rows: list[tuple[str, str, list[str]]]
    """(class, test boxes, one printed AP per arm)."""


def _class_table(results: Results, domain: str) -> ClassTable:
    arms = [arm for arm in results.arms if any((RunName(arm, s), domain) in results.evaluations for s in results.seeds)]
    rows = []
    for name in results.experiment.data.classes if arms else []:
        cells = [printed(_mean_ap50(results, arm, domain, name), "{:.3f}") for arm in arms]
        rows.append((name, _num_targets(results, domain, name), cells))
    return ClassTable(results.domain_title(domain), [results.arm_title(arm) for arm in arms], rows)


def _mean_ap50(results: Results, arm: str, domain: str, name: str) -> float:
    found = [results.evaluations.get((RunName(arm, seed), domain)) for seed in results.seeds]
    rule = results.experiment.evaluate.rule
    values = [evaluation["rules"][rule]["ap50"].get(name) for evaluation in found if evaluation]
    known = [value for value in values if value is not None]
    return fmean(known) if known else math.nan


def _num_targets(results: Results, domain: str, name: str) -> str:
    counts = {evaluation["targets"].get(name) for (_, of), evaluation in results.evaluations.items() if of == domain}
    return ", ".join(str(count) for count in sorted(count for count in counts if count is not None))


def _training_rows(results: Results) -> list[dict[str, Any]]:
    """One row per training: its summary, the title to show, and whether its frozen part stayed the same."""
    rows = []
    for run, training in results.trainings.items():
        summary = training.summary
        before, after = summary.get("frozen_hash_before"), summary.get("frozen_hash_after")
        frozen = "none" if before is None else "unchanged" if before == after else "CHANGED"
        rows.append({"run": run, "title": results.run_title(run), "summary": summary, "frozen": frozen, "hash": before})
    return rows


def _config_text(results: Results) -> str:
    given = results.folder / "experiment.toml"
    path = given if given.is_file() else results.folder / "experiment.resolved.toml"
    return path.read_text(encoding="utf-8", errors="replace")
