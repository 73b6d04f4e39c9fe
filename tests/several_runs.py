"""Run folders with MADE-UP numbers that belong beside each other: recordings of the same images, other networks."""

import json
import shutil
from pathlib import Path

import numpy as np
from made_up_run import ARMS
from made_up_similarity import LAYERS
from small_recordings import recorded

N = 16
"""Images of a recording."""
SIZE = 160
"""Pixels; one size, since reading many files is what takes long here."""


def features_of(network: str, layer: int) -> np.ndarray:
    """(N, 6) what a layer makes of the images: something that all networks share, and something of its own."""
    shared = np.random.default_rng(layer).standard_normal((N, 6))
    own = np.random.default_rng([layer, *network.encode()]).standard_normal((N, 6))
    return shared + (0.3 + layer / 100) * own


def write_recordings(
    run: Path, family: str, seeds: tuple[int, ...] = (0, 1), pixels: str = "seen by all", size: int = SIZE
) -> None:
    """Real recordings in place of the made-up run's; networks of another family are other networks."""
    for arm in ARMS:
        for seed in seeds:
            network = f"{family} {arm} {seed}"
            made = recorded(
                *(features_of(network, layer) for layer in LAYERS),
                size=size,
                pixels_sha256=pixels,
                network_sha256=network,
                provenance={"arm": arm, "seed": str(seed), "probe": "camera"},
            )
            made.save(run / "recordings" / f"{arm}-seed{seed}--camera-{size}.nc")


def copied(run: Path, to: Path, *leave_out: str, **replaced: str) -> Path:
    """The same run folder at another place, without some of its parts and with lines of its configuration replaced:
    `width="width = 0.5"`."""
    shutil.copytree(run, to, ignore=shutil.ignore_patterns(*leave_out))
    for name in ("experiment.toml", "experiment.resolved.toml"):
        text = (to / name).read_text()
        for key, line in replaced.items():
            before = next(old for old in text.splitlines() if old.startswith(f"{key} = "))
            text = text.replace(before, line)
        (to / name).write_text(text)
    return to


def other_networks(run: Path, weights: str, *, lose: float = 0.0) -> None:
    """Give a run other weights, and let every arm lose so much mAP on domains that it was not trained on."""
    for path in sorted((run / "evaluation").glob("*.json")):
        found = json.loads(path.read_text())
        away = 0 if ARMS[found["arm"]] == [found["domain"]] else lose
        found["weights_sha256"] = f"{weights} {found['arm']} {found['seed']}"
        for rule in found["rules"].values():
            rule["headline_map50"] -= away
            rule["headline_draws"] = [None if d is None else round(d - away, 5) for d in rule["headline_draws"]]
        path.write_text(json.dumps(found))
    for path in run.glob("arms/*/*/summary.json"):
        found = json.loads(path.read_text())
        path.write_text(json.dumps(found | {"weights_sha256": f"{weights} {found['arm']} {found['seed']}"}))
