"""A finished run -> what every layer of its networks makes of the probe, at more sizes than the run itself recorded."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from gapscope.config import Experiment
from gapscope.data.images import read_pixels
from gapscope.data.letterbox import letterbox
from gapscope.data.splits import read_list
from gapscope.detector.network import fingerprint
from gapscope.detector.weights import load_weights
from gapscope.errors import InputError
from gapscope.progress import Progress
from gapscope.recording.layer_sync import record_by_layers
from gapscope.recording.recording import Recording, read_recording
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.domains import domain_root

PAPER_SIZES = (32, 128, 416)
"""Pixels: what the paper computed Figures 1-6 at, what it computed Figure 7 at, and what it trained at."""


def sizes_of(experiment: Experiment) -> list[int]:
    """The paper's sizes and the one that this run's networks were trained at, in pixels."""
    return sorted({*PAPER_SIZES, experiment.data.image_size})


def names_of(experiment: Experiment) -> list[RunName]:
    """Every reported arm with every seed."""
    return [RunName(arm, seed) for arm in experiment.reported_arms for seed in experiment.seeds]


def record_all(
    run: RunFolder, experiment: Experiment, data_root: Path, folder: Path, progress: Progress
) -> Iterator[tuple[int, dict[RunName, Recording]]]:
    """By size, the recordings of all networks; those that lie in `folder` already are read, others are made there.

    Raises:
        InputError: If the probe list, an image or a weights file is missing or cannot be read.
    """
    paths = read_list(run.probe(experiment.probe.domain))
    root = domain_root(experiment.probe.domain, experiment.domains[experiment.probe.domain], run, data_root)
    for size in sizes_of(experiment):
        images: Tensor | None = None
        found = {}
        for name in names_of(experiment):
            path = folder / f"{name}--{experiment.probe.domain}-{size}.nc"
            network = load_weights(run.weights(name))
            kept = read_recording(path) if path.is_file() else None
            if kept is None:
                images = probe_images(root, paths, size) if images is None else images
                kept = record_by_layers(
                    network.to(memory_format=torch.channels_last),  # quicker on a CPU
                    images,
                    size=size,
                    paths=paths,
                    progress=progress,
                    provenance={"arm": name.arm, "seed": str(name.seed), "probe": experiment.probe.domain},
                )
                kept.save(path)
            elif kept.network_sha256 != fingerprint(network) or kept.images != tuple(paths):
                raise InputError(f"{path} is of other weights or images than {run.root}. Delete it and run again.")
            found[name] = kept
        yield size, found


def probe_images(root: Path, paths: list[str], size: int) -> Tensor:
    """The probe's images, letterboxed: uint8 (n, 3, size, size)."""
    return torch.stack([letterbox(read_pixels(root / path), size)[0] for path in paths])
