"""The sentences of the page of several runs: what may be said of them together?"""

import math
from collections.abc import Iterator, Sequence

from gapscope.findings.estimates import Estimate
from gapscope.findings.result_tables import UNDEFINED
from gapscope.several.line_up import LinedUp, SideBySide
from gapscope.several.run_curves import Held
from gapscope.several.run_gaps import Comparable, RunGap, by_kind
from gapscope.several.runs import Run, arm_title
from gapscope.several.statements import STATEMENTS, Statement


def with_interval(of: Estimate, form: str = "{:z.1f}") -> str:
    """A number with its interval: `7.7 [5.1, 10.2]`."""
    if not math.isfinite(of.value):
        return UNDEFINED
    value, low, high = (form.format(number) for number in (of.value, of.low, of.high))
    return f"{value} [{low}, {high}]" if of.has_interval else value


def letters(runs: Sequence[Run]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    names = [run.letter for run in runs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def in_short(side: SideBySide) -> dict[str, list[str]]:
    """A few sentences under each question that can be answered."""
    answers = {
        "How big is the gap, run by run?": [" ".join(_gap_sentences(side, gaps)) for gaps in by_kind(side.gaps)],
        "Is it at the same place in the network?": [*_where(side), *_statements(side)],
    }
    return {question: sentences for question, sentences in answers.items() if sentences}


def _gap_sentences(side: SideBySide, gaps: Sequence[RunGap]) -> Iterator[str]:
    role, *arms = gaps[0].kind
    home, other = (arm_title(side.runs, arm) for arm in arms)
    values = "; ".join(f"{gap.run.letter} {with_interval(gap.gap.estimate)} on {gap.domain_title}" for gap in gaps)
    yield f"On {role} test images, {home} (trained on such) minus {other}, AP points: {values}."
    if len(gaps) == 1:
        yield f"Only {gaps[0].run.letter} measures this gap."
        return
    losses = [point > 0 for gap in gaps for point in gap.gap.points]
    if all(losses):
        yield f"It is above 0 in {'both' if len(gaps) == 2 else f'all {len(gaps)}'}, at every seed."
    else:
        yield f"It is above 0 for {sum(losses)} of {len(losses)} pairs of networks."
    if unsure := [gap.run for gap in gaps if gap.gap.spans_zero]:
        yield f"In {letters(unsure)} other test images could turn it around: the interval holds 0."
    same = [one for one in side.comparables if one.kind == gaps[0].kind]
    for one in same:
        yield pooled_sentence(one)
    alone = [gap.run for gap in gaps if not any(gap in one.gaps for one in same)]
    if alone and same:
        single = len(alone) == 1
        yield (
            f"{letters(alone)} share{'s' if single else ''} no test images and scoring rules with another run and "
            f"{'is' if single else 'are'} not averaged."
        )
    elif alone:
        yield "No two of them share test images and scoring rules, so nothing is averaged."


def pooled_sentence(same: Comparable) -> str:
    """The pooled gap of runs that share their test images, and of what it is a mean."""
    runs, count = [gap.run for gap in same.gaps], len(same.networks)
    what = f"{count} pairs of networks" if count > 1 else "one and the same pair of networks"
    kind = "one study" if same.num_studies == 1 else f"{same.num_studies} studies that differ in settings"
    return (
        f"{letters(runs)} share {same.gaps[0].gap.num_images} test images; the mean over {what} of {kind} "
        f"is {with_interval(same.pooled)}."
    )


def _where(side: SideBySide) -> Iterator[str]:
    for pair in side.pairs:
        if len(pair.curves) > 1:
            names = " vs ".join(arm_title(side.runs, arm) for arm in pair.arms)
            yield f"{names}: {_ranks(pair)}.{_means(pair)}"


def _ranks(pair: LinedUp) -> str:
    rhos = [one.similarity.rho for one in pair.agreements if math.isfinite(one.similarity.rho)]
    shortfalls = [one.shortfall.rho for one in pair.agreements if one.shortfall and math.isfinite(one.shortfall.rho)]
    if not rhos:
        return "too few layers are defined to rank them"
    left = f", and their shortfalls from the ceiling one of {_reach(shortfalls)}" if shortfalls else ""
    return f"the layer curves of two runs have a rank correlation of {_reach(rhos)}{left}"


def _means(pair: LinedUp) -> str:
    known = [means for means in pair.means if "head" in means]
    if not known:
        return ""
    backbone, head = (_reach([means[part].value for means in known]) for part in ("backbone", "head"))
    more = sum(means["backbone"].value > means["head"].value for means in known)
    return (
        f" Mean debiased CKA is {backbone} in the backbone and {head} in the head; the backbone's is higher in {more} "
        f"of {len(known)} runs."
    )


def _reach(values: Sequence[float]) -> str:
    """From the smallest to the largest: `0.83 to 0.98`."""
    low, high = (f"{value:z.2f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _statements(side: SideBySide) -> Iterator[str]:
    judged = judged_runs(side)
    if judged:
        of = f"{len(judged)} run{'s' if len(judged) > 1 else ''}"
        counts = [f"{one.title.lower()}: {holds_in(judged, one.letter)}" for one in asked_statements(side)]
        yield f"What the paper says of its curves, and in how many of {of} it surely holds: {'; '.join(counts)}."


def asked_statements(side: SideBySide) -> list[Statement]:
    """Those that are asked of some run, in the paper's words if all of these have its layers, else by parts."""
    asked = [held.statement for found in side.statements.values() for held in found]
    if all(any(one is paper for paper in STATEMENTS) for one in asked):
        return [one for one in STATEMENTS if one in asked]
    return [
        next(one for one in (*(mine for mine in asked if mine not in STATEMENTS), *asked) if one.letter == letter)
        for letter in sorted({one.letter for one in asked})
    ]


def judged_runs(side: SideBySide) -> list[list[Held]]:
    """The statements of every run whose intervals could be drawn."""
    return [held for held in side.statements.values() if held and held[0].answer is not None]


def holds_in(judged: Sequence[Sequence[Held]], letter: str) -> int:
    """In how many of these runs a statement surely holds in every comparison."""
    return sum(one.answer == "yes" for held in judged for one in held if one.statement.letter == letter)
