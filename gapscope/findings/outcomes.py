"""What becomes of the labelled boxes at the confidence from which a user would believe a detection?"""

from collections.abc import Callable
from dataclasses import dataclass

from gapscope.findings.evaluation_file import EvaluationFile
from gapscope.findings.results import Results


@dataclass(frozen=True)
class Outcome:
    """One network on one domain, from its confusion matrix."""

    found: float
    """Share of the labelled boxes that a detection of the right class fits."""
    confused: float
    """Share that a detection of another class fits."""
    false: float
    """Detections per image where nothing is labelled."""


OUTCOMES: dict[str, tuple[str, Callable[[Outcome], float]]] = {
    "found": ("found", lambda outcome: outcome.found),
    "confused": ("taken for another class", lambda outcome: outcome.confused),
    "false": ("false detections per image", lambda outcome: outcome.false),
}
"""Name -> words, number."""


def outcome_of(evaluation: EvaluationFile) -> Outcome | None:
    """None in evaluation files of before there were confusion counts, and without labelled boxes."""
    counts = evaluation.confusion.counts if evaluation.confusion else {}
    labelled = {true: row for true, row in counts.items() if true != "background"}
    total = sum(sum(row.values()) for row in labelled.values())
    if not total:
        return None
    found = sum(row.get(true, 0) for true, row in labelled.items()) / total
    confused = sum(n for true, row in labelled.items() for name, n in row.items() if name not in (true, "background"))
    false = sum(counts.get("background", {}).values()) / evaluation.num_images
    return Outcome(found, confused / total, false)


def confusion_shares(results: Results, arm: str, domain: str) -> dict[tuple[str, str], float]:
    """(true class, other class that it is taken for) -> share of the class's boxes, mean over seeds."""
    found = [one.confusion.counts for one in results.evaluations_of(arm, domain) if one.confusion]
    shares: dict[tuple[str, str], float] = {}
    for true in results.experiment.data.classes:
        for counts in (one.get(true, {}) for one in found):
            for taken_for, n in counts.items():
                if taken_for not in (true, "background"):
                    key = (true, taken_for)
                    shares[key] = shares.get(key, 0.0) + n / sum(counts.values()) / len(found)
    return shares
