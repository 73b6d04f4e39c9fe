"""What of a run is done, for a person at a terminal."""

import json
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.study.folder import RunFolder
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import STAGES, Unit, pending


def print_status(run: Path, data_root: Path | None = None) -> None:
    """Print which units of each stage are done and the mAP of the arms so far.

    Raises:
        InputError: If the folder holds no run, or a file in it is broken.
    """
    folder = RunFolder(run)
    if not folder.config.is_file():
        raise InputError(
            f"{run} holds no run: there is no {folder.config.name}. Name a folder that 'gapscope run' made."
        )
    experiment = read_config(folder.config)
    units = units_of(Study(experiment, folder, data_root))
    console = Console()
    console.print(stage_table(units, folder, experiment))
    if any((run / "evaluation").glob("*--*.json")):
        console.print(performance_table(folder, experiment))
    if not pending(units, folder):
        console.print(f"all done; open {folder.report}")
    else:
        console.print("go on with the command that started it: it does only what is left")


def stage_table(units: list[Unit], folder: RunFolder, experiment: Experiment) -> Table:
    """One row per stage: how many units are done, how long they took, what is next."""
    waiting = {unit.name for unit in pending(units, folder)}
    table = Table(title=experiment.title or experiment.name, title_justify="left")
    for column in ("stage", "done", "seconds", "next"):
        table.add_column(column, justify="right" if column in ("done", "seconds") else "left")
    by_stage = defaultdict(list)
    for unit in units:
        by_stage[unit.stage].append(unit)
    for stage in STAGES:
        mine = by_stage[stage]
        done = [unit for unit in mine if unit.name not in waiting]
        seconds = sum((folder.read_record(unit.name) or {}).get("seconds", 0) for unit in done)
        following = next((unit for unit in mine if unit.name in waiting), None)
        note = "" if following is None else following.name + epochs_done(following, folder)
        table.add_row(stage, f"{len(done)}/{len(mine)}", f"{seconds:.0f}", note)
    return table


def epochs_done(unit: Unit, folder: RunFolder) -> str:
    """How far a training is that has been started."""
    if unit.stage != "train":
        return ""
    metrics = next(path for path in unit.outputs if path.name == "metrics.jsonl")
    if not metrics.exists() or not (metrics.parent / "checkpoint.pt").exists():
        return ""
    last = json.loads(metrics.read_text().splitlines()[-1])
    return f" (epoch {last['epoch']}, loss {last['loss']:.2f})"


def performance_table(folder: RunFolder, experiment: Experiment) -> Table:
    """mAP@0.5 of every arm and seed on every evaluated domain, by the rule that the experiment leads with."""
    table = Table(title=f"mAP@0.5 ({experiment.evaluate.rule} rule), test images", title_justify="left")
    table.add_column("arm")
    for domain in experiment.evaluated_domains:
        for seed in experiment.seeds:
            table.add_column(f"{domain}, seed {seed}", justify="right")
    for arm in experiment.arms:
        cells = []
        for domain in experiment.evaluated_domains:
            for seed in experiment.seeds:
                path = folder.evaluation(arm, seed, domain)
                value = (
                    json.loads(path.read_text())["rules"][experiment.evaluate.rule]["headline_map50"]
                    if path.exists()
                    else None
                )
                cells.append("" if value is None else f"{value:.3f}")
        table.add_row(arm, *cells)
    return table
