"""The verdict's sentences: what may be said from the numbers?

Sentences are written from files of the run folder and claim no more than intervals, floor, ceiling and seeds allow.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gapscope.arms import frozen_ranges
from gapscope.findings.gap_sentences import by_seed, gap_sentence, made_of
from gapscope.findings.layer_curves import PairCurve, ranges
from gapscope.findings.layer_differences import RULES
from gapscope.findings.layer_findings import ArmPair, LayerFindings
from gapscope.findings.remedy_sentences import remedy_sentence
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers


def generated_note(results: Results) -> str:
    """Says which domains are rendered by gapscope itself; empty where none is."""
    domains = results.experiment.domains
    rendered = [results.domain_title(name) for name, domain in domains.items() if domain.generate]
    if len(rendered) == len(domains):
        return "All images are generated; this shows the method, it is no finding about photographs."
    return f"Rendered by gapscope, so no photographs: {', '.join(rendered)}." if rendered else ""


def verdict(numbers: RunNumbers) -> dict[str, list[str]]:
    """A few sentences under each question that can be answered so far."""
    results, layers = numbers.results, numbers.layers
    answers = {
        "How big is the gap?": [gap_sentence(results, numbers.scores, gap) for gap in numbers.gaps],
        "What is it made of?": [sentence for gap in numbers.gaps for sentence in made_of(results, gap)],
        "What closes it?": [remedy_sentence(results, remedy) for remedy in numbers.remedies],
        "Where in the network is it?": [*_where(layers), *_how_layers_count(layers), *_effects(layers)],
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
    found = layers.that_differ(pair)
    if found is None:
        return start
    if not len(found.layers):
        return f"{start} At no layer are the arms less alike than two seeds, whichever seed one looks at."
    return (
        f"{start} At {len(found.layers)} of {found.looked} layers the arms are less alike than two seeds, whichever "
        f"seed one looks at: layers {ranges(found.layers)}."
    )


def _how_layers_count(layers: LayerFindings) -> Iterator[str]:
    """Once for all pairs."""
    found = [layers.that_differ(pair) for pair in layers.seen.pairs]
    rules = dict.fromkeys(RULES[one.rule] for one in found if one is not None and len(one.layers))
    if rules:
        yield (
            f"A layer counts as less alike where {'; or '.join(rules)}. Nothing is corrected for looking at so many "
            "layers."
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


def _frozen(results: Results) -> Iterator[str]:
    for arm in results.arms:
        layers = frozen_ranges(results.experiment.arms[arm])
        found = (training.summary for run, training in results.trainings.items() if run.arm == arm)
        kept = [not summary.frozen_part_changed for summary in found if summary and summary.frozen_hash_before]
        if layers and kept and all(kept):
            yield f"Layers {layers} of {results.arm_title(arm)} have the same hash before and after training."
