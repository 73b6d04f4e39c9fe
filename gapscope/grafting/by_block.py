"""The scores of all grafts of two networks, block by block: what each changed, with its interval and one word."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gapscope.evaluation.bootstrap import interval
from gapscope.evaluation.columns import Array
from gapscope.grafting.plan import CONTROL, DONOR, Kind
from gapscope.grafting.question import Question
from gapscope.grafting.result import BlockResult, Change, Grafts, Share
from gapscope.grafting.scoring import Score
from gapscope.grafting.shares import Coalition, Shares, shapley
from gapscope.grafting.verdicts import CANNOT_BE_TOLD, larger, verdicts
from gapscope.grafting.walk import Recipe


def grafts_of(asked: Question, scores: Mapping[Recipe, Score], statistics: str) -> Grafts:
    """The scores of all grafts of a question, put in order by block."""
    every = frozenset(range(len(asked.parts)))
    host, whole = scores[asked.coalition(frozenset(), DONOR)], scores[asked.coalition(every, DONOR)]
    control = asked.controls.get(CONTROL)
    shares = _shares_of_blocks(asked, scores)
    words = _verdicts(asked, scores, host)
    of_blocks = tuple(
        replace(_block(asked, scores, block, host, whole), share=shares[block], verdict=words[block])
        for block in sorted(every)
    )
    gap = change(whole, host)
    return Grafts(
        statistics=statistics,
        host=host.map50,
        all_grafted=whole.map50,
        gap=gap.change,
        gap_interval=gap.interval,
        control=None if control is None else scores[asked.coalition(every, control)].map50,
        blocks=of_blocks,
        orders=None if asked.orders is None else len(asked.orders),
    )


def change(one: Score, other: Score) -> Change:
    """What one network has more than another; draw i of both takes the same images."""
    difference = one.map50 - other.map50
    return Change(one.map50, difference, interval(one.draws - other.draws, difference))


def _block(asked: Question, scores: Mapping[Recipe, Score], block: int, host: Score, whole: Score) -> BlockResult:
    def score(kind: Kind, source: int = DONOR) -> Score | None:
        return _score(asked, scores, block, kind, source)

    def against(kind: Kind, other: Score) -> Change | None:
        found = score(kind)
        return None if found is None else change(found, other)

    controls = {name: score("alone", source) for name, source in asked.controls.items()}
    alone, part = score("alone"), asked.parts[block]
    assert alone is not None
    return BlockResult(
        name=part.name,
        layers=part.ranges,
        alone=change(alone, host),
        left_out=against("left out", whole),
        from_front=against("from the front", host),
        from_back=against("from the back", host),
        controls={name: change(one, host) for name, one in controls.items() if one is not None},
        share=None,
        verdict=CANNOT_BE_TOLD,
        untold=_untold(asked, block),
    )


def _score(
    asked: Question, scores: Mapping[Recipe, Score], block: int, kind: Kind, source: int = DONOR
) -> Score | None:
    """Of one graft; None where it is not in the plan."""
    mine = (one.recipe for one in asked.plan if (one.kind, one.source, one.block) == (kind, source, block))
    recipe = next(mine, None)
    return None if recipe is None else scores[recipe]


def _untold(asked: Question, block: int) -> str:
    return asked.untold[block] if asked.untold else ""


def _verdicts(asked: Question, scores: Mapping[Recipe, Score], host: Score) -> list[str]:
    """The word for every block; all of which something can be told are looked at together."""
    said = [CANNOT_BE_TOLD] * len(asked.parts)
    tellable = [block for block in range(len(said)) if not _untold(asked, block)]

    def alone(source: int) -> list[Score]:
        found = [_score(asked, scores, block, "alone", source) for block in tellable]
        return [one for one in found if one is not None]

    if tellable:
        control = asked.controls.get(CONTROL)
        words = verdicts(alone(DONOR), host, None if control is None else alone(control))
        for block, word in zip(tellable, words, strict=True):
            said[block] = word
    return said


def _shares(asked: Question, scores: Mapping[Recipe, Score], source: int) -> Shares:
    """Shapley values of the score (first column) and of its draws."""

    def value(blocks: Coalition) -> Array:
        score = scores[asked.coalition(blocks, source)]
        return np.append(score.map50, score.draws)

    assert asked.orders is not None
    return shapley(len(asked.parts), asked.orders, value)


def _shares_of_blocks(asked: Question, scores: Mapping[Recipe, Score]) -> list[Share | None]:
    """Of every block its share of the gap, told where it is surely larger than the control's; None without shares."""
    if not asked.share_sources:
        return [None] * len(asked.parts)
    mine, control = _shares(asked, scores, DONOR), asked.controls.get(CONTROL)
    values, draws = mine.values[:, 0], mine.values[:, 1:].T
    others = None if control is None else _shares(asked, scores, control).values
    surely = None if others is None else larger(values, draws, others[:, 0], others[:, 1:].T)

    def told(block: int) -> bool | None:
        if _untold(asked, block):
            return False
        return None if surely is None else bool(surely[block])

    return [
        Share(
            float(value),
            interval(draws[:, block], float(value)),
            float(mine.errors[block][0]),
            None if others is None else float(others[block, 0]),
            told(block),
        )
        for block, value in enumerate(values)
    ]
