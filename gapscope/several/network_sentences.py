"""The sentences of a study of several networks: are its gap and its findings one network's, or everyone's?"""

import math
from collections.abc import Collection, Iterator, Sequence

from gapscope.findings.answer import Answer, Number, evaluation_files
from gapscope.findings.gap_sentences import joined_by_and
from gapscope.findings.primary_gap import primary_gap
from gapscope.findings.unlearned import arms_that_hardly_learned
from gapscope.several.line_up import SideBySide
from gapscope.several.network_gaps import Differences, NetworkDifference
from gapscope.several.run_gaps import GapKey, RunGap, by_kind
from gapscope.several.runs import Run, arm_title
from gapscope.several.several_sentences import asked_statements, holds_in, judged_runs
from gapscope.words import number_of


def primary_kind(side: SideBySide) -> GapKey | None:
    """The gap that the study is about: the primary one of the first network that has one."""
    for run in side.runs:
        gap = primary_gap(run.findings.numbers)
        for one in side.gaps:
            if one.run is run and one.gap is gap:
                return one.kind
    return None


def gaps_in_order(side: SideBySide) -> list[list[RunGap]]:
    """The gaps of all networks, one list per gap, the primary one first."""
    first = primary_kind(side)
    return sorted(by_kind(side.gaps), key=lambda gaps: gaps[0].kind != first)


def network_answers(side: SideBySide, differences: Differences) -> list[Answer]:
    """What can be said so far: of the gap, of how sure that is, and of where it is.

    Networks whose arms hardly learned have no part in how sure that is and where it is.
    """
    kinds, learned = gaps_in_order(side), {run for run in side.runs if not has_not_learned(run)}
    found = []
    if kinds:
        gaps = kinds[0]
        found.append(Answer("gap", (gap_sentence(side, gaps),), tuple(_numbers(gaps))))
        known = [one for one in differences.get(gaps[0].kind, ()) if {one.a.run, one.b.run} <= learned]
        if known:
            found.append(Answer("sure", tuple(difference_sentences(known))))
        elif learned:
            found.append(Answer("sure", ("No other network has this gap so far that it could be held against.",)))
    where = (*part_sentences(side, learned), *statement_sentences(side, learned)) if learned else ()
    if where:
        found.append(Answer("where", where))
    return found


def gap_sentence(side: SideBySide, gaps: Sequence[RunGap]) -> str:
    """In how many networks something is lost, and how much in each."""
    _, home, other = gaps[0].kind
    if all(has_not_learned(one.run) for one in gaps):
        return (
            "No verdict: the arms of no network have learned; train longer. They find next to nothing even where they "
            "were trained."
        )
    lost = [one for one in gaps if one.gap.is_loss and not has_not_learned(one.run)]
    arms = f"{arm_title(side.runs, other)} against {arm_title(side.runs, home)}"
    values = "; ".join(f"{one.run.title} {points(one)}" for one in gaps)
    if len(lost) == len(gaps):
        how = "in both networks" if len(gaps) == 2 else f"in all {len(gaps)} networks" if len(gaps) > 2 else "in it"
    else:
        how = f"surely in {len(lost)} of {number_of(len(gaps), 'network')}"
    return f"On {gaps[0].domain_title}, {arms} loses AP points {how}: {values}."


def has_not_learned(run: Run) -> bool:
    """Whether arms of a network find next to nothing even where they were trained, so that its gap means nothing."""
    return bool(arms_that_hardly_learned(run.findings.numbers))


def points(one: RunGap) -> str:
    """`17.2 (12.1 to 22.0)`, and what speaks against a loss."""
    of = one.gap.estimate
    reach = f" ({of.low:z.1f} to {of.high:z.1f})" if of.has_interval else " (no interval)"
    if has_not_learned(one.run):
        return f"{of.value:z.1f}, no verdict: its arms hardly learned"
    doubt = ", seeds disagree" if one.gap.seeds_disagree else ", cannot be told from none" if one.gap.spans_zero else ""
    return f"{of.value:z.1f}{reach}{doubt}"


def difference_sentences(differences: Sequence[NetworkDifference]) -> Iterator[str]:
    """Every two networks: which loses more, by how much, and whether that can be told."""
    for one in differences:
        more, less = (one.a, one.b) if one.estimate.value >= 0 else (one.b, one.a)
        low, high = one.estimate.low, one.estimate.high
        if one.estimate.value < 0:
            low, high = -high, -low
        reach = f", {low:z.1f} to {high:z.1f}" if one.estimate.has_interval else ""
        by_seeds = one.estimate.has_interval and low > 0 and one.seeds_overlap
        seeds = " (a seed of one reaches a seed of the other)" if by_seeds else ""
        verdict = "" if one.is_told else f": cannot be told{seeds}"
        loses = f"loses {abs(one.estimate.value):z.1f} points more than {less.run.title}"
        yield f"{more.run.title} {loses}{reach}{verdict}."
    if differences and differences[0].comparisons > 1 and all(one.estimate.has_interval for one in differences):
        yield f"Intervals hold for all {differences[0].comparisons} pairs of networks together."


def part_sentences(side: SideBySide, runs: Collection[Run]) -> Iterator[str]:
    """Backbone and head of the arms of the primary gap, network by network."""
    kind = primary_kind(side)
    for pair in side.pairs:
        if kind is not None and set(pair.arms) != set(kind[1:]):
            continue
        rows = [(curve, means) for curve, means in pair.rows if curve.run in runs]
        known = [(curve, means) for curve, means in rows if {"backbone", "head"} <= set(means)]
        if known:
            names = " and ".join(arm_title(side.runs, arm) for arm in pair.arms)
            lower = sum(means["head"].high < means["backbone"].low for _, means in known)
            values = "; ".join(
                f"{curve.run.title} {means['backbone'].value:z.2f} and {means['head'].value:z.2f}"
                for curve, means in known
            )
            yield (
                f"{names} are surely less alike in the head than in the backbone in {lower} of "
                f"{number_of(len(known), 'network')} (mean CKA of backbone and head: {values})."
            )
        rhos = [
            f"{one.a.run.letter} and {one.b.run.letter} {one.similarity.rho:z.2f}"
            for one in pair.agreements
            if math.isfinite(one.similarity.rho) and one.a.run in runs and one.b.run in runs
        ]
        if rhos:
            yield f"Rank correlation of their curves over relative depth: {joined_by_and(rhos)}."
        return


def statement_sentences(side: SideBySide, runs: Collection[Run]) -> Iterator[str]:
    """In how many networks the paper's statements surely hold."""
    judged = [found for found in judged_runs(side) if found[0].run in runs]
    counts = []
    for one in asked_statements(side) if judged else ():
        asked = [found for found in judged if any(held.statement.letter == one.letter for held in found)]
        if asked:
            counts.append(f"({one.letter}) {holds_in(judged, one.letter)} of {len(asked)}")
    if counts:
        yield f"The paper's statements surely hold in so many networks: {', '.join(counts)}."


def _numbers(gaps: Sequence[RunGap]) -> Iterator[Number]:
    for one in gaps:
        gap, results = one.gap, one.run.results
        files = evaluation_files(results, [gap.home, gap.other], gap.domain)
        name = f"{gap.home} minus {gap.other} on {gap.domain} ({one.run.title})"
        yield Number(name, gap.estimate, "AP points", files, dict(zip(gap.seeds, gap.points, strict=True)))
