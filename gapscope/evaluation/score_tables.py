"""Scores as tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gapscope.evaluation.error_kinds import KINDS, SPECIAL
from gapscope.words import number_of, percent

NAMED = 6
"""Classes without targets are named if they are no more than this."""


def score_tables(scores: dict[str, Any], title: str) -> list[Table]:
    """AP of every class that has targets, and the kinds of errors, from what `scores` returns."""
    return [_ap_table(scores, title), _error_table(scores["errors"])]


def notes(scores: dict[str, Any]) -> list[str]:
    """Sentences that belong below the tables."""
    draws, level = scores["bootstrap"]["draws"], scores["bootstrap"]["level"]
    lines = [
        f"Intervals: {percent(level)}, from the {number_of(scores['num_images'], 'image')} drawn anew {draws} times.",
        "Sizes: AP@0.5 of targets up to 32^2, up to 96^2 and over 96^2 square pixels of the original image.",
    ]
    coco = scores["rules"]["coco"]
    if coco.get("map75") is not None:
        recalls = ", ".join(f"{value:.3f} with {most}" for most, value in coco["mar"].items())
        lines.append(f"AP@0.75: {coco['map75']:.3f}. AR, of so many detections of an image and class: {recalls}.")
    error = scores["calibration"]["error_from"]
    if error is not None:
        start = scores["calibration"]["from_confidence"]
        lines.append(f"Expected calibration error of detections from confidence {start:g} on: {error:.3f}.")
    without = [name for name, n in scores["targets"].items() if not n]
    if without:
        named = ", ".join(without) if len(without) <= NAMED else f"{len(without)} of {len(scores['classes'])} classes"
        lines.append(f"No targets, so no AP: {named}.")
    return lines


def _ap_table(scores: dict[str, Any], title: str) -> Table:
    coco, paper = scores["rules"]["coco"], scores["rules"]["paper"]
    table = Table(title=f"AP: {title}", title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("class", overflow="fold", min_width=10)
    for name in ("targets", "coco @0.5", "to 0.95", "paper", *coco["by_size"]):
        table.add_column(name, justify="right", no_wrap=True)
    for name, n in scores["targets"].items():
        if n:
            sizes = [size["ap50"][name] for size in coco["by_size"].values()]
            cells = _cells([coco["ap50_95"][name], paper["ap50"][name], *sizes])
            table.add_row(name, str(n), _with_interval(coco["ap50"][name], coco["interval"]["ap50"][name]), *cells)
    table.add_section()
    means = [coco["map50_95"], paper["map50"], *(size["map50"] for size in coco["by_size"].values())]
    total = sum(scores["targets"].values())
    table.add_row("mean", str(total), _with_interval(coco["map50"], coco["interval"]["map50"]), *_cells(means))
    return table


def _error_table(errors: dict[str, Any]) -> Table:
    title = f"Errors at IoU {errors['iou']}, after TIDE, and what mending each kind adds to mAP@0.5"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("kind", no_wrap=True)
    table.add_column("errors", justify="right", no_wrap=True)
    table.add_column("adds", justify="right", no_wrap=True)
    table.add_column("what it is")
    for kind, meaning in (KINDS | SPECIAL).items():
        found = errors["kinds"][kind]
        delta = "-" if found["delta_map50"] is None else f"{found['delta_map50']:+.3f}"
        table.add_row(kind.replace("_", " "), str(found["count"]), delta, meaning, end_section=kind == list(KINDS)[-1])
    return table


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or interval is None:
        return "-"
    return f"{value:.3f} ({interval[0]:.3f}-{interval[1]:.3f})"


def _cells(values: Sequence[float | None]) -> list[str]:
    return ["-" if value is None else f"{value:.3f}" for value in values]
