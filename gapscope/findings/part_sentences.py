"""Where in the network is it? The part that is least alike, and the part that costs most where grafts were run."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from gapscope.findings.answer import Answer, Number
from gapscope.findings.estimates import Estimate
from gapscope.findings.gap_sentences import joined_by_and
from gapscope.findings.gaps import Gap
from gapscope.findings.grafts import ESTIMATED, GraftedPair, GraftedPart, graft_findings
from gapscope.findings.network_parts import PartLikeness, least_alike, least_alike_at
from gapscope.findings.part_gaps import PartGap
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.grafting.verdicts import CANNOT_BE_TOLD, GAINS
from gapscope.words import capitalized

WITH_ESTIMATED = ", with batch statistics estimated anew,"
NO_GRAFT = "What costs most is unknown: no graft was run; likeness is no cause."


def gap_pair(results: Results, gap: Gap | None) -> tuple[str, str] | None:
    """The two arms that the network's parts are looked at for, in the experiment's order: those of the primary gap,
    without one the first pair."""
    if gap is None:
        return next(iter(results.pairs), None)
    a, b = sorted((gap.home, gap.other), key=results.arms.index)
    return a, b


def where_answer(numbers: RunNumbers, gap: Gap | None, parts: Sequence[PartLikeness]) -> Answer | None:
    """None where layers were not compared yet."""
    least, pair = least_alike(parts), gap_pair(numbers.results, gap)
    if least is None or pair is None:
        return None
    results = numbers.results
    gaps = numbers.layers.part_gaps.get((pair, numbers.layers.main_size), ())
    sure = next((one for one in gaps if one.part == least.name), None)
    return Answer(
        "where",
        (_least(results, pair, least, sure), *_other_sizes(parts), graft_sentence(results, gap)),
        _numbers(results, pair, parts),
    )


def graft_pairs(results: Results, gap: Gap | None) -> list[GraftedPair]:
    """Parts of the arm that was trained there in the arm that loses, on the gap's test images, a pair per seed."""
    return graft_findings(results).of(gap.other, gap.home, domain=gap.domain) if gap is not None else []


def graft_sentence(results: Results, gap: Gap | None) -> str:
    """The part that costs most: whose place, taken by the other arm's part alone, regains most beyond a control's."""
    pairs = graft_pairs(results, gap)
    if not pairs or gap is None:
        return _no_graft(results, gap)
    how = WITH_ESTIMATED if pairs[0].statistics == ESTIMATED else ""
    names = [part.name for part in pairs[0].parts]
    by_part = {name: [part for pair in pairs for part in pair.parts if part.name == name] for name in names}
    regained = {name: fmean(100 * part.alone.value for part in some) for name, some in by_part.items()}
    gains = {name: points for name, points in regained.items() if _gains(by_part[name])}
    if not gains:
        return (
            f"Which part costs most cannot be told: no graft{how} surely regains more than another seed's part changes."
        )
    most = max(gains, key=lambda name: gains[name])
    seeds = "; ".join(
        f"seed {pair.host.seed}: {_points(part)}" for pair, part in zip(pairs, by_part[most], strict=True)
    )
    mine, theirs = results.arm_title(gap.home), results.arm_title(gap.other)
    rivals = [one for one in gains if one != most and _overlap(by_part[one], by_part[most])]
    near = f", {joined_by_and(rivals)} about as much" if rivals else ""
    perhaps = [
        name for name, some in by_part.items() if name not in gains and regained[name] > gains[most] and _unsure(some)
    ]
    costs = "surely costs" if perhaps else "costs most"
    said = f"{most} {costs}{near}: {mine}'s in {theirs}{how} regains {gains[most]:z.1f} AP points ({seeds})."
    more = f"{joined_by_and(perhaps)} may cost more, which cannot be told with every seed."
    return " ".join(map(capitalized, [said, more] if perhaps else [said]))


def _no_graft(results: Results, gap: Gap | None) -> str:
    """That there is none, or none of these two arms on these images."""
    if gap is None or not results.grafts:
        return NO_GRAFT
    mine, theirs = results.arm_title(gap.home), results.arm_title(gap.other)
    place = results.short_title(gap.domain)
    return f"What costs most is unknown: no graft put {mine}'s parts into {theirs} on {place}; likeness is no cause."


def _overlap(some: Sequence[GraftedPart], others: Sequence[GraftedPart]) -> bool:
    """Whether the intervals of two parts meet with any seed, so that none of the two is surely ahead."""
    pairs = [(one.alone, other.alone) for one, other in zip(some, others, strict=True)]
    return any(not (one.high < other.low or other.high < one.low) for one, other in pairs)


def _gains(parts: Sequence[GraftedPart]) -> bool:
    return all(part.verdict == GAINS for part in parts)


def _unsure(parts: Sequence[GraftedPart]) -> bool:
    return any(part.verdict == CANNOT_BE_TOLD for part in parts)


def _points(part: GraftedPart) -> str:
    one = part.alone.times(100)
    return f"{one.low:z.1f} to {one.high:z.1f}" if one.has_interval else f"{one.value:z.1f}"


def layers_of(part: PartLikeness) -> str:
    """A part with its layers, `head 32 (layers 75-82)`."""
    return (
        f"{part.name} (layers {part.first}-{part.last})"
        if part.last > part.first
        else f"{part.name} (layer {part.first})"
    )


def _least(results: Results, pair: tuple[str, str], part: PartLikeness, sure: PartGap | None) -> str:
    size = results.sizes[0]
    seen = f"debiased CKA, {size} pixels, images of {results.short_title(results.probe)}"
    start = f"{results.pair_title(*pair)} ({seen}):"
    if np.isfinite(part.ceiling):
        return (
            f"{start} {layers_of(part)} falls furthest below two seeds of one arm, {part.mean:.2f} against "
            f"{part.ceiling:.2f}{_band(sure)}."
        )
    return f"{start} {layers_of(part)} is least alike, {part.mean:.2f}; there is no second seed to hold that against."


def _band(gap: PartGap | None) -> str:
    """How sure the distance is: over images, for these networks, all parts together."""
    if gap is None or not gap.shortfall.has_interval:
        return ""
    low, value, high = (f"{one:z.2f}" for one in (gap.shortfall.low, gap.shortfall.value, gap.shortfall.high))
    return f": by {value} (95 % band over images {low} to {high}{'' if gap.sure else ', perhaps none'})"


def _other_sizes(parts: Sequence[PartLikeness]) -> list[str]:
    """Whether another image size turns the order round."""
    lowest = min(parts, key=lambda part: part.mean)
    said = []
    for size in parts[0].other_sizes:
        other = least_alike_at(parts, size)
        if other is not None and round(other.mean_at(size), 2) < round(lowest.mean_at(size), 2):  # as they are printed
            said.append(
                f"At {size} x {size} pixels another part has the lowest similarity: {other.name} "
                f"({other.mean_at(size):.2f}, {lowest.name} {lowest.mean_at(size):.2f})."
            )
    return said


def _numbers(results: Results, pair: tuple[str, str], parts: Sequence[PartLikeness]) -> tuple[Number, ...]:
    size = results.sizes[0]
    grids = [
        results.run_folder.grid(a, b, results.probe, size).relative_to(results.folder).as_posix()
        for a, b in results.run_pairs(*pair)
        if (a, b, size) in results.grids
    ]
    return tuple(
        Number(f"{part.name}: {what}", Estimate(value), "debiased CKA", tuple(grids))
        for part in parts
        for what, value in (("similarity", part.mean), ("two seeds", part.ceiling))
    )
