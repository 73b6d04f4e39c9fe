"""Do the images of two domains look so different that no training image looks like a test image?"""

import math

from gapscope.data.appearance import LOOKS
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.suggestion import Found, Suggestion

CHANGED_BY = {"saturation": 1, "brightness": 2}
"""Look -> its place in `[train.augment] hsv`, whose gain g multiplies it by up to 1 + g and down to 1 - g."""
MOST = 0.9
"""The largest gain that is suggested."""

Range = tuple[float, float, float]
"""5 % quantile, median, 95 % quantile over a sample of images."""


def looks_apart(numbers: RunNumbers) -> Found:
    """Looks (saturation, brightness, contrast) of an arm's own images that no image of the other domain has.

    Said where the 5 to 95 % ranges do not overlap, and where changes of colour in training do not bridge them.
    """
    results = numbers.results
    for gap in numbers.losses:
        for own in results.experiment.arms[gap.other].domains:
            for look in LOOKS:
                one, other = look_of(results, own, look), look_of(results, gap.domain, look)
                if one is None or other is None or not (one[2] < other[0] or other[2] < one[0]):
                    continue
                is_given = results.experiment.arms[gap.other].is_given
                known = look in CHANGED_BY and not is_given
                gain = results.experiment.train.augment.hsv[CHANGED_BY[look]] if known else 0.0
                if one[0] * (1 - gain) <= other[2] and other[0] <= one[2] * (1 + gain):
                    continue
                titles = results.short_title(own), results.short_title(gap.domain)
                off = "training leaves it" if gain == 0 else f"training changes it by {gain:g}"
                off = "what its training changed is not known" if is_given else off
                yield Suggestion(
                    f"Change {look} in training, so that {titles[0]} looks like {titles[1]}.",
                    f"{look.title()} (90 % of images): {_words(one)} in {titles[0]}, "
                    f"{_words(other)} in {titles[1]}; {off}.",
                    snippet=_snippet(results, look, one, other),
                )


def look_of(results: Results, domain: str, look: str) -> Range | None:
    """How a look is spread in a domain; None where nobody looked."""
    found = results.summaries[domain].distributions.get(look) if domain in results.summaries else None
    quantiles = (found or {}).get("quantiles", {})
    return (quantiles["p5"], quantiles["median"], quantiles["p95"]) if quantiles else None


def _words(of: Range) -> str:
    return f"{of[0]:.2f} to {of[2]:.2f}"


def _snippet(results: Results, look: str, own: Range, other: Range) -> str:
    """The gain that takes the own images' median to the other's; nothing for a look that training cannot change."""
    if look not in CHANGED_BY:
        return ""
    gain = min(MOST, math.ceil(20 * abs(other[1] / own[1] - 1)) / 20) if own[1] else MOST
    hsv = list(results.experiment.train.augment.hsv)
    hsv[CHANGED_BY[look]] = gain
    return f"[train.augment]\nhsv = {hsv}"
