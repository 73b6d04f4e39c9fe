"""Which numbers do the charts of the Performance section need? Plain lists and strings, ready for JSON."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from gapscope.findings.headline import headline_classes, headline_estimate
from gapscope.findings.results import Results
from gapscope.run_folder import RunName

STEPS = 1000
"""Precision, recall and confidence are sent as whole multiples of 1/1000."""


def performance_data(results: Results) -> dict[str, Any]:
    """mAP with intervals, precision-recall curves, confusion counts and reliability of every evaluated training."""
    classes = results.experiment.data.classes
    evaluated = [
        (arm, domain, seed, results.evaluations[RunName(name, seed), domain_name])
        for arm, name in enumerate(results.arms)
        for domain, domain_name in enumerate(results.test_domains)
        for seed in results.seeds
        if (RunName(name, seed), domain_name) in results.evaluations
    ]
    return {
        "arms": [results.arm_title(arm) for arm in results.arms],
        "domains": [results.domain_title(domain) for domain in results.test_domains],
        "classes": classes,
        "headline": [classes.index(name) for name in headline_classes(results)],
        "points": list(_points(results)),
        "runs": [
            {"arm": arm, "domain": domain, "seed": seed, **_details(evaluation, classes)}
            for arm, domain, seed, evaluation in evaluated
            if "curves" in evaluation
        ],
    }


def _points(results: Results) -> Iterator[dict[str, Any]]:
    for arm, name in enumerate(results.arms):
        for domain, domain_name in enumerate(results.test_domains):
            for seed in results.seeds:
                found = headline_estimate(results, RunName(name, seed), domain_name)
                if math.isfinite(found.value):
                    ends = [round(end, 4) if math.isfinite(end) else None for end in (found.low, found.high)]
                    values = dict(zip(("value", "low", "high"), (round(found.value, 4), *ends), strict=True))
                    yield {"arm": arm, "domain": domain, "seed": seed, **values}


def _details(evaluation: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    curves, confusion, bins = evaluation["curves"], evaluation["confusion"], evaluation["calibration"]["bins"]
    place = {name: at for at, name in enumerate([*classes, "background"])}
    return {
        "curves": {
            rule: {place[name]: _steps(curve["precision"]) for name, curve in curves[rule].items()}
            for rule in ("coco", "paper")
        },
        "confidence": {place[name]: _steps(curve["confidence"]) for name, curve in curves["coco"].items()},
        "best": {
            place[name]: _steps([curve["best"][key] for key in ("confidence", "precision", "recall", "f1")])
            for name, curve in curves["coco"].items()
            if curve["best"]
        },
        "confusion": [
            [place[true], place[found], n] for true, row in confusion["counts"].items() for found, n in row.items()
        ],
        "bins": [[one["count"], *_steps([one["confidence"], one["precision"]])] for one in bins],
    }


def _steps(values: Sequence[float | None]) -> list[int | None]:
    """See STEPS; undefined values are null."""
    return [None if value is None else round(STEPS * value) for value in values]
