"""A run folder -> what it holds.

A stage that has not run leaves its part empty; a file that is there but broken is refused by name.
"""

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.files import read_text
from gapscope.findings.results import Grids, Results, RunName, Seen, Training
from gapscope.recording.netcdf import read_netcdf


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
        return parse(read_text(path))
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
