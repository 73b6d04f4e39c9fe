"""What becomes of the labelled boxes at the confidence from which a user would believe a detection?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gapscope.findings.gap_parts import Part
from gapscope.findings.gaps import Gap
from gapscope.findings.results import Results, details_of
from gapscope.run_folder import RunName


@dataclass(frozen=True)
class Outcome:
    """One network on one domain, from its confusion matrix."""

    found: float
    """Share of the labelled boxes that a detection of the right class fits."""
    confused: float
    """Share that a detection of another class fits."""
    missed: float
    """Share that no detection fits."""
    false: float
    """Detections per image where nothing is labelled."""


OUTCOMES: dict[str, tuple[str, Callable[[Outcome], float]]] = {
    "found": ("found", lambda outcome: outcome.found),
    "confused": ("taken for another class", lambda outcome: outcome.confused),
    "missed": ("missed", lambda outcome: outcome.missed),
    "false": ("false detections per image", lambda outcome: outcome.false),
}
"""Name -> words, number."""


def outcome_of(evaluation: dict[str, Any]) -> Outcome | None:
    """None in evaluation files of before there were confusion counts, and without labelled boxes."""
    counts = evaluation.get("confusion", {}).get("counts", {})
    labelled = {true: row for true, row in counts.items() if true != "background"}
    total = sum(sum(row.values()) for row in labelled.values())
    if not total:
        return None
    found = sum(row.get(true, 0) for true, row in labelled.items()) / total
    missed = sum(row.get("background", 0) for row in labelled.values()) / total
    false = sum(counts.get("background", {}).values()) / evaluation["num_images"]
    return Outcome(found, 1 - found - missed, missed, false)


def outcome_parts(results: Results, gap: Gap) -> dict[str, Part]:
    """Each outcome in both arms of a gap, seed by seed; empty where a file does not hold it."""
    home, other = (
        [outcome_of(results.evaluations[RunName(arm, seed), gap.domain]) for seed in gap.seeds]
        for arm in (gap.home, gap.other)
    )
    known = [one for one in home if one], [one for one in other if one]
    if any(len(found) < len(gap.seeds) for found in known):
        return {}
    return {
        name: Part(name, tuple(map(number, known[0])), tuple(map(number, known[1])))
        for name, (_, number) in OUTCOMES.items()
    }


def confusion_shares(results: Results, arm: str, domain: str) -> dict[tuple[str, str], float]:
    """(true class, other class that it is taken for) -> share of the class's boxes, mean over seeds."""
    found = details_of(results, arm, domain, "confusion")
    shares: dict[tuple[str, str], float] = {}
    for true in results.experiment.data.classes:
        for counts in (one["counts"].get(true, {}) for one in found):
            for taken_for, n in counts.items():
                if taken_for not in (true, "background"):
                    key = (true, taken_for)
                    shares[key] = shares.get(key, 0.0) + n / sum(counts.values()) / len(found)
    return shares
