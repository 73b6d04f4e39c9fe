"""What could make the numbers mean less than they seem to?"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.reporting.curves import ceiling_curve, layers_at_floor, ranges
from gapscope.reporting.results import Results
from gapscope.reporting.tables import headline_classes
from gapscope.reporting.verdict import map50s, pair_curves

FEW_IMAGES = 100
"""A probe with fewer images is warned about; the paper used 200."""
FEW_TARGETS = 20
"""A class with fewer boxes in a test split is warned about."""
HARDLY = 0.1
"""An arm with less mAP on a domain it was trained on is warned about."""
UNEQUAL = 1.05
"""Training sets that differ in size by more than this factor are warned about."""
SKEWED = 3.0
"""So are classes whose share of the training boxes differs by more than this factor."""


@dataclass(frozen=True)
class Confound:
    """Something that could make the numbers mean less than they seem to."""

    title: str
    texts: tuple[str, ...]
    """What was found, one sentence or two per domain, pair, ..."""
    advice: str


def confounds(results: Results) -> list[Confound]:
    """Everything found that weakens the verdict, gravest first."""
    found = []
    for title, advice, check in CHECKS:
        texts = tuple(check(results))
        if texts:
            found.append(Confound(title, texts, advice))
    return found


def _changed_frozen(results: Results) -> Iterator[str]:
    for run, training in results.trainings.items():
        before, after = (training.summary.get(f"frozen_hash_{when}") for when in ("before", "after"))
        if before != after:
            layers = training.summary["freeze"]
            yield f"Layers {layers} of {results.run_title(run)} were to stay frozen, but their hash changed."


def _leaks(results: Results) -> Iterator[str]:
    words = {
        "shared_groups": "groups (rides, sequences, photographers) in more than one split",
        "near_duplicates": "near-duplicate images across splits",
        "adjacent_frames": "neighbouring video frames across splits",
    }
    for name, summary in results.summaries.items():
        found = [f"{what}: {summary['leaks'][key]}" for key, what in words.items() if summary["leaks"].get(key)]
        if found:
            yield f"{results.domain_title(name)} has {'; '.join(found)}. mAP on its test images may be too high."


def _one_seed(results: Results) -> Iterator[str]:
    if len(results.seeds) == 1:
        yield "Every arm was trained once, so no difference can be told from what a change of seed would do."


def _unequal_sizes(results: Results) -> Iterator[str]:
    sizes = {run.arm: t.summary.get("train_images") for run, t in results.trainings.items() if run.arm in results.arms}
    known = {arm: n for arm, n in sizes.items() if n}
    if known and max(known.values()) > UNEQUAL * min(known.values()):
        text = ", ".join(f"{results.arm_title(arm)} {n}" for arm, n in known.items())
        yield f"Training images: {text}. A difference between the arms may be one of amount, not of kind."


def _few_probe_images(results: Results) -> Iterator[str]:
    counts = {int(grid.attrs["n"]) for grid in results.grids.values() if "n" in grid.attrs}
    if counts and min(counts) < FEW_IMAGES:
        yield f"Layers are compared over {min(counts)} images; intervals are wide, and the paper used 200."


def _at_floor(results: Results) -> Iterator[str]:
    for a, b in results.pairs:
        curves = pair_curves(results, a, b)
        layers = layers_at_floor(curves)
        if len(layers):
            yield (
                f"{curves[0].label}: at layers {ranges(layers)} the interval reaches down to what shuffled images "
                "give, so nothing shared can be claimed there."
            )


def _undefined_layers(results: Results) -> Iterator[str]:
    for a, b in results.pairs:
        undefined = sorted({int(i) for c in pair_curves(results, a, b) for i in c.layers[~np.isfinite(c.value)]})
        if undefined:
            names = f"{results.arm_title(a)} vs {results.arm_title(b)}"
            yield f"{names}: layers {ranges(undefined)} tell no images apart in one of the networks and are left out."


def _skewed_classes(results: Results) -> Iterator[str]:
    trained_on = [d for d in results.summaries if any(d in results.experiment.arms[a].domains for a in results.arms)]
    shares = {domain: _shares(results.summaries[domain]["boxes"]["train"]) for domain in trained_on}
    for name in headline_classes(results):
        values = {domain: share.get(name, 0.0) for domain, share in shares.items()}
        if len(values) > 1 and max(values.values()) > SKEWED * min(values.values()):
            text = ", ".join(f"{results.domain_title(domain)} {share:.1%}" for domain, share in values.items())
            yield f"Share of {name} among the training boxes: {text}."


def _shares(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: n / total for name, n in counts.items()} if total else {}


def _few_targets(results: Results) -> Iterator[str]:
    for domain in results.test_domains:
        boxes = results.summaries.get(domain, {}).get("boxes", {}).get("test", {})
        few = [f"{name} {boxes[name]}" for name in headline_classes(results) if 0 <= boxes.get(name, -1) < FEW_TARGETS]
        if few:
            yield f"Test boxes in {results.domain_title(domain)}: {', '.join(few)}. AP of these classes is coarse."


def _still_improving(results: Results) -> Iterator[str]:
    late = [
        results.run_title(run)
        for run, training in results.trainings.items()
        if training.epochs and training.summary.get("best_epoch") == training.epochs[-1]["epoch"]
    ]
    if late:
        yield f"Best in their last epoch: {'; '.join(late)}. They might have gone on to improve."


def _hardly_learned(results: Results) -> Iterator[str]:
    for arm in results.arms:
        for domain in (d for d in results.experiment.arms[arm].domains if d in results.test_domains):
            known = [value for value in map50s(results, arm, domain) if math.isfinite(value)]
            if known and fmean(known) < HARDLY:
                home = results.domain_title(domain)
                yield f"{results.arm_title(arm)} reaches mAP {fmean(known):.3f} on {home}, which it was trained on."


def _low_ceiling(results: Results) -> Iterator[str]:
    for a, b in results.pairs:
        curves = pair_curves(results, a, b)
        ceilings = [c for c in (ceiling_curve(results, arm, results.sizes[0]) for arm in (a, b)) if c is not None]
        if curves and ceilings:
            pair, ceiling = fmean(curve.mean("all") for curve in curves), min(c.mean("all") for c in ceilings)
            if pair > ceiling:
                label = curves[0].label
                yield f"{label}: {pair:.2f} on average, but two seeds of one of these arms only {ceiling:.2f}."


CHECKS: tuple[tuple[str, str, Callable[[Results], Iterator[str]]], ...] = (
    ("A frozen part changed", "Do not read this arm as a frozen one.", _changed_frozen),
    (
        "An arm hardly learned",
        "Train for longer: likeness of untrained networks says nothing about data.",
        _hardly_learned,
    ),
    ("Splits leak", "Split by whole groups, or remove the duplicates.", _leaks),
    ("One seed only", "Give at least two seeds.", _one_seed),
    (
        "The ceiling is no ceiling",
        "Arms of one seed share their random start, two seeds of one arm do not. Train for longer.",
        _low_ceiling,
    ),
    ("Unequal training sets", "Set max_train of the larger domain to the size of the smaller.", _unequal_sizes),
    ("Few probe images", "Raise [probe] images.", _few_probe_images),
    ("Similarity at the floor", "More probe images narrow the interval.", _at_floor),
    ("Undefined layers", "Look at their statistics under Activations.", _undefined_layers),
    ("Classes are spread differently", "Compare such a class by its own AP, not through the mean.", _skewed_classes),
    ("Few test boxes", "Read the mean with care, or name headline classes without them.", _few_targets),
    ("Training may have ended early", "Train for more epochs.", _still_improving),
)
"""(title, what to do, check); a check yields what it found."""
