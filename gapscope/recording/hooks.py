"""Records any model by hooks: in one pass over the images as many layers as fit in memory, in the next the next.

This asks nothing of the model but that it can be called. Each pass computes the model up to the last layer of its
group; where everything fits, one pass is enough.
"""

from collections import defaultdict
from typing import Any

from torch import Tensor, nn

from gapscope.progress import Progress
from gapscope.recording.calls import Call, EnoughError, module_names, run_watched
from gapscope.recording.live_tensors import FLOAT_BYTES, LiveTensors
from gapscope.recording.measured import Grams, Measured, allocate, is_as_planned, measure, usual_working_bytes
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
) -> tuple[list[Measured], dict[str, str], int]:
    """Measure layers in as few passes over the images as the memory allows.

    Args:
        model: In evaluation mode, on the probe's device.
        probe: The images.
        outputs: The layers that are wanted, in the order of computation.
        live: Where their features are kept; its budget decides how many layers make a group.
        grams: Where Gram matrices go.
        progress: Told after each batch.
        what: What to call this for `progress`.

    Returns:
        The measured layers; those that could not be recorded after all, with the reason; the number of passes.
    """
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
        self.wanted: dict[Call, dict[str, int]] = defaultdict(dict)
        for key, output in enumerate(group):
            self.wanted[output.key[0]][output.key[1]] = key

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

        modules = module_names(model)
        watched = {call.module: modules[call.module] for call in self.wanted if call.module in modules}
        run_watched(model, self.probe.arguments(rows), watched, keep)
        for key in missing:
            self.dropped[self.group[key].name] = "is missing for some batches"

    def _store(self, key: int, rows: slice, tensor: Tensor) -> None:
        output = self.group[key]
        if output.fits(tensor, rows.stop - rows.start):
            self.features[key][rows] = as_values(tensor).reshape(rows.stop - rows.start, -1)
        else:
            expected = ("images" if output.rows == 1 else f"{output.rows} x images", *output.row_shape)
            self.dropped[output.name] = f"changes its shape from batch to batch: {tuple(tensor.shape)}, not {expected}"
