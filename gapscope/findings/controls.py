"""Is a gap one of looks, of content, or is as much there between any two sets? Control arms, held side by side."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from gapscope.arms import frozen_ranges, is_plain, labelled_domains
from gapscope.config import Experiment
from gapscope.findings.estimates import UNKNOWN, Estimate
from gapscope.findings.gap_sentences import interval_words
from gapscope.findings.gaps import Gap, gap_between
from gapscope.findings.headline import HeadlineScores
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.part_gaps import HALVES
from gapscope.findings.remedies import share_closed
from gapscope.findings.results import Results

WHOLE, LOOKS, SET, SAME, HALF = "whole", "looks", "set", "same", "half"
KINDS = {
    WHOLE: "other scenes with another look",
    LOOKS: "the same scenes with another look",
    SET: "another set that plays the same part",
    SAME: "other scenes with the same look",
    HALF: "the other half of the same images",
}
"""What the images of one arm are to those of another."""


@dataclass(frozen=True)
class Control:
    """Two arms whose images differ in a known way."""

    kind: str
    """A key of KINDS."""
    gap: Gap
    """Of the second to the first, on test images of the first one's domain."""
    shortfalls: Mapping[str, Estimate]
    """By `backbone` and `head`: by how much their layers fall short of two seeds; empty where none are compared."""


@dataclass(frozen=True)
class Controls:
    """All that is held against one arm on its own domain."""

    domain: str
    home: str
    found: tuple[Control, ...]
    """In the order of KINDS."""
    looks: Estimate
    """Share of the whole gap that is there when looks alone differ; undefined where one of the two was not tried."""

    def of(self, kind: str) -> list[Control]:
        return [one for one in self.found if one.kind == kind]


def find_controls(
    results: Results, scores: HeadlineScores, gaps: Sequence[Gap], layers: LayerFindings
) -> list[Controls]:
    """Of every arm that is at home somewhere, where some of its gaps are not those of looks and content together."""
    experiment, found = results.experiment, list[Controls]()
    halves = list(_halves(results, scores))
    for domain, home in dict.fromkeys((gap.domain, gap.home) for gap in [*gaps, *halves]):
        mine = [gap for gap in [*gaps, *halves] if (gap.domain, gap.home) == (domain, home)]
        kinds = [(kind, gap) for gap in mine if (kind := kind_of(experiment, home, gap.other)) is not None]
        kinds.sort(key=lambda one: list(KINDS).index(one[0]))
        if any(kind != WHOLE for kind, _ in kinds):
            controls = tuple(Control(kind, gap, _shortfalls(layers, home, gap.other)) for kind, gap in kinds)
            found.append(Controls(domain, home, controls, _looks_share(results, controls)))
    return found


def kind_of(experiment: Experiment, home: str, other: str) -> str | None:
    """What an arm's images are to those of the arm at home; None where they differ in something else too, or where it
    is not known in what."""
    both = [experiment.arms[name] for name in (home, other)]
    domains = [labelled_domains(experiment, name) for name in (home, other)]
    plain = all(is_plain(experiment, name) and len(one) == 1 for name, one in zip((home, other), domains, strict=True))
    alike = frozen_ranges(experiment, home) == frozen_ranges(experiment, other) and both[0].start == both[1].start
    if not (plain and alike) or any(arm.images or arm.shares for arm in both):
        return None
    (mine,), (theirs,) = domains
    if mine == theirs:
        return HALF if {both[0].half, both[1].half} == {"first", "second"} else None
    if both[0].half != both[1].half:
        return None
    return _kind_of_domains(experiment, mine, theirs)


def _kind_of_domains(experiment: Experiment, mine: str, theirs: str) -> str | None:
    one, other = experiment.domains[mine], experiment.domains[theirs]
    if one.generate is not None and other.generate is not None:
        a, b = one.generate, other.generate
        drawn = all(getattr(a, key) == getattr(b, key) for key in ("size", "severity", "hood", "same_scenes"))
        if a.style == b.style:
            return SAME if drawn and a.seed != b.seed else None
        if a.same_scenes and drawn and a.seed == b.seed:
            return LOOKS
        return WHOLE
    if "control" in (one.role, other.role):
        return None
    return SET if one.role == other.role else WHOLE


def _halves(results: Results, scores: HeadlineScores) -> Iterator[Gap]:
    """The second half against the first, on the test images of both."""
    arms = results.experiment.arms
    for a, b in product(results.arms, results.arms):
        same = arms[a].domains == arms[b].domains and len(arms[a].domains) == 1
        if same and (arms[a].half, arms[b].half) == ("first", "second") and arms[a].domains[0] in results.test_domains:
            gap = gap_between(results, scores, arms[a].domains[0], a, b)
            if gap is not None:
                yield gap


def _shortfalls(layers: LayerFindings, home: str, other: str) -> dict[str, Estimate]:
    """Of the pair at the main size, whichever way round it is compared."""
    for pair in ((home, other), (other, home)):
        found = {gap.part: gap.shortfall for gap in layers.part_gaps.get((pair, layers.main_size), ())}
        if found:
            return {half: found[half] for half in HALVES if half in found}
    return {}


def _looks_share(results: Results, controls: Sequence[Control]) -> Estimate:
    """Of the first whole gap, that of the first arm whose images differ in looks alone, draw by draw."""
    first = {one.kind: one.gap for one in reversed(controls)}
    if WHOLE not in first or LOOKS not in first or not first[WHOLE].is_loss:
        return UNKNOWN
    others = share_closed(results, first[WHOLE], first[LOOKS].other)
    return Estimate(1 - others.value, 1 - others.high, 1 - others.low)


def control_sentences(results: Results, controls: Controls) -> Iterator[str]:
    """What is there beside what, in words."""
    home, domain = results.arm_title(controls.home), results.domain_title(controls.domain)
    said = [f"{_named(results, one)} {_points(one.gap)}" for one in controls.found]
    yield f"On {domain}, against {home}: {'; '.join(said)}."
    share = controls.looks.times(100)
    if math.isfinite(share.value):
        interval = f" ({share.low:z.0f} to {share.high:z.0f})" if share.has_interval else ""
        rest = f"The rest, {100 - share.value:z.0f} %, goes with which scenes were shown."
        if not share.has_interval or share.low <= 100 <= share.high:
            rest = "That content has a part in it is not told."
        yield (
            f"So {share.value:z.0f} %{interval} of that gap are there with the same scenes: they go with looks. {rest}"
        )
    elif controls.of(LOOKS) and not controls.of(WHOLE):
        yield "The scenes are the same, so what is lost there goes with looks; content was not tried."
    for one in (*controls.of(HALF), *controls.of(SAME), *controls.of(SET)):
        if said_beside := _beside(controls, one):
            yield f"{_named(results, one)} {said_beside}"
    known = [one for one in controls.found if one.shortfalls]
    if known:
        parts = "; ".join(f"{results.arm_title(one.gap.other)} {_short(one)}" for one in known)
        yield f"Layers fall short of those of two seeds, against {home}: {parts}."
    yield from _unlikeness(controls)


def _unlikeness(controls: Controls) -> Iterator[str]:
    """How much of what layers fall short by is there when looks alone differ, half by half."""
    whole, looks = (next((one.shortfalls for one in controls.of(kind)), {}) for kind in (WHOLE, LOOKS))
    for half in whole:
        if half not in looks or not whole[half].low > 0:
            continue
        one, other = whole[half], looks[half]
        apart = other.high < one.low
        share = f"{100 * other.value / one.value:z.0f} %"
        rest = (
            "in these networks the rest goes with which scenes were shown"
            if apart
            else "their intervals meet: that content has a part is not told"
        )
        yield (
            f"In the {half}, {share} of the lack of likeness is there with the same scenes "
            f"({other.value:z.2f} of {one.value:z.2f}; {rest})."
        )


def _named(results: Results, one: Control) -> str:
    return f"{results.arm_title(one.gap.other)} ({KINDS[one.kind]})"


def _points(gap: Gap) -> str:
    lost = "loses" if gap.mean >= 0 else "gains"
    seeds = f"; by seed {', '.join(f'{value:z.1f}' for value in gap.points)}" if len(gap.points) > 1 else ""
    return f"{lost} {abs(gap.mean):.1f} AP points (a gap of {gap.mean:z.1f}, {interval_words(gap)}{seeds})"


def _beside(controls: Controls, one: Control) -> str:
    """What a difference that is no one's looks says about the gaps beside it; empty without any."""
    larger = [gap.gap for gap in controls.found if gap.kind in (WHOLE, LOOKS) and gap.gap is not one.gap]
    alike = [gap for gap in larger if not (gap.estimate.low > max(one.gap.estimate.high, 0))]
    if not larger:
        return ""
    if alike:
        return "shows about as much as that: what is there between such two sets is not told from the gap."
    without = "another look" if one.kind == SAME else "any synthetic image"
    return f"shows what is there without {without}: {one.gap.mean:z.1f} of {larger[0].mean:z.1f} AP points."


def _short(one: Control) -> str:
    values = [f"{value.value:z.2f}{_interval(value)} in the {half}" for half, value in one.shortfalls.items()]
    return f"by {' and '.join(values)} ({KINDS[one.kind]})"


def _interval(value: Estimate) -> str:
    return f" ({value.low:z.2f} to {value.high:z.2f})" if value.has_interval else ""
