"""Which numbers do the charts of the Performance section need? Plain lists and strings, ready for JSON."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from gapscope.findings.evaluation_file import EvaluationFile
from gapscope.findings.headline import headline_classes
from gapscope.findings.run_numbers import RunNumbers

STEPS = 1000
"""Precision, recall and confidence are sent as whole multiples of 1/1000."""


def performance_data(numbers: RunNumbers) -> dict[str, Any]:
    """mAP with intervals, precision-recall curves, confusion counts and reliability of every evaluated training."""
    results, classes = numbers.results, numbers.results.experiment.data.classes
    evaluated = [
        (arm, domain, run.seed, results.evaluations[run, domain_name])
        for arm, name in enumerate(results.arms)
        for domain, domain_name in enumerate(results.test_domains)
        for run in results.runs(name)
        if (run, domain_name) in results.evaluations
    ]
    return {
        "arms": [results.arm_title(arm) for arm in results.arms],
        "domains": [results.domain_title(domain) for domain in results.test_domains],
        "classes": classes,
        "headline": [classes.index(name) for name in headline_classes(results)],
        "points": list(_points(numbers)),
        "runs": [
            {"arm": arm, "domain": domain, "seed": seed, **_details(evaluation, classes)}
            for arm, domain, seed, evaluation in evaluated
            if evaluation.curves is not None
        ],
    }


def _points(numbers: RunNumbers) -> Iterator[dict[str, Any]]:
    results = numbers.results
    for arm, name in enumerate(results.arms):
        for domain, domain_name in enumerate(results.test_domains):
            for seed, found in zip(results.seeds, numbers.scores.of(name, domain_name).seeds, strict=True):
                if math.isfinite(found.value):
                    ends = [round(end, 4) if math.isfinite(end) else None for end in (found.low, found.high)]
                    values = dict(zip(("value", "low", "high"), (round(found.value, 4), *ends), strict=True))
                    yield {"arm": arm, "domain": domain, "seed": seed, **values}


def _details(evaluation: EvaluationFile, classes: Sequence[str]) -> dict[str, Any]:
    curves = evaluation.curves or {}
    counts = evaluation.confusion.counts if evaluation.confusion else {}
    bins = evaluation.calibration.bins if evaluation.calibration else ()
    place = {name: at for at, name in enumerate([*classes, "background"])}
    return {
        "curves": {
            rule: {place[name]: _steps(curve.precision) for name, curve in curves[rule].items()}
            for rule in ("coco", "paper")
        },
        "confidence": {place[name]: _steps(curve.confidence) for name, curve in curves["coco"].items()},
        "best": {
            place[name]: _steps([curve.best.confidence, curve.best.precision, curve.best.recall, curve.best.f1])
            for name, curve in curves["coco"].items()
            if curve.best
        },
        "confusion": [[place[true], place[found], n] for true, row in counts.items() for found, n in row.items()],
        "bins": [[one.count, *_steps([one.confidence, one.precision])] for one in bins],
    }


def _steps(values: Sequence[float | None]) -> list[int | None]:
    """See STEPS; undefined values are null."""
    return [None if value is None else round(STEPS * value) for value in values]
