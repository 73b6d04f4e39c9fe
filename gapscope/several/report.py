"""The report of a run: one page, and of a study of several networks one about all of them and one of each."""

from collections.abc import Callable
from pathlib import Path

from gapscope.files import write_text
from gapscope.findings.findings import find
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.page.page import render_page, write_pages
from gapscope.paper.redraw import Redrawn
from gapscope.progress import Progress, silent
from gapscope.several.line_up import line_up
from gapscope.several.network_files import write_network_files
from gapscope.several.network_page import render_networks
from gapscope.several.network_runs import network_runs


def write_report(
    run: Path | str, progress: Progress = silent, told: Callable[[Redrawn], None] = lambda redrawn: None
) -> Path:
    """Write a run folder's tables, figures, `report.html` and what belongs to it, from whatever has been done so far.

    Beside the page: `appendix.html`, `report.md` and `verdict.json`, which say the page's sentences. Of a study of
    several networks `report.html` holds them against each other, and `networks/<name>/` has all this for each.

    Args:
        run: The run folder.
        progress: Told about every figure and the page.
        told: Given which figures were drawn, and which were there as they would be drawn now.

    Returns:
        The path of the page.

    Raises:
        InputError: If `run` is no run folder or one of its files is broken.
    """
    results = read_results(run)
    if len(results.networks) == 1:
        return write_pages(find(results), progress, told)
    runs, redrawn = network_runs(results), Redrawn()
    for one in runs:
        each: list[Redrawn] = []
        write_pages(one.findings, progress, each.append)
        redrawn |= each[0].of(one.results.network)
    told(redrawn)
    side = line_up(runs, progress)
    write_network_files(results, side)
    write_text(results.run_folder.report, render_networks(results, side))
    return results.run_folder.report


def render_report(results: Results) -> str:
    """The page of a run by itself, without links to files beside it."""
    if len(results.networks) == 1:
        return render_page(find(results))
    return render_networks(results, line_up(network_runs(results)), linked=False)
