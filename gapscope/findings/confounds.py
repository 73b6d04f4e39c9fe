"""All warnings beside the verdict: what could make the numbers mean less than they seem to?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.findings import checks
from gapscope.findings.curves import BIASED, ceiling_curve, layers_at_floor, ranges
from gapscope.findings.results import Results
from gapscope.findings.sentences import pair_curves

FEW_IMAGES = 100
"""A probe with fewer images is warned about; the paper used 200."""


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


def _biased_floor(results: Results) -> Iterator[str]:
    for a, b in results.pairs:
        for curve in pair_curves(results, a, b, BIASED)[:1]:
            floor = (curve.floor_low + curve.floor_high) / 2
            mostly = curve.layers[floor > curve.value - floor]
            if len(mostly):
                yield (
                    f"{curve.label}: at {len(mostly)} of {len(curve.layers)} layers more than half of the biased CKA "
                    f"is there for shuffled images too (seed {results.seeds[0]}): layers {ranges(mostly)}."
                )


def _low_ceiling(results: Results) -> Iterator[str]:
    for a, b in results.pairs:
        curves = pair_curves(results, a, b)
        for arm, ceiling in ((arm, ceiling_curve(results, arm, results.sizes[0])) for arm in (a, b)):
            if not curves or ceiling is None:
                continue
            there = np.isfinite(ceiling.value)  # layers that the arm trained
            pair, seeds = fmean(curve.where(there).mean("all") for curve in curves), ceiling.mean("all")
            if pair > seeds:
                where = "" if there.all() else f" over layers {ranges(ceiling.layers[there])}"
                name = results.arm_title(arm)
                yield f"{curves[0].label}: {pair:.2f} on average{where}, but two seeds of {name} only {seeds:.2f}."


CHECKS: tuple[tuple[str, str, Callable[[Results], Iterator[str]]], ...] = (
    ("A frozen part changed", "Do not read this arm as a frozen one.", _changed_frozen),
    (
        "An arm hardly learned",
        "Train for longer: likeness of untrained networks says nothing about data.",
        checks.hardly_learned,
    ),
    ("Splits leak", "Split by whole groups, or remove the duplicates.", checks.leaks),
    ("One seed only", "Give at least two seeds.", checks.one_seed),
    ("A gap no larger than a change of seed", "Give more seeds.", checks.seeds_as_large),
    ("An interval wider than the gap", "Test on more images.", checks.wide_intervals),
    (
        "The ceiling is no ceiling",
        "Arms of one seed share their random start, two seeds of one arm do not. Train for longer.",
        _low_ceiling,
    ),
    (
        "Unequal training sets",
        "Set max_train of the larger domain to the size of the smaller.",
        checks.unequal_sizes,
    ),
    (
        "Other label policies",
        "Give the domains the same filters, and drop or ignore alike.",
        checks.label_policies,
    ),
    (
        "Few test images",
        "Read the intervals as the least that is unknown, or test on more images.",
        checks.few_images,
    ),
    ("Few probe images", "Raise [probe] images.", _few_probe_images),
    ("Similarity at the floor", "More probe images narrow the interval.", _at_floor),
    (
        "Much of the biased CKA is its floor",
        "Read the debiased one; the biased one is there to compare with the paper.",
        _biased_floor,
    ),
    ("Undefined layers", "Look at their statistics under Activations.", _undefined_layers),
    (
        "Classes are spread differently",
        "Compare such a class by its own AP, not through the mean.",
        checks.skewed_classes,
    ),
    ("Few test boxes", "Read the mean with care, or name headline classes without them.", checks.few_targets),
    ("Training may have ended early", "Train for more epochs.", checks.still_improving),
)
"""(title, what to do, check); a check yields what it found."""
