"""Which numbers do the page's curves and maps draw? Lists and packed maps, ready for JSON.

Networks and probes go by their place in `runs` and `probes`, so that titles are sent once.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from gapscope.findings.layer_curves import DEBIASED, PairCurve
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.page.grid_packing import MOST_MAPS, pack_cells
from gapscope.page.pairs_shown import shown_pairs
from gapscope.run_folder import RunName
from gapscope.similarity.measures import find_measure

CURVES = ("value", "interval_low", "interval_high", "floor_low", "floor_high")
CHANCES = ("floor_z", "floor_p", "floor_q")
EFFECTS = (
    *("effect", "effect_low", "effect_high", "shortfall", "shortfall_low", "shortfall_high"),
    *("ceiling", "ceiling_min", "ceiling_max"),
)


def where_data(numbers: RunNumbers, most_maps: int = MOST_MAPS) -> dict[str, Any]:
    """Measures, networks, probes; curves with ceilings and effects; maps.

    Args:
        numbers: Of the run.
        most_maps: How many maps are sent with all their cells; the others are named only.
    """
    results, runs = numbers.results, numbers.results.recorded_runs()
    found = [numbers.by_probe[domain] for domain in results.probes]
    measures = sorted(dict.fromkeys(name for one in found for name in one.measures), key=lambda name: name != DEBIASED)
    return {
        "measures": [_describe(name) for name in measures],
        "probes": [{"name": domain, "title": results.domain_title(domain)} for domain in results.probes],
        "pairs": [[results.arms.index(a), results.arms.index(b)] for a, b in shown_pairs(results)],
        "arms": [results.arm_title(arm) for arm in results.arms],
        "runs": [
            {"name": str(run), "title": results.run_title(run), "arm": results.arms.index(run.arm), "seed": run.seed}
            for run in runs
        ],
        "curves": [curve for probe, one in enumerate(found) for curve in _curves(one, probe, measures)],
        "ceilings": [curve for probe, one in enumerate(found) for curve in _ceilings(one, probe, measures)],
        "effects": [effect for probe, one in enumerate(found) for effect in _effects(one.seen, probe)],
        "maps": _maps([one.seen for one in found], runs, measures, most_maps),
    }


def _describe(name: str) -> dict[str, Any]:
    measure = find_measure(name)
    title = measure.title[0].upper() + measure.title[1:]
    high = measure.bounds[1] if math.isfinite(measure.bounds[1]) else None
    return {"key": name, "title": title, "distance": not measure.larger_is_more_similar, "high": high}


def _curves(found: LayerFindings, probe: int, measures: list[str]) -> Iterator[dict[str, Any]]:
    """One per size, measure, pair of arms and seed."""
    for size in found.seen.sizes:
        for measure in measures:
            for pair, arms in enumerate(shown_pairs(found.seen)):
                for a, b in found.seen.run_pairs(*arms):
                    curve = found.curve(a, b, size, measure)
                    if curve is None:
                        continue
                    differs = found.difference(a, b, size, measure)
                    yield {
                        **{"probe": probe, "size": size, "measure": measure, "pair": pair, "seed": a.seed},
                        **{"label": curve.label, **_columns(curve)},
                        **_chances(found.seen.grids[a, b, size].sel(measure=measure)),
                        "beyond": differs.layers.tolist() if differs else [],
                        "looked": differs.looked if differs else 0,
                        "rule": differs.rule if differs else None,
                    }


def _ceilings(found: LayerFindings, probe: int, measures: list[str]) -> Iterator[dict[str, Any]]:
    """One per size, measure and arm."""
    for size in found.seen.sizes:
        for measure in measures:
            for index, arm in enumerate(found.seen.arms):
                curve = found.ceilings.get((arm, size, measure))
                if curve is not None:
                    facts = {"probe": probe, "size": size, "measure": measure, "arm": index, "label": curve.label}
                    yield {**facts, **{name: rounded(getattr(curve, name)) for name in CURVES[:3]}}


def _columns(curve: PairCurve) -> dict[str, list[float | None]]:
    return {name: rounded(getattr(curve, name)) for name in CURVES}


def _chances(grid: xr.Dataset) -> dict[str, list[float | None]]:
    return {name: rounded(grid[name].values) for name in CHANCES if name in grid}


def _effects(results: Results, probe: int) -> Iterator[dict[str, Any]]:
    """One per size, pair of arms and seed; reasons are sent once each."""
    shown = {pair: number for number, pair in enumerate(shown_pairs(results))}
    for (a, b, size), effect in results.effects.items():
        if (a.arm, b.arm) not in shown or a.seed != b.seed:
            continue
        reasons = [str(reason) for reason in effect["reason"].values]
        texts = sorted(set(reasons))
        yield {
            **{"probe": probe, "size": size, "pair": shown[a.arm, b.arm], "seed": a.seed},
            **{name: rounded(effect[name].values) for name in EFFECTS},
            **{"reasons": texts, "reason": [texts.index(reason) for reason in reasons]},
        }


def _maps(seen: list[Results], runs: list[RunName], measures: list[str], most: int) -> list[dict[str, Any]]:
    """One per pair of networks, probe and size, with as many measures' cells as fit."""
    sizes = seen[0].sizes
    pairs, known = shown_pairs(seen[0]), set(runs)
    shown = {*pairs, *((b, a) for a, b in pairs), *((arm, arm) for arm in seen[0].arms)}
    grids = [(p, key) for p, one in enumerate(seen) for key in one.grids]
    there = [(p, (a, b, size)) for p, (a, b, size) in grids if {a, b} <= known and (a.arm, b.arm) in shown]
    wanted = [
        (name != DEBIASED, _kind(*key[:2]), sizes.index(key[2]), p, runs.index(key[0]), measures.index(name), at, name)
        for at, (p, key) in enumerate(there)
        for name in map(str, seen[p].grids[key]["measure"].values)
    ]
    chosen: dict[int, list[str]] = {at: [] for at in range(len(there))}
    for *_, at, name in sorted(wanted)[:most]:
        chosen[at].append(name)
    return [
        _map(seen[p].grids[key], chosen[at])
        | {"a": runs.index(key[0]), "b": runs.index(key[1]), "probe": p, "size": key[2]}
        for at, (p, key) in enumerate(there)
    ]


def _kind(a: RunName, b: RunName) -> int:
    """What one wants to see first: different arms of one seed, two seeds of one arm, the rest, a network and itself."""
    if a == b:
        return 3
    return 2 if a.arm != b.arm and a.seed != b.seed else int(a.arm == b.arm)


def _map(grid: xr.Dataset, measures: list[str]) -> dict[str, Any]:
    blocks = {name: grid[name].values.tolist() for name in ("block_a", "block_b") if name in grid}
    return {
        "values": {name: pack_cells(grid["value"].sel(measure=name).values) for name in measures},
        "undefined": {name: [_undefined(grid, name, side) for side in "ab"] for name in measures},
        **blocks,
    }


def _undefined(grid: xr.Dataset, measure: str, side: str) -> dict[str, str]:
    """Layer -> why it has no value to any other; from the file where it says so."""
    one, axis = grid.sel(measure=measure), 1 if side == "a" else 0
    nowhere = np.flatnonzero(np.isnan(one["value"].values).all(axis=axis))
    reasons = one[f"reason_{side}"].values if f"reason_{side}" in one else np.full(one["value"].shape[1 - axis], "")
    return {str(layer): str(reasons[layer]) for layer in nowhere.tolist()}


def rounded(values: Iterable[float]) -> list[float | None]:
    """Five significant digits; None where undefined, since JSON has no NaN."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in map(float, values)]
