"""Tables of the page whose cells hold more than one number: a mean, and below it an interval, a count or the seeds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gapscope.findings.gaps import mean_over
from gapscope.findings.results import Results, evaluated_arms, evaluations_of
from gapscope.findings.tables import printed


@dataclass(frozen=True)
class Cell:
    """One number of a table as the page shows it."""

    text: str
    note: str = ""
    """A second line: an interval, a count, the seeds."""
    bar: float | None = None
    """How far the bar behind the number reaches, 0 to 1."""


@dataclass(frozen=True)
class CellTable:
    """A table of the page: rows have one or two labels, and a cell per column."""

    caption: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]


Rows = Sequence[tuple[tuple[str, ...], tuple[Cell, ...]]]


@dataclass(frozen=True)
class DomainTables:
    """The same table for each test domain that has its numbers."""

    about: str
    """What all of them show."""
    tables: tuple[CellTable, ...]

    @classmethod
    def of(
        cls,
        results: Results,
        about: str,
        labels: tuple[str, ...],
        rows_of: Callable[[str, list[str]], Rows],
        key: str = "rules",
    ) -> "DomainTables":
        """A table per domain with a column per arm.

        Args:
            about: What all of them show.
            labels: What stands above the rows' labels.
            rows_of: Domain and arms -> rows.
            key: What an evaluation file has to hold for its arm to have a column.
        """
        tables = []
        for domain in results.test_domains:
            arms = evaluated_arms(results, domain, key)
            rows = tuple(rows_of(domain, arms)) if arms else ()
            images = {one["num_images"] for arm in arms for one in evaluations_of(results, arm, domain)}
            caption = f"On {results.domain_title(domain)} ({', '.join(map(str, sorted(images)))} test images)"
            if rows:
                tables.append(CellTable(caption, labels, tuple(results.arm_title(arm) for arm in arms), rows))
        return cls(about, tuple(tables))


def mean_cell(values: Sequence[float], form: str, note_form: str = "") -> Cell:
    """The mean of the seeds' values, itself the bar, with the values below it if there are several."""
    mean = mean_over(list(values))
    return Cell(printed(mean, form), by_seed(values, note_form or form), bar_of(mean))


def bar_of(value: float) -> float | None:
    """A number between 0 and 1 as its own bar."""
    return value if math.isfinite(value) else None


def by_seed(values: Sequence[float], form: str) -> str:
    """The seeds' values, if there are several."""
    return ", ".join(printed(value, form) for value in values) if len(values) > 1 else ""
