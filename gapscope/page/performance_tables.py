"""How well does every arm detect, by class, by box size and by either rule? As tables."""

from collections.abc import Sequence

from gapscope.evaluation.average_precision import RULES
from gapscope.evaluation.matching import SIZES
from gapscope.findings.arm_numbers import ArmNumbers
from gapscope.findings.estimates import BySeed, Estimate
from gapscope.findings.result_tables import UNDEFINED, printed, printed_range
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.page.cell_tables import Cell, CellTable, Rows, TablesByDomain, bar_of, mean_cell

SIZE_LIMITS = {"small": "small: up to 32 x 32", "medium": "medium: up to 96 x 96", "large": "large"}
"""COCO's, in pixels of the original image."""


def old_evaluations(results: Results) -> list[str]:
    """Evaluation files that hold mAP and little else, as they were before there were intervals and curves."""
    return [f"{run}--{domain}.json" for (run, domain), found in results.evaluations.items() if found.curves is None]


def class_tables(numbers: RunNumbers) -> TablesByDomain:
    """AP@0.5 per class with intervals."""
    results = numbers.results
    several = "how far the 95 % intervals of the single seeds reach together"
    below = several if len(results.seeds) > 1 else "its 95 % interval"
    about = (
        f"AP@0.5 by the rule {results.experiment.evaluate.rule}, mean over seeds; below it, {below}, over test images."
    )

    def rows_of(domain: str, arms: Sequence[ArmNumbers]) -> Rows:
        return [
            ((name, _num_targets(results, domain, name)), tuple(_class_cell(arm.classes[name]) for arm in arms))
            for name in results.experiment.data.classes
        ]

    return TablesByDomain.of(numbers, about, ("class", "test boxes"), rows_of)


def _class_cell(of: Estimate) -> Cell:
    reach = printed_range(of, "{:.2f}") if of.has_interval else ""
    return Cell(printed(of.value, "{:.3f}"), reach, bar_of(of.value))


def _num_targets(results: Results, domain: str, name: str) -> str:
    counts = {evaluation.targets.get(name) for (_, of), evaluation in results.evaluations.items() if of == domain}
    return ", ".join(str(count) for count in sorted(count for count in counts if count is not None))


def rule_table(numbers: RunNumbers) -> CellTable | None:
    """The headline number under the rule that the study does not lead with; None where it prints the same."""
    results, scores = numbers.results, numbers.scores
    other = next(rule for rule in RULES if rule != scores.rule)
    domains = [domain for domain in results.test_domains if numbers.evaluated_arms(domain)]
    most = scores.most_between_rules(results.arms, domains)
    if most < 0.05:
        return None
    caption = (
        f"mAP@0.5 by the rule {other}, mean over seeds, the seeds below. No number is further than {most:.1f} AP "
        f"points from the one that the rule {scores.rule} gives."
    )
    rows = [
        (
            (results.arm_title(arm),),
            tuple(mean_cell(BySeed(scores.of(arm, domain, other).values), "{:.3f}") for domain in domains),
        )
        for arm in results.arms
    ]
    return CellTable(caption, ("arm",), tuple(results.domain_title(domain) for domain in domains), tuple(rows))


def size_tables(numbers: RunNumbers) -> TablesByDomain:
    """mAP@0.5 of small, medium and large boxes."""
    about = (
        "mAP@0.5 by box size (rule coco, pixels of the original images), mean over seeds, the seeds below. "
        "The files hold no intervals of these."
    )

    def rows_of(domain: str, arms: Sequence[ArmNumbers]) -> Rows:
        rows = []
        for size in SIZES:
            targets = {count for arm in arms for count in arm.size_targets[size]}
            if targets:
                cells = tuple(mean_cell(arm.sizes[size], "{:.3f}", "{:.2f}") for arm in arms)
                rows.append(((SIZE_LIMITS[size], ", ".join(map(str, sorted(targets)))), cells))
        return rows

    return TablesByDomain.of(numbers, about, ("box size", "test boxes"), rows_of)


def best_tables(numbers: RunNumbers) -> TablesByDomain:
    """Where F1 is highest, per class."""
    about = (
        "The highest F1 per class, mean over seeds; below it the least confidence that gives it, seed by seed. It was "
        "chosen on these very images: expect less on others."
    )

    def rows_of(domain: str, arms: Sequence[ArmNumbers]) -> Rows:
        return [
            ((name,), tuple(_best_cell(arm, name) for arm in arms)) for name in numbers.results.experiment.data.classes
        ]

    return TablesByDomain.of(numbers, about, ("class",), rows_of, lambda arm: arm.has_curves)


def _best_cell(arm: ArmNumbers, name: str) -> Cell:
    best = arm.best.get(name)
    if best is None:
        return Cell(UNDEFINED)
    return Cell(f"{best.f1:.2f}", "from " + ", ".join(f"{value:.2f}" for value in best.confidences), best.f1)
