"""What does every layer make of the images? All images through one layer before the next, so little must be kept.

Storing every activation of YOLOv3 for 200 images at 416 x 416 pixels takes 45 GB; keeping only what a later layer
still needs takes 7, and a memory budget bounds that. The work is one forward pass and one product per layer.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gapscope.detector.layers import IMAGE, Layer
from gapscope.detector.network import YOLOv3, check_images, fingerprint
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.layer_numbers import CHUNK, LayerNumbers, layer_numbers
from gapscope.recording.live_tensors import FLOAT_BYTES, LiveTensors, as_features, format_memory, parse_memory
from gapscope.recording.recording import STATISTICS, Recording


def record(
    network: YOLOv3,
    images: Tensor,
    *,
    size: int,
    batch_size: int = 8,
    memory: str | int = "8GiB",
    device: str | torch.device = "cpu",
    progress: Progress = silent,
    paths: Sequence[str] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> Recording:
    """Run all images through a network, layer by layer, and keep a Gram matrix and a few numbers per layer.

    The network is put into evaluation mode and handed back as it was, also after an error.

    Args:
        network: YOLOv3. Of its detection layers the raw logits are recorded, not decoded boxes.
        images: uint8 (n, 3, size, size), RGB, letterboxed; n at least 4.
        size: Side of the images, pixels.
        batch_size: Images per call of a layer. Results do not depend on it (beyond float32 rounding); small images
            run faster in larger batches.
        memory: How much the live activations and working copies may take, like "8GiB". What does not fit is kept in
            mapped files in the temporary folder; the numbers do not change.
        device: Where the layers run.
        progress: Told after each layer.
        paths: The images' names, in order; 0, 1, ... if left out.
        provenance: Kept in the recording: arm, seed, probe.

    Raises:
        InputError: For fewer than 4 images, images of another shape or type, a size that is no multiple of 32, names
            that do not match the images, or a budget too small for one step of one layer.
    """
    names = _check_images(images, size, paths)
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}. Give at least 1 image per batch.")
    budget = parse_memory(memory)
    recorder = _Recorder(network, images, batch_size, budget, torch.device(device))
    with _evaluating(network, recorder.device), tempfile.TemporaryDirectory(prefix="gapscope-record-") as folder:
        recorder.run(LiveTensors(budget, recorder.device, Path(folder)), progress, (provenance or {}).get("arm", ""))
    table = list(network.table)
    return Recording(
        layers=np.array([layer.index for layer in table]),
        kind=np.array([layer.kind for layer in table]),
        gram=np.stack([numbers.gram for numbers in recorder.numbers]),
        p=np.array([math.prod(shape[1:]) for shape in recorder.shapes]),
        channels=np.array([shape[1] for shape in recorder.shapes]),
        **{name: np.array([getattr(numbers, name) for numbers in recorder.numbers]) for name in STATISTICS},
        pooled=np.concatenate(recorder.pooled, axis=1),
        images=names,
        size=size,
        network_sha256=fingerprint(network),
        pixels_sha256=hashlib.sha256(images.cpu().contiguous().numpy().data).hexdigest(),
        device=str(recorder.device),
        dtype="float32",
        provenance=dict(provenance or {}),
    )


class _Recorder:
    """The pass through the layers and what it has gathered so far."""

    def __init__(self, network: YOLOv3, images: Tensor, batch_size: int, budget: int, device: torch.device) -> None:
        self.network = network
        self.images = images
        self.budget = budget
        self.device = device
        self.batches = [slice(at, min(at + batch_size, len(images))) for at in range(0, len(images), batch_size)]
        self.last_use = {source: layer.index for layer in network.table for source in layer.inputs}
        self.numbers: list[LayerNumbers] = []
        self.shapes: list[tuple[int, ...]] = []
        self.pooled: list[np.ndarray] = []

    def run(self, live: LiveTensors, progress: Progress, name: str) -> None:
        """All images through layer 0, then all through layer 1, ..."""
        what = f"recording {name} at {self.images.shape[-1]} px".replace("  ", " ")
        try:
            for done, layer in enumerate(self.network.table, start=1):
                self._run_layer(live, layer)
                for index in [index for index in live.tensors if self.last_use.get(index, IMAGE) <= layer.index]:
                    live.free(index)
                progress(what, done, len(self.network.table), f"layer {layer.index}")
        finally:
            live.clear()

    def _run_layer(self, live: LiveTensors, layer: Layer) -> None:
        stored, pooled = None, []
        for rows in self.batches:
            inputs = [self._input(live, source, rows, layer.index) for source in layer.inputs]
            output = self.network.run_layer(layer.index, *inputs).float()
            if stored is None:
                stored = self._allocate(live, layer.index, inputs, output)
            stored[rows] = output
            pooled.append(output.mean((2, 3)))
        assert stored is not None
        self.pooled.append(torch.cat(pooled).cpu().numpy())
        self.shapes.append(tuple(stored.shape))
        self.numbers.append(layer_numbers(as_features(stored)))

    def _input(self, live: LiveTensors, source: int, rows: slice, reader: int) -> Tensor:
        """Some images' rows of a layer's output, as a copy if anyone needs them afterwards.

        A network may overwrite what it is given; at the last use that does no harm any more.
        """
        if source == IMAGE:
            return self.images[rows].to(self.device).float() / 255
        part = live[source][rows].to(self.device)
        return part if self.last_use[source] == reader else part.clone()

    def _allocate(self, live: LiveTensors, index: int, inputs: list[Tensor], output: Tensor) -> Tensor:
        n, features = len(self.images), math.prod(output.shape[1:])
        working = FLOAT_BYTES * (sum(part.numel() for part in [*inputs, output]) + 2 * n * min(features, CHUNK))
        if working > self.budget:
            raise InputError(
                f"memory = '{format_memory(self.budget)}' is too little: one step of layer {index} for {n} images at "
                f"{self.images.shape[-1]} pixels takes {format_memory(working)}. Give at least that, lower batch_size, "
                "or record fewer or smaller images."
            )
        last = output.is_contiguous(memory_format=torch.channels_last) and not output.is_contiguous()
        return live.allocate(index, (n, *output.shape[1:]), channels_last=last, reserve=working)


@contextmanager
def _evaluating(network: YOLOv3, device: torch.device) -> Iterator[None]:
    """The network on a device in evaluation mode without gradients; every part as it was afterwards."""
    modes = {module: module.training for module in network.modules()}
    home = next((tensor.device for tensor in network.state_dict().values()), device)
    try:
        network.to(device)
        for module in modes:
            module.training = False
        # TF32 would make the numbers depend on the batch size
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        network.to(home)
        for module, training in modes.items():
            module.training = training


def _check_images(images: Tensor, size: int, paths: Sequence[str] | None) -> tuple[str, ...]:
    if images.dtype != torch.uint8 or images.shape[1:] != (3, size, size):
        raise InputError(
            f"images are {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}, but recording at "
            f"size {size} takes uint8 of shape (n, 3, {size}, {size}). Letterbox them first."
        )
    check_images(images[:1].float())
    if len(images) < 4:
        raise InputError(f"{len(images)} images are too few: comparing layers needs at least 4, better 100 or more.")
    names = tuple(str(index) for index in range(len(images))) if paths is None else tuple(map(str, paths))
    if len(names) != len(images):
        raise InputError(f"there are {len(names)} paths for {len(images)} images. Give one per image, in order.")
    return names
