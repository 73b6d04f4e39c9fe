"""What does a run folder hold? Every number of the report comes from the files gathered here."""

from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import xarray as xr

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.run_folder import RunName
from gapscope.showing import html_table


@dataclass(frozen=True)
class Training:
    """One training: its summary (empty while it runs) and one dict per finished epoch."""

    summary: dict[str, Any]
    epochs: tuple[dict[str, Any], ...]


Grids = dict[tuple[RunName, RunName, int], xr.Dataset]
"""By run, other run and image size."""


@dataclass(frozen=True)
class Seen:
    """What all networks make of the test images of one domain."""

    statistics: dict[tuple[RunName, int], xr.Dataset]
    grids: Grids
    effects: Grids


@dataclass(frozen=True)
class Results:
    """All that a run folder holds so far, in the config's order."""

    folder: Path
    experiment: Experiment
    environment: dict[str, Any]
    summaries: dict[str, dict[str, Any]]
    """By domain: `data/<domain>/summary.json`."""
    trainings: dict[RunName, Training]
    evaluations: dict[tuple[RunName, str], dict[str, Any]]
    """By run and test domain."""
    statistics: dict[tuple[RunName, int], xr.Dataset]
    """By run and image size: the recording without its Grams (p, mean, median, std, min, max per layer)."""
    grids: Grids
    """Every layer pair by every measure, with floor and interval on the diagonal; of pairs of different arms also each
    image's influence and the blocks of layers."""
    effects: Grids
    """Each layer between floor and ceiling, as `layer_summary` gives it: pairs of different arms, two or more seeds."""
    probe: str
    """The domain whose test images statistics, grids and effects are about: the experiment's, or see `seen_at`."""
    others: dict[str, Seen] = field(default_factory=dict)
    """The same about further domains, by domain."""

    @property
    def title(self) -> str:
        return self.experiment.title or self.experiment.name

    @property
    def seeds(self) -> list[int]:
        return self.experiment.seeds

    @property
    def arms(self) -> list[str]:
        """Reported arms, in order."""
        return self.experiment.reported_arms

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All pairs of reported arms, in order: (1, 2), (1, 3), (2, 3), ..."""
        return list(combinations(self.arms, 2))

    @property
    def test_domains(self) -> list[str]:
        return self.experiment.evaluated_domains

    @property
    def sizes(self) -> tuple[int, ...]:
        """Recorded image sizes: the first of Figures 1-6 and Table 3, the second, if any, of Figure 7 and Table 4."""
        return self.experiment.record.sizes

    @property
    def probes(self) -> list[str]:
        """The domains on whose test images layers are compared, the main one first."""
        return self.experiment.probe.domains

    def seen_at(self, domain: str) -> "Results":
        """The same run, with statistics, grids and effects of another probe domain."""
        if domain == self.probe:
            return self
        here = Seen(self.statistics, self.grids, self.effects)
        seen = (self.others | {self.probe: here})[domain]
        others = {name: one for name, one in self.others.items() if name != domain} | {self.probe: here}
        return replace(self, **vars(seen), probe=domain, others=others)

    def arm_title(self, arm: str) -> str:
        return self.experiment.arms[arm].title or arm

    def domain_title(self, domain: str) -> str:
        return self.experiment.domains[domain].title or domain

    def run_title(self, run: RunName) -> str:
        return f"{self.arm_title(run.arm)}, seed {run.seed}"

    def grid(self, a: str, b: str, *, seed: int | tuple[int, int] | None = None, size: int | None = None) -> xr.Dataset:
        """The grid of two arms.

        Args:
            a: Arm whose layers are the rows; in the order of the experiment.
            b: Arm whose layers are the columns.
            seed: Of both, or one each; None: the first seed.
            size: Image size in pixels; None: the first.

        Raises:
            InputError: If there is none.
        """
        return self._pair(self.grids, "grid", a, b, seed, size)

    def effect(self, a: str, b: str, *, seed: int | None = None, size: int | None = None) -> xr.Dataset:
        """Two arms between floor and ceiling, likewise."""
        return self._pair(self.effects, "effect", a, b, seed, size)

    def _pair(
        self, grids: Grids, what: str, a: str, b: str, seed: int | tuple[int, int] | None, size: int | None
    ) -> xr.Dataset:
        first, second = seed if isinstance(seed, tuple) else [self.seeds[0] if seed is None else seed] * 2
        names = RunName(a, first), RunName(b, second)
        found = grids.get((*names, size or self.sizes[0]))
        if found is None:
            arms, seeds, sizes = (", ".join(map(str, some)) for some in (self.arms, self.seeds, self.sizes))
            raise InputError(
                f"{self.folder} has no {what} of {names[0]} and {names[1]} at {size or self.sizes[0]} pixels. Arms, to "
                f"be named in this order: {arms}; seeds: {seeds}; sizes: {sizes}. Is it computed yet? gapscope status "
                f"{self.folder}"
            )
        return found

    def __repr__(self) -> str:
        rows = "\n".join(f"  {name:<12} {text}" for name, text in self._facts())
        return f"Run {self.title} in {self.folder}\n{rows}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return html_table(f"Run {self.title} in {self.folder}", self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        """What was asked for, and how much of it is there."""
        trained = sum(bool(training.summary) for training in self.trainings.values())
        counts = (
            f"{trained} of {len(self.experiment.arms) * len(self.seeds)} trainings, {len(self.evaluations)} "
            f"evaluations, {len(self.statistics)} recordings, {len(self.grids)} grids, {len(self.effects)} effects"
        )
        return [
            ("arms", ", ".join(f"{arm} ({self.arm_title(arm)})" for arm in self.arms)),
            ("seeds", ", ".join(map(str, self.seeds))),
            ("tested on", ", ".join(f"{name} ({self.domain_title(name)})" for name in self.test_domains)),
            ("probe", f"{self.probe}, at {', '.join(map(str, self.sizes))} pixels"),
            ("done", counts),
        ]


def evaluations_of(results: Results, arm: str, domain: str) -> list[dict[str, Any]]:
    """An arm's evaluation files on a domain, one per seed that has one."""
    found = (results.evaluations.get((RunName(arm, seed), domain)) for seed in results.seeds)
    return [evaluation for evaluation in found if evaluation]


def details_of(results: Results, arm: str, domain: str, key: str) -> list[dict[str, Any]]:
    """What these files hold under a key, without files of before there was one."""
    return [evaluation[key] for evaluation in evaluations_of(results, arm, domain) if key in evaluation]


def evaluated_arms(results: Results, domain: str, key: str = "rules") -> list[str]:
    """Reported arms of which some evaluation on a domain holds this key."""
    return [arm for arm in results.arms if details_of(results, arm, domain, key)]
