"""What may be tried against a loss? Suggestions that follow from what an arm loses, each with its numbers."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from gapscope.config import Arm
from gapscope.findings.freezing import freezing_changes
from gapscope.findings.gap_sentences import LEAST, interval_words, joined_by_and
from gapscope.findings.gaps import Gap
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.suggestion import Found, Suggestion, arm_lines, tried_by
from gapscope.words import percent

FOUND, CONFUSED, FALSE = 0.05, 0.02, 0.25
"""So much less has to be found, or more be taken for another class (shares of the labelled boxes), or detected where
nothing is labelled (as a share of what it is at home)."""
ALIKE, UNLIKE, NOISE = 0.75, 0.2, 0.05
"""A part of the network is called alike from this mean effect on, and unlike another one if it is lower by so much.
Nothing is said where a seed, or the mean within `NOISE`, lies on the other side."""
FEWER = 0.5
"""Small boxes are lost first if they keep less than this share of what larger ones keep of the AP at home."""
OTHER_THRESHOLD = 0.1
"""The best confidence is called another one if it differs by so much from that at home."""


def gap_name(results: Results, gap: Gap) -> str:
    """The arm that loses, and where."""
    return f"{results.arm_title(gap.other)} on {results.short_title(gap.domain)}"


def _trained_on(results: Results, arm: str) -> str:
    return joined_by_and([results.short_title(domain) for domain in results.experiment.arms[arm].domains])


def _not_found(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = gap.parts.outcomes.parts.get("found")
        if part and part.falls_at_every_seed and -part.change >= FOUND:
            yield Suggestion(
                f"Vary the training images of {_trained_on(results, gap.other)} more: light, distance, viewpoints.",
                f"{gap_name(results, gap)}: {percent(part.other_mean)} of boxes found, "
                f"{results.arm_title(gap.home)} {percent(part.home_mean)}.",
                snippet="[train.augment]\nhsv = [0.015, 0.6, 0.4]\nscale = 0.3",
            )


def _confused(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = gap.parts.outcomes.parts.get("confused")
        if part and part.grows_at_every_seed and part.change >= CONFUSED:
            shares = numbers.arms[gap.other, gap.domain].confusions
            (true, taken_for), share = max(shares.items(), key=lambda item: item[1])
            yield Suggestion(
                "Compare the label maps of the domains: does one word mean the same objects in both?",
                f"{gap_name(results, gap)}: {percent(part.other_mean)} of the labelled boxes are taken for another "
                f"class, {percent(part.home_mean)} by {results.arm_title(gap.home)}; above all {true} for {taken_for} "
                f"({percent(share)}).",
            )


def _placed(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = next((part for part in gap.parts.kinds if part.name == "localization"), None)
        if part and part.grows_at_every_seed and part.change >= LEAST:
            yield Suggestion(
                "Compare how boxes are drawn in the domains: hidden parts, mirrors, riders, how tightly.",
                f"{gap_name(results, gap)}: mending badly placed boxes would add {part.other_mean:.1f} AP points, "
                f"{part.home_mean:.1f} in {results.arm_title(gap.home)}.",
            )


def _imagined(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = gap.parts.outcomes.parts.get("false")
        if part and part.grows_at_every_seed and part.change >= FALSE * part.home_mean:
            yield Suggestion(
                f"Look at what {results.arm_title(gap.other)} sees where nothing is labelled: objects without a label, "
                "or backgrounds that its training images lack.",
                f"{gap_name(results, gap)}: {part.other_mean:.2f} such detections per image, {part.home_mean:.2f} "
                f"by {results.arm_title(gap.home)}.",
            )


def _small(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        kept = {part.name: part.other_mean / part.home_mean for part in gap.parts.sizes if min(part.home) > 1}
        larger = [kept[size] for size in ("medium", "large") if size in kept]
        if "small" in kept and larger and kept["small"] < FEWER * min(larger):
            yield Suggestion(
                "Compare the smallest boxes of the domains (min_area), and try a larger image_size.",
                f"{gap_name(results, gap)}: of small boxes {percent(kept['small'])} of the AP at home is left, of "
                f"larger ones {percent(min(larger))} or more.",
            )


def _parts(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        a, b = sorted((gap.home, gap.other), key=results.arms.index)
        effects = numbers.layers.part_effects.get((a, b), {})
        by_seed = {part: values for part, values in effects.items() if values}
        if len(by_seed) < 2 or not _on_one_side(by_seed["backbone"]):
            continue
        found = {part: fmean(values) for part, values in by_seed.items()}
        evidence = (
            f"{results.pair_title(a, b)}: mean effect {found['backbone']:.2f} in the backbone, "
            f"{found['head']:.2f} in the head (1: as alike as two seeds)."
        )
        if found["backbone"] >= ALIKE and found["head"] <= found["backbone"] - UNLIKE:
            yield Suggestion(
                f"Train a new head on a few images of {results.short_title(gap.domain)}, on the frozen backbone of "
                f"{results.arm_title(gap.other)}.",
                evidence,
                tried_by(numbers, gap, partial(_keeps, gap.other)),
                arm_lines("new-head", domains=[gap.domain], start=gap.other, freeze="0-74"),
            )
        elif found["backbone"] < ALIKE:
            yield Suggestion(
                "Begin where the arms part, in the backbone: more varied training images, or another start.",
                evidence,
            )


def _keeps(start: str, arm: Arm) -> bool:
    """Whether an arm keeps layers of another one frozen."""
    return arm.start == start and bool(arm.freeze)


def _on_one_side(effects: Sequence[float]) -> bool:
    """Whether the backbone is alike or not, beyond doubt of this size."""
    mean = fmean(effects)
    return abs(mean - ALIKE) > NOISE and len({effect >= ALIKE for effect in effects}) == 1


def _frozen(numbers: RunNumbers) -> Found:
    """Arms that differ in what is frozen, on a domain that plays the real part and that neither was trained on."""
    results, experiment = numbers.results, numbers.results.experiment
    for one in freezing_changes(results, numbers.scores):
        gap, domain = one.gap, one.gap.domain
        away = experiment.domains[domain].role == "real" and domain not in experiment.arms[one.free].domains
        if away and one.is_told_apart and len(gap.points) > 1 and not gap.within_seeds:
            better, worse = (one.frozen, one.free) if gap.mean > 0 else (one.free, one.frozen)
            titles = results.arm_title(one.frozen), results.arm_title(one.free)
            yield Suggestion(
                f"Build on {results.arm_title(better)} rather than on {results.arm_title(worse)}.",
                f"On {results.short_title(domain)} it is better by {abs(gap.mean):.1f} AP points.",
                f"tried: {titles[0]} minus {titles[1]} {gap.mean:+z.1f} AP points, {interval_words(gap)}",
            )


def _threshold(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        away = numbers.arms[gap.other, gap.domain].best_confidence
        for own in (domain for domain in results.test_domains if domain in results.experiment.arms[gap.other].domains):
            at_home = numbers.arms.get((gap.other, own))
            best = at_home.best_confidence if at_home else math.nan
            if abs(best - away) >= OTHER_THRESHOLD:
                yield Suggestion(
                    f"Choose the least confidence to believe on {results.short_title(gap.domain)} itself.",
                    f"{gap_name(results, gap)}: F1 is highest from confidence {away:.2f} on, on "
                    f"{results.short_title(own)} from {best:.2f} on.",
                )


LOSS_RULES: tuple[Callable[[RunNumbers], Found], ...] = (
    _not_found,
    _confused,
    _placed,
    _imagined,
    _small,
    _parts,
    _frozen,
    _threshold,
)
