"""What is a gap made of? Classes, kinds of mistakes and box sizes, each on the same test images."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from gapscope.evaluation.error_kinds import KINDS
from gapscope.findings.gaps import Gap
from gapscope.findings.headline import Estimate, estimate, headline_classes, number, rule_scores
from gapscope.findings.results import Results
from gapscope.run_folder import RunName


@dataclass(frozen=True)
class Part:
    """One class, kind of mistake or box size: its numbers in both arms, one per seed of the gap, in AP points."""

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
    def grows_at_every_seed(self) -> bool:
        return min(self.changes) > 0


@dataclass(frozen=True)
class ClassPart(Part):
    """AP@0.5 of a class in both arms, and what it adds to the gap."""

    share: float
    """Of the gap: what is lost in this class over what is lost in all. NaN without a gap."""
    apart: bool | None
    """Whether the 95 % intervals of both arms are apart at every seed; None in evaluation files without intervals."""


@dataclass(frozen=True)
class KindPart(Part):
    """What mending all mistakes of a kind would add to mAP@0.5, and how many there are."""

    home_count: float
    other_count: float


@dataclass(frozen=True)
class SizePart(Part):
    """AP@0.5 of the boxes of a size, as COCO bounds them."""

    targets: int


def class_parts(results: Results, gap: Gap) -> list[ClassPart]:
    """The headline classes that both arms have an AP of at every seed, largest loss first."""
    found = []
    for name in headline_classes(results):
        home, other = (
            [class_estimate(results, RunName(arm, seed), gap.domain, name).times(100) for seed in gap.seeds]
            for arm in (gap.home, gap.other)
        )
        values = [[one.value for one in arm] for arm in (home, other)]
        if all(map(math.isfinite, values[0] + values[1])):
            known = all(one.has_interval for one in home + other)
            apart = all(a.low > b.high for a, b in zip(home, other, strict=True)) if known else None
            found.append((name, tuple(values[0]), tuple(values[1]), apart))
    whole = sum(fmean(home) - fmean(other) for _, home, other, _ in found)
    parts = [
        ClassPart(name, home, other, (fmean(home) - fmean(other)) / whole if whole > 0 else math.nan, apart)
        for name, home, other, apart in found
    ]
    return sorted(parts, key=lambda part: part.change)


def class_estimate(results: Results, run: RunName, domain: str, name: str) -> Estimate:
    """AP@0.5 of one class with its interval over test images."""
    found = rule_scores(results, run, domain)
    return estimate(found.get("ap50", {}).get(name), found.get("interval", {}).get("ap50", {}).get(name))


def kind_parts(results: Results, gap: Gap) -> list[KindPart]:
    """The kinds of mistakes, the one that costs so much more than at home first; none in old evaluation files."""
    kinds = {
        arm: [_kinds(results, RunName(arm, seed), gap.domain) for seed in gap.seeds] for arm in (gap.home, gap.other)
    }
    if not all(all(of_arm) for of_arm in kinds.values()):
        return []

    def costs(arm: str, kind: str) -> tuple[float, ...]:
        return tuple(100 * number(found[kind]["delta_map50"]) for found in kinds[arm])

    def count(arm: str, kind: str) -> float:
        return fmean(found[kind]["count"] for found in kinds[arm])

    parts = (
        KindPart(kind, costs(gap.home, kind), costs(gap.other, kind), count(gap.home, kind), count(gap.other, kind))
        for kind in KINDS
    )
    return sorted((part for part in parts if math.isfinite(part.change)), key=lambda part: -part.change)


def _kinds(results: Results, run: RunName, domain: str) -> dict[str, Any]:
    found: dict[str, Any] = results.evaluations[run, domain].get("errors", {}).get("kinds", {})
    return found


def size_parts(results: Results, gap: Gap) -> list[SizePart]:
    """Small, medium and large boxes that both arms have an AP of at every seed, as the files order them."""
    return list(_size_parts(results, gap))


def _size_parts(results: Results, gap: Gap) -> Iterator[SizePart]:
    by_arm = {
        arm: [rule_scores(results, RunName(arm, seed), gap.domain, "coco").get("by_size", {}) for seed in gap.seeds]
        for arm in (gap.home, gap.other)
    }
    for size, first in by_arm[gap.home][0].items():
        columns = [tuple(100 * number(found.get(size, {}).get("map50")) for found in by_arm[arm]) for arm in by_arm]
        if all(map(math.isfinite, columns[0] + columns[1])):
            yield SizePart(size, columns[0], columns[1], first["targets"])
