"""Records any model by hooks: batches in step, or in one pass as many layers as fit in memory, in the next the next.

This asks nothing of the model but that it can be called. In step, every batch waits at a layer until that layer is
measured, and nothing is kept. Where that cannot be, each pass computes the model up to the last layer of its group.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gapscope.progress import Progress
from gapscope.recording.calls import Call, EnoughError, module_names, run_watched
from gapscope.recording.in_step import OutOfStepError, can_go_in_step, run_in_step
from gapscope.recording.live_tensors import FLOAT_BYTES, LiveTensors
from gapscope.recording.measured import (
    Grams,
    Measured,
    allocate,
    is_as_planned,
    measure,
    measure_parts,
    usual_working_bytes,
)
from gapscope.recording.outputs import as_values, named_tensors
from gapscope.recording.plan import Output
from gapscope.recording.probe_images import ProbeImages


def record_by_hooks(
    model: nn.Module,
    probe: ProbeImages,
    outputs: list[Output],
    live: LiveTensors,
    grams: Grams,
    progress: Progress,
    what: str,
    live_bytes: int,
) -> tuple[list[Measured], dict[str, str], int]:
    """Measure layers in as few passes over the images as the memory allows.

    Where the activations of all images that a model holds at a time fit, the batches go in step, and each layer is
    measured where the model has left it; otherwise the features of as many layers as fit are kept.

    Args:
        model: In evaluation mode, on the probe's device.
        probe: The images.
        outputs: The layers that are wanted, in the order of computation.
        live: Where their features are kept; its budget decides how many layers make a group.
        grams: Where Gram matrices go.
        progress: Told after each batch.
        what: What to call this for `progress`.
        live_bytes: What the model holds at a time for one image.

    Returns:
        The measured layers; those that could not be recorded after all, with the reason; the number of passes.
    """
    if _fits_in_step(model, probe, outputs, live.budget, live_bytes):
        try:
            return _measured_in_step(model, probe, outputs, grams, progress, what), {}, 1
        except OutOfStepError:
            grams.clear()  # now one after the other: what is wrong with a batch shows there
    groups = _groups(outputs, probe, live.budget)
    grams.clear()
    measured: list[Measured] = []
    dropped: dict[str, str] = {}
    total = len(groups) * len(probe.batches)
    for at, group in enumerate(groups):
        taker = _Taker(group, probe, live)
        try:
            for batch, rows in enumerate(probe.batches, start=1):
                taker.take(model, rows)
                progress(what, at * len(probe.batches) + batch, total, f"pass {at + 1} of {len(groups)}")
            dropped |= taker.dropped
            for key, output in enumerate(group):
                if output.name in dropped:
                    continue
                if is_as_planned(output, taker.features[key]):
                    measured.append(measure(output, taker.features[key], grams, probe.pooling, probe.statistics))
                else:
                    dropped[output.name] = "an image's values depend on the other images of the batch"
                live.free(key)
                del taker.features[key]
        finally:
            live.clear()
    return measured, dropped, len(groups)


def _fits_in_step(model: nn.Module, probe: ProbeImages, outputs: list[Output], budget: int, live_bytes: int) -> bool:
    """Twice what was seen: what no module puts out, such as a sum, was not; and one copy of the widest layer."""
    if probe.device.type != "cpu" or not can_go_in_step(model, len(probe.batches)):
        return False
    widest = max(outputs, key=lambda output: output.num_features)
    held = len(probe) * (2 * live_bytes + FLOAT_BYTES * widest.num_features)
    return held + usual_working_bytes(widest, probe) <= budget


def _measured_in_step(
    model: nn.Module, probe: ProbeImages, outputs: list[Output], grams: Grams, progress: Progress, what: str
) -> list[Measured]:
    """All layers in one pass.

    Raises:
        OutOfStepError: If the batches differ in more than values, or the first images get other values than alone.
    """
    grams.clear()
    measured: dict[int, Measured] = {}
    by_call = _by_call(outputs)

    def take(call: Call, values: list[Any]) -> None:
        found = [dict(named_tensors(value)) for value in values]
        for path, key in by_call[call].items():
            parts = [
                _features(outputs[key], one.get(path), rows) for one, rows in zip(found, probe.batches, strict=True)
            ]
            first = torch.cat([part[: len(outputs[key].digest)] for part in parts[:2]])
            if not is_as_planned(outputs[key], first):
                raise OutOfStepError
            measured[key] = measure_parts(outputs[key], parts, grams, probe.pooling, probe.statistics)
            progress(what, len(measured), len(outputs), f"layer {outputs[key].name}")

    batches = [partial(probe.arguments, rows) for rows in probe.batches]
    run_in_step(model, batches, _watched(model, by_call), by_call, take)
    return [measured[key] for key in range(len(outputs))]


def _features(output: Output, tensor: Tensor | None, rows: slice) -> Tensor:
    """(k, p) float32, without a copy where they lie so."""
    num_images = rows.stop - rows.start
    if tensor is None or not output.fits(tensor, num_images):
        raise OutOfStepError
    return as_values(tensor).detach().reshape(num_images, -1).float()


def _by_call(outputs: list[Output]) -> dict[Call, dict[str, int]]:
    """Which call puts out which of the layers, by the way to the tensor."""
    found: dict[Call, dict[str, int]] = defaultdict(dict)
    for key, output in enumerate(outputs):
        found[output.key[0]][output.key[1]] = key
    return found


def _watched(model: nn.Module, calls: Iterable[Call]) -> dict[str, nn.Module]:
    modules = module_names(model)
    return {call.module: modules[call.module] for call in calls if call.module in modules}


def _groups(outputs: list[Output], probe: ProbeImages, budget: int) -> list[list[Output]]:
    """Neighbouring layers whose features and working copies fit the budget together; a larger one stands alone."""
    groups: list[list[Output]] = []
    room = 0
    for output in outputs:
        working = usual_working_bytes(output, probe)
        needed = FLOAT_BYTES * len(probe) * output.num_features
        if not groups or needed + working > room:
            groups.append([])
            room = budget
        groups[-1].append(output)
        room -= needed
    return groups


class _Taker:
    """Takes the features of a group of layers out of the model's passes."""

    def __init__(self, group: list[Output], probe: ProbeImages, live: LiveTensors) -> None:
        self.probe = probe
        self.group = group
        self.dropped: dict[str, str] = {}
        self.features: dict[int, Tensor] = {}
        for key, output in enumerate(group):
            self.features[key] = allocate(
                live, key, len(probe), output.num_features, usual_working_bytes(output, probe)
            )
        self.wanted = _by_call(group)

    def take(self, model: nn.Module, rows: slice) -> None:
        """Run one batch and keep what the layers put out, at once: what follows may change it in place."""
        missing = set(self.features)
        last_calls = set(self.wanted)

        def keep(call: Call, value: Any, _: bool, __: Any) -> None:
            if call not in self.wanted:
                return
            for path, tensor in named_tensors(value):
                key = self.wanted[call].get(path)
                if key is not None:
                    self._store(key, rows, tensor)
                    missing.discard(key)
            last_calls.discard(call)
            if not last_calls:
                raise EnoughError

        run_watched(model, self.probe.arguments(rows), _watched(model, self.wanted), keep)
        for key in missing:
            self.dropped[self.group[key].name] = "is missing for some batches"

    def _store(self, key: int, rows: slice, tensor: Tensor) -> None:
        output = self.group[key]
        if output.fits(tensor, rows.stop - rows.start):
            self.features[key][rows] = as_values(tensor).reshape(rows.stop - rows.start, -1)
        else:
            expected = ("images" if output.rows == 1 else f"{output.rows} x images", *output.row_shape)
            self.dropped[output.name] = f"changes its shape from batch to batch: {tuple(tensor.shape)}, not {expected}"
