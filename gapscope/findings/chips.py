"""The facts that bound a verdict, in one number each: images, seeds, epochs, leaks, what stayed frozen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gapscope.findings.checks import FEW_TEST_IMAGES
from gapscope.findings.primary_gap import primary_gap
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.training_rows import CHANGED, NONE, TrainingRow


@dataclass(frozen=True)
class Chip:
    """One of them."""

    number: str
    what: str
    section: str
    """Where the page says more."""
    warns: bool = False


def chips(numbers: RunNumbers, trainings: Sequence[TrainingRow]) -> list[Chip]:
    """Those that a run has a number for."""
    return list(_chips(numbers, trainings))


def _chips(numbers: RunNumbers, trainings: Sequence[TrainingRow]) -> Iterator[Chip]:
    results, gap = numbers.results, primary_gap(numbers)
    if gap is not None:
        few = gap.num_images < FEW_TEST_IMAGES
        yield Chip(f"{gap.num_images:,}", f"test image{'s' if gap.num_images != 1 else ''}", "data", few)
    seeds = len(results.seeds)
    yield Chip(f"{seeds}", f"seed{'s' if seeds != 1 else ''} per arm", "training", seeds == 1)
    done = [row for row in trainings if row.finished and not (row.summary and row.summary.given)]
    if done:
        last = sum(row.best_epoch == row.epochs for row in done)
        yield Chip(f"{last} of {len(done)}", "best in their last epoch", "training", last > 0)
    frozen = [row for row in done if row.frozen != NONE]
    if frozen:
        kept = sum(row.frozen != CHANGED for row in frozen)
        yield Chip(f"{kept} of {len(frozen)}", "frozen hashes kept", "training", kept < len(frozen))
    if results.summaries:
        leaking = sum(summary.leaks.any for summary in results.summaries.values())
        yield Chip(f"{leaking} of {len(results.summaries)}", "domains leak", "data", leaking > 0)
