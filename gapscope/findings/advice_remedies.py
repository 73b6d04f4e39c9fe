"""Which remedy costs neither label nor training, and what has been regained by those that were tried?"""

import math

from gapscope.findings.gap_sentences import joined_by_and
from gapscope.findings.gaps import Gap
from gapscope.findings.remedies import Remedy
from gapscope.findings.remedy_sentences import closes_words, cost_words
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.suggestion import NOT_TRIED, Found, Suggestion, toml_key


def adapted(numbers: RunNumbers) -> Found:
    """Statistics of unlabelled images, for every loss; where they gave another arm nothing, that is said."""
    results = numbers.results
    arms = results.experiment.arms
    for gap in (gap for gap in numbers.losses if arms[gap.other].has_network):
        other, place = results.arm_title(gap.other), results.short_title(gap.domain)
        name = toml_key(f"{gap.other}-adapted")
        tried = [one for one in against(numbers, gap) if is_adapted(numbers, one)]
        vain = [] if tried else _in_vain(numbers, gap.domain)
        yield Suggestion(
            f"Give {other} BatchNorm statistics of unlabelled {place} images: no training.",
            f"{other} loses {gap.mean:.1f} AP points; its statistics are of its training images"
            f"{f', but new ones gave {joined_by_and(vain)} nothing there' if vain else ''}.",
            tried_words(numbers, tried),
            f'[arms.{name}]\nstart = "{gap.other}"\nadapt = {{ batchnorm = "{gap.domain}" }}',
            0.0 if vain else regained_by(tried),
        )


def _in_vain(numbers: RunNumbers, domain: str) -> list[str]:
    """The arms to which statistics of this domain gave nothing sure, if there is none to which they gave something."""
    there = [one for one in numbers.remedies if one.gap.domain == domain and is_adapted(numbers, one)]
    if any(one.is_gain for one in there):
        return []
    return list(dict.fromkeys(numbers.results.arm_title(one.gap.other) for one in there))


def against(numbers: RunNumbers, gap: Gap) -> list[Remedy]:
    """What has been tried against a gap, what regains most first."""
    return [one for one in numbers.remedies if one.gap is gap]


def is_adapted(numbers: RunNumbers, remedy: Remedy) -> bool:
    """Whether it gives its arm other statistics, and does nothing else."""
    arm = numbers.results.experiment.arms[remedy.arm]
    return bool(arm.adapt.batchnorm) and not arm.average and arm.start == remedy.gap.other


def tried_words(numbers: RunNumbers, remedies: list[Remedy]) -> str:
    """`tried: U-Synthetic adapted +8.7 AP points, which closes 50 % ...`: of several the one that regains most."""
    if not remedies:
        return NOT_TRIED
    results, best = numbers.results, remedies[0]
    more = f"; {len(remedies) - 1} more regain less" if len(remedies) > 1 else ""
    return (
        f"tried: {results.arm_title(best.arm)} {best.regained.mean:+z.1f} AP points{closes_words(results, best)}; it "
        f"took {cost_words(results, best)}{more}"
    )


def regained_by(remedies: list[Remedy]) -> float:
    """AP points that the best of them surely regains, 0 without such a one; NaN where nothing was tried."""
    if not remedies:
        return math.nan
    return max((one.regained.mean for one in remedies if one.is_gain), default=0.0)


def best_tried(numbers: RunNumbers, gap: Gap) -> str:
    """One sentence on what regains most of a gap; empty where nothing that was tried surely does."""
    results = numbers.results
    gains = [one for one in against(numbers, gap) if one.is_gain]
    if not gains:
        return ""
    best = gains[0]
    return (
        f"Of what was tried, {results.arm_title(best.arm)} regains most: {best.regained.mean:.1f} AP points"
        f"{closes_words(results, best)}; it took {cost_words(results, best)}."
    )
