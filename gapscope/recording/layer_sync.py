"""What does every layer make of the images? All images through one layer before the next, so little must be kept.

Storing every activation of YOLOv3 for 200 images at 416 x 416 pixels takes 45 GB; keeping only what a later layer
still needs takes 6, and a memory budget bounds that. The work is one forward pass and one product per layer.
"""

import hashlib
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from gapscope.detector.layers import IMAGE, Layer
from gapscope.detector.network import Darknet, check_images, fingerprint
from gapscope.errors import InputError
from gapscope.kept_memory import kept_memory
from gapscope.leftovers import temporary_folder
from gapscope.progress import Progress, silent
from gapscope.recording.box_pooling import BoxPooling, too_coarse
from gapscope.recording.crew import Crew, crew, torch_threads
from gapscope.recording.evaluating import evaluating
from gapscope.recording.given_images import as_floats, check_probe_images
from gapscope.recording.input_gram import input_gram
from gapscope.recording.into import run_into, writes_directly
from gapscope.recording.layer_numbers import LayerNumbers, Statistics, check_statistics, start_numbers, stated
from gapscope.recording.live_tensors import LiveTensors, as_features, overlap, parse_memory, span_of
from gapscope.recording.object_boxes import ObjectBoxes
from gapscope.recording.objects import objects_of, of_objects
from gapscope.recording.recording import STATISTICS, Recording
from gapscope.recording.schedule import Schedule, recording_bytes

Precision = Literal["32", "bf16"]


def record_by_layers(
    network: Darknet,
    images: Tensor,
    *,
    size: int,
    layers: Sequence[int] | None = None,
    batch_size: int | None = None,
    precision: Precision = "32",
    memory: str | int = "8GiB",
    device: str | torch.device = "cpu",
    progress: Progress = silent,
    paths: Sequence[str] | None = None,
    provenance: Mapping[str, str] | None = None,
    boxes: ObjectBoxes | None = None,
    statistics: Statistics = "exact",
) -> Recording:
    """Run all images through a network, layer by layer, and keep a Gram matrix and a few numbers per layer.

    The network is put into evaluation mode and handed back as it was, also after an error.

    Args:
        network: Any network of ours. Of its detection layers the raw logits are recorded, not decoded boxes. On a CPU
            `network.to(memory_format=torch.channels_last)` makes it a tenth quicker.
        images: uint8 (n, 3, size, size), RGB, letterboxed, or the same as floats from 0 to 1; n at least 4.
        size: Side of the images, pixels.
        layers: Indices of those to record, in order; all if left out. What lies behind the last one is not computed.
        batch_size: Images per call of a layer; left out, as many as suit the layer and the device. Results do not
            depend on it (beyond float32 rounding).
        precision: "bf16" computes convolutions in bfloat16, which is quick on devices made for it. What is kept, Gram
            matrices and statistics are float32 and float64 either way. docs/measures.md says what it costs in CKA.
        memory: How much live activations, working copies and the recording itself may take, like "8GiB". What does not
            fit is kept in mapped files in the temporary folder; the numbers do not change.
        device: Where the layers run.
        progress: Told after each layer.
        paths: The images' names, in order; 0, 1, ... if left out.
        provenance: Kept in the recording: arm, seed, probe.
        boxes: Then the rows are these objects; see `record`.
        statistics: Likewise.

    Raises:
        InputError: For fewer than 4 images, images of another shape or type, a size that is no multiple of 32, names
            that do not match the images, an unknown precision, or a budget too small for one step of one layer.
    """
    check_precision(precision)
    check_statistics(statistics)
    names = check_probe_images(images, size, paths)
    check_images(images[:1].float(), network.largest_stride)
    if images.is_floating_point() and not 0 <= images.min() <= images.max() <= 1:
        low, high = images.min(), images.max()
        raise InputError(
            f"images reach from {low:.4g} to {high:.4g} - expected floats from 0 to 1. Divide bytes by 255."
        )
    if images.shape[-2] != images.shape[-1]:
        raise InputError(
            f"images are {images.shape[-1]} x {images.shape[-2]} pixels - expected squares. Letterbox them."
        )
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size is {batch_size}. Give at least 1 image per batch.")
    budget = parse_memory(memory)
    wanted = list(range(len(network.table))) if layers is None else list(layers)
    pooling, skipped = None if boxes is None else BoxPooling(boxes, size), dict[str, str]()
    if pooling is not None:
        wanted, skipped = _fine_enough(network, wanted, pooling)
    recorder = _Recorder(network, images, wanted, batch_size, precision, budget, torch.device(device), pooling)
    recorder.statistics = statistics
    threads = recorder.schedule.threads if recorder.device.type == "cpu" else 2  # one hashes while a device works
    with (
        evaluating(network, recorder.device),
        temporary_folder() as folder,
        kept_memory(),
        crew(threads) as hands,
        torch_threads(1),
    ):
        about = hands.start(partial(_about, network, images, recorder.device))
        live = LiveTensors(budget, recorder.device, folder, recorder.schedule.arena())
        recorder.run(live, hands, progress, (provenance or {}).get("arm", ""))
        said = hands.result(about)
    objects = None
    if pooling is not None:
        maps = [_sides(network.table[index], size) for index in wanted]
        objects = objects_of(pooling.boxes, names, maps)
    return Recording(
        layers=np.array(wanted),
        kind=np.array([network.table[index].kind for index in wanted]),
        gram=recorder.gram,
        p=np.array([math.prod(shape[1:]) for shape in recorder.shapes]),
        channels=np.array([shape[1] for shape in recorder.shapes]),
        **_statistics(recorder.numbers),
        pooled=torch.cat(recorder.pooled, dim=1).cpu().numpy(),
        images=names if objects is None else objects.names,
        size=size,
        **of_objects(said, boxes),
        objects=objects,
        skipped=skipped,
        device=str(recorder.device),
        dtype="float32" if precision == "32" else "bfloat16",
        provenance=dict(provenance or {}) | stated(statistics),
    )


def _fine_enough(network: Darknet, wanted: list[int], pooling: BoxPooling) -> tuple[list[int], dict[str, str]]:
    """The layers on whose maps some box covers a cell, and of the others the reasons.

    Raises:
        InputError: There is none.
    """
    reasons = {index: too_coarse(pooling, *_sides(network.table[index], pooling.size)) for index in wanted}
    found = [index for index in wanted if not reasons[index]]
    if not found:
        raise InputError(f"no layer could be recorded: layer {wanted[0]} {reasons[wanted[0]]}. Give larger boxes.")
    return found, {f"layer {index}": reason for index, reason in reasons.items() if reason}


def _sides(layer: Layer, size: int) -> tuple[int, int]:
    """Height and width of a layer's map in cells."""
    side = size // layer.stride if layer.stride else 1
    return side, side


def check_precision(precision: str) -> None:
    """Refuse a precision that there is not.

    Raises:
        InputError: Naming those that there are.
    """
    if precision not in get_args(Precision):
        raise InputError(
            f"precision = {precision!r} is unknown - expected '32' or 'bf16'. '32' is exact; 'bf16' is quicker on "
            "devices made for it."
        )


def _statistics(numbers: Sequence[LayerNumbers]) -> dict[str, Any]:
    """One array over the layers for each of `STATISTICS`."""
    return {name: np.array([getattr(one, name) for one in numbers]) for name in STATISTICS}


def _about(network: Darknet, images: Tensor, device: torch.device) -> dict[str, Any]:
    """What a recording says of its network and images; beside the layers' work, since hashing takes a while."""
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None
    with torch.cuda.stream(stream), torch.inference_mode():
        return {
            "network_sha256": fingerprint(network),
            "pixels_sha256": hashlib.sha256(images.cpu().contiguous().numpy().data).hexdigest(),
            "input_gram": input_gram(images, device),
        }


class _Recorder:
    """The pass through the layers and what it has gathered so far."""

    def __init__(
        self,
        network: Darknet,
        images: Tensor,
        wanted: Sequence[int],
        batch_size: int | None,
        precision: Precision,
        budget: int,
        device: torch.device,
        pooling: BoxPooling | None = None,
    ) -> None:
        self.network = network
        self.pooling = pooling
        self.images = images
        self.wanted = frozenset(wanted)
        self.device = device
        self.table = network.table[: max(wanted) + 1]
        rows = len(images) if pooling is None else len(pooling)
        channels = sum(layer.filters for layer in self.table if layer.index in self.wanted)
        kept = recording_bytes(rows, len(self.wanted), channels)
        self.schedule = Schedule(self.table, len(images), images.shape[-1], budget, device, batch_size, kept)
        self.precision = precision
        self.statistics: Statistics = "exact"
        self.direct = precision == "32" and writes_directly(network)
        self.channels_last = any(  # then its layers give, and are quickest to read, tensors that lie so
            weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
            for weight in network.parameters()
            if weight.ndim == 4
        )
        self.gram = np.empty((len(self.wanted), rows, rows))
        self.numbers: list[LayerNumbers] = []
        """Their Gram matrices are parts of `gram`, so that no two copies of all of them are needed at the end."""
        self.started: deque[tuple[int, Callable[[], LayerNumbers]]] = deque()
        """Layers whose numbers are being made, in order."""
        self.shapes: list[tuple[int, ...]] = []
        self.pooled: list[Tensor] = []

    def run(self, live: LiveTensors, hands: Crew, progress: Progress, name: str) -> None:
        """All images through layer 0, then all through layer 1, ..."""
        what = f"recording {name} at {self.images.shape[-1]} px".replace("  ", " ")
        try:
            for done, layer in enumerate(self.table, start=1):
                self._run_layer(live, layer, hands)
                self._fetch(layer.index)
                for index in [index for index in live.tensors if self.schedule.last_step(index) <= layer.index]:
                    live.free(index)
                progress(what, done, len(self.table), f"layer {layer.index}")
            self._fetch()
        finally:
            hands.settle()  # nobody reads the tensors any more when they go
            live.clear()

    def _fetch(self, step: int | None = None) -> None:
        """Numbers that must be there at the end of a step; all, if left out."""
        while self.started and (step is None or self.schedule.numbers_by[self.started[0][0]] <= step):
            numbers, place = self.started.popleft()[1](), self.gram[len(self.numbers)]
            place[:] = numbers.gram
            self.numbers.append(replace(numbers, gram=place))

    def _run_layer(self, live: LiveTensors, layer: Layer, hands: Crew) -> None:
        """All images through one layer; its numbers are made while the next ones are computed."""
        n, step = len(self.images), self.schedule.batch_size_of(layer)
        stored = self._allocate(live, layer)
        in_pieces = self.schedule.in_pieces(layer, hands.backlog)
        for index, other in live.tensors.items():
            if index != layer.index and overlap(stored, other):  # which it writes over
                self._fetch()
                in_pieces = in_pieces and span_of(stored) == span_of(other)
        work = [
            partial(self._run_rows, live, layer, stored, slice(start, min(start + step, n)))
            for start in range(0, n, step)
        ]
        if in_pieces:
            pooled = hands.compute(work)
        else:
            if self.schedule.threads > 1:
                self._fetch()  # all threads are needed at each batch
            with torch_threads(hands.number):
                pooled = [one() for one in work]
        if layer.index in self.wanted:
            self.pooled.append(torch.cat([part for part in pooled if part is not None]))
            features = as_features(stored) if self.pooling is None else self.pooled[-1]
            self.shapes.append(tuple((stored if self.pooling is None else features).shape))
            self.started.append((layer.index, start_numbers(features, hands, self.statistics)))

    def _run_rows(self, live: LiveTensors, layer: Layer, stored: Tensor, rows: slice) -> Tensor | None:
        """Some images through a layer, into their rows of `stored`; each channel's mean (k, c), if they are wanted."""
        inputs = [self._input(live, source, rows, layer.index) for source in layer.inputs]
        if self.direct:
            run_into(stored[rows], self.network, layer.index, inputs)
        else:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                stored[rows] = self.network.run_layer(layer.index, *inputs)
        if layer.index not in self.wanted:
            return None
        return stored[rows].mean((2, 3)) if self.pooling is None else self.pooling.pool(stored[rows], rows.start)

    def _input(self, live: LiveTensors, source: int, rows: slice, reader: int) -> Tensor:
        """Some images' rows of a layer's output; a copy, if anyone needs them after a reader who may overwrite them."""
        if source == IMAGE:
            scaled = as_floats(self.images[rows].to(self.device)).float()
            return scaled.to(memory_format=torch.channels_last) if self.channels_last else scaled
        part = live[source][rows].to(self.device)
        return part if self.direct or self.schedule.last_reader[source] == reader else part.clone()

    def _allocate(self, live: LiveTensors, layer: Layer) -> Tensor:
        shape = (len(self.images), layer.filters, *_sides(layer, self.images.shape[-1]))
        return live.allocate(layer.index, shape, channels_last=self.channels_last, reserve=0)
