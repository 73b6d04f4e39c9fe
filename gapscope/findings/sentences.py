"""The verdict's sentences: what may be said from the numbers?

Sentences are written from files of the run folder and claim no more than intervals, floor, ceiling and seeds allow.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gapscope.findings.curves import DEBIASED, Curve, ceilings_of, pair_curve, ranges, untrained_by_all
from gapscope.findings.differences import RULES, layers_that_differ
from gapscope.findings.effects import part_effects
from gapscope.findings.gap_sentences import by_seed, gap_sentence, made_of
from gapscope.findings.gaps import gaps
from gapscope.findings.results import Results
from gapscope.run_folder import RunName


def generated_note(results: Results) -> str:
    """Says which domains are rendered by gapscope itself; empty where none is."""
    domains = results.experiment.domains
    rendered = [results.domain_title(name) for name, domain in domains.items() if domain.generate]
    if len(rendered) == len(domains):
        return "All images are generated; this shows the method, it is no finding about photographs."
    return f"Rendered by gapscope, so no photographs: {', '.join(rendered)}." if rendered else ""


def verdict(results: Results) -> dict[str, list[str]]:
    """A few sentences under each question that can be answered so far."""
    found = gaps(results)
    answers = {
        "How big is the gap?": [gap_sentence(results, gap) for gap in found],
        "What is it made of?": [sentence for gap in found for sentence in made_of(results, gap)],
        "Where in the network is it?": [*_where(results), *_how_layers_count(results), *_effects(results)],
        "Did frozen layers stay frozen?": list(_frozen(results)),
    }
    return {question: sentences for question, sentences in answers.items() if sentences}


def _where(results: Results) -> Iterator[str]:
    size = results.sizes[0]
    for a, b in results.pairs:
        curves = pair_curves(results, a, b)
        if not curves:
            continue
        means = {part: by_seed([curve.mean(part) for curve in curves], "{:.2f}") for part in ("backbone", "head")}
        ceilings = ceilings_of(results, (a, b), size)
        start = (
            f"{curves[0].label}: mean similarity (debiased CKA, {size} x {size} pixels) is {means['backbone']} in the "
            f"backbone and {means['head']} in the head."
        )
        untrained = _without_ceiling(results, a, b) if ceilings else ""
        yield f"{start} {_against_ceiling(results, a, b, ceilings)}{untrained}"


def pair_curves(results: Results, a: str, b: str, estimator: str = DEBIASED) -> list[Curve]:
    """The curves of a pair of arms at the first size, one per seed."""
    size = results.sizes[0]
    found = (pair_curve(results, RunName(a, seed), RunName(b, seed), size, estimator) for seed in results.seeds)
    return [curve for curve in found if curve is not None]


def _against_ceiling(results: Results, a: str, b: str, ceilings: Sequence[Curve]) -> str:
    if len(ceilings) < 2:
        return "There is no second seed to compare with, so this cannot be told from what a change of seed would do."
    reach = {part: [c.mean(part) for c in ceilings if math.isfinite(c.mean(part))] for part in ("backbone", "head")}
    lowest = " and ".join(f"{min(means):.2f} in the {part}" for part, means in reach.items() if means)
    start = f"Two seeds of one of these arms reach {lowest} at least." if lowest else "No layer has a ceiling."
    found = layers_that_differ(results, a, b)
    if found is None:
        return start
    if not len(found.layers):
        return f"{start} At no layer are the arms less alike than two seeds, whichever seed one looks at."
    return (
        f"{start} At {len(found.layers)} of {found.looked} layers the arms are less alike than two seeds, whichever "
        f"seed one looks at: layers {ranges(found.layers)}."
    )


def _how_layers_count(results: Results) -> Iterator[str]:
    """Once for all pairs."""
    found = [layers_that_differ(results, a, b) for a, b in results.pairs]
    rules = dict.fromkeys(RULES[one.rule] for one in found if one is not None and len(one.layers))
    if rules:
        yield (
            f"A layer counts as less alike where {'; or '.join(rules)}. Nothing is corrected for looking at so many "
            "layers."
        )


def _without_ceiling(results: Results, a: str, b: str) -> str:
    """Which layers' seeds say nothing, since an arm did not train them; empty if there are none."""
    neither, found = untrained_by_all(results, [a, b]), ""
    for arm in (a, b):
        one = np.setdiff1d(untrained_by_all(results, [arm]), neither)
        if len(one):
            found += f" {results.arm_title(arm)} did not train layers {ranges(one)}: its seeds do not count there."
    if len(neither):
        found += f" Layers {ranges(neither)} were trained in neither arm and have no ceiling."
    return found


def _effects(results: Results) -> Iterator[str]:
    """Between floor and ceiling, which makes backbone and head comparable."""
    for a, b in results.pairs:
        found = part_effects(results, a, b)
        means = {part: by_seed(values, "{:.2f}") for part, values in found.items() if values}
        if means:
            words = " and ".join(f"{mean} in the {part}" for part, mean in means.items())
            yield (
                f"{results.arm_title(a)} vs {results.arm_title(b)}: of what two seeds share, these arms share {words} "
                "on average (effect: 0 is shuffled images, 1 is two seeds; layers where it is defined)."
            )


def _frozen(results: Results) -> Iterator[str]:
    for arm in results.arms:
        layers = results.experiment.arms[arm].freeze
        hashes = [
            (training.summary["frozen_hash_before"], training.summary["frozen_hash_after"])
            for run, training in results.trainings.items()
            if run.arm == arm and training.summary.get("frozen_hash_before")
        ]
        if layers and hashes and all(before == after for before, after in hashes):
            yield f"Layers {layers} of {results.arm_title(arm)} have the same hash before and after training."
