"""Several runs -> every number that is said of them side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gapscope.findings.estimates import Estimate
from gapscope.findings.layer_findings import ArmPair
from gapscope.progress import Progress, silent
from gapscope.several.ranks import RankAgreement, rank_agreements
from gapscope.several.recorded_networks import Across, Recorded, across, recorded_networks
from gapscope.several.run_curves import (
    Held,
    RunCurve,
    arm_pairs,
    held,
    part_means,
    run_curve,
    same_network,
)
from gapscope.several.run_gaps import Comparable, RunGap, comparables, run_gaps
from gapscope.several.runs import Run
from gapscope.several.settings import Setting, side_by_side


@dataclass(frozen=True, eq=False)
class LinedUp:
    """Two arms in all runs that have compared them."""

    arms: ArmPair
    curves: tuple[RunCurve, ...]
    means: tuple[dict[str, Estimate], ...]
    """By part of the network, one per curve."""
    agreements: tuple[RankAgreement, ...]

    @property
    def rows(self) -> list[tuple[RunCurve, dict[str, Estimate]]]:
        """Every curve with its means."""
        return list(zip(self.curves, self.means, strict=True))

    @property
    def same_network(self) -> bool:
        return same_network(self.curves)


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Runs and what can be said of them together."""

    runs: tuple[Run, ...]
    settings: tuple[Setting, ...]
    gaps: tuple[RunGap, ...]
    comparables: tuple[Comparable, ...]
    sizes: dict[Run, int]
    """The image size that each run's layers are looked at with: its main one."""
    pairs: tuple[LinedUp, ...]
    statements: dict[Run, list[Held]]
    across: tuple[Across, ...]
    repeated: tuple[str, ...]
    """Hashes of weights that are part of two or more runs."""
    with_recordings: frozenset[Run]
    """Runs whose recordings of that size are there."""

    @property
    def without_draws(self) -> list[Run]:
        """Runs whose layers have been compared, but whose recordings are gone: no interval of a mean can be drawn."""
        lined_up = {curve.run for pair in self.pairs for curve in pair.curves}
        return [run for run in self.runs if run in lined_up and run not in self.with_recordings]


def line_up(runs: Sequence[Run], progress: Progress = silent) -> SideBySide:
    """Compute all that the page shows.

    Raises:
        InputError: If a file of a run is broken.
    """
    gaps = run_gaps(runs)
    sizes = {run: run.results.sizes[0] for run in runs}
    found = {run: recorded_networks(run, size, progress=progress) for run, size in sizes.items()}
    return SideBySide(
        tuple(runs),
        tuple(side_by_side([run.results.experiment for run in runs])),
        tuple(gaps),
        tuple(comparables(gaps)),
        sizes,
        tuple(_lined_up(arms, having, sizes, found) for arms, having in arm_pairs(runs).items()),
        {run: held(run, size, found[run]) for run, size in sizes.items()},
        tuple(_across(runs, found)),
        tuple(_repeated(runs)),
        frozenset(run for run, one in found.items() if one is not None),
    )


def _lined_up(arms: ArmPair, runs: Sequence[Run], sizes: dict[Run, int], found: dict[Run, Recorded | None]) -> LinedUp:
    curves = tuple(curve for run in runs if (curve := run_curve(run, arms, sizes[run])) is not None)
    means = tuple(part_means(curve, found[curve.run]) for curve in curves)
    return LinedUp(arms, curves, means, tuple(rank_agreements(curves)))


def _across(runs: Sequence[Run], found: dict[Run, Recorded | None]) -> list[Across]:
    """Networks that saw the same images: at the main sizes, and where that leaves runs apart, at the largest size that
    all have recorded."""
    sets = across(found)
    shared = set.intersection(*(set(run.results.sizes) for run in runs))
    if (
        any(len(one.runs) == len(runs) for one in sets)
        or not shared
        or {one.size for one in _known(found)} <= {max(shared)}
    ):
        return sets
    more = across({run: recorded_networks(run, max(shared), draws=False) for run in runs})
    return sets + [one for one in more if not any(set(one.runs) <= set(other.runs) for other in sets)]


def _known(found: dict[Run, Recorded | None]) -> list[Recorded]:
    return [one for one in found.values() if one is not None]


def _repeated(runs: Sequence[Run]) -> list[str]:
    """A network of one run that is a network of another too, by the hash of its weights."""
    shas = [{one.summary.weights_sha256 for one in run.results.trainings.values() if one.summary} for run in runs]
    return [sha for sha, count in Counter(sha for found in shas for sha in found).items() if count > 1]
