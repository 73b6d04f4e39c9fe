"""The five answers: how big is the gap, how sure is that, where is it, what next, and how was it made?

Page, terminal, report.md and verdict.json say these very sentences.
"""

from collections.abc import Sequence

from gapscope.findings.advice import Advice
from gapscope.findings.advice_remedies import best_tried
from gapscope.findings.answer import Answer, Number, evaluation_files
from gapscope.findings.confounds import Confound
from gapscope.findings.elsewhere import given_sentences
from gapscope.findings.estimates import Estimate
from gapscope.findings.fates import Fates, fate_sentence
from gapscope.findings.freezing import FreezingChange, freezing_changes, frozen_words
from gapscope.findings.gap_sentences import interval_words, joined_by_and
from gapscope.findings.gaps import Gap
from gapscope.findings.network_parts import PartLikeness
from gapscope.findings.part_sentences import where_answer
from gapscope.findings.primary_gap import ordered_gaps, primary_gap
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.stage_times import stage_times
from gapscope.findings.starts import start_words
from gapscope.findings.suggestion import sentence
from gapscope.findings.unlearned import arms_that_hardly_learned
from gapscope.words import duration, percent

WEAKENED_BY = 2
"""So many of the things that weaken a verdict are named in its sentence."""


def answers(
    numbers: RunNumbers,
    parts: Sequence[PartLikeness],
    fates: Sequence[Fates],
    advice: Sequence[Advice],
    weak: Sequence[Confound],
) -> list[Answer]:
    """Those that can be given so far. Where arms have hardly learned, the first one says that there is no verdict."""
    results = numbers.results
    if arms_that_hardly_learned(numbers):
        return [Answer("gap", (_no_verdict(numbers),)), Answer("trust", tuple(_trust(results)))]
    gap = primary_gap(numbers)
    found = []
    if gap is not None:
        changes = freezing_changes(results, numbers.scores)
        sentences = gap_answer(results, gap), *_freezing(results, changes)
        found.append(Answer("gap", sentences, (gap_number(results, gap), *_freezing_numbers(results, changes))))
        found.append(Answer("sure", tuple(_how_sure(results, gap, weak)), (_spread(results, gap),)))
    where = where_answer(numbers, gap, parts)
    if where is not None:
        found.append(where)
    if advice:
        first = advice[0].do, advice[0].because[0], sentence(advice[0].tried)
        tried = filter(None, [best_tried(numbers, gap) if gap is not None else ""])
        found.append(Answer("next", (*fate_sentence(results, gap, fates), *tried, *first)))
    return [*found, Answer("trust", tuple(_trust(results)))]


def gap_answers(numbers: RunNumbers) -> list[tuple[Gap, str]]:
    """Every gap with its sentence, the primary one first; none where arms have hardly learned."""
    if arms_that_hardly_learned(numbers):
        return []
    return [(gap, gap_answer(numbers.results, gap)) for gap in ordered_gaps(numbers)]


def gap_answer(results: Results, gap: Gap) -> str:
    """What an arm keeps and loses, in one sentence.

    The interval is that of the points: the share has the same doubt, as a share of the arm at home.
    """
    home, other = results.arm_title(gap.home), results.arm_title(gap.other)
    a, b = sum(gap.home_map50s) / len(gap.points), sum(gap.other_map50s) / len(gap.points)
    seeds = "; ".join(f"seed {seed}: {points:z.1f}" for seed, points in zip(gap.seeds, gap.points, strict=True))
    evidence = f"{interval_words(gap)}; {seeds}"
    place = results.short_title(gap.domain)
    if gap.mean < 0:
        more = f"{-gap.mean:.1f} AP points more than {home}, which was trained there ({b:.3f} against {a:.3f})"
        return f"{other} loses nothing on {place}: it has {more}. As a loss: {evidence}."
    kept = f"keeps {percent(b / a)} of {home}'s mAP@0.5" if a else f"has as little mAP@0.5 as {home}"
    doubt = ", which cannot be told from none" if gap.spans_zero else ""
    return f"On {place}, {other} {kept} ({b:.3f} of {a:.3f}): {gap.mean:z.1f} AP points are lost{doubt} ({evidence})."


def gap_number(results: Results, gap: Gap) -> Number:
    """A gap with its files."""
    name = f"{gap.home} minus {gap.other} on {gap.domain}"
    files = evaluation_files(results, [gap.home, gap.other], gap.domain)
    return Number(name, gap.estimate, "AP points", files, dict(zip(gap.seeds, gap.points, strict=True)))


def _freezing(results: Results, changes: Sequence[FreezingChange]) -> list[str]:
    """What freezing changes, one sentence per frozen arm."""
    said = []
    for frozen, free, layers in dict.fromkeys((one.frozen, one.free, one.layers) for one in changes):
        mine = [one for one in changes if (one.frozen, one.free) == (frozen, free)]
        roles = [one for one in mine if results.experiment.domains[one.gap.domain].role in ("real", "synthetic")]
        places = [_place(results, one) for one in roles or mine]  # controls are in the table alone
        arms = f"{results.arm_title(frozen)} beside {results.arm_title(free)}"
        said.append(f"Freezing {frozen_words(layers)} ({arms}) changes AP points by {joined_by_and(places)}.")
    return said


def _place(results: Results, one: FreezingChange) -> str:
    change = one.change
    told = "" if one.is_told_apart else ", perhaps none"
    reach = f" ({change.low:z.1f} to {change.high:z.1f}{told})" if change.has_interval else ""
    return f"{change.value:+z.1f}{reach} on {results.short_title(one.gap.domain)}"


def _freezing_numbers(results: Results, changes: Sequence[FreezingChange]) -> list[Number]:
    return [
        Number(
            f"{one.frozen} minus {one.free} on {one.gap.domain}",
            one.change,
            "AP points",
            evaluation_files(results, [one.frozen, one.free], one.gap.domain),
            dict(zip(one.gap.seeds, one.gap.points, strict=True)),
        )
        for one in changes
    ]


def _how_sure(results: Results, gap: Gap, weak: Sequence[Confound]) -> list[str]:
    images = "Over test images it may be none" if gap.spans_zero else "The gap's interval excludes 0"
    if not gap.estimate.has_interval:
        images = "What other test images would change is not known"
    n = len(gap.points)
    if n == 1:
        seeds = "with one seed, what another would change is unknown"
    elif gap.seeds_disagree:
        seeds = f"its {n} seeds disagree about the sign"
    else:
        few = "; too few to measure chance" if n == 2 else ""
        seeds = f"{n} seeds agree (an arm's at most {gap.spread:.1f} points apart{few})"
    named = [item.title[:1].lower() + item.title[1:] for item in weak[:WEAKENED_BY]]
    more = [f"{len(weak) - WEAKENED_BY} more"] if len(weak) > WEAKENED_BY else []
    said = [f"{images}; {seeds}."]
    return [*said, f"Weakened by: {joined_by_and(named + more)}."] if named else said


def _spread(results: Results, gap: Gap) -> Number:
    files = evaluation_files(results, [gap.home, gap.other], gap.domain)
    return Number("largest distance of two seeds of one arm", Estimate(gap.spread), "AP points", files)


def _no_verdict(numbers: RunNumbers) -> str:
    results = numbers.results
    low = [
        f"{results.arm_title(arm)} reaches mAP {mean:.3f} on {results.short_title(domain)}"
        for (arm, domain), mean in arms_that_hardly_learned(numbers).items()
    ]
    reached = f"On what it was trained on, {joined_by_and(low)}."
    if all(results.experiment.arms[arm].is_given for arm, _ in arms_that_hardly_learned(numbers)):
        return (
            "No verdict: the detectors find next to nothing even where they were trained. Are the classes, their order "
            f"and the size of the input those of their training? {reached}"
        )
    return f"No verdict: the arms did not learn; train longer. {reached}"


def _trust(results: Results) -> list[str]:
    """Provenance in one line, what the start weights had been trained on, and which arms were trained elsewhere."""
    facts = results.environment
    commit = facts.get("commit")
    made = f"gapscope {facts.get('gapscope')}" if facts.get("gapscope") else "gapscope (version not on record)"
    seconds = sum(time.seconds for time in stage_times(results.run_folder))
    parts = [
        f"{made}, {f'commit {str(commit)[:7]}' if commit else 'no commit on record'}",
        *([f"{duration(seconds)} of work on {facts.get('device') or 'an unknown device'}"] if seconds else []),
        *([f"command: {facts.get('command')}"] if facts.get("command") else []),
    ]
    starts = start_words(results)
    began = [f"Start weights: {joined_by_and(starts)}."] if starts else []
    return [*began, *given_sentences(results), f"{'; '.join(parts)}."]
