"""What does a run folder hold? Every number of the report comes from the files gathered here.

A stage that has not run leaves its part empty; a file that is there but broken is refused by name.
"""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import xarray as xr

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.recording.netcdf import read_netcdf
from gapscope.showing import html_table


@dataclass(frozen=True, order=True)
class RunName:
    """One arm trained with one seed; prints as files spell it, `u-real-seed0`."""

    arm: str
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}-seed{self.seed}"


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


def read_results(run: Path | str) -> Results:
    """Gather what a run folder holds.

    Raises:
        InputError: If `run` is no run folder, or one of its files is broken (the message names it).
    """
    run = Path(run)
    if not (run / "experiment.resolved.toml").is_file():
        raise InputError(
            f"{run} holds no experiment.resolved.toml, so it is no run folder. "
            "Give the folder that `gapscope run` or `gapscope demo` wrote."
        )
    experiment = read_config(run / "experiment.resolved.toml")
    names = [RunName(arm, seed) for arm in experiment.arms for seed in experiment.seeds]
    main, *more = experiment.probe.domains
    return Results(
        folder=run,
        experiment=experiment,
        environment=_parsed(run / "environment.json", json.loads) or {},
        summaries=dict(_read_summaries(run, experiment)),
        trainings=dict(_read_trainings(run, names)),
        evaluations=dict(_read_evaluations(run, experiment, names)),
        **vars(_read_seen(run, experiment, names, main)),
        probe=main,
        others={domain: _read_seen(run, experiment, names, domain) for domain in more},
    )


def _parsed(path: Path, parse: Callable[[str], Any]) -> Any:
    """The parsed file, None where there is none yet."""
    if not path.is_file():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(_broken(path, str(error))) from error


def _broken(path: Path, reason: str) -> str:
    return f"{path} cannot be read: {reason}. Delete it and run the study again: only what is missing is repeated."


def _read_summaries(run: Path, experiment: Experiment) -> Iterator[tuple[str, dict[str, Any]]]:
    for domain in experiment.domains:
        summary = _parsed(run / "data" / domain / "summary.json", json.loads)
        if summary:
            yield domain, summary


def _read_trainings(run: Path, names: list[RunName]) -> Iterator[tuple[RunName, Training]]:
    for name in names:
        folder = run / "arms" / name.arm / f"seed{name.seed}"
        epochs = _parsed(folder / "metrics.jsonl", _parse_lines)
        summary = _parsed(folder / "summary.json", json.loads)
        if epochs or summary:
            yield name, Training(summary or {}, tuple(epochs or ()))


def _parse_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _read_evaluations(
    run: Path, experiment: Experiment, names: list[RunName]
) -> Iterator[tuple[tuple[RunName, str], dict[str, Any]]]:
    for name in names:
        for domain in experiment.domains:
            evaluation = _parsed(run / "evaluation" / f"{name}--{domain}.json", json.loads)
            if evaluation:
                yield (name, domain), evaluation


def _read_seen(run: Path, experiment: Experiment, names: list[RunName], probe: str) -> Seen:
    sizes = experiment.record.sizes
    pairs = [(a, b, size) for a in names for b in names for size in sizes]
    files = {(name, size): run / "recordings" / f"{name}--{probe}-{size}.nc" for name in names for size in sizes}
    here = run / "similarity"
    return Seen(
        statistics={key: _read_dataset(path, drop=["gram", "pooled", "input_gram"]) for key, path in _there(files)},
        grids=_read_pairs({(a, b, size): here / f"{a}--{b}--{probe}-{size}.nc" for a, b, size in pairs}),
        effects=_read_pairs({(a, b, size): here / f"effect--{a}--{b}--{probe}-{size}.nc" for a, b, size in pairs}),
    )


def _read_pairs(files: dict[tuple[RunName, RunName, int], Path]) -> Grids:
    return {key: _read_dataset(path) for key, path in _there(files)}


def _there(files: dict[Any, Path]) -> Iterator[tuple[Any, Path]]:
    return ((key, path) for key, path in files.items() if path.is_file())


def _read_dataset(path: Path, drop: Collection[str] = ()) -> xr.Dataset:
    try:
        return read_netcdf(path, drop)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(_broken(path, str(error) or type(error).__name__)) from error
