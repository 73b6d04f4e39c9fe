"""Tables of the page whose cells hold more than one number: a mean, and below it an interval, a count or the seeds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gapscope.findings.arm_numbers import ArmNumbers
from gapscope.findings.estimates import BySeed
from gapscope.findings.result_tables import printed
from gapscope.findings.run_numbers import RunNumbers


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
class TablesByDomain:
    """The same table for each test domain that has its numbers."""

    about: str
    """What all of them show."""
    tables: tuple[CellTable, ...]

    @classmethod
    def of(
        cls,
        numbers: RunNumbers,
        about: str,
        labels: tuple[str, ...],
        rows_of: Callable[[str, Sequence[ArmNumbers]], Rows],
        has: Callable[[ArmNumbers], bool] = lambda arm: True,
    ) -> "TablesByDomain":
        """A table per domain with a column per arm.

        Args:
            about: What all of them show.
            labels: What stands above the rows' labels.
            rows_of: Domain and what its arms do there -> rows.
            has: Whether an arm has the numbers that a column needs.
        """
        results, tables = numbers.results, []
        for domain in results.test_domains:
            arms = [arm for arm in numbers.evaluated_arms(domain) if has(numbers.arms[arm, domain])]
            found = [numbers.arms[arm, domain] for arm in arms]
            rows = tuple(rows_of(domain, found)) if found else ()
            images = {count for one in found for count in one.num_images}
            caption = f"On {results.domain_title(domain)} ({', '.join(map(str, sorted(images)))} test images)"
            if rows:
                tables.append(CellTable(caption, labels, tuple(results.arm_title(arm) for arm in arms), rows))
        return cls(about, tuple(tables))


def mean_cell(found: BySeed, form: str, note_form: str = "") -> Cell:
    """The mean of the seeds' values, itself the bar, with the values below it if there are several."""
    return Cell(printed(found.mean, form), seeds_below(found.values, note_form or form), bar_of(found.mean))


def bar_of(value: float) -> float | None:
    """A number between 0 and 1 as its own bar."""
    return value if math.isfinite(value) else None


def seeds_below(values: Sequence[float], form: str) -> str:
    """The seeds' values, if there are several."""
    return ", ".join(printed(value, form) for value in values) if len(values) > 1 else ""
