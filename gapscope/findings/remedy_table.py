"""Remedies as rows, ranked by what they regain: for a terminal and for Table 8."""

import math
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from gapscope.findings.estimates import Estimate
from gapscope.findings.gaps import Gap
from gapscope.findings.remedies import Remedy
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers

COLUMNS = {
    "remedy": "the arm",
    "mAP": "mAP@0.5 on the images of the gap, mean over the seeds",
    "regained": "AP points more than the arm without the remedy, with the 95 % interval over test images",
    "of the gap": "the share of it that is closed",
    "at home": "AP points more or less where the arm without it was trained",
    "labels": "labelled training images of the gap's domain",
    "min": "minutes of training that the arm without it did not need, per seed",
}
"""Column -> what stands in it."""


def remedy_rows(numbers: RunNumbers) -> Iterator[dict[str, Any]]:
    """Every remedy with all its numbers, gap by gap, what regains most first; None where a number is not known."""
    for remedy in numbers.remedies:
        regained, cost = remedy.regained, remedy.cost
        yield {
            "domain": remedy.gap.domain,
            "without": remedy.gap.other,
            "goal": remedy.gap.home,
            "remedy": remedy.arm,
            "map50": fmean(regained.home_map50s),
            "regained": regained.mean,
            **_interval("regained", regained.estimate),
            "by_seed": " ".join(f"{points:.2f}" for points in regained.points),
            "share": _known(remedy.share.value),
            **_interval("share", remedy.share),
            **{f"on_{domain}": change.mean for domain, change in remedy.elsewhere.items()},
            "labelled_images": cost.labelled_images,
            "unlabelled_images": cost.unlabelled_images,
            "seconds": _known(cost.seconds),
            "points_per_labelled_image": _known(remedy.points_per_labelled_image),
            "points_per_minute": _known(remedy.points_per_minute),
        }


def _interval(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {f"{name}_low": _known(estimate.low), f"{name}_high": _known(estimate.high)}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def remedy_tables(numbers: RunNumbers) -> Iterator[Table]:
    """A table per gap against which something has been tried."""
    results = numbers.results
    for gap in numbers.gaps:
        found = [one for one in numbers.remedies if one.gap is gap]
        if not found:
            continue
        what = f"{results.arm_title(gap.other)} on {results.domain_title(gap.domain)}"
        title = f"{what}: {gap.mean:.1f} AP points behind {results.arm_title(gap.home)}"
        table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
        for column in COLUMNS:
            table.add_column(column, justify="left" if column == "remedy" else "right", overflow="fold")
        for one in found:
            table.add_row(*map(escape, shown_row(results, one)))
        yield table


def remedy_notes() -> list[str]:
    """Sentences that belong below the tables."""
    return [f"{column}: {meaning}" for column, meaning in COLUMNS.items()]


def shown_row(results: Results, remedy: Remedy) -> tuple[str, ...]:
    """A remedy as text, as `COLUMNS` names it."""
    cost = remedy.cost
    return (
        results.arm_title(remedy.arm),
        f"{fmean(remedy.regained.home_map50s):.3f}",
        _points(remedy.regained),
        _share(remedy.share),
        ", ".join(f"{change.mean:+.1f}" for change in remedy.elsewhere.values()),
        "?" if cost.labelled_images is None else str(cost.labelled_images),
        "?" if math.isnan(cost.seconds) else f"{cost.seconds / 60:.1f}",
    )


def _points(gap: Gap) -> str:
    low, high = gap.estimate.low, gap.estimate.high
    return f"{gap.mean:+.1f}" + (f" [{low:+.1f}, {high:+.1f}]" if gap.estimate.has_interval else "")


def _share(share: Estimate) -> str:
    if math.isnan(share.value):
        return "no gap told"
    value = share.times(100)
    return f"{value.value:.0f} %" + (f" [{value.low:.0f}, {value.high:.0f}]" if value.has_interval else "")
