"""The figures that a report brings along: Figures 1-7 by both estimators, grafts, remedies, domains."""

from itertools import chain
from pathlib import Path

from gapscope.findings.findings import Findings
from gapscope.paper.domain_figures import planned_domain_figures
from gapscope.paper.graft_figures import graft_figures
from gapscope.paper.paper_figures import SUFFIXES, titled_figures
from gapscope.paper.redraw import Redrawn, redraw
from gapscope.paper.remedy_figures import remedy_figures
from gapscope.progress import Progress, silent


def draw_report_figures(findings: Findings, folder: Path, progress: Progress = silent) -> Redrawn:
    """Write them as PNG and PDF; those that are there as they would be drawn are kept.

    Args:
        findings: Of a run.
        folder: `figures` of its run folder.
        progress: Told about every figure.
    """
    of_layers = [titled_figures(findings.numbers.layers, estimator) for estimator in SUFFIXES]
    planned = [*chain(*of_layers), *graft_figures(findings), *remedy_figures(findings.numbers)]
    planned += [*planned_domain_figures(findings.results)]

    def done(redrawn: Redrawn) -> None:
        progress("figures", len(redrawn.drawn) + len(redrawn.kept), len(planned), str(redrawn))

    return redraw(planned, folder, done=done)
