"""Tables 1-5, row by row and column by column: numbered as in the paper, filled from a run folder.

A `ResultTable` keeps what is printed (strings) apart from the numbers (a long-form frame, one number per row) that go
to CSV.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

import pandas as pd

from gapscope.evaluation.average_precision import RULES
from gapscope.findings.domain_file import Counts, DomainSummary
from gapscope.findings.estimates import Estimate
from gapscope.findings.evaluation_file import METRICS
from gapscope.findings.headline import headline_classes
from gapscope.findings.layer_curves import DEBIASED, ESTIMATORS, PARTS
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.showing import html_table, text_table

UNDEFINED = "–"  # noqa: RUF001 - the printed sign for a number that does not exist
STATISTICS = ("mean", "median", "std", "min", "max")


@dataclass(frozen=True)
class ResultTable:
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

    def __repr__(self) -> str:
        heading = [f"{group}, {name}" if group else name for group, name in self.columns]
        return text_table(f"Table {self.number}. {self.caption}", [heading, *self.rows])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        heading = [f"{group}, {name}" if group else name for group, name in self.columns]
        return html_table(f"ResultTable {self.number}. {self.caption}", self.rows, heading)

    @property
    def name(self) -> str:
        return f"table{self.number}{self.suffix}"

    @property
    def groups(self) -> list[tuple[str, int]]:
        """(group, number of columns) from left to right."""
        return [(group, len(list(columns))) for group, columns in groupby(column[0] for column in self.columns)]


def five_tables(numbers: RunNumbers) -> list[ResultTable]:
    """The five tables, without those whose numbers are not there yet."""
    results = numbers.results
    tables = [
        label_map_table(results),
        performance_table(numbers),
        statistics_table(results, 3, results.sizes[0]),
        statistics_table(results, 4, results.sizes[1] if len(results.sizes) > 1 else None),
        similarity_table(numbers.layers),
    ]
    return [table for table in tables if table.rows]


def label_map_table(results: Results) -> ResultTable:
    """Table 1: which of a domain's own names stand behind each common label, and what became of its other names."""
    experiment = results.experiment
    domains = [name for name in experiment.domains if name in results.summaries]
    rows, numbers = [], []
    for fate, label in [*(("label", name) for name in experiment.data.classes), ("ignored", ""), ("dropped", "")]:
        sources = [_sources(results.summaries[name], fate, label) for name in domains]
        if fate == "label" or any(sources):
            used = [results.summaries[name].used.get(label) if label else None for name in domains]
            rows.append((label or f"({fate})", *(map(_with_counts, sources, used))))
        numbers += [
            {"label": label, "fate": fate, "domain": name, "source": source, "boxes": boxes}
            for name, counts in zip(domains, sources, strict=True)
            for source, boxes in counts.items()
        ]
    columns = (("", "Label"), *(("", results.domain_title(name)) for name in domains))
    caption = (
        "The common labels, and the names that each domain gives them, with the boxes that its labels hold of that "
        "name. Used: how many of them are in a split after filters, which all other tables count."
    )
    if len(rows) > len(experiment.data.classes):
        caption += " Ignored names are neither trained on nor scored; what dropped names hold counts as background."
    return ResultTable(1, caption, columns, tuple(rows) if domains else (), pd.DataFrame(numbers), len(columns))


def _sources(summary: DomainSummary, fate: str, label: str) -> Counts:
    """A domain's own names with their boxes."""
    if fate == "label":
        return summary.label_map.get(label, {})
    return summary.ignored_sources if fate == "ignored" else summary.dropped


def _with_counts(sources: Counts, used: int | None) -> str:
    """Names with their boxes, and what is used of these where it is another number."""
    named = ", ".join(f"{name} ({boxes})" for name, boxes in sources.items()) or UNDEFINED
    return named if used is None or used == sum(sources.values()) else f"{named}; used {used}"


def performance_table(numbers: RunNumbers) -> ResultTable:
    """Table 2: mAP of every arm on every domain's test images: per seed, their mean, and the interval of that."""
    results = numbers.results
    domains = [d for d in results.test_domains if any(domain == d for _, domain in results.evaluations)]
    columns = [("", "Model")]
    for domain in domains:
        columns += [(f"mAP on {results.domain_title(domain)}", name) for name in (*_seed_columns(results), "95 %")]
    rows = [(results.arm_title(arm), *_performance_cells(numbers, arm, domains)) for arm in results.arms]
    classes, rule = ", ".join(headline_classes(results)), results.experiment.evaluate.rule
    of = "the mean over the seeds" if len(results.seeds) > 1 else "the number before it"
    caption = (
        f"mAP@0.5 of each model on the test images of each domain (classes: {classes}; rule: {rule}). 95 %: interval "
        f"of {of} over test images drawn anew; what another seed would change is not in it."
    )
    return ResultTable(
        2, caption, tuple(columns), tuple(rows) if domains else (), pd.DataFrame(list(_performance_rows(numbers)))
    )


def _seed_columns(results: Results) -> list[str]:
    return [f"seed {seed}" for seed in results.seeds] + (["mean"] if len(results.seeds) > 1 else [])


def _performance_cells(numbers: RunNumbers, arm: str, domains: list[str]) -> Iterator[str]:
    for domain in domains:
        score = numbers.scores.of(arm, domain)
        yield from _with_mean(score.values, "{:.3f}")
        yield printed_range(score.mean, "{:.3f}")


def _with_mean(values: Sequence[float], form: str) -> list[str]:
    """The printed values, and their mean if there are several."""
    return [printed(value, form) for value in ([*values, fmean(values)] if len(values) > 1 else values)]


def _performance_rows(numbers: RunNumbers) -> Iterator[dict[str, object]]:
    results = numbers.results
    for (run, domain), evaluation in results.evaluations.items():
        for rule, scores in evaluation.rules.items():
            start = {"arm": run.arm, "seed": run.seed, "domain": domain, "rule": rule}
            for metric in METRICS:
                if metric in scores.means:
                    yield {**start, "metric": metric, **_columns(scores.means[metric])}
            for name, of_class in scores.ap50.items():
                yield {**start, "metric": f"ap50 {name}", **_columns(of_class)}
    for arm in results.arms if len(results.seeds) > 1 else []:
        for domain in results.test_domains:
            for rule in RULES:
                mean = numbers.scores.of(arm, domain, rule).mean
                if math.isfinite(mean.value):
                    start = {"arm": arm, "seed": "mean", "domain": domain, "rule": rule}
                    yield {**start, "metric": "headline_map50", **_columns(mean)}


def _columns(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def statistics_table(results: Results, number: int, size: int | None) -> ResultTable:
    """Tables 3 and 4: the layers' activations at one recorded size; empty where there is none."""
    rows, numbers = [], []
    for run in results.recorded_runs():
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
    return ResultTable(number, caption, columns, tuple(rows), pd.DataFrame(numbers), num_labels=2)


def similarity_table(found: LayerFindings) -> ResultTable:
    """Table 5: mean CKA of same-index layers over all layers, the backbone and the head, by estimator and seed."""
    results, size = found.seen, found.main_size
    columns = [("", "Estimator"), ("", "Models")]
    columns += [(part, name) for part in PARTS for name in _seed_columns(results)]
    numbers = list(_similarity_rows(found))
    rows, values = [], defaultdict[tuple[str, str, str], dict[tuple[str, int], float]](dict)
    for row in numbers:
        values[row["estimator"], row["a"], row["b"]][row["part"], row["seed"]] = row["value"]
    for estimator, title in ESTIMATORS.items():
        for a, b in results.pairs:
            chosen = values[estimator, a, b]
            cells = [
                cell
                for part in PARTS
                for cell in _with_mean([chosen.get((part, seed), math.nan) for seed in results.seeds], "{:.4f}")
            ]
            rows.append((title, results.pair_title(a, b), *cells))
    networks = list(dict.fromkeys(results.layer_map(arm) for arm in results.recorded_arms))
    backbone, head = (", ".join(network.words_of(part) for network in networks) for part in ("backbone", "head"))
    caption = (
        f"Mean CKA similarity of same-index layers at {size} x {size} pixels: all layers, backbone ({backbone}) and "
        f"head ({head}). The {ESTIMATORS[DEBIASED]} is the one to read; the biased one is there to compare with the "
        "paper."
    )
    return ResultTable(5, caption, tuple(columns), tuple(rows) if numbers else (), pd.DataFrame(numbers), num_labels=2)


def _similarity_rows(found: LayerFindings) -> Iterator[dict[str, Any]]:
    for estimator in ESTIMATORS:
        for a, b in found.seen.pairs:
            for seed, curve in found.by_seed((a, b), measure=estimator).items():
                for part in PARTS:
                    start = {"estimator": estimator, "a": a, "b": b, "seed": seed, "size": found.main_size}
                    yield {**start, "part": part, "value": curve.mean(part)}


def printed(value: float, form: str) -> str:
    """A number as the tables print it, a dash where there is none."""
    return form.format(value).rstrip(".").replace("%", " %") if math.isfinite(value) else UNDEFINED


def printed_range(of: Estimate, form: str) -> str:
    """An interval as the tables print it, with an en dash, which LaTeX gets as `--`."""
    return f"{form.format(of.low)}\u2013{form.format(of.high)}" if of.has_interval else UNDEFINED
