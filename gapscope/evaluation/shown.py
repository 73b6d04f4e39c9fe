"""Scores that show themselves: as tables in a terminal and in a notebook."""

from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from gapscope.evaluation.score_tables import notes, score_tables
from gapscope.showing import html_table
from gapscope.words import number_of

WIDTH = 110
"""Letters across a terminal's table."""


class Scores(dict[str, Any]):
    """What `gapscope.evaluation.scores.scores` returns, JSON-able as it is; only the way it is printed differs."""

    def __repr__(self) -> str:
        stream = StringIO()
        console = Console(file=stream, width=WIDTH, color_system=None)
        for table in self._tables():
            console.print(table)
        for line in notes(self):
            console.print(line)
        return stream.getvalue().rstrip()

    def _repr_html_(self) -> str:
        tables = [html_table(str(table.title), _rows(table), _heading(table)) for table in self._tables()]
        return "".join([*tables, *(html_table(line, ()) for line in notes(self))])

    def _tables(self) -> list[Table]:
        return score_tables(self, f"{number_of(self['num_images'], 'image')}")


def _heading(table: Table) -> list[str]:
    return [str(column.header) for column in table.columns]


def _rows(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True))
