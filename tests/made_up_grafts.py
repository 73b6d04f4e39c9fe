"""Grafts with MADE-UP numbers, and the findings of a run that holds them. Nothing in them was measured."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from two_domains import TEXT

from gapscope.detector.layers import NUM_LAYERS
from gapscope.detector.network_map import BLOCKS
from gapscope.experiment_file import parse_config
from gapscope.files import write_text
from gapscope.findings.environment_file import RunEnvironment
from gapscope.findings.layer_curves import DEBIASED, PairCurve
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.results import Results
from gapscope.findings.separability_file import SeparabilityCurve, SeparabilityFile
from gapscope.grafting.result import BlockResult, Change, GraftResult, Grafts, Share
from gapscope.grafting.verdicts import GAINS, LOSES, NO_CHANGE
from gapscope.run_folder import RunFolder, RunName
from gapscope.similarity.separability import FORMAT, NAMES, write_separability

HOST, DONOR = RunName("f-game", 0), RunName("u-real", 0)
CONTROLS = ("control", "rewind")


def grafts_of(
    changes: Mapping[str, float], verdicts: Mapping[str, str] | None = None, gap: float = 0.2, width: float = 0.01
) -> GraftResult:
    """What every part alone changes, by name; those that are left out change nothing."""
    words = verdicts or {}
    blocks = tuple(
        BlockResult(
            name=part.name,
            layers=f"{part.first}-{part.last}" if part.last > part.first else str(part.first),
            alone=change(changes.get(part.name, 0.0), width),
            left_out=change(-changes.get(part.name, 0.0), width),
            from_front=None,
            from_back=None,
            controls={name: change(0.001, width) for name in CONTROLS},
            share=Share(changes.get(part.name, 0.0), (-0.1, 0.1), 0.002, 0.0, words.get(part.name) in (GAINS, LOSES)),
            verdict=words.get(part.name, NO_CHANGE),
        )
        for part in BLOCKS
    )
    whole = Grafts("own", 0.3, 0.3 + gap, gap, (gap - width, gap + width), 0.29, blocks, 10)
    return GraftResult({"num_images": 40, "num_layers": NUM_LAYERS}, (whole,))


def change(value: float, width: float) -> Change:
    return Change(0.3 + value, value, (value - width, value + width))


def results_of(grafts: GraftResult, similarity: Sequence[float] | None = None) -> tuple[Results, LayerFindings]:
    """A run that holds these grafts of U-Real in F-Game and, where it is given, how alike their layers are."""
    experiment = parse_config(TEXT + '\n[graft]\npairs = [["f-game", "u-real"]]\n')
    bound = SeparabilityCurve(*[np.linspace(0.1, 0.5, NUM_LAYERS)] * 8)
    apart = SeparabilityFile(
        np.arange(NUM_LAYERS), bound, bound, bound, ("game", "real"), (5, 5), (5, 5), False, "", 20
    )
    results = Results(
        Path("run"),
        experiment,
        RunEnvironment(),
        *[{} for _ in range(6)],
        probe="real",
        grafts={(HOST, DONOR, "real"): grafts},
        separabilities={(HOST, "game"): apart},
    )
    curves = {}
    if similarity is not None:
        values = np.asarray(similarity, dtype=float)
        nothing = np.zeros(NUM_LAYERS)
        curve = PairCurve("", np.arange(NUM_LAYERS), values, values - 0.05, values + 0.05, nothing, nothing + 0.1)
        curves = {(DONOR, HOST, 32, DEBIASED): curve}
    nothing_else: list[dict] = [{} for _ in range(6)]
    return results, LayerFindings(results, (DEBIASED,), curves, *nothing_else)


def write_made_up_grafts(run: Path, host: str = "u-synthetic", donor: str = "u-real") -> None:
    """Give a made-up run of two seeds grafts of one arm in another, and separabilities of all networks."""
    for name in ("experiment.toml", "experiment.resolved.toml"):
        text = (run / name).read_text().replace("images = 48", 'images = 48\nseparability = ["engine"]')
        write_text(run / name, f'{text}\n[graft]\npairs = [["{host}", "{donor}"]]\ndomains = ["camera"]\n')
    folder = RunFolder(run)
    for seed in (0, 1):
        found = grafts_of({"stem": 0.06, "stage 3": 0.07 + 0.01 * seed}, {"stem": GAINS, "stage 3": GAINS})
        found.save(folder.grafts(RunName(host, seed), RunName(donor, seed), "camera"))
        for arm in (host, donor):
            write_separability(
                made_up_separability(seed), folder.separability(RunName(arm, seed), "camera", "engine", 160)
            )


def made_up_separability(seed: int) -> xr.Dataset:
    values = np.linspace(0.1, 0.5, NUM_LAYERS) + 0.01 * seed
    columns = {"": values, "_interval_low": values - 0.05, "_interval_high": values + 0.05, "_p": 0 * values + 0.01}
    columns |= {"_floor_mean": 0 * values, "_floor_low": 0 * values - 0.02, "_floor_high": 0 * values + 0.02}
    columns["_p_all"] = columns["_p"]
    counted = {f"{name}_{side}": 24 for name, side in product(("n", "groups"), "ab")}
    about = {"format": FORMAT, "set_a": "camera", "set_b": "engine", "grouped": 0, "shuffles": 99} | counted
    every = {name + suffix: ("layer", column) for name, (suffix, column) in product(NAMES, columns.items())}
    return xr.Dataset(every, coords={"layer": np.arange(NUM_LAYERS)}, attrs=about)
