"""What may be tried against a loss? Suggestions that follow from what an arm loses, each with its numbers."""

import math
from collections.abc import Callable, Iterator
from statistics import fmean

from gapscope.findings.gap_sentences import LEAST, interval_words, joined_by_and
from gapscope.findings.gaps import Gap, gap_between
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers

MISSED, CONFUSED, FALSE = 0.05, 0.02, 0.25
"""So much more has to be missed or taken for another class (shares of the labelled boxes), or detected where nothing is
labelled (as a share of what it is at home)."""
ALIKE, UNLIKE = 0.75, 0.2
"""A part of the network is called alike from this mean effect on, and unlike another one if it is lower by so much."""
FEWER = 0.5
"""Small boxes are lost first if they keep less than this share of what larger ones keep of the AP at home."""
OTHER_THRESHOLD = 0.1
"""The best confidence is called another one if it differs by so much from that at home."""

Found = Iterator[tuple[str, str]]
"""(what to do, because)"""


def gap_name(results: Results, gap: Gap) -> str:
    """The arm that loses, and where."""
    return f"{results.arm_title(gap.other)} on {results.domain_title(gap.domain)}"


def _trained_on(results: Results, arm: str) -> str:
    return joined_by_and([results.domain_title(domain) for domain in results.experiment.arms[arm].domains])


def _missed(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = gap.parts.outcomes.parts.get("missed")
        if part and part.grows_at_every_seed and part.change >= MISSED:
            yield (
                f"Make the training images of {_trained_on(results, gap.other)} more varied in what is missed: "
                "looks, light, distance, occlusion, viewpoints; or try stronger changes of colour and size "
                "([train.augment]).",
                f"{gap_name(results, gap)}: {part.other_mean:.0%} of the labelled boxes are missed, "
                f"{part.home_mean:.0%} by {results.arm_title(gap.home)}.",
            )


def _confused(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = gap.parts.outcomes.parts.get("confused")
        if part and part.grows_at_every_seed and part.change >= CONFUSED:
            shares = numbers.arms[gap.other, gap.domain].confusions
            (true, taken_for), share = max(shares.items(), key=lambda item: item[1])
            yield (
                "Compare the label maps of the domains: does one word mean the same objects in both?",
                f"{gap_name(results, gap)}: {part.other_mean:.0%} of the labelled boxes are taken for another class, "
                f"{part.home_mean:.0%} by {results.arm_title(gap.home)}; above all {true} for {taken_for} "
                f"({share:.0%}).",
            )


def _placed(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = next((part for part in gap.parts.kinds if part.name == "localization"), None)
        if part and part.grows_at_every_seed and part.change >= LEAST:
            yield (
                "Compare how boxes are drawn in the domains: hidden parts, mirrors, riders, how tightly.",
                f"{gap_name(results, gap)}: mending badly placed boxes would add {part.other_mean:.1f} AP points, "
                f"{part.home_mean:.1f} in {results.arm_title(gap.home)}.",
            )


def _imagined(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        part = gap.parts.outcomes.parts.get("false")
        if part and part.grows_at_every_seed and part.change >= FALSE * part.home_mean:
            yield (
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
            yield (
                "Compare the smallest boxes of the domains (min_area), and try a larger image_size.",
                f"{gap_name(results, gap)}: of small boxes {kept['small']:.0%} of the AP at home is left, of larger "
                f"ones {min(larger):.0%} or more.",
            )


def _parts(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        a, b = sorted((gap.home, gap.other), key=results.arms.index)
        found = {part: fmean(values) for part, values in numbers.layers.part_effects[a, b].items() if values}
        if len(found) < 2:
            continue
        evidence = (
            f"{results.pair_title(a, b)}: mean effect {found['backbone']:.2f} in the backbone, "
            f"{found['head']:.2f} in the head (1: as alike as two seeds)."
        )
        if found["backbone"] >= ALIKE and found["head"] <= found["backbone"] - UNLIKE:
            yield (
                f"Train a new head on a few images of {results.domain_title(gap.domain)}: an arm with "
                f'start = "{gap.other}" and freeze = "0-74".',
                evidence,
            )
        elif found["backbone"] < ALIKE:
            yield (
                "Begin where the arms part, in the backbone: more varied training images, or another start.",
                evidence,
            )


def _frozen(numbers: RunNumbers) -> Found:
    """Arms that differ in what is frozen, on a domain that plays the real part and that neither was trained on."""
    results = numbers.results
    arms = results.experiment.arms
    for domain in (name for name in results.test_domains if results.experiment.domains[name].role == "real"):
        away = [arm for arm in results.arms if domain not in arms[arm].domains]
        for frozen in (arm for arm in away if arms[arm].freeze):
            for free in (arm for arm in away if not arms[arm].freeze and arms[arm].domains == arms[frozen].domains):
                gap = gap_between(results, numbers.scores, domain, frozen, free)
                if gap is None or gap.spans_zero or gap.seeds_disagree or len(gap.points) < 2 or gap.within_seeds:
                    continue
                better, worse = (frozen, free) if gap.mean > 0 else (free, frozen)
                yield (
                    f"Build on {results.arm_title(better)} rather than on {results.arm_title(worse)}.",
                    f"On {results.domain_title(domain)} it is better by {abs(gap.mean):.1f} AP points "
                    f"({results.arm_title(frozen)} minus {results.arm_title(free)}: {interval_words(gap)}).",
                )


def _threshold(numbers: RunNumbers) -> Found:
    results = numbers.results
    for gap in numbers.losses:
        away = numbers.arms[gap.other, gap.domain].best_confidence
        for own in (domain for domain in results.test_domains if domain in results.experiment.arms[gap.other].domains):
            at_home = numbers.arms.get((gap.other, own))
            best = at_home.best_confidence if at_home else math.nan
            if abs(best - away) >= OTHER_THRESHOLD:
                yield (
                    f"Choose the least confidence to believe on images of {results.domain_title(gap.domain)} itself.",
                    f"{gap_name(results, gap)}: F1 is highest from confidence {away:.2f} on (mean over classes and "
                    f"seeds), on {results.domain_title(own)} from {best:.2f} on.",
                )


LOSS_RULES: tuple[Callable[[RunNumbers], Found], ...] = (
    _missed,
    _confused,
    _placed,
    _imagined,
    _small,
    _parts,
    _frozen,
    _threshold,
)
