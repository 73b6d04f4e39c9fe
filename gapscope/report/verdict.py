"""What may be said from the numbers, and what stands against saying more?

Sentences are written from files of the run folder and claim no more than intervals, floor, ceiling and seeds allow.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from gapscope.report.curves import (
    Curve,
    ceiling_curve,
    layers_at_floor,
    layers_below,
    pair_curve,
    ranges,
)
from gapscope.report.results import Results, RunName
from gapscope.report.tables import headline_classes, headline_map50

FEW_IMAGES = 100
"""A probe with fewer images is warned about; the paper used 200."""
FEW_TARGETS = 20
"""A class with fewer boxes in a test split is warned about."""
UNEQUAL = 1.05
"""Training sets that differ in size by more than this factor are warned about."""
SKEWED = 3.0
"""So are classes whose share of the training boxes differs by more than this factor."""


@dataclass(frozen=True)
class Gap:
    """How much an arm loses on a domain it never saw, against the arm that was trained there."""

    domain: str
    home: str
    other: str
    points: tuple[float, ...]
    """AP points (100 times mAP@0.5 of `home` minus that of `other`), one per seed that both have."""
    spread: float
    """The largest difference between two seeds of one of the two arms on this domain, AP points; NaN with one seed."""

    @property
    def mean(self) -> float:
        return fmean(self.points)


@dataclass(frozen=True)
class Confound:
    """Something that could make the numbers mean less than they seem to."""

    title: str
    text: str
    advice: str


def generated_note(results: Results) -> str:
    """Says which domains are rendered by gapscope itself; empty where none is."""
    domains = results.experiment.domains
    rendered = [results.domain_title(name) for name, domain in domains.items() if domain.generate]
    if len(rendered) == len(domains):
        return "All images are generated; this shows the method, it is no finding about photographs."
    return f"Rendered by gapscope, so no photographs: {', '.join(rendered)}." if rendered else ""


def gaps(results: Results) -> list[Gap]:
    """For every test domain that a reported arm was trained on: the gap of every arm that was not."""
    found = []
    for domain in results.test_domains:
        home = [arm for arm in results.arms if domain in results.experiment.arms[arm].domains]
        for other in (arm for arm in results.arms if arm not in home):
            points = _points(results, home[0], other, domain) if home else ()
            if points:
                spread = max(_seed_spread(results, arm, domain) for arm in (home[0], other))
                found.append(Gap(domain, home[0], other, points, spread))
    return found


def _points(results: Results, home: str, other: str, domain: str) -> tuple[float, ...]:
    both = (_map50s(results, home, domain), _map50s(results, other, domain))
    return tuple(100 * (a - b) for a, b in zip(*both, strict=True) if math.isfinite(a - b))


def _map50s(results: Results, arm: str, domain: str) -> list[float]:
    return [headline_map50(results, RunName(arm, seed), domain) for seed in results.seeds]


def _seed_spread(results: Results, arm: str, domain: str) -> float:
    values = [value for value in _map50s(results, arm, domain) if math.isfinite(value)]
    return 100 * (max(values) - min(values)) if len(values) > 1 else math.nan


def verdict(results: Results) -> list[str]:
    """A few sentences: how big the gap is, where it is, how sure that is, whether frozen stayed frozen."""
    return [*map(lambda gap: _gap_sentence(results, gap), gaps(results)), *_where(results), *_frozen(results)]


def _gap_sentence(results: Results, gap: Gap) -> str:
    home, other = results.arm_title(gap.home), results.arm_title(gap.other)
    values = [_by_seed(_map50s(results, arm, gap.domain), "{:.3f}") for arm in (gap.home, gap.other)]
    start = (
        f"On {results.domain_title(gap.domain)}, {home} was trained and reaches mAP {values[0]}; {other} was not and "
        f"reaches {values[1]}: a gap of {gap.mean:.1f} AP points"
    )
    return f"{start}{_how_sure(gap)}"


def _how_sure(gap: Gap) -> str:
    if len(gap.points) < 2:
        return ", from one seed only, so how much of it another seed would change is unknown."
    by_seed = ", ".join(f"{points:.1f}" for points in gap.points)
    if min(gap.points) < 0 < max(gap.points):
        return f", but the seeds disagree about its sign ({by_seed})."
    if abs(gap.mean) <= gap.spread:
        return f" ({by_seed}), no larger than what a change of seed does to one arm ({gap.spread:.1f})."
    return f" ({by_seed}), larger than what a change of seed does to either arm ({gap.spread:.1f} at most)."


def _by_seed(values: Sequence[float], form: str) -> str:
    """`0.43` or, with several seeds, `0.43 (0.42, 0.44)`."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "an undefined value"
    mean = form.format(fmean(known))
    return mean if len(known) == 1 else f"{mean} ({', '.join(form.format(value) for value in known)})"


def _where(results: Results) -> Iterator[str]:
    size = results.sizes[0]
    for a, b in results.pairs:
        curves = pair_curves(results, a, b)
        if not curves:
            continue
        means = {part: _by_seed([curve.mean(part) for curve in curves], "{:.2f}") for part in ("backbone", "head")}
        ceilings = [c for c in (ceiling_curve(results, arm, size) for arm in (a, b)) if c is not None]
        start = (
            f"{curves[0].label}: mean similarity (debiased CKA, {size} x {size} pixels) is {means['backbone']} in the "
            f"backbone and {means['head']} in the head."
        )
        yield f"{start} {_against_ceiling(curves, ceilings)}"


def pair_curves(results: Results, a: str, b: str) -> list[Curve]:
    """The curves of a pair of arms at the first size, one per seed."""
    found = (pair_curve(results, RunName(a, seed), RunName(b, seed), results.sizes[0]) for seed in results.seeds)
    return [curve for curve in found if curve is not None]


def _against_ceiling(curves: Sequence[Curve], ceilings: Sequence[Curve]) -> str:
    if len(ceilings) < 2:
        return "There is no second seed to compare with, so this cannot be told from what a change of seed would do."
    reach = [min(ceiling.mean(part) for ceiling in ceilings) for part in ("backbone", "head")]
    start = f"Two seeds of one of these arms reach {reach[0]:.2f} and {reach[1]:.2f} at least."
    beyond, total = layers_below(curves, ceilings), len(curves[0].layers)
    if not len(beyond):
        return f"{start} At no layer do the arms differ by more than a change of seed does."
    return (
        f"{start} At {len(beyond)} of {total} layers the arms differ by more than a change of seed does "
        f"(95 % intervals apart at every seed): layers {ranges(beyond)}."
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
            yield f"The frozen layers {layers} of {results.arm_title(arm)} are the same before and after training (by hash)."


def confounds(results: Results) -> list[Confound]:
    """Everything found that weakens the verdict, gravest first."""
    checks = (_changed_frozen, _leaks, _one_seed, _unequal_sizes, _few_probe_images, _at_floor)
    later = (_undefined_layers, _skewed_classes, _few_targets, _still_improving)
    return [confound for check in (*checks, *later) for confound in check(results)]


def _changed_frozen(results: Results) -> Iterator[Confound]:
    for run, training in results.trainings.items():
        before, after = (training.summary.get(f"frozen_hash_{when}") for when in ("before", "after"))
        if before != after:
            text = f"Layers {training.summary['freeze']} of {results.run_title(run)} were to stay frozen, but their hash changed."
            yield Confound("A frozen part changed", text, "Do not read this arm as a frozen one.")


def _leaks(results: Results) -> Iterator[Confound]:
    words = {
        "shared_groups": "groups (rides, sequences, photographers) in more than one split",
        "near_duplicates": "near-duplicate images across splits",
        "adjacent_frames": "neighbouring video frames across splits",
    }
    for name, summary in results.summaries.items():
        found = [f"{summary['leaks'][key]} {what}" for key, what in words.items() if summary["leaks"].get(key)]
        if found:
            text = f"{results.domain_title(name)}: {'; '.join(found)}. mAP on its test images may be too high."
            yield Confound("Splits leak", text, "Split by whole groups, or remove the duplicates.")


def _one_seed(results: Results) -> Iterator[Confound]:
    if len(results.seeds) == 1:
        text = "Every arm was trained once, so no difference can be told from what a change of seed would do."
        yield Confound("One seed only", text, "Give at least two seeds.")


def _unequal_sizes(results: Results) -> Iterator[Confound]:
    sizes = {run.arm: t.summary.get("train_images") for run, t in results.trainings.items() if run.arm in results.arms}
    known = {arm: n for arm, n in sizes.items() if n}
    if known and max(known.values()) > UNEQUAL * min(known.values()):
        text = ", ".join(f"{results.arm_title(arm)} {n}" for arm, n in known.items())
        text = f"Training images: {text}. A difference between the arms may be one of amount, not of kind."
        yield Confound("Unequal training sets", text, "Set max_train of the larger domain to the size of the smaller.")


def _few_probe_images(results: Results) -> Iterator[Confound]:
    counts = {int(grid.attrs["n"]) for grid in results.grids.values() if "n" in grid.attrs}
    if counts and min(counts) < FEW_IMAGES:
        text = f"Layers are compared over {min(counts)} images; intervals are wide, and the paper used 200."
        yield Confound("Few probe images", text, "Raise [probe] images.")


def _at_floor(results: Results) -> Iterator[Confound]:
    for a, b in results.pairs:
        curves = pair_curves(results, a, b)
        layers = layers_at_floor(curves)
        if len(layers):
            text = (
                f"{curves[0].label}: at layers {ranges(layers)} the interval reaches down to what shuffled images give, "
                "so nothing shared can be claimed there."
            )
            yield Confound("Similarity at the floor", text, "More probe images narrow the interval.")


def _undefined_layers(results: Results) -> Iterator[Confound]:
    for a, b in results.pairs:
        undefined = sorted({int(i) for c in pair_curves(results, a, b) for i in c.layers[~np.isfinite(c.value)]})
        if undefined:
            names = f"{results.arm_title(a)} vs {results.arm_title(b)}"
            text = f"{names}: layers {ranges(undefined)} tell no images apart in one of the networks and are left out."
            yield Confound("Undefined layers", text, "Look at their statistics under Activations.")


def _skewed_classes(results: Results) -> Iterator[Confound]:
    trained_on = [d for d in results.summaries if any(d in results.experiment.arms[a].domains for a in results.arms)]
    shares = {domain: _shares(results.summaries[domain]["boxes"]["train"]) for domain in trained_on}
    for name in headline_classes(results):
        values = {domain: share.get(name, 0.0) for domain, share in shares.items()}
        if len(values) > 1 and max(values.values()) > SKEWED * min(values.values()):
            text = ", ".join(f"{results.domain_title(domain)} {share:.1%}" for domain, share in values.items())
            text = f"Share of {name} among the training boxes: {text}."
            yield Confound("Classes are spread differently", text, "Compare this class by its own AP, not through the mean.")


def _shares(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: n / total for name, n in counts.items()} if total else {}


def _few_targets(results: Results) -> Iterator[Confound]:
    for domain in results.test_domains:
        boxes = results.summaries.get(domain, {}).get("boxes", {}).get("test", {})
        few = [f"{name} {boxes[name]}" for name in headline_classes(results) if 0 <= boxes.get(name, -1) < FEW_TARGETS]
        if few:
            text = f"Test boxes in {results.domain_title(domain)}: {', '.join(few)}. AP of these classes is a coarse number."
            yield Confound("Few test boxes", text, "Read the mean with care, or name headline classes without them.")


def _still_improving(results: Results) -> Iterator[Confound]:
    late = [
        results.run_title(run)
        for run, training in results.trainings.items()
        if training.epochs and training.summary.get("best_epoch") == training.epochs[-1]["epoch"]
    ]
    if late:
        text = f"Best in their last epoch: {'; '.join(late)}. They might have gone on to improve."
        yield Confound("Training may have ended early", text, "Train for more epochs.")
