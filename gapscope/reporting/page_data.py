"""Which numbers does the page's interactive part need? Plain lists and strings, ready for JSON."""

import base64
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from gapscope.detector.layers import BACKBONE_LAST, YOLO_LAYERS
from gapscope.reporting.curves import ESTIMATORS, Curve, ceiling_curve, pair_curve
from gapscope.reporting.network_map import BLOCKS, ROUTES, describe_layers
from gapscope.reporting.results import Results, RunName
from gapscope.reporting.tables import STATISTICS, headline_map50

GRID_STEPS = 10_000
"""Grid values are sent as whole multiples of 1/10000 in 16 bits, undefined ones as -32768."""
UNDEFINED = -32768


def page_data(results: Results) -> dict[str, Any]:
    """Everything the page draws: network map, curves, grids, statistics, training, performance."""
    experiment = results.experiment
    return {
        "layers": describe_layers(len(experiment.data.classes), experiment.model.width),
        "blocks": [{"name": b.name, "first": b.first, "last": b.last, "backbone": b.in_backbone} for b in BLOCKS],
        "routes": list(ROUTES),
        "detections": list(YOLO_LAYERS),
        "backboneLast": BACKBONE_LAST,
        "estimators": [{"key": key, "title": title} for key, title in ESTIMATORS.items()],
        "sizes": list(results.sizes),
        "seeds": results.seeds,
        "curves": list(_curves(results)),
        "grids": list(_grids(results)),
        "statistics": list(_statistics(results)),
        "training": list(_training(results)),
        "performance": list(_performance(results)),
    }


def _curves(results: Results) -> Iterator[dict[str, Any]]:
    for size in results.sizes:
        for estimator in ESTIMATORS:
            for pair, (a, b) in enumerate(results.pairs):
                for seed in results.seeds:
                    curve = pair_curve(results, RunName(a, seed), RunName(b, seed), size, estimator)
                    yield from _curve(curve, kind="pair", pair=pair, seed=seed, size=size, estimator=estimator)
            for arm in results.arms:
                curve = ceiling_curve(results, arm, size, estimator)
                yield from _curve(curve, kind="ceiling", pair=None, seed=None, size=size, estimator=estimator)


def _curve(curve: Curve | None, **facts: Any) -> Iterator[dict[str, Any]]:
    if curve is not None:
        names = ("value", "interval_low", "interval_high", "floor_low", "floor_high")
        yield {**facts, "label": curve.label, **{name: _rounded(getattr(curve, name)) for name in names}}


def _grids(results: Results) -> Iterator[dict[str, Any]]:
    shown = set(results.arms)
    for (a, b, size), grid in results.grids.items():
        for estimator in ESTIMATORS:
            if {a.arm, b.arm} <= shown and estimator in grid.measure:
                yield {
                    **{"a": str(a), "b": str(b), "titleA": results.run_title(a), "titleB": results.run_title(b)},
                    **{"size": size, "estimator": estimator},
                    "value": packed(grid["value"].sel(measure=estimator)),
                }


def packed(values: xr.DataArray) -> str:
    """A grid as base64 of little-endian 16-bit integers, row by row: see GRID_STEPS."""
    steps = np.nan_to_num(np.asarray(values.values, dtype=np.float64) * GRID_STEPS, nan=UNDEFINED)
    return base64.b64encode(np.rint(steps).astype("<i2").tobytes()).decode()


def _statistics(results: Results) -> Iterator[dict[str, Any]]:
    for arm_index, arm in enumerate(results.arms):
        for seed in results.seeds:
            for size in results.sizes:
                recording = results.statistics.get((RunName(arm, seed), size))
                if recording is not None:
                    columns = {name: _rounded(recording[name].values) for name in ("p", *STATISTICS)}
                    start = {"run": str(RunName(arm, seed)), "title": results.arm_title(arm), "arm": arm_index}
                    yield {**start, "seed": seed, "size": size, **columns}


def _training(results: Results) -> Iterator[dict[str, Any]]:
    for arm_index, arm in enumerate(results.experiment.arms):
        for seed in results.seeds:
            training = results.trainings.get(RunName(arm, seed))
            if training and training.epochs:
                columns = {key: [line.get(key) for line in training.epochs] for key in ("epoch", "loss", "val_map50")}
                yield {"title": results.arm_title(arm), "arm": arm_index, "seed": seed, **columns}


def _performance(results: Results) -> Iterator[dict[str, Any]]:
    for domain in results.test_domains:
        points = [
            (arm, headline_map50(results, RunName(arm, s), domain), s) for arm in results.arms for s in results.seeds
        ]
        known = [(results.arm_title(arm), round(value, 4), seed) for arm, value, seed in points if math.isfinite(value)]
        if known:
            arms, values, seeds = (list(column) for column in zip(*known, strict=True))
            yield {"domain": results.domain_title(domain), "arms": arms, "values": values, "seeds": seeds}


def _rounded(values: Iterable[float]) -> list[float | None]:
    """Five significant digits; None where undefined, since JSON has no NaN."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in map(float, values)]
