"""What to do next? Suggestions that follow from numbers of the run, each with the numbers that it rests on.

None of them has been tried here: they say where to begin, not what will help.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gapscope.findings.advice_losses import LOSS_RULES, Found, gap_name
from gapscope.findings.gap_sentences import interval_words
from gapscope.findings.gaps import Gap
from gapscope.findings.headline import headline_classes
from gapscope.findings.run_numbers import RunNumbers

RARE = 0.1
"""A class with less than this share of what another training domain has of it is called rare."""
MOST_TIMES = 10
"""Where more than this squared times as many images would be needed, no number is given."""


@dataclass(frozen=True)
class Advice:
    """One suggestion."""

    do: str
    because: tuple[str, ...]


def suggestions(numbers: RunNumbers) -> list[Advice]:
    """Suggestions: first those without which the others rest on little."""
    reasons: dict[str, list[str]] = {}
    for rule in RULES:
        for do, because in rule(numbers):
            reasons.setdefault(do, []).append(because)
    return [Advice(do, tuple(because)) for do, because in reasons.items()]


def _leaks(numbers: RunNumbers) -> Found:
    results = numbers.results
    for name, summary in results.summaries.items():
        if summary.leaks.any:
            title = results.domain_title(name)
            yield (
                f"Split {title} anew, by whole groups and without repeated images.",
                f"{title}: its splits leak, see above.",
            )


def _images(numbers: RunNumbers) -> Found:
    for gap in (gap for gap in numbers.gaps if gap.spans_zero and gap.estimate.low < gap.estimate.high):
        yield (
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
    if len(numbers.results.seeds) == 1:
        yield "Train every arm with at least one more seed.", "With one seed no difference can be told from a seed's."
        return
    for gap in numbers.gaps:
        if gap.within_seeds or gap.seeds_disagree:
            yield (
                "Train every arm with more seeds.",
                f"{gap_name(numbers.results, gap)}: {gap.mean:z.1f} AP points, while seeds of one arm lie up to "
                f"{gap.spread:.1f} apart.",
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
                title = results.domain_title(domain)
                yield (
                    f"Add {name} to the training images of {title}, or leave it out of the headline.",
                    f"{title} has {count} training boxes of {name}, another domain {most}.",
                )


RULES: tuple[Callable[[RunNumbers], Found], ...] = (_leaks, _images, _seeds, _classes, *LOSS_RULES)
