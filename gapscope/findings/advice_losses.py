"""What may be tried against a loss? Suggestions that follow from what an arm loses, each with its numbers."""

import math
from collections.abc import Callable, Iterator
from statistics import fmean

from gapscope.findings.effects import part_effects
from gapscope.findings.gap_parts import kind_parts, size_parts
from gapscope.findings.gap_sentences import LEAST, interval_words, listed
from gapscope.findings.gaps import Gap, gap_between, gaps
from gapscope.findings.headline import headline_classes
from gapscope.findings.outcomes import confusion_shares, outcome_parts
from gapscope.findings.results import Results, details_of

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


def losses(results: Results) -> list[Gap]:
    """Gaps to explain: those on domains that play the real part, if something is lost there at all."""
    found = [gap for gap in gaps(results) if gap.is_loss]
    return [gap for gap in found if results.experiment.domains[gap.domain].role == "real"] or found


def gap_name(results: Results, gap: Gap) -> str:
    """The arm that loses, and where."""
    return f"{results.arm_title(gap.other)} on {results.domain_title(gap.domain)}"


def _trained_on(results: Results, arm: str) -> str:
    return listed([results.domain_title(domain) for domain in results.experiment.arms[arm].domains])


def _missed(results: Results) -> Found:
    for gap in losses(results):
        part = outcome_parts(results, gap).get("missed")
        if part and part.grows_at_every_seed and part.change >= MISSED:
            yield (
                f"Make the training images of {_trained_on(results, gap.other)} more varied in what is missed: "
                "looks, light, distance, occlusion, viewpoints; or try stronger changes of colour and size "
                "([train.augment]).",
                f"{gap_name(results, gap)}: {fmean(part.other):.0%} of the labelled boxes are missed, "
                f"{fmean(part.home):.0%} by {results.arm_title(gap.home)}.",
            )


def _confused(results: Results) -> Found:
    for gap in losses(results):
        part = outcome_parts(results, gap).get("confused")
        if part and part.grows_at_every_seed and part.change >= CONFUSED:
            shares = confusion_shares(results, gap.other, gap.domain)
            (true, taken_for), share = max(shares.items(), key=lambda item: item[1])
            yield (
                "Compare the label maps of the domains: does one word mean the same objects in both?",
                f"{gap_name(results, gap)}: {fmean(part.other):.0%} of the labelled boxes are taken for another class, "
                f"{fmean(part.home):.0%} by {results.arm_title(gap.home)}; above all {true} for {taken_for} "
                f"({share:.0%}).",
            )


def _placed(results: Results) -> Found:
    for gap in losses(results):
        part = next((part for part in kind_parts(results, gap) if part.name == "localization"), None)
        if part and part.grows_at_every_seed and part.change >= LEAST:
            yield (
                "Compare how boxes are drawn in the domains: hidden parts, mirrors, riders, how tightly.",
                f"{gap_name(results, gap)}: mending badly placed boxes would add {fmean(part.other):.1f} AP points, "
                f"{fmean(part.home):.1f} in {results.arm_title(gap.home)}.",
            )


def _imagined(results: Results) -> Found:
    for gap in losses(results):
        part = outcome_parts(results, gap).get("false")
        if part and part.grows_at_every_seed and part.change >= FALSE * fmean(part.home):
            yield (
                f"Look at what {results.arm_title(gap.other)} sees where nothing is labelled: objects without a label, "
                "or backgrounds that its training images lack.",
                f"{gap_name(results, gap)}: {fmean(part.other):.2f} such detections per image, {fmean(part.home):.2f} "
                f"by {results.arm_title(gap.home)}.",
            )


def _small(results: Results) -> Found:
    for gap in losses(results):
        kept = {
            part.name: fmean(part.other) / fmean(part.home) for part in size_parts(results, gap) if min(part.home) > 1
        }
        larger = [kept[size] for size in ("medium", "large") if size in kept]
        if "small" in kept and larger and kept["small"] < FEWER * min(larger):
            yield (
                "Compare the smallest boxes of the domains (min_area), and try a larger image_size.",
                f"{gap_name(results, gap)}: of small boxes {kept['small']:.0%} of the AP at home is left, of larger "
                f"ones {min(larger):.0%} or more.",
            )


def _parts(results: Results) -> Found:
    for gap in losses(results):
        a, b = sorted((gap.home, gap.other), key=results.arms.index)
        found = {part: fmean(values) for part, values in part_effects(results, a, b).items() if values}
        if len(found) < 2:
            continue
        evidence = (
            f"{results.arm_title(a)} vs {results.arm_title(b)}: mean effect {found['backbone']:.2f} in the backbone, "
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


def _frozen(results: Results) -> Found:
    """Arms that differ in what is frozen, on a domain that plays the real part and that neither was trained on."""
    arms = results.experiment.arms
    for domain in (name for name in results.test_domains if results.experiment.domains[name].role == "real"):
        away = [arm for arm in results.arms if domain not in arms[arm].domains]
        for frozen in (arm for arm in away if arms[arm].freeze):
            for free in (arm for arm in away if not arms[arm].freeze and arms[arm].domains == arms[frozen].domains):
                gap = gap_between(results, domain, frozen, free)
                if gap is None or gap.spans_zero or gap.seeds_disagree or len(gap.points) < 2 or gap.within_seeds:
                    continue
                better, worse = (frozen, free) if gap.mean > 0 else (free, frozen)
                yield (
                    f"Build on {results.arm_title(better)} rather than on {results.arm_title(worse)}.",
                    f"On {results.domain_title(domain)} it is better by {abs(gap.mean):.1f} AP points "
                    f"({results.arm_title(frozen)} minus {results.arm_title(free)}: {interval_words(gap)}).",
                )


def _threshold(results: Results) -> Found:
    for gap in losses(results):
        away = _best_confidence(results, gap.other, gap.domain)
        for own in (domain for domain in results.test_domains if domain in results.experiment.arms[gap.other].domains):
            best = _best_confidence(results, gap.other, own)
            if abs(best - away) >= OTHER_THRESHOLD:
                yield (
                    f"Choose the least confidence to believe on images of {results.domain_title(gap.domain)} itself.",
                    f"{gap_name(results, gap)}: F1 is highest from confidence {away:.2f} on (mean over classes and "
                    f"seeds), on {results.domain_title(own)} from {best:.2f} on.",
                )


def _best_confidence(results: Results, arm: str, domain: str) -> float:
    found = [curves["coco"] for curves in details_of(results, arm, domain, "curves")]
    best = [of_run[name]["best"] for of_run in found for name in headline_classes(results) if name in of_run]
    known = [one["confidence"] for one in best if one]
    return fmean(known) if known else math.nan


LOSS_RULES: tuple[Callable[[Results], Found], ...] = (
    _missed,
    _confused,
    _placed,
    _imagined,
    _small,
    _parts,
    _frozen,
    _threshold,
)
