"""What to do next? Suggestions that follow from numbers of the run, each with the numbers that it rests on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gapscope.findings.advice_looks import looks_apart
from gapscope.findings.advice_losses import LOSS_RULES, gap_name
from gapscope.findings.advice_remedies import adapted, against, regained_by, tried_words
from gapscope.findings.elsewhere import given_titles, trains_nothing
from gapscope.findings.gap_sentences import interval_words, joined_by_and
from gapscope.findings.gaps import Gap
from gapscope.findings.headline import headline_classes
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.suggestion import NOT_TRIED, Found, Suggestion, arm_lines, toml_key
from gapscope.findings.unlearned import arms_that_hardly_learned
from gapscope.words import number_of

RARE = 0.1
"""A class with less than this share of what another training domain has of it is called rare."""
MOST_TIMES = 10
"""Where more than this squared times as many images would be needed, no number is given."""
FURTHER_SEEDS = 3
"""A change of seed is a measure of chance from about so many seeds on."""


@dataclass(frozen=True)
class Advice:
    """One thing to do, and all that speaks for it."""

    do: str
    because: tuple[str, ...]
    tried: str
    snippet: str

    @property
    def is_tried(self) -> bool:
        """Whether an arm of this study has done it."""
        return self.tried != NOT_TRIED


def suggestions(numbers: RunNumbers) -> list[Advice]:
    """Suggestions: first those without which the others rest on little, then what was tried and regained something, the
    most first, what was not tried, and what was tried in vain. None where arms have hardly learned."""
    if arms_that_hardly_learned(numbers):
        return []
    found: dict[str, list[Suggestion]] = {}
    further = [one for rule in RULES for one in rule(numbers)]
    for one in (*(one for rule in FIRST for one in rule(numbers)), *sorted(further, key=_rank)):
        found.setdefault(one.do, []).append(one)
    return [
        Advice(do, tuple(dict.fromkeys(one.because for one in some)), some[0].tried, _snippet(numbers, some[0]))
        for do, some in found.items()
    ]


def _rank(one: Suggestion) -> tuple[int, float]:
    if math.isnan(one.regained):
        return 1, 0.0
    return (0, -one.regained) if one.regained > 0 else (2, 0.0)


def _snippet(numbers: RunNumbers, one: Suggestion) -> str:
    """Its lines, unless they train and this study trains nothing."""
    trains = "[train" in one.snippet or "domains = " in one.snippet
    return "" if trains and trains_nothing(numbers.results) else one.snippet


def _leaks(numbers: RunNumbers) -> Found:
    results = numbers.results
    for name, summary in results.summaries.items():
        if summary.leaks.any:
            title = results.short_title(name)
            yield Suggestion(
                f"Split {title} anew, by whole groups and without repeated images.",
                f"{title}: its splits leak.",
                snippet=f'[domains.{toml_key(name)}.split]\nmethod = "group"',
            )


def _images(numbers: RunNumbers) -> Found:
    for gap in (gap for gap in numbers.gaps if gap.spans_zero and gap.estimate.low < gap.estimate.high):
        yield Suggestion(
            "Test on more images.",
            f"{gap_name(numbers.results, gap)}: {gap.mean:z.1f} AP points, {interval_words(gap)}{_enough(gap)}.",
        )


def _enough(gap: Gap) -> str:
    """How many images would tell a gap of this size from none: intervals shrink with the root of their number."""
    half = (gap.estimate.high - gap.estimate.low) / 2
    if abs(gap.mean) < half / MOST_TIMES:
        return ""
    needed = gap.num_images * max(1.0, half / abs(gap.mean)) ** 2
    digits = 10 ** max(0, math.floor(math.log10(needed)) - 1)
    return f"; if the gap is of this size, about {math.ceil(needed / digits) * digits:,} would tell it from none"


def _seeds(numbers: RunNumbers) -> Found:
    seeds = numbers.results.seeds
    further = [*seeds, *(one for one in range(max(seeds) + FURTHER_SEEDS) if one not in seeds)][:FURTHER_SEEDS]
    snippet = f"seeds = {further if len(seeds) < FURTHER_SEEDS else [*seeds, max(seeds) + 1]}"
    if len(seeds) == 1:
        given = trains_nothing(numbers.results)
        yield Suggestion(
            "Give a second training of every detector." if given else "Train every arm with at least one more seed.",
            "With one seed no difference can be told from a seed's.",
            snippet=snippet,
        )
        return
    for gap in numbers.gaps:
        if gap.within_seeds or gap.seeds_disagree:
            elsewhere = joined_by_and(given_titles(numbers.results, (gap.home, gap.other)))
            yield Suggestion(
                f"Give further trainings of {elsewhere}." if elsewhere else "Train every arm with more seeds.",
                f"{gap_name(numbers.results, gap)}: {gap.mean:z.1f} AP points, while seeds of one arm lie up to "
                f"{gap.spread:.1f} apart.",
                snippet=snippet,
            )


def _classes(numbers: RunNumbers) -> Found:
    """Classes that one training domain lacks and another has."""
    results = numbers.results
    domains = {domain for arm in results.arms for domain in results.experiment.arms[arm].domains}
    boxes = {name: results.summaries[name].boxes["train"] for name in results.summaries if name in domains}
    for name in headline_classes(results):
        counts = {domain: found.get(name, 0) for domain, found in boxes.items()}
        most = max(counts.values(), default=0)
        for domain, count in counts.items():
            if count < RARE * most:
                title = results.short_title(domain)
                boxes_there = number_of(count, "training box", "training boxes")
                yield Suggestion(
                    f"Add {name} to the training images of {title}, or leave it out of the headline.",
                    f"{title} has {boxes_there} of {name}, another domain {most}.",
                )


def _mixed(numbers: RunNumbers) -> Found:
    """Images of the domain itself among the training images: what a loss always leaves to be tried."""
    results, arms = numbers.results, numbers.results.experiment.arms
    for gap in numbers.losses[:1]:
        title = results.short_title(gap.domain)
        both = [gap.domain, *arms[gap.other].domains]
        tried = [one for one in against(numbers, gap) if gap.domain in arms[one.arm].domains]
        yield Suggestion(
            f"Train on some labelled images of {title} too.",
            f"{gap_name(results, gap)}: {gap.mean:z.1f} AP points are lost, {interval_words(gap)}.",
            tried_words(numbers, tried),
            arm_lines("mixed", domains=both, start=arms[gap.other].start),
            regained_by(tried),
        )


Rule = Callable[[RunNumbers], Found]
FIRST: tuple[Rule, ...] = (_leaks, _images, _seeds)
"""Without what these ask for, the others rest on little."""
RULES: tuple[Rule, ...] = (looks_apart, _classes, adapted, *LOSS_RULES, _mixed)
