"""The paper's own numbers beside a run's: Tables 2-5 with both, where an arm was trained as one of the paper's was."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from gapscope.arms import frozen_ranges, models_before
from gapscope.findings.layer_curves import BIASED, DEBIASED, ESTIMATORS, PARTS
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.paper_numbers import PAPER_TABLES
from gapscope.findings.result_tables import STATISTICS, UNDEFINED, ResultTable, printed
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers

MODELS = ("U-Real", "U-Synthetic", "F-Synthetic")
SUFFIX = "-beside-paper"
PAPER_SIZE, PAPER_SMALL_SIZE = 416, 32
"""Pixels: of Tables 2 and 3, of Tables 4 and 5."""
Rows = list[dict[str, Any]]


def tables_beside_paper(numbers: RunNumbers) -> list[ResultTable]:
    """Tables 2-5 with the paper's rows and the run's, without those whose numbers are not there."""
    results = numbers.results
    found = [
        _performance(numbers),
        _statistics(results, 3, results.sizes[0], PAPER_SIZE),
        _statistics(results, 4, results.sizes[1], PAPER_SMALL_SIZE) if len(results.sizes) > 1 else None,
        _cka(numbers.layers),
    ]
    return [table for table in found if table is not None]


def paper_model(results: Results, arm: str) -> str | None:
    """Which of the paper's models an arm was trained as: on real or synthetic domains alone, partly frozen or not.

    None of them is an arm that is made of others under comparison, goes on with another's training, or was trained
    elsewhere.
    """
    trained = results.experiment.arms[arm]
    if models_before(results.experiment, arm) or trained.is_given:
        return None
    roles = {results.experiment.domains[domain].role for domain in trained.domains}
    if roles == {"real"} and not frozen_ranges(results.experiment, arm):
        return "U-Real"
    if roles == {"synthetic"}:
        return "F-Synthetic" if frozen_ranges(results.experiment, arm) else "U-Synthetic"
    return None


def _arms_of(results: Results, model: str) -> list[str]:
    return [arm for arm in results.arms if paper_model(results, arm) == model]


def _differs(results: Results, size: int, paper_size: int) -> str:
    """What stands between the numbers, in a sentence for captions."""
    others = []
    if not results.is_yolov3:
        others.append(f"network ({results.network_words}; paper: YOLOv3)")
    elif results.experiment.model.width != 1:
        others.append(f"network width ({results.experiment.model.width:g}; paper: 1)")
    if size != paper_size:
        others.append(f"image size ({size}; paper: {paper_size} pixels)")
    parts = ["data, classes and training", *others]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if others else parts[0]
    classes = ", ".join(results.experiment.data.classes)
    return (
        f"The run differs from the paper in {listed}: compare the pattern between models, not the levels. Classes of "
        f"the run: {classes}."
    )


def _cell(values: Sequence[float], form: str) -> str:
    """Mean, and the seeds' values if there are several: `0.429 (0.428, 0.430)`."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return UNDEFINED
    mean = printed(fmean(known), form)
    return mean if len(values) < 2 else f"{mean} ({', '.join(printed(value, form) for value in values)})"


def _paper_values(number: int, model: str, columns: Sequence[str]) -> list[float]:
    """Of the paper's row for a model, the values of some columns."""
    table = PAPER_TABLES[number]
    row = next(row for row in table["rows"] if row[0] == model)
    return [float(row[table["columns"].index(name)]) for name in columns]


def _performance(run: RunNumbers) -> ResultTable | None:
    results = run.results
    by_role = {
        role: next((d for d in results.test_domains if results.experiment.domains[d].role == role), None)
        for role in ("real", "synthetic")
    }
    rows, numbers = [], []
    for model in MODELS:
        paper = [_paper_values(2, model, [f"{of}, seed 0", f"{of}, seed 1"]) for of in ("BDD", "GTAV")]
        found = [(model, "paper", dict(zip((0, 1), zip(*paper, strict=True), strict=True)))]
        for arm in _arms_of(results, model):
            both = [
                run.scores.of(arm, domain, "paper").values if domain else (math.nan,) * len(results.seeds)
                for domain in by_role.values()
            ]
            if any(math.isfinite(value) for values in both for value in values):
                found.append(
                    (results.arm_title(arm), "this run", dict(zip(results.seeds, zip(*both, strict=True), strict=True)))
                )
        if len(found) > 1:
            for name, source, by_seed in found:
                rows.append(
                    (name, source, *(_cell(values, "{:.3f}") for values in zip(*by_seed.values(), strict=True)))
                )
                numbers += [
                    {"model": name, "source": source, "images": role, "seed": seed, "value": value}
                    for seed, values in by_seed.items()
                    for role, value in zip(by_role, values, strict=True)
                ]
    named = [results.domain_title(domain) if domain else "none" for domain in by_role.values()]
    caption = (
        "mAP@0.5 by the rule `paper`, mean and in brackets each seed: the paper's Table 2 (real: BDD; synthetic: GTAV) "
        f"and this run (real: {named[0]}; synthetic: {named[1]}). "
        f"{_differs(results, results.experiment.data.image_size, PAPER_SIZE)}"
    )
    columns = (("", "Model"), ("", "Numbers"), ("mAP on test images", "real"), ("mAP on test images", "synthetic"))
    return _table(2, caption, columns, rows, numbers)


def _statistics(results: Results, number: int, size: int, paper_size: int) -> ResultTable | None:
    rows: list[tuple[str, ...]] = []
    numbers: Rows = []
    for model in MODELS:
        recorded = [
            (run, results.statistics[run, size])
            for arm in _arms_of(results, model)
            for run in results.runs(arm)
            if (run, size) in results.statistics
        ]
        found = [
            (row[0], "paper", row[1], [float(v) for v in row[2:]])
            for row in PAPER_TABLES[number]["rows"]
            if row[0] == model
        ]
        for run, recording in recorded:
            means = [float(recording[name].mean("layer")) for name in STATISTICS]
            found.append((results.arm_title(run.arm), "this run", str(run.seed), means))
        for name, source, seed_text, values in found if recorded else []:
            rows.append((name, source, seed_text, *(printed(value, "{:#.3g}") for value in values)))
            start = {"model": name, "source": source, "seed": int(seed_text)}
            numbers += [{**start, "statistic": k, "value": v} for k, v in zip(STATISTICS, values, strict=True)]
    caption = (
        f"Summary statistics of all layer outputs, each averaged over all layers: the paper's Table {number} "
        f"({paper_size} x {paper_size} pixels, BDD test images) and this run ({size} x {size} pixels, test images of "
        f"{results.domain_title(results.probe)}). {_differs(results, size, paper_size)}"
    )
    columns = tuple(("", name) for name in ("Model", "Numbers", "seed", *STATISTICS))
    return _table(number, caption, columns, rows, numbers, num_labels=3)


def _cka(layers: LayerFindings) -> ResultTable | None:
    results = layers.seen
    size = PAPER_SMALL_SIZE if PAPER_SMALL_SIZE in results.sizes else results.sizes[0]
    rows: list[tuple[str, ...]] = []
    numbers: Rows = []
    for a, b in ((0, 1), (0, 2), (1, 2)):
        name = f"{MODELS[a]} vs {MODELS[b]}"
        own = list(_own_cka(layers, MODELS[a], MODELS[b], size))
        paper = {part: _paper_values(5, name, [f"{part}, seed 0", f"{part}, seed 1"]) for part in PARTS}
        found = [(name, "paper, biased", (0, 1), paper), *own] if own else []
        for title, source, seeds, by_part in found:
            rows.append((title, source, *(_cell(by_part[part], "{:.4f}") for part in PARTS)))
            numbers += [
                {"models": title, "source": source, "size": size if "run" in source else PAPER_SMALL_SIZE}
                | {"part": part, "seed": seed, "value": value}
                for part in PARTS
                for seed, value in zip(seeds, by_part[part], strict=True)
            ]
    caption = (
        "Mean CKA of same-index layers, mean and in brackets each seed: the paper's Table 5 (biased estimator, "
        f"{PAPER_SMALL_SIZE} x {PAPER_SMALL_SIZE} pixels) and this run ({size} x {size} pixels) by the paper's "
        "estimator and by the debiased one, which does not rise with a layer's width. "
        f"{_differs(results, size, PAPER_SMALL_SIZE)}"
    )
    columns = (("", "Models"), ("", "Numbers"), *(("mean CKA", part) for part in PARTS))
    return _table(5, caption, columns, rows, numbers)


def _own_cka(
    layers: LayerFindings, first: str, second: str, size: int
) -> Iterator[tuple[str, str, tuple[int, ...], dict[str, list[float]]]]:
    """The run's rows for a pair of the paper's models: titles, estimator, seeds, values by part."""
    results = layers.seen
    wanted = [(a, b) for a in _arms_of(results, first) for b in _arms_of(results, second)]
    for a, b in [pair for pair in results.pairs if pair in wanted or pair[::-1] in wanted]:
        for estimator in (BIASED, DEBIASED):
            known = layers.by_seed((a, b), size, estimator)
            if known:
                source = f"this run, {ESTIMATORS[estimator].split()[0]}"
                by_part = {part: [curve.mean(part) for curve in known.values()] for part in PARTS}
                yield results.pair_title(a, b), source, tuple(known), by_part


def _table(
    number: int,
    caption: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[tuple[str, ...]],
    numbers: Rows,
    *,
    num_labels: int = 2,
) -> ResultTable | None:
    if not rows:
        return None
    return ResultTable(number, caption, tuple(columns), tuple(rows), pd.DataFrame(numbers), num_labels, SUFFIX)
