"""Which numbers does the page of several runs draw? Plain lists and strings, ready for JSON."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from gapscope.detector.layers import BACKBONE_LAST, YOLO_LAYERS, is_yolov3
from gapscope.detector.network_map import ROUTES
from gapscope.findings.layer_curves import ESTIMATORS
from gapscope.page.grid_packing import pack_cells
from gapscope.several.line_up import SideBySide
from gapscope.several.run_curves import RunCurve, arm_pairs, run_curve
from gapscope.several.runs import arm_title


def several_data(side: SideBySide) -> dict[str, Any]:
    """Curves of all runs at all sizes, and layer-by-layer maps across runs."""
    return {
        "layers": [],
        "runs": [{"letter": run.letter, "label": run.label, "main": side.sizes[run]} for run in side.runs],
        "estimators": [{"key": key, "title": title} for key, title in ESTIMATORS.items()],
        "marks": {"backboneLast": BACKBONE_LAST, "routes": list(ROUTES), "detections": list(YOLO_LAYERS)},
        "pairs": list(_pairs(side)),
        "maps": list(_maps(side)),
    }


def shared_sizes(side: SideBySide) -> list[int]:
    """Image sizes that two runs or more have recorded, largest first."""
    sizes = [size for run in side.runs for size in run.results.sizes]
    return sorted({size for size in sizes if sizes.count(size) > 1}, reverse=True)


def _pairs(side: SideBySide) -> Iterator[dict[str, Any]]:
    for arms, runs in arm_pairs(side.runs).items():
        curves = [
            (estimator, curve)
            for run in runs
            for size in run.results.sizes
            for estimator in ESTIMATORS
            if (curve := run_curve(run, arms, size, estimator)) is not None
        ]
        if curves:
            networks = {curve.architecture for _, curve in curves}
            yield {
                "title": " vs ".join(arm_title(side.runs, arm) for arm in arms),
                "byDepth": len(networks) > 1,
                "yolov3": all(is_yolov3(layers) for _, layers in networks),
                "curves": [_curve(estimator, curve) for estimator, curve in curves],
            }


def _curve(estimator: str, curve: RunCurve) -> dict[str, Any]:
    return {
        "run": curve.run.at,
        "size": curve.size,
        "estimator": estimator,
        "seeds": list(curve.seeds),
        "layers": list(curve.layers),
        "backboneEnd": (curve.map.backbone_last + 0.5) / max(1, len(curve.layers) - 1),
        "value": four_digits(curve.value),
        "low": four_digits(curve.low),
        "high": four_digits(curve.high),
        "ceiling": None if curve.ceiling is None else four_digits(curve.ceiling),
    }


def _maps(side: SideBySide) -> Iterator[dict[str, Any]]:
    for same in side.across:
        for one in same.maps:
            names = {"a": one.a.label, "b": one.b.label, "size": same.size, "n": same.n}
            yield {**names, "layersA": list(one.a.layers), "layersB": list(one.b.layers), **pack_cells(one.value)}


def four_digits(values: Iterable[float]) -> list[float | None]:
    """Four digits; None where undefined, since JSON has no NaN."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in map(float, values)]
