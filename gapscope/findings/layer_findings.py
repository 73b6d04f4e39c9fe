"""Where do the arms differ? Every curve, ceiling, difference and effect of one probe, computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.arms import trained_layers
from gapscope.findings.image_influence import PairInfluence, pair_influence
from gapscope.findings.layer_curves import DEBIASED, PairCurve, Values, ceiling_curve, pair_curve, untrained_by_all
from gapscope.findings.layer_differences import LayerDifference, at_every_seed, beyond_seeds
from gapscope.findings.part_effects import part_effects
from gapscope.findings.part_gaps import PartGap, TrainingsTest, part_gaps, trainings_test
from gapscope.findings.results import Results
from gapscope.run_folder import RunName

ArmPair = tuple[str, str]
RunPair = tuple[RunName, RunName]
PairKey = tuple[RunName, RunName, int, str]
"""Two runs of one seed, image size, measure."""


@dataclass(frozen=True, eq=False)
class LayerFindings:
    """What can be said layer by layer on the test images of one domain."""

    seen: Results
    """The run as these images show it: its grids and effects are those that all of this rests on."""
    measures: tuple[str, ...]
    """In the order of the first grid that has them; debiased CKA, the one to read, first."""
    curves: Mapping[PairKey, PairCurve]
    """Of pairs of different arms that were compared and have the same layers."""
    ceilings: Mapping[tuple[str, int, str], PairCurve]
    """By arm, size and measure: the same arm with another seed."""
    differences: Mapping[PairKey, LayerDifference]
    """Of those curves that have a ceiling."""
    part_effects: Mapping[ArmPair, Mapping[str, Sequence[float]]]
    """By pair of arms and part of the network, one per seed: debiased CKA at the main size."""
    part_gaps: Mapping[tuple[ArmPair, int], Sequence[PartGap]]
    """By pair of arms and size: by how much they fall short of two seeds, part by part of the network."""
    trainings: Mapping[ArmPair, TrainingsTest]
    """What the seeds allow to say of a pair of arms; without pairs of which nothing can be said."""
    influences: Mapping[RunPair, PairInfluence]
    """By pair of runs of one seed, at the main size; without grids of before, which do not hold it."""

    @property
    def main_size(self) -> int:
        return self.seen.sizes[0]

    def curve(self, a: RunName, b: RunName, size: int | None = None, measure: str = DEBIASED) -> PairCurve | None:
        """Two networks of one seed, at the main size unless another is named; None where there is none."""
        return self.curves.get((a, b, size or self.main_size, measure))

    def by_seed(self, pair: ArmPair, size: int | None = None, measure: str = DEBIASED) -> dict[int, PairCurve]:
        """The curves of a pair of arms by seed."""
        found = {a.seed: self.curve(a, b, size, measure) for a, b in self.seen.run_pairs(*pair)}
        return {seed: curve for seed, curve in found.items() if curve is not None}

    def of_seed(self, seed: int, size: int | None = None, measure: str = DEBIASED) -> list[PairCurve]:
        """One curve per pair of reported arms, both trained with this seed."""
        found = (self.curve(RunName(a, seed), RunName(b, seed), size, measure) for a, b in self.seen.pairs)
        return [curve for curve in found if curve is not None]

    def ceilings_of(self, arms: Sequence[str], size: int | None = None, measure: str = DEBIASED) -> list[PairCurve]:
        """The ceilings of some arms, without those that have none."""
        keys = [(arm, size or self.main_size, measure) for arm in arms]
        return [self.ceilings[key] for key in keys if key in self.ceilings]

    def difference(
        self, a: RunName, b: RunName, size: int | None = None, measure: str = DEBIASED
    ) -> LayerDifference | None:
        """Where two networks are less alike than two seeds; None without a ceiling."""
        return self.differences.get((a, b, size or self.main_size, measure))

    def differences_of(self, pair: ArmPair, measure: str = DEBIASED) -> list[LayerDifference]:
        """Those of a pair of arms at the main size, seed by seed."""
        found = (self.difference(a, b, None, measure) for a, b in self.seen.run_pairs(*pair))
        return [one for one in found if one is not None]

    def that_differ(self, pair: ArmPair, measure: str = DEBIASED) -> LayerDifference | None:
        """Where the networks of two arms are less alike than two seeds, with each seed, at the main size."""
        return at_every_seed(self.differences_of(pair, measure))

    def untrained(self, arms: Sequence[str]) -> NDArray[np.int64]:
        """Layers that none of these arms trained."""
        return untrained_by_all(self.seen, arms)

    def grid(self, a: RunName, b: RunName, size: int | None = None) -> xr.Dataset | None:
        """All layers of one network against all of another, None where they were not compared."""
        return self.seen.grids.get((a, b, size or self.main_size))

    def cells(self, a: RunName, b: RunName, size: int, measure: str) -> Values:
        """(layers of a, layers of b) one measure of a grid that is there."""
        return np.asarray(self.seen.grids[a, b, size]["value"].sel(measure=measure).values, dtype=np.float64)

    def seed_cells(self, arms: Sequence[str], size: int, measure: str) -> Values | None:
        """Mean over the arms' pairs of seeds, cell by cell; NaN where both layers are ones that an arm did not train.

        None where no two seeds were compared.
        """
        grids = []
        for a, b, of_size in self.seen.grids:
            if of_size == size and a.arm == b.arm and a.arm in arms and a.seed != b.seed:
                if measure in self.seen.grids[a, b, size].measure:
                    cells = self.cells(a, b, size, measure)
                    trained = trained_layers(self.seen.experiment, a.arm)[: len(cells)]  # of those that are recorded
                    grids.append(np.where(trained[:, None] | trained, cells, np.nan))
        if not grids:
            return None
        stacked = np.ma.masked_invalid(np.stack(grids))
        mean: Values = stacked.mean(0).filled(np.nan)
        return mean

    def less_than_seeds(self, a: RunName, b: RunName, size: int, measure: str) -> Values | None:
        """A pair's cells minus the mean of its arms' pairs of seeds; None where either was not compared."""
        base, grid = self.seed_cells((a.arm, b.arm), size, measure), self.grid(a, b, size)
        if base is None or grid is None or measure not in grid.measure:
            return None
        difference: Values = self.cells(a, b, size, measure) - base
        return difference


def layer_findings(seen: Results) -> LayerFindings:
    """Everything about one probe, at every size and by every measure.

    Raises:
        InputError: If a grid holds a measure that nobody knows.
    """
    names = dict.fromkeys(str(name) for grid in seen.grids.values() for name in grid["measure"].values)
    measures = tuple(sorted(names, key=lambda name: name != DEBIASED))
    places = [(size, measure) for size in seen.sizes for measure in measures]
    ceilings = {
        (arm, size, measure): curve
        for size, measure in places
        for arm in seen.arms
        if (curve := ceiling_curve(seen, arm, size, measure)) is not None
    }
    pairs = [both for pair in seen.pairs for both in seen.run_pairs(*pair)]
    curves = {
        (a, b, size, measure): curve
        for size, measure in places
        for a, b in pairs
        if (curve := pair_curve(seen, a, b, size, measure)) is not None
    }
    differences = {}
    for (a, b, size, measure), curve in curves.items():
        of_arms = [ceilings[arm, size, measure] for arm in (a.arm, b.arm) if (arm, size, measure) in ceilings]
        found = beyond_seeds(seen.effects.get((a, b, size)), curve, of_arms, measure)
        if found is not None:
            differences[a, b, size, measure] = found
    effects = {pair: part_effects(seen, *pair) for pair in seen.pairs}
    grids = {(a, b): seen.grids[a, b, seen.sizes[0]] for a, b in pairs if (a, b, seen.sizes[0]) in seen.grids}
    influences = {both: pair_influence(grid) for both, grid in grids.items() if "influence" in grid}
    gaps = {(pair, size): part_gaps(seen, *pair, size) for pair in seen.pairs for size in seen.sizes}
    tests = {pair: test for pair in seen.pairs if (test := trainings_test(seen, *pair)) is not None}
    return LayerFindings(seen, measures, curves, ceilings, differences, effects, gaps, tests, influences)
