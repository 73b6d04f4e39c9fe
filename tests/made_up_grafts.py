"""Grafts with MADE-UP numbers, and the findings of a run that holds them. Nothing in them was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from two_domains import TEXT

from gapscope.detector.layers import NUM_LAYERS
from gapscope.detector.network_map import BLOCKS
from gapscope.experiment_file import parse_config
from gapscope.findings.environment_file import RunEnvironment
from gapscope.findings.layer_curves import DEBIASED, PairCurve
from gapscope.findings.layer_findings import LayerFindings
from gapscope.findings.results import Results
from gapscope.findings.separability_file import SeparabilityCurve, SeparabilityFile
from gapscope.grafting.result import BlockResult, Change, GraftResult, Grafts, Share
from gapscope.grafting.verdicts import GAINS, LOSES, NO_CHANGE
from gapscope.run_folder import RunName

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
