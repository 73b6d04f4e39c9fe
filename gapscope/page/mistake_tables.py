"""Which mistakes does every arm make, which class does it take for which, and is its confidence right? As tables."""

import math
from dataclasses import replace
from statistics import fmean

from gapscope.evaluation.error_kinds import KINDS, SPECIAL
from gapscope.findings.gaps import mean_over
from gapscope.findings.headline import number
from gapscope.findings.outcomes import OUTCOMES, confusion_shares, outcome_of
from gapscope.findings.results import Results, details_of, evaluated_arms, evaluations_of
from gapscope.findings.tables import printed
from gapscope.page.cells import Cell, CellTable, DomainTables, Rows, mean_cell

TOP_CONFUSIONS = 6
"""So many confusions are listed per domain."""


def outcome_tables(results: Results) -> DomainTables:
    """What becomes of the labelled boxes."""
    about = (
        f"Labelled boxes at confidence {_confidence(results)} and IoU 0.5, as the confusion matrices below count them, "
        "mean over seeds, the seeds below. False detections are those where nothing is labelled."
    )

    def rows_of(domain: str, arms: list[str]) -> Rows:
        outcomes = {arm: [outcome_of(one) for one in evaluations_of(results, arm, domain)] for arm in arms}
        rows = []
        for name, (words, number_of) in OUTCOMES.items():
            values = {arm: [number_of(one) if one else math.nan for one in outcomes[arm]] for arm in arms}
            cells = (mean_cell(values[arm], "{:.0%}" if name != "false" else "{:.2f}") for arm in arms)
            rows.append(((words,), tuple(cells if name != "false" else (replace(cell, bar=None) for cell in cells))))
        return rows

    return DomainTables.of(results, about, ("labelled boxes",), rows_of, "confusion")


def _confidence(results: Results) -> str:
    found = {one["confusion"]["confidence"] for one in results.evaluations.values() if "confusion" in one}
    return ", ".join(f"{value:g}" for value in sorted(found))


def error_tables(results: Results) -> DomainTables:
    """What every kind of mistake costs."""
    about = (
        "Kinds of mistakes: AP points that mending all of a kind, and no other, would add to mAP@0.5 (all classes, "
        "rule coco), mean over seeds. Below it their number, however little confident: most background mistakes stand "
        "at the end of the ranking and cost nothing."
    )

    def rows_of(domain: str, arms: list[str]) -> Rows:
        kinds = {arm: [one["kinds"] for one in details_of(results, arm, domain, "errors")] for arm in arms}
        names = list(KINDS | SPECIAL)
        costs = {
            (kind, arm): mean_over([100 * number(one[kind]["delta_map50"]) for one in kinds[arm]])
            for kind in names
            for arm in arms
        }
        most = max((cost for cost in costs.values() if math.isfinite(cost)), default=0.0)

        def cell(kind: str, arm: str) -> Cell:
            cost, count = costs[kind, arm], fmean(one[kind]["count"] for one in kinds[arm])
            return Cell(printed(cost, "{:+.1f}"), f"{count:,.0f} of them", max(cost, 0) / most if most > 0 else None)

        return [((kind.replace("_", " "),), tuple(cell(kind, arm) for arm in arms)) for kind in names]

    return DomainTables.of(results, about, ("kind",), rows_of, "errors")


def confusion_tables(results: Results) -> DomainTables:
    """The most frequent confusions."""
    about = (
        "What labelled boxes are most often taken for, as a share of all boxes of the class, mean over seeds. How many "
        "are missed stands in the matrices."
    )

    def rows_of(domain: str, arms: list[str]) -> Rows:
        shares = {arm: confusion_shares(results, arm, domain) for arm in arms}
        pairs = {pair for of_arm in shares.values() for pair in of_arm}
        by_share = sorted(pairs, key=lambda pair: (-max(of_arm.get(pair, 0.0) for of_arm in shares.values()), pair))
        return [
            (pair, tuple(Cell(f"{shares[arm].get(pair, 0.0):.1%}", "", shares[arm].get(pair, 0.0)) for arm in arms))
            for pair in by_share[:TOP_CONFUSIONS]
        ]

    return DomainTables.of(results, about, ("true class", "taken for"), rows_of, "confusion")


def calibration_table(results: Results) -> CellTable | None:
    """Expected calibration error of every arm on every domain; None where no evaluation file holds it."""
    domains = [domain for domain in results.test_domains if evaluated_arms(results, domain, "calibration")]
    found = {
        (arm, domain): details_of(results, arm, domain, "calibration") for arm in results.arms for domain in domains
    }
    begin = sorted({one["from_confidence"] for of_arm in found.values() for one in of_arm})
    if not begin:
        return None

    def cell(arm: str, domain: str) -> Cell:
        sure, every = ([number(one[key]) for one in found[arm, domain]] for key in ("error_from", "error"))
        return replace(mean_cell(sure, "{:.3f}"), note=f"of all: {printed(mean_over(every), '{:.3f}')}")

    caption = (
        "Expected calibration error: how far confidence lies from precision on average, in detections from confidence "
        f"{', '.join(f'{value:g}' for value in begin)} on, mean over seeds. Below it that of all detections, most of "
        "which are hardly believed, and rightly so."
    )
    rows = [((results.arm_title(arm),), tuple(cell(arm, domain) for domain in domains)) for arm in results.arms]
    return CellTable(caption, ("arm",), tuple(results.domain_title(domain) for domain in domains), tuple(rows))
