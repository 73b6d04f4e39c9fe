"""A study by hand in which remedies of every kind have been tried."""

from typing import Any

from small_evaluations import evaluation, study

from gapscope.findings.results import Results

ADAPTED = '[arms.adapted]\ntitle = "Adapted"\nstart = "synthetic"\nadapt = { batchnorm = "photos" }\n'
AVERAGE = "[arms.average]\naverage = { real = 0.75, synthetic = 0.25 }\n"
MIXED = '[arms.mixed]\ntitle = "Mixed"\ndomains = ["renders", "photos"]\n'
TUNED = '[arms.tuned]\ntitle = "Tuned"\ndomains = ["photos"]\nstart = "synthetic"\n'
EVERY = ADAPTED + AVERAGE + MIXED + TUNED
STEPS = [i / 100 for i in range(-50, 51)]
"""Of 101 draws."""


def scored(more: str = EVERY, seeds: tuple[int, ...] = (0, 1), **arms: Any) -> Results:
    """A study in which these arms have these evaluations on photos, one per seed."""
    found = {
        (arm, seed, "photos"): one for arm, per_seed in arms.items() for seed, one in zip(seeds, per_seed, strict=True)
    }
    return study(found, seeds=seeds, more=more)


def twice(value: float, slope: float = 0.0) -> list[dict[str, Any]]:
    """Two seeds alike; draw i is the value and i times the slope."""
    return [evaluation(value, draws=[value + slope * step for step in STEPS])] * 2
