"""The numbers of a study of several networks as CSV, one number with its interval per row."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from gapscope.paper.table_files import frame_csv
from gapscope.several.cross_grids import CrossGrid, matches_by_part, order_kept
from gapscope.several.csv_files import csv_files
from gapscope.several.line_up import SideBySide
from gapscope.several.network_gaps import Differences

SHARED = ("runs", "gaps", "curves", "means", "rank-correlations", "statements", "warnings")
"""Files that several runs have too."""

Rows = Iterator[dict[str, Any]]


def network_csv(side: SideBySide, differences: Differences, crossed: Sequence[CrossGrid]) -> dict[str, str]:
    """File name -> text, without those that would be empty."""
    runs = csv_files(side)
    found = {f"networks-{name}.csv": runs[f"several-{name}.csv"] for name in SHARED if f"several-{name}.csv" in runs}
    frames = {"parts": _parts(side), "differences": _differences(differences), "best-matches": _matches(crossed)}
    for name, rows in frames.items():
        frame = pd.DataFrame(list(rows))
        found |= {f"networks-{name}.csv": frame_csv(frame)} if len(frame) else {}
    return found


def _parts(side: SideBySide) -> Rows:
    """The arms of each network's primary gap, part by part."""
    for run in side.runs:
        for part in run.findings.parts:
            where = {"run": run.letter, "title": run.title, "part": part.name, "first": part.first, "last": part.last}
            yield where | {"value": part.mean, "ceiling": part.ceiling, "floor": part.floor}


def _differences(differences: Differences) -> Rows:
    for (role, home, other), found in differences.items():
        for one in found:
            start = {"role": role, "home": home, "other": other, "network": one.a.run.letter, "minus": one.b.run.letter}
            for of, estimate in (("this pair", one.alone), ("all pairs", one.estimate)):
                numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
                yield start | {"interval_for": of, **numbers, "told": one.is_told}


def _matches(crossed: Sequence[CrossGrid]) -> Rows:
    for one in crossed:
        names = {"a": str(one.names[0]), "b": str(one.names[1]), "size": one.size, "order_kept": order_kept(one)}
        for part in matches_by_part(one):
            yield names | vars(part)
