"""How well does every arm detect, by class, by box size and by either rule? As tables."""

import math
from statistics import fmean
from typing import Any

from gapscope.evaluation.average_precision import RULES
from gapscope.evaluation.matching import SIZES
from gapscope.findings.gap_parts import class_estimate
from gapscope.findings.gaps import mean_over
from gapscope.findings.headline import Estimate, map50s, number, rule_scores
from gapscope.findings.results import Results, details_of, evaluated_arms
from gapscope.findings.tables import UNDEFINED, printed, printed_range
from gapscope.page.cells import (
    Cell,
    CellTable,
    DomainTables,
    Rows,
    bar_of,
    mean_cell,
)
from gapscope.run_folder import RunName

SIZE_LIMITS = {"small": "small: up to 32 x 32", "medium": "medium: up to 96 x 96", "large": "large"}
"""COCO's, in pixels of the original image."""


def old_evaluations(results: Results) -> list[str]:
    """Evaluation files that hold mAP and little else, as they were before there were intervals and curves."""
    return [f"{run}--{domain}.json" for (run, domain), found in results.evaluations.items() if "curves" not in found]


def class_tables(results: Results) -> DomainTables:
    """AP@0.5 per class with intervals."""
    several = "how far the 95 % intervals of the single seeds reach together"
    below = several if len(results.seeds) > 1 else "its 95 % interval"
    about = (
        f"AP@0.5 by the rule {results.experiment.evaluate.rule}, mean over seeds; below it, {below}, over test images."
    )

    def rows_of(domain: str, arms: list[str]) -> Rows:
        return [
            (
                (name, _num_targets(results, domain, name)),
                tuple(_class_cell(results, arm, domain, name) for arm in arms),
            )
            for name in results.experiment.data.classes
        ]

    return DomainTables.of(results, about, ("class", "test boxes"), rows_of)


def _class_cell(results: Results, arm: str, domain: str, name: str) -> Cell:
    found = [class_estimate(results, RunName(arm, seed), domain, name) for seed in results.seeds]
    mean, known = mean_over([one.value for one in found]), [one for one in found if one.has_interval]
    reach = Estimate(mean, min(one.low for one in known), max(one.high for one in known)) if known else Estimate(mean)
    return Cell(printed(mean, "{:.3f}"), printed_range(reach, "{:.2f}") if known else "", bar_of(mean))


def _num_targets(results: Results, domain: str, name: str) -> str:
    counts = {evaluation["targets"].get(name) for (_, of), evaluation in results.evaluations.items() if of == domain}
    return ", ".join(str(count) for count in sorted(count for count in counts if count is not None))


def rule_table(results: Results) -> CellTable | None:
    """The headline number under the rule that the study does not lead with; None where it prints the same."""
    led = results.experiment.evaluate.rule
    other = next(rule for rule in RULES if rule != led)
    domains = [domain for domain in results.test_domains if evaluated_arms(results, domain)]
    differences = [
        abs(a - b)
        for arm in results.arms
        for domain in domains
        for a, b in zip(map50s(results, arm, domain, led), map50s(results, arm, domain, other), strict=True)
    ]
    most = max((value for value in differences if math.isfinite(value)), default=0.0)
    if most < 0.0005:
        return None
    caption = (
        f"mAP@0.5 by the rule {other}, mean over seeds, the seeds below. No number is further than {100 * most:.1f} AP "
        f"points from the one that the rule {led} gives."
    )
    rows = [
        (
            (results.arm_title(arm),),
            tuple(mean_cell(map50s(results, arm, domain, other), "{:.3f}") for domain in domains),
        )
        for arm in results.arms
    ]
    return CellTable(caption, ("arm",), tuple(results.domain_title(domain) for domain in domains), tuple(rows))


def size_tables(results: Results) -> DomainTables:
    """mAP@0.5 of small, medium and large boxes."""
    about = (
        "mAP@0.5 by box size (rule coco, pixels of the original images), mean over seeds, the seeds below. "
        "The files hold no intervals of these."
    )

    def rows_of(domain: str, arms: list[str]) -> Rows:
        rows = []
        for size in SIZES:
            found = {arm: [one.get(size, {}) for one in _by_size(results, arm, domain)] for arm in arms}
            targets = {one["targets"] for of_arm in found.values() for one in of_arm if one.get("targets")}
            if targets:
                cells = (
                    mean_cell([number(one.get("map50")) for one in found[arm]], "{:.3f}", "{:.2f}") for arm in arms
                )
                rows.append(((SIZE_LIMITS[size], ", ".join(map(str, sorted(targets)))), tuple(cells)))
        return rows

    return DomainTables.of(results, about, ("box size", "test boxes"), rows_of)


def _by_size(results: Results, arm: str, domain: str) -> list[dict[str, Any]]:
    return [rule_scores(results, RunName(arm, seed), domain, "coco").get("by_size", {}) for seed in results.seeds]


def best_tables(results: Results) -> DomainTables:
    """Where F1 is highest, per class."""
    about = (
        "The highest F1 per class, mean over seeds; below it the least confidence that gives it, seed by seed. It was "
        "chosen on these very images: expect less on others."
    )

    def rows_of(domain: str, arms: list[str]) -> Rows:
        found = {arm: details_of(results, arm, domain, "curves") for arm in arms}
        return [
            ((name,), tuple(_best_cell(found[arm], name) for arm in arms)) for name in results.experiment.data.classes
        ]

    return DomainTables.of(results, about, ("class",), rows_of, "curves")


def _best_cell(curves: list[dict[str, Any]], name: str) -> Cell:
    best = [found["coco"].get(name, {}).get("best") for found in curves]
    known = [one for one in best if one]
    if not known:
        return Cell(UNDEFINED)
    f1 = fmean(one["f1"] for one in known)
    return Cell(f"{f1:.2f}", "from " + ", ".join(f"{one['confidence']:.2f}" for one in known), f1)
