"""The verdict's sentences: what may be said from the numbers?

Sentences are written from files of the run folder and claim no more than intervals, floor, ceiling and seeds allow.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gapscope.arms import frozen_ranges
from gapscope.findings.budgets import ends_sentence
from gapscope.findings.controls import control_sentences
from gapscope.findings.gap_sentences import by_seed, gap_sentence, made_of
from gapscope.findings.layer_curves import PairCurve, ranges
from gapscope.findings.layer_findings import ArmPair, LayerFindings
from gapscope.findings.part_gaps import HALVES, PartGap, low_bars, turned_round
from gapscope.findings.remedy_sentences import remedy_sentence
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.similarity.trainings import smallest_p

SEEDS_FOR_P = 4
"""Of each arm, with which exchanging their names can give p <= 0.05."""


def generated_note(results: Results) -> str:
    """Says which domains are rendered by gapscope itself; empty where none is."""
    domains = results.experiment.domains
    rendered = [results.domain_title(name) for name, domain in domains.items() if domain.generate]
    if len(rendered) == len(domains):
        return "All images are generated: this shows the method, not how photographs fare."
    return f"Rendered by gapscope, so no photographs: {', '.join(rendered)}." if rendered else ""


def verdict(numbers: RunNumbers) -> dict[str, list[str]]:
    """A few sentences under each question that can be answered so far."""
    results, layers = numbers.results, numbers.layers
    answers = {
        "How big is the gap?": [gap_sentence(results, numbers.scores, gap) for gap in numbers.gaps],
        "What is it made of?": [sentence for gap in numbers.gaps for sentence in made_of(results, gap)],
        "What closes it?": [remedy_sentence(results, remedy) for remedy in numbers.remedies],
        "When do synthetic images stop helping?": [
            ends_sentence(results, budgets, end) for budgets in numbers.budgets for end in budgets.ends
        ],
        "Is it looks, content, or any two sets?": [
            sentence for controls in numbers.controls for sentence in control_sentences(results, controls)
        ],
        "Where in the network is it?": [
            *_where(layers),
            *_how_sure(layers),
            *_other_sizes(layers),
            *_effects(layers),
            *_low_bars(layers),
        ],
        "Did frozen layers stay frozen?": list(_frozen(results)),
    }
    return {question: sentences for question, sentences in answers.items() if sentences}


def _where(found: LayerFindings) -> Iterator[str]:
    size = found.main_size
    for pair in found.seen.pairs:
        curves = list(found.by_seed(pair).values())
        if not curves:
            continue
        means = {part: by_seed([curve.mean(part) for curve in curves], "{:.2f}") for part in ("backbone", "head")}
        ceilings = found.ceilings_of(pair)
        start = (
            f"{curves[0].label}: mean similarity (debiased CKA, {size} x {size} pixels) is {means['backbone']} in the "
            f"backbone and {means['head']} in the head."
        )
        untrained = _without_ceiling(found, pair) if ceilings else ""
        yield f"{start} {_against_ceiling(found, pair, ceilings)}{untrained}"


def _against_ceiling(layers: LayerFindings, pair: ArmPair, ceilings: Sequence[PairCurve]) -> str:
    if len(ceilings) < 2:
        return "There is no second seed to compare with, so this cannot be told from what a change of seed would do."
    reach = {part: [c.mean(part) for c in ceilings if math.isfinite(c.mean(part))] for part in ("backbone", "head")}
    lowest = " and ".join(f"{min(means):.2f} in the {part}" for part, means in reach.items() if means)
    start = f"Two seeds of one of these arms reach {lowest} at least." if lowest else "No layer has a ceiling."
    return f"{start} {shortfall_words(layers, pair)}".rstrip()


def shortfall_words(layers: LayerFindings, pair: ArmPair) -> str:
    """By how much two arms' networks fall short of two seeds in backbone and head, and where most; empty if unknown."""
    gaps = {gap.part: gap for gap in layers.part_gaps.get((pair, layers.main_size), ())}
    halves = [f"{_with_band(gaps[half])} in the {half}" for half in HALVES if half in gaps]
    if not halves:
        return ""
    blocks = [gap for part, gap in gaps.items() if part not in HALVES]
    most = max(blocks, key=lambda gap: gap.shortfall.value)
    start = f"These networks fall short of that by {' and '.join(halves)}"
    if not any(gap.sure for gap in blocks):
        return f"{start}; in no part of the network can that be told from 0."
    return f"{start}, by most in {most.part} ({_with_band(most)})."


def _with_band(gap: PartGap) -> str:
    value = f"{gap.shortfall.value:z.2f}"
    if not gap.shortfall.has_interval:
        return value
    return f"{value} ({gap.shortfall.low:z.2f} to {gap.shortfall.high:z.2f})"


def _how_sure(layers: LayerFindings) -> Iterator[str]:
    """Once for all pairs: what intervals of shortfalls are about, and what the seeds allow to say of the arms."""
    if any(layers.part_gaps.values()):
        yield (
            "Intervals of shortfalls are over probe images and hold for all parts of the network together. They are "
            "about these networks, not about other trainings."
        )
    same: dict[str, list[str]] = {}
    for pair, test in layers.trainings.items():
        fewer = test.seeds < SEEDS_FOR_P
        more = f"; {SEEDS_FOR_P} would allow {smallest_p(SEEDS_FOR_P):.2f}" if fewer else ""
        said = (
            f"over trainings p = {test.result.p:.2f}, from exchanging the arms' names among their networks. "
            f"{test.seeds} seeds an arm allow no p below {test.result.least_p:.2f}{more}."
        )
        same.setdefault(said, []).append(layers.seen.pair_title(*pair))
    yield from (f"{', '.join(pairs)}: {said}" for said, pairs in same.items())


def _other_sizes(layers: LayerFindings) -> Iterator[str]:
    """Where another size of image turns round which of backbone and head falls short by more."""
    for pair in layers.seen.pairs:
        main = layers.part_gaps.get((pair, layers.main_size), ())
        for size in layers.seen.sizes[1:]:
            other = layers.part_gaps.get((pair, size), ())
            if turned_round(main, other):
                values = {gap.part: gap.shortfall.value for gap in other}
                yield (
                    f"{layers.seen.pair_title(*pair)}: images of {size} x {size} pixels turn the order round: there "
                    f"the shortfall is {values['backbone']:z.2f} in the backbone and {values['head']:z.2f} in the head."
                )


def _without_ceiling(layers: LayerFindings, pair: ArmPair) -> str:
    """Which layers' seeds say nothing, since an arm did not train them; empty if there are none."""
    neither, found = layers.untrained(pair), ""
    for arm in pair:
        one = np.setdiff1d(layers.untrained([arm]), neither)
        if len(one):
            found += f" {layers.seen.arm_title(arm)} did not train layers {ranges(one)}: its seeds do not count there."
    if len(neither):
        found += f" Layers {ranges(neither)} were trained in neither arm and have no ceiling."
    return found


def _effects(layers: LayerFindings) -> Iterator[str]:
    """Between floor and ceiling, which makes backbone and head comparable."""
    for pair, found in layers.part_effects.items():
        means = {part: by_seed(values, "{:.2f}") for part, values in found.items() if values}
        if means:
            words = " and ".join(f"{mean} in the {part}" for part, mean in means.items())
            yield (
                f"{layers.seen.pair_title(*pair)}: of what two seeds share, these arms share {words} "
                "on average (effect: 0 is shuffled images, 1 is two seeds; layers where it is defined)."
            )


def _low_bars(layers: LayerFindings) -> Iterator[str]:
    """What is alike without any learning: shuffled images are a low bar."""
    for pair in layers.seen.pairs:
        found, said = low_bars(layers.seen, *pair), []
        starts = (
            ("without what pixels explain (deconfounded CKA) their similarity is", "beyond_pixels"),
            ("to untrained networks of their shape it is", "untrained"),
        )
        for start, name in starts:
            values = {one.half: getattr(one, name) for one in found if math.isfinite(getattr(one, name))}
            if values:
                said.append(f"{start} {' and '.join(f'{value:z.2f} in the {half}' for half, value in values.items())}")
        if said:
            yield f"{layers.seen.pair_title(*pair)}: {'; '.join(said)}."


def _frozen(results: Results) -> Iterator[str]:
    for arm in results.arms:
        layers = frozen_ranges(results.experiment, arm)
        found = (training.summary for run, training in results.trainings.items() if run.arm == arm)
        kept = [not summary.frozen_part_changed for summary in found if summary and summary.frozen_hash_before]
        if layers and kept and all(kept):
            yield f"Layers {layers} of {results.arm_title(arm)} have the same hash before and after training."
