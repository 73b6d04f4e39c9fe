"""How far is a run, for a person at a terminal? Tables that fit 80 columns."""

import os
import time
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json
from gapscope.paper.verdict_files import verdict_lines
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.kept import kept_bytes
from gapscope.study.plan_words import replacing
from gapscope.study.state import RunState, TrainingState, Watched
from gapscope.words import byte_size, duration

DOMAINS_PER_TABLE = 3
"""As many columns with intervals as fit beside an arm's name."""


def print_status(run: Path | str, data_root: Path | str | None = None) -> None:
    """Print which units of each stage are done, trainings that have begun, the arms' mAP so far and the disk's share.

    Raises:
        InputError: If the folder holds no run, or a file in it is broken.
    """
    run = Path(run)
    data_root = None if data_root is None else Path(data_root)
    watched = Watched(run, data_root)
    state, folder = watched.state(), watched.folder
    console = Console()
    console.print(stage_table(state))
    for line in again_lines(state, folder):
        console.print(escape(line), highlight=False, soft_wrap=True)
    if state.trainings:
        console.print(training_table(state))
    for table in performance_tables(folder, state.experiment, stale_scores(state)):
        console.print(table)
    console.print(disk_line(run), highlight=False, soft_wrap=True)
    for line in verdict_lines(run):
        console.print(escape(line), highlight=False, soft_wrap=True)
    if state.done:
        console.print(f"all done; open {escape(str(folder.report))}", soft_wrap=True)
    else:
        ago = duration(max(0.0, time.time() - state.changed))
        console.print(
            f"a file was last written {ago} ago; watch it live: gapscope watch {escape(str(run))}", soft_wrap=True
        )
        console.print(
            "if it is not running, give the command that started it: it does only what is left", soft_wrap=True
        )


def stage_table(state: RunState) -> Table:
    """One row per stage: how many units are done, how long they took, about how long the rest takes, what is next."""
    table = _table(escape(state.experiment.title or state.experiment.name))
    table.add_column("stage")
    for column in ("done", "took", "left"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("next", overflow="fold")
    for stage in state.stages:
        following = (stage.following or "").removeprefix(f"{stage.name}/")
        took = duration(stage.seconds) if stage.done else ""
        table.add_row(stage.name, f"{stage.done}/{stage.total}", took, left(stage.seconds_left), escape(following))
    return table


def again_lines(state: RunState, folder: RunFolder) -> list[str]:
    """Which finished units a run would make once more or take back, why, and what they took."""
    lines = replacing(state.todo, folder)
    kept = kept_bytes(folder)
    if kept:
        lines.append(
            f"results made from other settings or data are kept in {folder.root / 'before'} ({byte_size(kept)}): they "
            "are taken back when those are; delete the folder to free the disk"
        )
    return lines


def left(seconds: float | None) -> str:
    """`about 3 min`; empty where nothing is known."""
    return "" if seconds is None else f"about {duration(seconds)}"


def training_table(state: RunState) -> Table:
    """One row per training that has begun."""
    table = _table("trainings that have begun (left: if no early stopping ends them sooner)")
    table.add_column("arm", overflow="fold")
    for column in ("seed", "epoch", "loss", "val mAP@0.5", "best", "left"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in state.trainings:
        table.add_row(*training_cells(one))
    return table


def training_cells(one: TrainingState) -> tuple[str, ...]:
    """A training's row as text."""
    val, best = ("" if value is None else f"{value:.3f}" for value in (one.val_map50, one.best_map50))
    return (
        escape(one.arm),
        str(one.seed),
        f"{one.epoch}/{one.epochs}",
        f"{one.loss:.4g}",
        val,
        best,
        left(one.seconds_left),
    )


def stale_scores(state: RunState) -> set[tuple[str, int, str]]:
    """(arm, seed, domain) of the evaluations that the next run makes again: what stands there is of other settings."""
    waiting = (one.unit for one in state.todo if one.unit.stage == "evaluate" and one.how != "anew")
    return {(unit.run.arm, unit.run.seed, unit.domain) for unit in waiting if unit.run and unit.domain}


def performance_tables(
    folder: RunFolder, experiment: Experiment, stale: Collection[tuple[str, int, str]] = ()
) -> list[Table]:
    """mAP@0.5 with its interval of every arm and seed on every domain, by the rule that the experiment leads with.

    Args:
        folder: The run folder.
        experiment: Whose arms, seeds and domains are shown.
        stale: Those whose scores are marked as old.
    """
    domains, tables = experiment.evaluated_domains, []
    found = {
        (a, s, d): score(folder, experiment, a, s, d) + (" old" if (a, s, d) in stale else "")
        for a in experiment.arms
        for s in experiment.seeds
        for d in domains
    }
    for first in range(0, len(domains) if any(found.values()) else 0, DOMAINS_PER_TABLE):
        shown = domains[first : first + DOMAINS_PER_TABLE]
        table = _table(f"mAP@0.5 ({experiment.evaluate.rule} rule) on test images, [95 % over these images]", padding=0)
        table.add_column("arm", overflow="fold")
        table.add_column("seed", justify="right")
        for domain in shown:
            table.add_column(escape(domain), justify="right", overflow="fold")
        for arm in experiment.arms:
            for seed in experiment.seeds:
                table.add_row(escape(arm), str(seed), *(escape(found[arm, seed, domain]) for domain in shown))
        tables.append(table)
    return tables


def score(folder: RunFolder, experiment: Experiment, arm: str, seed: int, domain: str) -> str:
    """`0.240 [0.20, 0.28]`; empty where there is none yet.

    Raises:
        InputError: If the evaluation's file is broken.
    """
    path = folder.evaluation(RunName(arm, seed), domain)
    if not path.exists():
        return ""
    try:
        rule: dict[str, Any] = read_json(path)["rules"][experiment.evaluate.rule]
        value, interval = rule["headline_map50"], rule.get("interval", {}).get("headline_map50")
        text = "undefined" if value is None else f"{value:.3f}"
        low, high = interval or (None, None)
        return text if None in (value, low, high) else f"{text} [{low:.2f}, {high:.2f}]"
    except OTHER_CONTENT as error:
        raise InputError(
            f"{path} cannot be read as an evaluation ({type(error).__name__}: {error}). "
            "Delete it and run the study again: only what is missing is repeated."
        ) from None


def disk_line(run: Path) -> str:
    """What the run folder takes on disk, and its largest parts."""
    sizes: dict[str, int] = defaultdict(int)
    for here, _, names in os.walk(run):
        part = Path(here).relative_to(run).parts[:1]
        for name in names:
            with suppress(FileNotFoundError):  # a temporary file that has been renamed in between
                sizes[part[0] if part else name] += (Path(here) / name).lstat().st_size
    whole = sum(sizes.values())
    largest = [name for name in sorted(sizes, key=lambda name: -sizes[name])[:4] if sizes[name] > whole / 50]
    parts = ", ".join(f"{name} {byte_size(sizes[name])}" for name in largest)
    return f"on disk: {byte_size(whole)}" + (f" ({escape(parts)})" if parts else "")


def _table(title: str, padding: int = 1) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, padding))
