"""What do Tables 1-5 hold? Numbered as in the paper, filled from a run folder.

A `Table` keeps what is printed (strings) apart from the numbers (a long-form frame, one number per row) that go to CSV.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

import pandas as pd

from gapscope.reporting.curves import DEBIASED, ESTIMATORS, PARTS, pair_curve
from gapscope.reporting.results import Results, RunName

UNDEFINED = "–"  # noqa: RUF001 - the printed sign for a number that does not exist
STATISTICS = ("mean", "median", "std", "min", "max")


@dataclass(frozen=True)
class Table:
    """One table as printed."""

    number: int
    caption: str
    columns: tuple[tuple[str, str], ...]
    """(group, name) per column; columns next to each other with the same group share a heading. Group "" has none."""
    rows: tuple[tuple[str, ...], ...]
    """Printed cells, one tuple per row, as long as `columns`."""
    numbers: pd.DataFrame
    """The same numbers unrounded, in long form: one per row, with its rule, seed, domain, ... in columns."""
    num_labels: int = 1
    """Leading columns that name the row and hold no numbers."""

    @property
    def name(self) -> str:
        return f"table{self.number}"

    @property
    def groups(self) -> list[tuple[str, int]]:
        """(group, number of columns) from left to right."""
        return [(group, len(list(columns))) for group, columns in groupby(column[0] for column in self.columns)]


def all_tables(results: Results) -> list[Table]:
    """The five tables, without those whose numbers are not there yet."""
    makers: list[Callable[[Results], Table]] = [label_map, performance, statistics_first, statistics_second, similarity]
    tables = (make(results) for make in makers)
    return [table for table in tables if table.rows]


def label_map(results: Results) -> Table:
    """Table 1: which of a domain's own names stand behind each common label."""
    experiment, found = results.experiment, []
    domains = [name for name in experiment.domains if name in results.summaries]
    for label in experiment.data.classes:
        sources = [results.summaries[name]["label_map"].get(label, {}) for name in domains]
        found.append((label, *(", ".join(names) if names else UNDEFINED for names in sources)))
    numbers = [
        {"label": label, "domain": name, "source": source, "boxes": boxes}
        for name in domains
        for label, sources in results.summaries[name]["label_map"].items()
        for source, boxes in sources.items()
    ]
    columns = (("", "Label"), *(("", results.domain_title(name)) for name in domains))
    caption = "The common labels and the names that each domain gives them."
    return Table(1, caption, columns, tuple(found) if domains else (), pd.DataFrame(numbers), len(columns))


def headline_classes(results: Results) -> list[str]:
    return results.experiment.evaluate.headline or results.experiment.data.classes


def headline_map50(results: Results, run: RunName, domain: str, rule: str | None = None) -> float:
    """mAP@0.5 over the headline classes on a domain's test images; NaN where it is undefined or not evaluated."""
    evaluation = results.evaluations.get((run, domain))
    if evaluation is None:
        return math.nan
    value = evaluation["rules"][rule or results.experiment.evaluate.rule]["headline_map50"]
    return math.nan if value is None else float(value)


def performance(results: Results) -> Table:
    """Table 2: mAP of every arm on every domain's test images, per seed and averaged over the seeds."""
    domains = [d for d in results.test_domains if any(domain == d for _, domain in results.evaluations)]
    columns = [("", "Model")]
    for domain in domains:
        columns += [(f"mAP on {results.domain_title(domain)}", name) for name in _seed_columns(results)]
    rows = [(results.arm_title(arm), *_performance_cells(results, arm, domains)) for arm in results.arms]
    classes, rule = ", ".join(headline_classes(results)), results.experiment.evaluate.rule
    numbers = pd.DataFrame(list(_performance_rows(results)))
    caption = f"mAP@0.5 of each model on the test images of each domain (classes: {classes}; rule: {rule})."
    return Table(2, caption, tuple(columns), tuple(rows) if domains else (), numbers)


def _seed_columns(results: Results) -> list[str]:
    return [f"seed {seed}" for seed in results.seeds] + (["mean"] if len(results.seeds) > 1 else [])


def _performance_cells(results: Results, arm: str, domains: list[str]) -> Iterator[str]:
    for domain in domains:
        yield from _with_mean([headline_map50(results, RunName(arm, seed), domain) for seed in results.seeds], "{:.3f}")


def _with_mean(values: list[float], form: str) -> list[str]:
    """The printed values, and their mean if there are several."""
    return [printed(value, form) for value in ([*values, fmean(values)] if len(values) > 1 else values)]


def _performance_rows(results: Results) -> Iterator[dict[str, object]]:
    for (run, domain), evaluation in results.evaluations.items():
        for rule, metrics in evaluation["rules"].items():
            start = {"arm": run.arm, "seed": run.seed, "domain": domain, "rule": rule}
            for metric in ("headline_map50", "map50", "map50_95"):
                if metric in metrics:
                    yield {**start, "metric": metric, "value": metrics[metric]}
            for name, value in metrics["ap50"].items():
                yield {**start, "metric": f"ap50 {name}", "value": value}


def statistics_first(results: Results) -> Table:
    """Table 3: the layers' activations at the first recorded size."""
    return _layer_statistics(results, 3, results.sizes[0])


def statistics_second(results: Results) -> Table:
    """Table 4: the layers' activations at the second recorded size."""
    return _layer_statistics(results, 4, results.sizes[1])


def _layer_statistics(results: Results, number: int, size: int) -> Table:
    rows, numbers = [], []
    for run in (RunName(arm, seed) for arm in results.arms for seed in results.seeds):
        recording = results.statistics.get((run, size))
        if recording is None:
            continue
        means = {name: float(recording[name].mean("layer")) for name in STATISTICS}
        rows.append(
            (results.arm_title(run.arm), str(run.seed), *(printed(means[name], "{:#.3g}") for name in STATISTICS))
        )
        numbers += [
            {"arm": run.arm, "seed": run.seed, "size": size, "statistic": k, "value": v} for k, v in means.items()
        ]
    columns = tuple(("", name) for name in ("Model", "seed", *STATISTICS))
    caption = (
        f"Summary statistics of all layer outputs for images of {size} x {size} pixels from the "
        f"{results.domain_title(results.experiment.probe.domain)} test set: each averaged over all layers."
    )
    return Table(number, caption, columns, tuple(rows), pd.DataFrame(numbers), num_labels=2)


def similarity(results: Results) -> Table:
    """Table 5: mean CKA of same-index layers over all layers, the backbone and the head, by estimator and seed."""
    size = results.sizes[0]
    columns = [("", "Estimator"), ("", "Models")]
    columns += [(part, name) for part in PARTS for name in _seed_columns(results)]
    numbers = list(_similarity_rows(results, size))
    rows = []
    for estimator, title in ESTIMATORS.items():
        for a, b in results.pairs:
            chosen = {
                (row["part"], row["seed"]): row["value"]
                for row in numbers
                if (row["estimator"], row["a"], row["b"]) == (estimator, a, b)
            }
            cells = [
                cell
                for part in PARTS
                for cell in _with_mean([chosen.get((part, seed), math.nan) for seed in results.seeds], "{:.4f}")
            ]
            rows.append((title, f"{results.arm_title(a)} vs {results.arm_title(b)}", *cells))
    caption = (
        f"Mean CKA similarity of same-index layers at {size} x {size} pixels: all layers, backbone (0-74) and head "
        f"(75-106). The {ESTIMATORS[DEBIASED]} is the one to read; the biased one is there to compare with the paper."
    )
    return Table(5, caption, tuple(columns), tuple(rows) if numbers else (), pd.DataFrame(numbers), num_labels=2)


def _similarity_rows(results: Results, size: int) -> Iterator[dict[str, Any]]:
    for estimator in ESTIMATORS:
        for a, b in results.pairs:
            for seed in results.seeds:
                curve = pair_curve(results, RunName(a, seed), RunName(b, seed), size, estimator)
                if curve is None:
                    continue
                for part in PARTS:
                    start = {"estimator": estimator, "a": a, "b": b, "seed": seed, "size": size}
                    yield {**start, "part": part, "value": curve.mean(part)}


def printed(value: float, form: str) -> str:
    """A number as the tables print it, a dash where there is none."""
    return form.format(value).rstrip(".") if math.isfinite(value) else UNDEFINED
