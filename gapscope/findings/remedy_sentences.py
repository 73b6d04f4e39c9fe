"""A remedy in words: what it does, what it saw for that, how much of the gap it closes, and what it loses elsewhere."""

import math
from collections.abc import Iterator
from statistics import fmean

from gapscope.arms import models_before
from gapscope.findings.estimates import Estimate
from gapscope.findings.gap_sentences import interval_words, joined_by_and
from gapscope.findings.gaps import Gap
from gapscope.findings.remedies import Remedy
from gapscope.findings.results import Results
from gapscope.words import duration, number_of


def remedy_sentence(results: Results, remedy: Remedy) -> str:
    """Everything that is known of a remedy."""
    gap, title = remedy.gap, results.arm_title(remedy.arm)
    points = remedy.regained
    seeds = f"; by seed {', '.join(f'{one:z.1f}' for one in points.points)}" if len(points.points) > 1 else ""
    return (
        f"On {results.domain_title(gap.domain)}, {title} ({remedy_words(results, remedy)}) reaches mAP "
        f"{fmean(points.home_map50s):.3f}, {points_words(points)} than {results.arm_title(gap.other)} "
        f"({interval_of(points)}{seeds}){closes_words(results, remedy)}. "
        + " ".join([*_how_sure(remedy), *_elsewhere(results, remedy), f"It took {cost_words(results, remedy)}."])
    )


def remedy_words(results: Results, remedy: Remedy) -> str:
    """What is done, in a few words."""
    experiment, arm = results.experiment, results.experiment.arms[remedy.arm]
    if arm.average:
        said = []
        for name in arm.average:
            shares = [one.average.get(name) for one in results.summaries_of(remedy.arm) if one.average]
            known = sorted({round(100 * share) for share in shares if share is not None})
            said.append(f"{' or '.join(f'{share} %' for share in known)} {results.arm_title(name)}".strip())
        return f"the average of the weights of {joined_by_and(said)}, not trained"
    if not arm.is_trained:
        images = joined_by_and([results.domain_title(domain) for domain in arm.adapt.domains])
        return f"{results.arm_title(arm.start)} with BatchNorm statistics of images of {images}, not trained"
    domains = joined_by_and([results.domain_title(domain) for domain in arm.domains])
    before = models_before(experiment, remedy.arm)
    words = f"trained on {domains}" + (f", from {results.arm_title(before[0])} on" if before else "")
    if arm.train and before:
        words += f", layers {arm.train} alone"
    if arm.restyle:
        words += f", with restyled images of {joined_by_and([results.domain_title(one) for one in arm.restyle])}"
    return words + teacher_words(results, remedy.arm)


def teacher_words(results: Results, arm: str) -> str:
    """`, with a mean teacher on images of photos, which taught 2.1 boxes an image in the end`; empty without one."""
    taught = results.experiment.arms[arm].adapt.taught
    if not taught:
        return ""
    boxes = [one.taught_boxes for one in results.summaries_of(arm) if one.taught_boxes is not None]
    said = f", which taught {fmean(boxes):.1f} boxes an image in the end" if boxes else ""
    return f", with a mean teacher on images of {results.domain_title(taught)}{said}"


def points_words(difference: Gap) -> str:
    """`8.7 AP points more`, `1.2 AP points less`."""
    return f"{abs(difference.mean):.1f} AP points {'more' if difference.mean >= 0 else 'less'}"


def interval_of(difference: Gap) -> str:
    """The interval of `points_words`, which says more or less in words."""
    if difference.mean >= 0 or not difference.estimate.has_interval:
        return interval_words(difference)
    low, high = -difference.estimate.high, -difference.estimate.low
    return f"95 % interval {low:z.1f} to {high:z.1f} over {number_of(difference.num_images, 'test image')}"


def closes_words(results: Results, remedy: Remedy) -> str:
    """`, which closes 60 % of the gap to U-Real (40 to 75)`; empty where there is no loss to close."""
    share = remedy.share.times(100)
    if math.isnan(share.value):
        return ""
    if not remedy.is_gain:
        regained = remedy.regained
        is_worse = regained.mean < 0 and not regained.spans_zero and not regained.seeds_disagree
        return f", which {'closes' if is_worse else 'is not told from closing'} nothing of the gap"
    return f", which closes {share_words(share)} of the gap to {results.arm_title(remedy.gap.home)}"


def share_words(percent: Estimate) -> str:
    """`60 % (40 to 75)`, without the interval where there is none."""
    value = f"{percent.value:z.0f} %"
    return f"{value} ({percent.low:z.0f} to {percent.high:z.0f})" if percent.has_interval else value


def _how_sure(remedy: Remedy) -> Iterator[str]:
    regained = remedy.regained
    if len(regained.points) < 2:
        yield "It is from one seed only."
    elif regained.seeds_disagree:
        yield "The seeds disagree about its sign."
    elif regained.within_seeds:
        yield f"That is no more than a change of seed does to one arm ({regained.spread:.1f})."


def _elsewhere(results: Results, remedy: Remedy) -> Iterator[str]:
    for domain, change in remedy.elsewhere.items():
        sure = " (not told from none)" if change.spans_zero else f" ({interval_of(change)})"
        yield f"On {results.domain_title(domain)} it has {points_words(change)}{sure}."


def cost_words(results: Results, remedy: Remedy) -> str:
    """`no label of camera, 200 unlabelled images, 2 s a seed`."""
    cost, domain = remedy.cost, results.short_title(remedy.gap.domain)
    count = "" if cost.labelled_images is None else f"{cost.labelled_images} "
    seen = f"no label of {domain}" if cost.labelled_images == 0 else f"{count}labelled images of {domain}"
    images = f", {cost.unlabelled_images} unlabelled images" if cost.unlabelled_images else ""
    time = "" if math.isnan(cost.seconds) else f", {duration(cost.seconds)} a seed"
    return f"{seen}{images}{time}"
