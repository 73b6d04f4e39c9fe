"""What is a gap made of? Classes, kinds of mistakes, box sizes and outcomes, each on the same test images."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from gapscope.evaluation.error_kinds import KINDS
from gapscope.findings.estimates import UNKNOWN, Estimate
from gapscope.findings.evaluation_file import KindCost
from gapscope.findings.headline import headline_classes, rule_scores
from gapscope.findings.outcomes import OUTCOMES, outcome_of
from gapscope.findings.results import Results
from gapscope.run_folder import RunName


@dataclass(frozen=True)
class GapPart:
    """One class, kind of mistake, box size or outcome: its numbers in both arms, one per seed of the gap.

    In AP points, outcomes in their own unit.
    """

    name: str
    home: tuple[float, ...]
    other: tuple[float, ...]

    @property
    def changes(self) -> tuple[float, ...]:
        """Other arm minus home arm, seed by seed."""
        return tuple(b - a for a, b in zip(self.home, self.other, strict=True))

    @property
    def change(self) -> float:
        return fmean(self.changes)

    @property
    def home_mean(self) -> float:
        return fmean(self.home)

    @property
    def other_mean(self) -> float:
        return fmean(self.other)

    @property
    def grows_at_every_seed(self) -> bool:
        return min(self.changes) > 0

    @property
    def falls_at_every_seed(self) -> bool:
        return max(self.changes) < 0


@dataclass(frozen=True)
class ClassPart(GapPart):
    """AP@0.5 of a class in both arms, and what it adds to the gap."""

    share: float
    """Of the gap: what is lost in this class over what is lost in all. NaN without a gap."""
    apart: bool | None
    """Whether the 95 % intervals of both arms are apart at every seed; None in evaluation files without intervals."""


@dataclass(frozen=True)
class KindPart(GapPart):
    """What mending all mistakes of a kind would add to mAP@0.5, and how many there are."""

    home_count: float
    other_count: float


@dataclass(frozen=True)
class SizePart(GapPart):
    """AP@0.5 of the boxes of a size, as COCO bounds them."""

    targets: int


@dataclass(frozen=True)
class Outcomes:
    """What becomes of the labelled boxes at one confidence, in both arms; empty where a file does not hold it."""

    parts: dict[str, GapPart] = field(default_factory=dict)
    """By those of `OUTCOMES`."""
    confidence: float = math.nan


@dataclass(frozen=True)
class GapParts:
    """All of them."""

    classes: tuple[ClassPart, ...]
    """The headline classes that both arms have an AP of at every seed, largest loss first."""
    kinds: tuple[KindPart, ...]
    """The kinds of mistakes, the one that costs so much more than at home first; none in old evaluation files."""
    sizes: tuple[SizePart, ...]
    """Small, medium and large boxes that both arms have an AP of at every seed, as the files order them."""
    outcomes: Outcomes


def gap_parts(results: Results, domain: str, home: Sequence[RunName], other: Sequence[RunName]) -> GapParts:
    """Two arms on one domain, seed by seed; both have been evaluated there with these seeds."""
    return GapParts(
        tuple(_class_parts(results, domain, home, other)),
        tuple(_kind_parts(results, domain, home, other)),
        tuple(_size_parts(results, domain, home, other)),
        _outcomes(results, domain, home, other),
    )


def class_estimate(results: Results, run: RunName, domain: str, name: str) -> Estimate:
    """AP@0.5 of one class with its interval over test images."""
    return rule_scores(results, run, domain).ap50.get(name, UNKNOWN)


def _class_parts(results: Results, domain: str, home: Sequence[RunName], other: Sequence[RunName]) -> list[ClassPart]:
    found = []
    for name in headline_classes(results):
        of_home, of_other = (
            [class_estimate(results, run, domain, name).times(100) for run in arm] for arm in (home, other)
        )
        values = [tuple(one.value for one in arm) for arm in (of_home, of_other)]
        if all(map(math.isfinite, values[0] + values[1])):
            known = all(one.has_interval for one in of_home + of_other)
            apart = all(a.low > b.high for a, b in zip(of_home, of_other, strict=True)) if known else None
            found.append((name, values[0], values[1], apart))
    whole = sum(fmean(one) - fmean(two) for _, one, two, _ in found)
    parts = [
        ClassPart(name, one, two, (fmean(one) - fmean(two)) / whole if whole > 0 else math.nan, apart)
        for name, one, two, apart in found
    ]
    return sorted(parts, key=lambda part: part.change)


def _kind_parts(results: Results, domain: str, home: Sequence[RunName], other: Sequence[RunName]) -> list[KindPart]:
    of_home, of_other = ([results.evaluations[run, domain].errors for run in arm] for arm in (home, other))
    one = [errors.kinds for errors in of_home if errors and errors.kinds]
    two = [errors.kinds for errors in of_other if errors and errors.kinds]
    if len(one) < len(home) or len(two) < len(other):
        return []

    def costs(kinds: Sequence[KindCost]) -> tuple[float, ...]:
        return tuple(100 * kind.delta_map50 for kind in kinds)

    def count(kinds: Sequence[KindCost]) -> float:
        return fmean(kind.count for kind in kinds)

    pairs = {kind: ([found[kind] for found in one], [found[kind] for found in two]) for kind in KINDS}
    parts = (KindPart(kind, costs(a), costs(b), count(a), count(b)) for kind, (a, b) in pairs.items())
    return sorted((part for part in parts if math.isfinite(part.change)), key=lambda part: -part.change)


def _size_parts(results: Results, domain: str, home: Sequence[RunName], other: Sequence[RunName]) -> Iterator[SizePart]:
    by_arm = [[rule_scores(results, run, domain, "coco").by_size for run in arm] for arm in (home, other)]
    for size, first in by_arm[0][0].items():
        columns = [
            tuple(100 * found[size].map50 if size in found else math.nan for found in of_arm) for of_arm in by_arm
        ]
        if all(map(math.isfinite, columns[0] + columns[1])):
            yield SizePart(size, columns[0], columns[1], first.targets)


def _outcomes(results: Results, domain: str, home: Sequence[RunName], other: Sequence[RunName]) -> Outcomes:
    files = [results.evaluations[run, domain] for run in (*other, *home)]
    found = [outcome_of(one) for one in files]
    known = [one for one in found if one is not None]
    confusion = files[0].confusion
    if len(known) < len(files) or confusion is None:
        return Outcomes()
    of_other, of_home = known[: len(other)], known[len(other) :]
    parts = {
        name: GapPart(name, tuple(map(number, of_home)), tuple(map(number, of_other)))
        for name, (_, number) in OUTCOMES.items()
    }
    return Outcomes(parts, confusion.confidence)
