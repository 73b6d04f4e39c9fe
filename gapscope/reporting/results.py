"""What does a run folder hold? Every number of the report comes from the files gathered here.

A stage that has not run leaves its part empty; a file that is there but broken is refused by name.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import xarray as xr

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import read_config


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
    grids: dict[tuple[RunName, RunName, int], xr.Dataset]
    """By run, other run and image size: CKA of every layer pair, with floor and interval on the diagonal."""

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
    def sizes(self) -> tuple[int, int]:
        """Recorded image sizes: that of Figures 1-6 and Table 3, that of Figure 7 and Table 4."""
        return self.experiment.record.sizes

    def arm_title(self, arm: str) -> str:
        return self.experiment.arms[arm].title or arm

    def domain_title(self, domain: str) -> str:
        return self.experiment.domains[domain].title or domain

    def run_title(self, run: RunName) -> str:
        return f"{self.arm_title(run.arm)}, seed {run.seed}"


def read_results(run: Path) -> Results:
    """Gather what a run folder holds.

    Raises:
        InputError: If `run` is no run folder, or one of its files is broken (the message names it).
    """
    if not (run / "experiment.resolved.toml").is_file():
        raise InputError(
            f"{run} holds no experiment.resolved.toml, so it is no run folder. "
            "Give the folder that `gapscope run` or `gapscope demo` wrote."
        )
    experiment = read_config(run / "experiment.resolved.toml")
    names = [RunName(arm, seed) for arm in experiment.arms for seed in experiment.seeds]
    return Results(
        folder=run,
        experiment=experiment,
        environment=_parsed(run / "environment.json", json.loads) or {},
        summaries=dict(_read_summaries(run, experiment)),
        trainings=dict(_read_trainings(run, names)),
        evaluations=dict(_read_evaluations(run, experiment, names)),
        statistics=dict(_read_statistics(run, experiment, names)),
        grids=dict(_read_grids(run, experiment, names)),
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


def _read_statistics(
    run: Path, experiment: Experiment, names: list[RunName]
) -> Iterator[tuple[tuple[RunName, int], xr.Dataset]]:
    for name in names:
        for size in experiment.record.sizes:
            path = run / "recordings" / f"{name}--{experiment.probe.domain}-{size}.nc"
            if path.is_file():
                yield (name, size), _read_dataset(path, drop=["gram", "pooled"])


def _read_grids(
    run: Path, experiment: Experiment, names: list[RunName]
) -> Iterator[tuple[tuple[RunName, RunName, int], xr.Dataset]]:
    for a in names:
        for b in names:
            for size in experiment.record.sizes:
                path = run / "similarity" / f"{a}--{b}--{experiment.probe.domain}-{size}.nc"
                if path.is_file():
                    yield (a, b, size), _read_dataset(path)


def _read_dataset(path: Path, drop: list[str] | None = None) -> xr.Dataset:
    try:
        with xr.open_dataset(path, engine="h5netcdf", drop_variables=drop) as dataset:
            return dataset.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(_broken(path, str(error) or type(error).__name__)) from error
