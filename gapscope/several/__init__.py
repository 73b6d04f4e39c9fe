"""Several runs, or networks of one study, on one page: what differs between them, and what holds in all of them.

`line_up` computes every number; several_page.py, chart_numbers.py, csv_files.py and dots.py show them. A study of
several networks is lined up as one run for each (network_runs.py); files that begin with network_ are about such
studies. report.py writes the report of any run.

Open first: line_up.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.several.csv_files import csv_files as csv_files
    from gapscope.several.limits import limits as limits
    from gapscope.several.line_up import SideBySide as SideBySide, line_up as line_up
    from gapscope.several.run_curves import RunCurve as RunCurve
    from gapscope.several.run_gaps import Comparable as Comparable, RunGap as RunGap
    from gapscope.several.runs import Run as Run, read_runs as read_runs
    from gapscope.several.several_page import render_several as render_several, write_several as write_several
    from gapscope.several.statements import STATEMENTS as STATEMENTS, Statement as Statement

__all__ = open_room(
    __name__,
    {
        "runs": "Run, read_runs",
        "line_up": "SideBySide, line_up",
        "run_gaps": "RunGap, Comparable",
        "run_curves": "RunCurve",
        "statements": "STATEMENTS, Statement",
        "limits": "limits",
        "csv_files": "csv_files",
        "several_page": "write_several, render_several",
    },
)
