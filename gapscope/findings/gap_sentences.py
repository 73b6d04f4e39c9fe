"""The gap in words: how big it is, how sure that is, and which classes and mistakes it is made of."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean

from gapscope.findings.gap_parts import ClassPart, KindPart, Outcomes
from gapscope.findings.gaps import Gap
from gapscope.findings.headline import HeadlineScores
from gapscope.findings.results import Results
from gapscope.words import number_of, percent

NAMED = 3
"""So many classes are named at most as those that carry a gap."""
LEAST = 1.0
"""A kind of mistake has to cost so many AP points more than at home, on average, to be named."""
ENOUGH = 0.6
"""Classes are named until they carry this share of the gap."""


def interval_words(gap: Gap) -> str:
    """The interval, and what it was taken over."""
    if not gap.estimate.has_interval:
        return "no interval: the evaluation files hold none"
    low, high = gap.estimate.low, gap.estimate.high
    return f"95 % interval {low:z.1f} to {high:z.1f} over {number_of(gap.num_images, 'test image')}"


def gap_sentence(results: Results, scores: HeadlineScores, gap: Gap) -> str:
    """How big a gap is, and whether images or seeds could have made it."""
    home, other = results.arm_title(gap.home), results.arm_title(gap.other)
    values = [by_seed(scores.of(arm, gap.domain).values, "{:.3f}") for arm in (gap.home, gap.other)]
    seeds = f"; by seed {', '.join(f'{points:z.1f}' for points in gap.points)}" if len(gap.points) > 1 else ""
    return (
        f"On {results.domain_title(gap.domain)}, {home} (trained there) reaches mAP {values[0]} and {other} (trained "
        f"elsewhere) {values[1]}: a gap of {gap.mean:z.1f} AP points ({interval_words(gap)}{seeds}). "
        + " ".join(_how_sure(gap))
    )


def _how_sure(gap: Gap) -> Iterator[str]:
    if gap.spans_zero:
        yield "The interval holds zero, so with other test images there might be no gap, or one of the other sign."
    if len(gap.points) < 2:
        yield "It is from one seed only, so how much of it another seed would change is unknown."
    elif gap.seeds_disagree:
        yield "The seeds disagree about its sign, so it cannot be told from what a change of seed does."
    elif gap.within_seeds:
        seeds = number_of(len(gap.points), "seed")
        yield f"It is no larger than what a change of seed does to one arm ({gap.spread:.1f}, {seeds})."
    else:
        seeds = f"{gap.spread:.1f} at most, {number_of(len(gap.points), 'seed')}"
        yield f"It is larger than what a change of seed does to either arm ({seeds})."


def by_seed(values: Sequence[float], form: str) -> str:
    """`0.43` or, with several seeds, `0.43 (0.42, 0.44)`."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "an undefined value"
    mean = form.format(fmean(known))
    return mean if len(known) == 1 else f"{mean} ({', '.join(form.format(value) for value in known)})"


def made_of(results: Results, gap: Gap) -> Iterator[str]:
    """Which classes and which mistakes a gap is made of; nothing where nothing is lost."""
    if not gap.is_loss:
        return
    start = f"{results.arm_title(gap.other)} on {results.domain_title(gap.domain)}"
    classes, kinds, outcomes = gap.parts.classes, gap.parts.kinds, gap.parts.outcomes
    if len(classes) > 1:
        yield f"{start}: {class_words(classes)}"
    if outcomes.parts and kinds:
        yield f"{start}: {outcome_words(results, gap, outcomes)} {kind_words(results, gap, kinds)}"


def class_words(parts: Sequence[ClassPart]) -> str:
    """Which classes lose most, and for which of them that is sure."""
    named: list[ClassPart] = []
    for part in parts:
        if len(named) < NAMED and part.change < 0 and sum(one.share for one in named) < ENOUGH:
            named.append(part)
    lost = [f"{part.name} ({-part.change:.1f} points of its AP, {percent(part.share)} of the gap)" for part in named]
    found = f"most is lost in {joined_by_and(lost)}."
    if any(part.apart is None for part in parts):
        return found
    apart = [part.name for part in parts if part.apart]
    every = "at every seed" if len(parts[0].home) > 1 else "of both arms"
    if not apart:
        return f"{found} For no class by itself are the 95 % intervals {_apart(every)}."
    shown = joined_by_and(apart) if len(apart) <= 2 * NAMED else f"{len(apart)} of {len(parts)} classes"
    return f"{found} The 95 % intervals are {_apart(every)} for {shown}."


def _apart(every: str) -> str:
    return f"apart {every}" if every == "at every seed" else f"{every} apart"


def outcome_words(results: Results, gap: Gap, outcomes: Outcomes) -> str:
    """What becomes of labelled boxes, beside the arm that was trained there."""
    home = results.arm_title(gap.home)
    found, confused, false = (outcomes.parts[name] for name in ("found", "confused", "false"))
    return (
        f"at confidence {outcomes.confidence:g} it finds {percent(found.other_mean)} of the labelled boxes ({home} "
        f"{percent(found.home_mean)}), takes {percent(confused.other_mean)} for another class "
        f"({percent(confused.home_mean)}) and sees {false.other_mean:.2f} objects per image where nothing is labelled "
        f"({false.home_mean:.2f})."
    )


def kind_words(results: Results, gap: Gap, parts: Sequence[KindPart]) -> str:
    """Which kinds of mistakes cost more than at home; they do not add up to the gap."""
    home, seeds = results.arm_title(gap.home), " at every seed" if len(gap.points) > 1 else ""
    costs = [
        f"{part.name} ({part.other_mean:.1f} AP points if all were mended, {home} {part.home_mean:.1f})"
        for part in parts
        if part.grows_at_every_seed and part.change >= LEAST
    ]
    if not costs:
        return f"No kind of mistake costs {LEAST:g} AP point more than in {home}{seeds}."
    return f"Of the kinds of mistakes, these cost more than in {home}{seeds}: {joined_by_and(costs)}."


def joined_by_and(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
