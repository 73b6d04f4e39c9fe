"""Tables 8 and 9: what has been tried against a gap, ranked; and how good a detector is with so many labels."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from gapscope.findings.budgets import BudgetCurve, BudgetPoint, Budgets
from gapscope.findings.gaps import Gap
from gapscope.findings.remedy_table import COLUMNS, remedy_rows, shown_row
from gapscope.findings.result_tables import UNDEFINED, ResultTable
from gapscope.findings.run_numbers import RunNumbers


def tables_of_remedies(numbers: RunNumbers) -> list[ResultTable]:
    """Those whose numbers are there."""
    tables = [ranking_table(numbers), budgets_table(numbers)]
    return [table for table in tables if table.rows]


def ranking_table(numbers: RunNumbers) -> ResultTable:
    """Table 8: a row for every remedy, gap by gap, what regains most first."""
    results = numbers.results
    rows = [
        (results.domain_title(one.gap.domain), results.arm_title(one.gap.other), *shown_row(results, one))
        for one in numbers.remedies
    ]
    columns = tuple(("", name) for name in ("domain", "without", *COLUMNS))
    said = "; ".join(f"{column}: {meaning}" for column, meaning in COLUMNS.items() if column != "remedy")
    caption = (
        f"What has been tried against each gap, what regains most first ({said}). Intervals are over "
        " test images drawn anew, the same for all arms and seeds; what other trainings would change is not in "
        "them, and nothing is corrected for the number of remedies."
    )
    return ResultTable(8, caption, columns, tuple(rows), pd.DataFrame(list(remedy_rows(numbers))), num_labels=3)


def budgets_table(numbers: RunNumbers) -> ResultTable:
    """Table 9: a row for every way to use labelled images and every number of them."""
    results, rows = numbers.results, list[tuple[str, ...]]()
    for gap, curve, point in budget_points(numbers.budgets):
        seeds, mean = " ".join(f"{one:.3f}" for one in point.map50s), point.map50
        interval = f"{mean.low:.3f} to {mean.high:.3f}" if mean.has_interval else UNDEFINED
        domain = results.domain_title(gap.domain)
        rows.append((domain, curve.name, str(point.labels), f"{mean.value:.3f}", interval, seeds))
    columns = tuple(("", name) for name in ("domain", "way", "labels", "mAP", "95 %", "by seed"))
    caption = (
        "mAP@0.5 by number of labelled images of the domain, for every way to use them: alone, mixed with all "
        "synthetic images, or for fine-tuning of the synthetic arm; adapted: with further images of the domain, "
        "without labels. Means over the seeds; 95 %: interval over test images, the same for all rows."
    )
    frame = pd.DataFrame(list(budget_rows(numbers.budgets)))
    return ResultTable(9, caption, columns, tuple(rows), frame, num_labels=2)


def budget_rows(budgets: Sequence[Budgets]) -> Iterator[dict[str, str | int | float | None]]:
    """Every point of every curve, in long form."""
    for gap, curve, point in budget_points(budgets):
        yield {
            "domain": gap.domain,
            "way": curve.way,
            "adapted": curve.adapted,
            "labels": point.labels,
            "arm": point.arm,
            "map50": point.map50.value,
            "low": _known(point.map50.low),
            "high": _known(point.map50.high),
            "by_seed": " ".join(f"{value:.4f}" for value in point.map50s),
        }


def budget_points(budgets: Sequence[Budgets]) -> Iterator[tuple[Gap, BudgetCurve, BudgetPoint]]:
    """Every point of every curve, once: labelled images alone stand beside every gap on their domain."""
    seen = set[tuple[str, str, bool, str]]()
    for one in budgets:
        for curve in one.curves:
            for point in curve.points:
                key = one.gap.domain, curve.way, curve.adapted, point.arm
                if key not in seen:
                    seen.add(key)
                    yield one.gap, curve, point


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
