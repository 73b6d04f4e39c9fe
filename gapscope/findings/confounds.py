"""All warnings beside the verdict: what could make the numbers mean less than they seem to?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.findings import checks
from gapscope.findings.elsewhere import trains_nothing
from gapscope.findings.freezing import frozen_words
from gapscope.findings.layer_curves import BIASED, DEBIASED, layers_at_floor, ranges
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.unlearned import arms_that_hardly_learned
from gapscope.similarity.groups import FEW_UNITS
from gapscope.words import capitalized, number_of

FEW_IMAGES = 100
"""A probe with fewer images is warned about; the paper used 200."""


@dataclass(frozen=True)
class Confound:
    """Something that could make the numbers mean less than they seem to."""

    title: str
    texts: tuple[str, ...]
    """What was found, one sentence or two per domain, pair, ..."""
    advice: str


def confounds(numbers: RunNumbers) -> list[Confound]:
    """Everything found that weakens the verdict, gravest first."""
    found = []
    for title, advice, check in CHECKS:
        texts = tuple(check(numbers))
        if texts:
            found.append(Confound(title, texts, _of_given(numbers, title) or advice))
    return found


OF_GIVEN = {
    "An arm hardly learned": "Check that the classes, their order and the size of the input are those of its training.",
    "One seed only": "Give a second training of every detector.",
    "A gap no larger than a change of seed": "Give further trainings of every detector.",
    "The ceiling is no ceiling": "Two trainings of one detector lie further apart than these arms: were they alike?",
}
"""What to do instead where detectors were trained elsewhere: nobody here can train them for longer."""


def _of_given(numbers: RunNumbers, title: str) -> str:
    results = numbers.results
    low = [arm for arm, _ in arms_that_hardly_learned(numbers)] if title == "An arm hardly learned" else []
    given = all(results.experiment.arms[arm].is_given for arm in low) if low else trains_nothing(results)
    return OF_GIVEN.get(title, "") if given else ""


def _changed_frozen(numbers: RunNumbers) -> Iterator[str]:
    results = numbers.results
    for run, training in results.trainings.items():
        if training.summary and training.summary.frozen_part_changed:
            words, title = capitalized(frozen_words(training.summary.freeze)), results.run_title(run)
            yield f"{words} of {title} should have stayed frozen, but a hash there changed."


def _few_probe_images(numbers: RunNumbers) -> Iterator[str]:
    results = numbers.results
    counts = {int(grid.attrs["n"]) for grid in results.grids.values() if "n" in grid.attrs}
    if counts and min(counts) < FEW_IMAGES:
        yield f"Layers are compared over {min(counts)} images; intervals are wide, and the paper used 200."
    if counts and min(counts) < FEW_UNITS:
        yield f"Under {FEW_UNITS} images there are no intervals."


def _same_probe_images(numbers: RunNumbers) -> Iterator[str]:
    found = max((int(grid.attrs.get("duplicates", 0)) for grid in numbers.results.grids.values()), default=0)
    if found:
        yield f"{found} probe images are as good as the same as another one: they lift every similarity."


def _few_groups(numbers: RunNumbers) -> Iterator[str]:
    """Known groups that are too few to be drawn: images were taken for independent."""
    alone = [grid.attrs for grid in numbers.results.grids.values() if grid.attrs.get("known_groups")]
    known = {(int(attrs["known_groups"]), int(attrs["n"])) for attrs in alone if not attrs["groups"]}
    for groups, n in sorted(known):
        if groups < min(FEW_UNITS, n):
            yield (
                f"The {n} probe images are of {number_of(groups, 'group')} (drives, sequences), too few to draw from. "
                "They are taken for independent, so intervals are too narrow and similarities too high."
            )


def _at_floor(numbers: RunNumbers) -> Iterator[str]:
    results = numbers.results
    for pair in results.pairs:
        curves = list(numbers.layers.by_seed(pair).values())
        layers = layers_at_floor(curves)
        if len(layers):
            yield (
                f"{curves[0].label}: at layers {ranges(layers)} the interval reaches down to what shuffled images "
                "give, so nothing shared can be claimed there."
            )


def _undefined_layers(numbers: RunNumbers) -> Iterator[str]:
    results = numbers.results
    for pair in results.pairs:
        curves = numbers.layers.by_seed(pair).values()
        undefined = sorted({int(i) for curve in curves for i in curve.layers[~np.isfinite(curve.value)]})
        if undefined:
            yield (
                f"{results.pair_title(*pair)}: layers {ranges(undefined)} tell no images apart in one of the networks "
                "and are left out."
            )


def _biased_floor(numbers: RunNumbers) -> Iterator[str]:
    results = numbers.results
    for pair in results.pairs:
        for curve in list(numbers.layers.by_seed(pair, measure=BIASED).values())[:1]:
            floor = (curve.floor_low + curve.floor_high) / 2
            mostly = curve.layers[floor > curve.value - floor]
            if len(mostly):
                yield (
                    f"{curve.label}: at {len(mostly)} of {len(curve.layers)} layers more than half of the biased CKA "
                    f"is there for shuffled images too (seed {results.seeds[0]}): layers {ranges(mostly)}."
                )


def _low_ceiling(numbers: RunNumbers) -> Iterator[str]:
    results = numbers.results
    found = numbers.layers
    for pair in results.pairs:
        curves = list(found.by_seed(pair).values())
        for arm in pair if curves else ():
            ceiling = found.ceilings.get((arm, found.main_size, DEBIASED))
            if ceiling is None:
                continue
            there = np.isfinite(ceiling.value)  # layers that the arm trained
            ours, seeds = fmean(curve.where(there).mean("all") for curve in curves), ceiling.mean("all")
            if round(ours, 2) > round(seeds, 2):  # what can be told as it is printed
                where = "" if there.all() else f" over layers {ranges(ceiling.layers[there])}"
                name = results.arm_title(arm)
                yield f"{curves[0].label}: {ours:.2f} on average{where}, but two seeds of {name} only {seeds:.2f}."


CHECKS: tuple[tuple[str, str, Callable[[RunNumbers], Iterator[str]]], ...] = (
    ("A frozen part changed", "Do not read this arm as a frozen one.", _changed_frozen),
    (
        "An arm hardly learned",
        "Train for longer: likeness of untrained networks says nothing about data.",
        checks.hardly_learned,
    ),
    ("Splits leak", "Split by whole groups, or remove the duplicates.", checks.leaking_splits),
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
    (
        "Probe images that are the same",
        "Leave copies out of the test images, or give them one group.",
        _same_probe_images,
    ),
    ("A probe of few groups", "Probe images of more drives, sequences or places.", _few_groups),
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
