"""Tables 1-5, row by row and column by column: numbered as in the paper, filled from a run folder.

A `Table` keeps what is printed (strings) apart from the numbers (a long-form frame, one number per row) that go to CSV.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

import pandas as pd

from gapscope.evaluation.average_precision import RULES
from gapscope.findings.curves import DEBIASED, ESTIMATORS, PARTS, pair_curve
from gapscope.findings.headline import Estimate, estimate, headline_classes, map50s, seed_mean
from gapscope.findings.results import Results
from gapscope.run_folder import RunName
from gapscope.showing import html_table

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
    suffix: str = ""
    """Of a further table with the same number, such as `-beside-paper`."""

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        heading = [f"{group}, {name}" if group else name for group, name in self.columns]
        return html_table(f"Table {self.number}. {self.caption}", self.rows, heading)

    @property
    def name(self) -> str:
        return f"table{self.number}{self.suffix}"

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
    """Table 1: which of a domain's own names stand behind each common label, and what became of its other names."""
    experiment = results.experiment
    domains = [name for name in experiment.domains if name in results.summaries]
    rows, numbers = [], []
    for fate, label in [*(("label", name) for name in experiment.data.classes), ("ignored", ""), ("dropped", "")]:
        sources = [_sources(results.summaries[name], fate, label) for name in domains]
        if fate == "label" or any(sources):
            rows.append((label or f"({fate})", *(map(_with_counts, sources))))
        numbers += [
            {"label": label, "fate": fate, "domain": name, "source": source, "boxes": boxes}
            for name, counts in zip(domains, sources, strict=True)
            for source, boxes in counts.items()
        ]
    columns = (("", "Label"), *(("", results.domain_title(name)) for name in domains))
    caption = "The common labels, and the names that each domain gives them, with its boxes of that name."
    if len(rows) > len(experiment.data.classes):
        caption += " Ignored names are neither trained on nor scored; what dropped names hold counts as background."
    return Table(1, caption, columns, tuple(rows) if domains else (), pd.DataFrame(numbers), len(columns))


def _sources(summary: dict[str, Any], fate: str, label: str) -> dict[str, int]:
    """A domain's own names with their boxes."""
    if fate == "label":
        return summary["label_map"].get(label, {})
    return summary["ignored_sources" if fate == "ignored" else "dropped"]


def _with_counts(sources: dict[str, int]) -> str:
    return ", ".join(f"{name} ({boxes})" for name, boxes in sources.items()) or UNDEFINED


def performance(results: Results) -> Table:
    """Table 2: mAP of every arm on every domain's test images: per seed, their mean, and the interval of that."""
    domains = [d for d in results.test_domains if any(domain == d for _, domain in results.evaluations)]
    columns = [("", "Model")]
    for domain in domains:
        columns += [(f"mAP on {results.domain_title(domain)}", name) for name in (*_seed_columns(results), "95 %")]
    rows = [(results.arm_title(arm), *_performance_cells(results, arm, domains)) for arm in results.arms]
    classes, rule = ", ".join(headline_classes(results)), results.experiment.evaluate.rule
    numbers = pd.DataFrame(list(_performance_rows(results)))
    of = "the mean over the seeds" if len(results.seeds) > 1 else "the number before it"
    caption = (
        f"mAP@0.5 of each model on the test images of each domain (classes: {classes}; rule: {rule}). 95 %: interval "
        f"of {of} over test images drawn anew; what another seed would change is not in it."
    )
    return Table(2, caption, tuple(columns), tuple(rows) if domains else (), numbers)


def _seed_columns(results: Results) -> list[str]:
    return [f"seed {seed}" for seed in results.seeds] + (["mean"] if len(results.seeds) > 1 else [])


def _performance_cells(results: Results, arm: str, domains: list[str]) -> Iterator[str]:
    for domain in domains:
        yield from _with_mean(map50s(results, arm, domain), "{:.3f}")
        yield printed_range(seed_mean(results, arm, domain), "{:.3f}")


def _with_mean(values: list[float], form: str) -> list[str]:
    """The printed values, and their mean if there are several."""
    return [printed(value, form) for value in ([*values, fmean(values)] if len(values) > 1 else values)]


def _performance_rows(results: Results) -> Iterator[dict[str, object]]:
    for (run, domain), evaluation in results.evaluations.items():
        for rule, metrics in evaluation["rules"].items():
            start = {"arm": run.arm, "seed": run.seed, "domain": domain, "rule": rule}
            intervals = metrics.get("interval", {})
            for metric in ("headline_map50", "map50", "map50_95"):
                if metric in metrics:
                    yield {**start, "metric": metric, **_columns(estimate(metrics[metric], intervals.get(metric)))}
            for name, value in metrics["ap50"].items():
                of_class = estimate(value, intervals.get("ap50", {}).get(name))
                yield {**start, "metric": f"ap50 {name}", **_columns(of_class)}
    for arm in results.arms if len(results.seeds) > 1 else []:
        for domain in results.test_domains:
            for rule in RULES:
                mean = seed_mean(results, arm, domain, rule)
                if math.isfinite(mean.value):
                    start = {"arm": arm, "seed": "mean", "domain": domain, "rule": rule}
                    yield {**start, "metric": "headline_map50", **_columns(mean)}


def _columns(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def statistics_first(results: Results) -> Table:
    """Table 3: the layers' activations at the first recorded size."""
    return _layer_statistics(results, 3, results.sizes[0])


def statistics_second(results: Results) -> Table:
    """Table 4: the layers' activations at the second recorded size; empty if there is one size only."""
    return _layer_statistics(results, 4, results.sizes[1] if len(results.sizes) > 1 else None)


def _layer_statistics(results: Results, number: int, size: int | None) -> Table:
    rows, numbers = [], []
    for run in (RunName(arm, seed) for arm in results.arms for seed in results.seeds):
        recording = None if size is None else results.statistics.get((run, size))
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
        f"{results.domain_title(results.probe)} test set: each averaged over all layers."
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


def printed_range(of: Estimate, form: str) -> str:
    """An interval as the tables print it, with an en dash, which LaTeX gets as `--`."""
    return f"{form.format(of.low)}\u2013{form.format(of.high)}" if of.has_interval else UNDEFINED
