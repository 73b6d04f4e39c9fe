"""What the Performance section shows, part by part."""

from typing import Any

from gapscope.evaluation.error_kinds import KINDS, SPECIAL
from gapscope.findings.gaps import gaps
from gapscope.findings.results import Results
from gapscope.page.mistake_tables import calibration_table, confusion_tables, error_tables, outcome_tables
from gapscope.page.performance_tables import best_tables, class_tables, old_evaluations, rule_table, size_tables


def performance_context(results: Results) -> dict[str, Any]:
    """The section's tables, and what its controls begin with."""
    found = gaps(results)
    return {
        "arms": [results.arm_title(arm) for arm in results.arms],
        "domains": [results.domain_title(domain) for domain in results.test_domains],
        "gaps": found,
        "old": old_evaluations(results),
        "has_details": any("curves" in evaluation for evaluation in results.evaluations.values()),
        "by_class": class_tables(results),
        "by_rule": rule_table(results),
        "by_size": size_tables(results),
        "best": best_tables(results),
        "outcomes": outcome_tables(results),
        "errors": error_tables(results),
        "kinds": KINDS | SPECIAL,
        "confusions": confusion_tables(results),
        "calibration": calibration_table(results),
        "pair": [results.arms.index(arm) for arm in (found[0].home, found[0].other)] if found else [0, 0],
    }
