"""What data commands print: tables for a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gapscope.data.check import ProblemKind
from gapscope.data.leak_shares import SEEN, Overlap
from gapscope.data.problems import Problem
from gapscope.words import percent

MOST_CLASSES = 25


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose columns but the first are numbers, aligned to the right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table, markup=False) if rows else None


def print_kinds(kinds: Sequence[ProblemKind], root: Path) -> None:
    """Every kind of problem with its number, its first case and what was expected; a single one as it is."""
    console = Console(highlight=False)
    for kind in kinds:
        first = kind.problems[0]
        placed = _placed(first, root)
        several = len(kind.problems) > 1
        title = f"{len(kind.problems)} x {kind.what}" if several else placed
        console.print(title, markup=False, style="bold", soft_wrap=True)
        if several:
            console.print(f"    first: {placed}", markup=False, soft_wrap=True)
        if first.expected:
            console.print(f"    expected: {first.expected}", markup=False, soft_wrap=True)


def _placed(problem: Problem, root: Path) -> str:
    file = problem.file.removeprefix(f"{root}/")
    return f"{file}, {problem.row}: {problem.wrong}" if problem.row else f"{file}: {problem.wrong}"


def print_overlaps(found: Sequence[Overlap], domain: str = "") -> None:
    """One row per pair of splits and way of having been seen."""
    rows = [
        (
            f"of {overlap.images:,} {overlap.held_out} images",
            words.format(overlap.seen_in),
            str(count),
            percent(share, 1),
        )
        for overlap in found
        for key, words in SEEN.items()
        if (count := overlap.counts.get(key)) is not None
        for share in [overlap.share(key)]
    ]
    table = Table(title=domain or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column, justify in (("images", "left"), ("that", "left"), ("count", "right"), ("share", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    console.print(table)
    for overlap in found:
        for key, (held, seen) in overlap.examples.items():
            text = f"{overlap.held_out} {held} ~ {overlap.seen_in} {seen} ({key.replace('_', ' ')})"
            console.print(text, markup=False, soft_wrap=True)


def print_distributions(domains: Mapping[str, Mapping[str, Any]]) -> None:
    """Domains side by side: sizes of everything, then boxes per class."""
    found = list(domains.values())
    rows = [[name, *(f"{one[name]:,}" for one in found)] for name in ("images", "boxes", "ignored", "no_area")]
    rows += [["most frequent image size", *(next(iter(one["image_sizes"]), "") for one in found)]]
    for key, title in (
        ("boxes_per_image", "boxes per image"),
        ("box_side", "box side, pixels"),
        ("box_share", "box side, share of image"),
        ("aspect", "box width / height"),
        ("brightness", "brightness"),
        ("contrast", "contrast"),
        ("saturation", "saturation"),
    ):
        if any(key in one for one in found):
            rows.append([title, *(_median(one.get(key, {}).get("quantiles", {})) for one in found)])
    print_table("median (5 % to 95 %) where one line stands for many", ["", *domains], rows)
    names = list(dict.fromkeys(name for one in found for name in one["classes"]))
    names.sort(key=lambda name: -max(one["classes"].get(name, 0) for one in found))
    rows = [[name, *(_share(one["classes"].get(name), one["boxes"]) for one in found)] for name in names]
    print_table("\nboxes per class", ["class", *domains], rows[:MOST_CLASSES])
    if len(rows) > MOST_CLASSES:
        Console(highlight=False).print(f"classes with fewer boxes, not shown: {len(rows) - MOST_CLASSES}")


def _median(quantiles: Mapping[str, float]) -> str:
    return "{median:.3g} ({p5:.3g} to {p95:.3g})".format(**quantiles) if quantiles else ""


def _share(count: int | None, total: int) -> str:
    return "" if count is None else f"{count:,} ({percent(count / max(1, total), 1)})"
