"""The numbers of several runs as CSV, one number with its interval per row."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from gapscope.findings.estimates import Estimate
from gapscope.paper.table_files import frame_csv
from gapscope.several.line_up import SideBySide
from gapscope.several.runs import Run

Rows = Iterator[dict[str, Any]]


def csv_files(side: SideBySide) -> dict[str, str]:
    """File name -> text, without those that would be empty."""
    makers = {
        "runs": _runs,
        "settings": _settings,
        "gaps": _gaps,
        "gaps-over-runs": _over_runs,
        "curves": _curves,
        "means": _means,
        "rank-correlations": _ranks,
        "statements": _statements,
        "networks": _networks,
        "warnings": _warnings,
    }
    frames = {name: pd.DataFrame(list(make(side))) for name, make in makers.items()}
    return {f"several-{name}.csv": frame_csv(frame) for name, frame in frames.items() if len(frame)}


def _start(run: Run) -> dict[str, Any]:
    return {"run": run.letter, "title": run.title}


def _estimate(of: Estimate) -> dict[str, float]:
    return {"value": of.value, "low": of.low, "high": of.high}


def _runs(side: SideBySide) -> Rows:
    for run in side.runs:
        facts = {"folder": str(run.results.folder), "study": run.group + 1}
        environment = run.results.environment
        facts |= {key: environment.get(key) for key in ("gapscope", "commit", "torch", "device", "started")}
        start = _start(run) | facts
        for domain, summary in run.results.summaries.items():
            yield start | {"of": f"data {domain}", "sha256": summary.fingerprint}
        for name, training in run.results.trainings.items():
            yield start | {
                "of": f"weights {name}",
                "sha256": training.summary.weights_sha256 if training.summary else None,
            }


def _settings(side: SideBySide) -> Rows:
    for setting in side.settings:
        for run, value in zip(side.runs, setting.values, strict=True):
            yield _start(run) | {"key": setting.key, "value": value, "same_in_all": setting.shared}


def _gaps(side: SideBySide) -> Rows:
    for one in side.gaps:
        gap = one.gap
        start = _start(one.run) | {"role": one.kind[0], "domain": gap.domain, "home": gap.home, "other": gap.other}
        start |= {"test_images": gap.num_images}
        for seed, points in zip(gap.seeds, gap.points, strict=True):
            yield start | {"seed": seed, **_estimate(Estimate(points))}
        yield start | {"seed": "mean", **_estimate(gap.estimate)}


def _over_runs(side: SideBySide) -> Rows:
    for same in side.comparables:
        role, home, other = same.kind
        start = {"role": role, "home": home, "other": other, "runs": " ".join(one.run.letter for one in same.gaps)}
        yield start | {"what": "mean", "network_pairs": len(same.networks), **_estimate(same.pooled)}
        for later, first, difference in same.differences():
            yield start | {"what": f"{later.run.letter} minus {first.run.letter}", **_estimate(difference)}


def _curves(side: SideBySide) -> Rows:
    for pair in side.pairs:
        for curve in pair.curves:
            start = _start(curve.run) | {"a": pair.arms[0], "b": pair.arms[1], "size": curve.size}
            for at, layer in enumerate(curve.layers):
                numbers = {"value": curve.value[at], "low": curve.low[at], "high": curve.high[at]}
                ceiling = None if curve.ceiling is None else curve.ceiling[at]
                yield start | {"layer": layer, "depth": curve.depth[at], **numbers, "ceiling": ceiling}


def _means(side: SideBySide) -> Rows:
    for pair in side.pairs:
        for curve, means in zip(pair.curves, pair.means, strict=True):
            start = _start(curve.run) | {"a": pair.arms[0], "b": pair.arms[1], "size": curve.size}
            for part, mean in means.items():
                yield start | {"part": part, **_estimate(mean)}


def _ranks(side: SideBySide) -> Rows:
    for pair in side.pairs:
        for one in pair.agreements:
            start = {"a": pair.arms[0], "b": pair.arms[1], "run": one.a.run.letter, "other_run": one.b.run.letter}
            for of, rank in (("similarity", one.similarity), ("shortfall", one.shortfall)):
                if rank is not None:
                    yield start | {"of": of, "rho": rank.rho, "p": rank.p, "layers": rank.layers}


def _statements(side: SideBySide) -> Rows:
    for run, found in side.statements.items():
        for held in found:
            start = _start(run) | {"statement": held.statement.letter, "title_of_statement": held.statement.title}
            counts = {"surely_in": held.sure, "comparisons": held.comparisons}
            yield start | {"answer": held.answer, **counts, **_estimate(held.contrast)}


def _networks(side: SideBySide) -> Rows:
    for same in side.across:
        for row, a in enumerate(same.networks):
            for column, b in enumerate(same.networks[:row]):
                names = {"run": a.run.letter, "network": str(a.name), "other_run": b.run.letter}
                names |= {"other_network": str(b.name)}
                for part, values in same.means.items():
                    yield {**names, "size": same.size, "part": part, "value": values[row, column]}


def _warnings(side: SideBySide) -> Rows:
    for run in side.runs:
        for found in run.findings.confounds:
            for text in found.texts:
                yield _start(run) | {"warning": found.title, "found": text, "advice": found.advice}
