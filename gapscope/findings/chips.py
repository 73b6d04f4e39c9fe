"""The facts that bound a verdict, in one number each: images, seeds, epochs, leaks, what stayed frozen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gapscope.findings.checks import FEW_TEST_IMAGES
from gapscope.findings.primary_gap import primary_gap
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.training_rows import CHANGED, NONE, TrainingRow

TEST_IMAGES = "Labelled test images of the domain of the gap; both arms are scored on the same ones."
SEEDS = "So often was each arm trained from other random numbers; what other trainings would change shows between them."
LAST_EPOCH = "Trainings whose best epoch was their last one: they might have gone on to get better."
FROZEN = "Trainings whose frozen layers are, bit for bit, what they started from: their hashes are equal."
LEAKS = "Domains with test images that training has seen too: copies, near-duplicates, the same ride or the next frame."


@dataclass(frozen=True)
class Chip:
    """One of them."""

    number: str
    what: str
    section: str
    """Where the page says more."""
    meaning: str
    """A sentence for whoever asks what that is."""
    warns: bool = False


def chips(numbers: RunNumbers, trainings: Sequence[TrainingRow]) -> list[Chip]:
    """Those that a run has a number for."""
    return list(_chips(numbers, trainings))


def _chips(numbers: RunNumbers, trainings: Sequence[TrainingRow]) -> Iterator[Chip]:
    results, gap = numbers.results, primary_gap(numbers)
    if gap is not None:
        few = gap.num_images < FEW_TEST_IMAGES
        yield Chip(f"{gap.num_images:,}", f"test image{'s' if gap.num_images != 1 else ''}", "data", TEST_IMAGES, few)
    seeds = len(results.seeds)
    yield Chip(f"{seeds}", f"seed{'s' if seeds != 1 else ''} per arm", "training", SEEDS, seeds == 1)
    done = [row for row in trainings if row.finished and not (row.summary and row.summary.given)]
    if done:
        last = sum(row.best_epoch == row.epochs for row in done)
        yield Chip(f"{last} of {len(done)}", "best in their last epoch", "training", LAST_EPOCH, last > 0)
    frozen = [row for row in done if row.frozen != NONE]
    if frozen:
        kept = sum(row.frozen != CHANGED for row in frozen)
        yield Chip(f"{kept} of {len(frozen)}", "frozen parts unchanged", "training", FROZEN, kept < len(frozen))
    if results.summaries:
        leaking = sum(summary.leaks.any for summary in results.summaries.values())
        yield Chip(f"{leaking} of {len(results.summaries)}", "domains leak", "data", LEAKS, leaking > 0)
