"""Where in the network is it? The part that is least alike, and the part that costs most where grafts were run."""

from collections.abc import Sequence

import numpy as np

from gapscope.findings.answer import Answer, Number
from gapscope.findings.estimates import Estimate
from gapscope.findings.gaps import Gap
from gapscope.findings.network_parts import PartLikeness, least_alike, least_alike_at
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers

NO_GRAFT = "Which part costs most is not known: no graft was run, and likeness is no cause."


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
    return Answer(
        "where", (_least(results, pair, least), *_other_sizes(parts), NO_GRAFT), _numbers(results, pair, parts)
    )


def layers_of(part: PartLikeness) -> str:
    """A part with its layers, `head 32 (layers 75-82)`."""
    return (
        f"{part.name} (layers {part.first}-{part.last})"
        if part.last > part.first
        else f"{part.name} (layer {part.first})"
    )


def _least(results: Results, pair: tuple[str, str], part: PartLikeness) -> str:
    size = results.sizes[0]
    seen = f"debiased CKA, {size} x {size} pixels, images of {results.short_title(results.probe)}"
    start = f"{results.pair_title(*pair)} ({seen}):"
    if np.isfinite(part.ceiling):
        return (
            f"{start} {layers_of(part)} falls furthest below two seeds of one arm, {part.mean:.2f} against "
            f"{part.ceiling:.2f}."
        )
    return f"{start} {layers_of(part)} is least alike, {part.mean:.2f}; there is no second seed to hold that against."


def _other_sizes(parts: Sequence[PartLikeness]) -> list[str]:
    """Whether another image size turns the order round."""
    lowest = min(parts, key=lambda part: part.mean)
    said = []
    for size in parts[0].other_sizes:
        other = least_alike_at(parts, size)
        if other is not None and other.name != lowest.name:
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
