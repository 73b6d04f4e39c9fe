"""The recording that a study keeps of any of its networks: layers by their indices on the network's own axis."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gapscope.detector.guests import Network
from gapscope.detector.protocol import Guest
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.layer_numbers import Statistics
from gapscope.recording.layer_sync import record_by_layers
from gapscope.recording.record import record
from gapscope.recording.recording import PER_LAYER, Recording


def record_layers(
    network: Network,
    images: Tensor,
    *,
    size: int,
    memory: str | int = "8GiB",
    device: str | torch.device = "cpu",
    progress: Progress = silent,
    paths: Sequence[str] | None = None,
    provenance: Mapping[str, str] | None = None,
    statistics: Statistics = "exact",
) -> Recording:
    """Run all images through a network and keep a Gram matrix and a few numbers for each layer of its axis.

    Of a guest that is what each module of its blocks puts out at its first call of a pass: a head that looks at
    several scales is recorded at the one that it looks at first.

    Args:
        network: A network of the study.
        images: uint8 (n, 3, size, size), RGB, letterboxed; n at least 4.
        size: Side of the images, pixels.
        memory: How much the kept activations may take.
        device: Where to compute.
        progress: Told after each step.
        paths: The images' names.
        provenance: Kept in the recording.
        statistics: As `record` takes it.

    Raises:
        InputError: As `record`; or if a module of a guest's blocks puts out nothing that can be recorded.
    """
    common: dict[str, Any] = {"size": size, "memory": memory, "device": device, "progress": progress, "paths": paths}
    common |= {"provenance": provenance, "statistics": statistics}
    if not isinstance(network, Guest):
        quick = torch.device(device).type == "cpu"
        return record_by_layers(network.to(memory_format=torch.channels_last) if quick else network, images, **common)
    wanted = [f"model.{path}" for path in network.paths[: network.map.recorded]]
    return on_axis(record(network, images, layers=wanted, **common), wanted, network.name)


def on_axis(found: Recording, wanted: Sequence[str], network: str) -> Recording:
    """The first output of each of these modules, as layer 0, 1, 2, ...

    Raises:
        InputError: A module has put out nothing that could be recorded.
    """
    names = [str(name) for name in found.layers]
    rows = []
    for at, module in enumerate(wanted):
        own = [row for row, name in enumerate(names) if name == module or name.startswith(f"{module}#")]
        own += [row for row, name in enumerate(names) if name.startswith((f"{module}[", f"{module}.", f"{module}()"))]
        if not own:
            why = next((reason for name, reason in found.skipped.items() if name.startswith(module)), "is never called")
            raise InputError(
                f"layer {at} of {network}, {module.removeprefix('model.')}, {why} - expected an output with a row for "
                "each image. Name it under 'not recorded' in blocks()."
            )
        rows.append(own[0])
    ends = np.cumsum(found.channels)
    pooled = [found.pooled[:, ends[row] - found.channels[row] : ends[row]] for row in rows]
    columns = {name: getattr(found, name)[rows] for name in PER_LAYER}
    return replace(
        found, layers=np.arange(len(rows)), gram=found.gram[rows], pooled=np.concatenate(pooled, axis=1), **columns
    )
