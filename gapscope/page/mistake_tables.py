"""Which mistakes does every arm make, which class does it take for which, and is its confidence right? As tables."""

import math
from collections.abc import Sequence
from dataclasses import replace

from gapscope.evaluation.error_kinds import KINDS, SPECIAL
from gapscope.findings.arm_numbers import ArmNumbers, CalibrationNumbers
from gapscope.findings.outcomes import OUTCOMES
from gapscope.findings.result_tables import UNDEFINED, printed
from gapscope.findings.run_numbers import RunNumbers
from gapscope.page.cell_tables import Cell, CellTable, Rows, TablesByDomain, mean_cell
from gapscope.words import percent

TOP_CONFUSIONS = 6
"""So many confusions are listed per domain."""


def outcome_tables(numbers: RunNumbers) -> TablesByDomain:
    """What becomes of the labelled boxes."""
    about = (
        f"Labelled boxes at confidence {_confidence(numbers)} and IoU 0.5, as the confusion matrices below count them, "
        "mean over seeds, the seeds below. False detections are those where nothing is labelled."
    )

    def rows_of(domain: str, arms: Sequence[ArmNumbers]) -> Rows:
        rows = []
        for name, (words, _) in OUTCOMES.items():
            form = "{:.0%}" if name != "false" else "{:.2f}"
            cells = (mean_cell(arm.outcomes[name], form) for arm in arms)
            rows.append(((words,), tuple(cells if name != "false" else (replace(cell, bar=None) for cell in cells))))
        return rows

    return TablesByDomain.of(numbers, about, ("labelled boxes",), rows_of, lambda arm: arm.has_confusion)


def _confidence(numbers: RunNumbers) -> str:
    found = {one.confusion.confidence for one in numbers.results.evaluations.values() if one.confusion}
    return ", ".join(f"{value:g}" for value in sorted(found))


def error_tables(numbers: RunNumbers) -> TablesByDomain:
    """What every kind of mistake costs."""
    about = (
        "Kinds of mistakes: AP points that mending all of a kind, and no other, would add to mAP@0.5 (all classes, "
        "rule coco), mean over seeds. Below it their number, however little confident: most background mistakes stand "
        "at the end of the ranking and cost nothing."
    )

    def rows_of(domain: str, arms: Sequence[ArmNumbers]) -> Rows:
        costs = [one.cost for arm in arms for one in arm.kinds.values()]
        most = max((cost for cost in costs if math.isfinite(cost)), default=0.0)

        def cell(arm: ArmNumbers, kind: str) -> Cell:
            one = arm.kinds[kind]
            bar = max(one.cost, 0) / most if most > 0 else None
            return Cell(printed(one.cost, "{:+.1f}"), f"{one.count:,.0f} of them", bar)

        return [((kind.replace("_", " "),), tuple(cell(arm, kind) for arm in arms)) for kind in KINDS | SPECIAL]

    return TablesByDomain.of(numbers, about, ("kind",), rows_of, lambda arm: bool(arm.kinds))


def confusion_tables(numbers: RunNumbers) -> TablesByDomain:
    """The most frequent confusions."""
    about = (
        "What labelled boxes are most often taken for, as a share of all boxes of the class, mean over seeds. How many "
        "no detection fits stands in the matrices."
    )

    def rows_of(domain: str, arms: Sequence[ArmNumbers]) -> Rows:
        shares = [arm.confusions for arm in arms]
        pairs = {pair for of_arm in shares for pair in of_arm}
        by_share = sorted(pairs, key=lambda pair: (-max(of_arm.get(pair, 0.0) for of_arm in shares), pair))
        return [
            (pair, tuple(Cell(percent(of_arm.get(pair, 0.0), 1), "", of_arm.get(pair, 0.0)) for of_arm in shares))
            for pair in by_share[:TOP_CONFUSIONS]
        ]

    return TablesByDomain.of(numbers, about, ("true class", "taken for"), rows_of, lambda arm: arm.has_confusion)


def calibration_table(numbers: RunNumbers) -> CellTable | None:
    """Expected calibration error of every arm on every domain; None where no evaluation file holds it."""
    results = numbers.results
    found = {key: arm.calibration for key, arm in numbers.arms.items() if arm.calibration is not None}
    domains = [domain for domain in results.test_domains if any((arm, domain) in found for arm in results.arms)]
    if not domains:
        return None

    def cell(calibration: CalibrationNumbers | None) -> Cell:
        if calibration is None:
            return Cell(UNDEFINED, f"of all: {UNDEFINED}")
        note = f"of all: {printed(calibration.every.mean, '{:.3f}')}"
        return replace(mean_cell(calibration.sure, "{:.3f}"), note=note)

    begin = sorted({value for one in found.values() for value in one.from_confidence})
    caption = (
        "Expected calibration error: how far confidence lies from precision on average, in detections from confidence "
        f"{', '.join(f'{value:g}' for value in begin)} on, mean over seeds. Below it that of all detections, most of "
        "which are hardly believed, and rightly so."
    )
    rows = [
        ((results.arm_title(arm),), tuple(cell(found.get((arm, domain))) for domain in domains)) for arm in results.arms
    ]
    return CellTable(caption, ("arm",), tuple(results.domain_title(domain) for domain in domains), tuple(rows))
