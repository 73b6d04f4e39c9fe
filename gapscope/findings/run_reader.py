"""A run folder -> what it holds.

A stage that has not run leaves its part empty; a file that is there but broken is refused by name.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from gapscope.arms import grafted_runs
from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import read_run_config
from gapscope.files import OTHER_CONTENT, parse_json, read_text
from gapscope.findings.domain_file import DomainSummary, parse_summary
from gapscope.findings.environment_file import RunEnvironment, parse_environment
from gapscope.findings.evaluation_file import EvaluationFile, parse_evaluation
from gapscope.findings.layer_files import check_effect, check_grid, check_statistics
from gapscope.findings.results import Results, Seen
from gapscope.findings.separability_file import SeparabilityFile, parse_separability
from gapscope.findings.training_files import EpochLine, TrainingRecord, TrainingSummary, parse_epoch, parse_training
from gapscope.grafting.result import GraftResult, read_grafts
from gapscope.intact import check_intact, remedy
from gapscope.networks import layer_map
from gapscope.recording.netcdf import read_netcdf
from gapscope.run_folder import RunFolder, RunName

GraftKey = tuple[RunName, RunName, str]
Check = Callable[[xr.Dataset], None]
"""Raises where a dataset is not what is read of it."""
Parsed = TypeVar("Parsed")


def read_results(run: Path | str) -> Results:
    """Gather what a run folder holds.

    Raises:
        InputError: If `run` is no run folder, or one of its files is broken (the message names it).
    """
    folder = RunFolder(Path(run))
    if not folder.config.is_file():
        raise InputError(
            f"{run} holds no {folder.config.name}, so it is no run folder. "
            "Give the folder that `gapscope run` or `gapscope demo` wrote."
        )
    folder.refuse_links()
    experiment = read_run_config(folder)
    names = [RunName(arm, seed) for arm in experiment.arms for seed in experiment.seeds]
    main, *more = experiment.probe.domains
    return Results(
        folder=folder.root,
        experiment=experiment,
        environment=_parsed(folder.environment, _json(parse_environment)) or RunEnvironment(),
        summaries=dict(_read_summaries(folder, experiment)),
        trainings=dict(_read_trainings(folder, names)),
        evaluations=dict(_read_evaluations(folder, experiment, names)),
        **vars(_read_seen(folder, experiment, names, main)),
        grafts=dict(_read_grafts(folder, experiment)),
        probe=main,
        others={domain: _read_seen(folder, experiment, names, domain) for domain in more},
        separabilities=dict(_read_separabilities(folder, experiment, names)),
    )


def _parsed(path: Path, parse: Callable[[str], Parsed | None]) -> Parsed | None:
    """The parsed file, None where there is none yet."""
    if not path.is_file():
        return None
    check_intact(path)
    try:
        return parse(read_text(path))
    except KeyError as error:
        raise InputError(_broken(path, f"it holds no {error}")) from error
    except OTHER_CONTENT as error:
        raise InputError(_broken(path, str(error))) from error


def _json(parse: Callable[[Any], Parsed]) -> Callable[[str], Parsed | None]:
    """A parser of JSON text; None where the text holds nothing, such as `{}`."""

    def parse_text(text: str) -> Parsed | None:
        found = parse_json(text)
        return parse(found) if found else None

    return parse_text


def _broken(path: Path, reason: str) -> str:
    return f"{path} cannot be read: {reason}. " + remedy(
        path, "Delete it and run the study again: only what is missing is repeated"
    )


def _read_summaries(folder: RunFolder, experiment: Experiment) -> Iterator[tuple[str, DomainSummary]]:
    for domain in experiment.domains:
        summary = _parsed(folder.summary(domain), _json(parse_summary))
        if summary:
            yield domain, summary


def _read_trainings(folder: RunFolder, names: list[RunName]) -> Iterator[tuple[RunName, TrainingRecord]]:
    for name in names:
        epochs = _parsed(folder.metrics(name), _parse_lines)
        summary: TrainingSummary | None = _parsed(folder.training_summary(name), _json(parse_training))
        if epochs or summary:
            yield name, TrainingRecord(summary, tuple(epochs or ()))


def _parse_lines(text: str) -> list[EpochLine]:
    return [parse_epoch(parse_json(line)) for line in text.splitlines() if line.strip()]


def _read_evaluations(
    folder: RunFolder, experiment: Experiment, names: list[RunName]
) -> Iterator[tuple[tuple[RunName, str], EvaluationFile]]:
    for name in names:
        for domain in experiment.domains:
            evaluation = _parsed(folder.evaluation(name, domain), _json(parse_evaluation))
            if evaluation:
                yield (name, domain), evaluation


def _read_grafts(folder: RunFolder, experiment: Experiment) -> Iterator[tuple[GraftKey, GraftResult]]:
    for host, donor in grafted_runs(experiment):
        for domain in experiment.grafted_domains:
            path = folder.grafts(host, donor, domain)
            if path.is_file():
                check_intact(path)
                try:
                    yield (host, donor, domain), read_grafts(path)
                except InputError as error:
                    raise InputError(_broken(path, str(error))) from error


def _read_seen(folder: RunFolder, experiment: Experiment, names: list[RunName], probe: str) -> Seen:
    sizes = experiment.record.sizes
    pairs = [(a, b, size) for a in names for b in names for size in sizes]
    files = {(name, size): folder.recording(name, probe, size) for name in names for size in sizes}
    grids = {(a, b, size): folder.grid(a, b, probe, size) for a, b, size in pairs}
    effects = {(a, b, size): folder.effect(a, b, probe, size) for a, b, size in pairs}
    layers = {arm: len(layer_map(experiment, arm).layers) for arm in {name.arm for name in names}}

    def grid(key: tuple[RunName, RunName, int]) -> Check:
        return lambda found: check_grid(found, layers[key[0].arm], layers[key[1].arm])

    def same(key: tuple[RunName, ...], check: Callable[[xr.Dataset, int], None]) -> Check:
        return lambda found: check(found, layers[key[0].arm])

    return Seen(
        statistics={
            key: _read_dataset(path, same((key[0],), check_statistics), drop=["gram", "pooled", "input_gram"])
            for key, path in _there(files)
        },
        grids={key: _read_dataset(path, grid(key)) for key, path in _there(grids)},
        effects={key: _read_dataset(path, same(key[:2], check_effect)) for key, path in _there(effects)},
    )


def _read_separabilities(
    folder: RunFolder, experiment: Experiment, names: list[RunName]
) -> Iterator[tuple[tuple[RunName, str], SeparabilityFile]]:
    main, size = experiment.probe.domain, experiment.record.sizes[0]
    keys = [(name, other) for name in names for other in experiment.probe.separability]
    for key, path in _there({(name, other): folder.separability(name, main, other, size) for name, other in keys}):
        try:
            yield key, parse_separability(_read_dataset(path, lambda found: None))
        except OTHER_CONTENT as error:
            raise InputError(_broken(path, str(error))) from error


def _there(files: dict[Any, Path]) -> Iterator[tuple[Any, Path]]:
    return ((key, path) for key, path in files.items() if path.is_file())


def _read_dataset(path: Path, check: Check, drop: Collection[str] = ()) -> xr.Dataset:
    check_intact(path)
    try:
        found = read_netcdf(path, drop)
        check(found)
        return found
    except KeyError as error:
        raise InputError(_broken(path, f"it holds no {error}")) from error
    except Exception as error:  # HDF5 and xarray raise a different kind for every way a file can be broken
        raise InputError(_broken(path, str(error) or type(error).__name__)) from error
