"""What is kept of one layer of any model, and where its features are until then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.errors import InputError
from gapscope.recording.box_pooling import BoxPooling, too_coarse
from gapscope.recording.chunks import Rows, pass_bytes
from gapscope.recording.layer_numbers import SMALL, LayerNumbers, Statistics, layer_numbers
from gapscope.recording.live_tensors import FLOAT_BYTES, LiveTensors
from gapscope.recording.plan import ALIKE, Output
from gapscope.recording.probe_images import ProbeImages
from gapscope.recording.sightings import alike, digest_of
from gapscope.words import byte_size


@dataclass(frozen=True)
class Measured:
    """A layer's numbers over all images or objects, and each channel's mean (n, c) over the map or the box."""

    output: Output
    numbers: LayerNumbers
    pooled: NDArray[np.float32]
    num_features: int
    """Numbers per row: of an image those of the whole map, of an object one for each channel."""


class Grams:
    """Room for the Gram matrices of all layers, taken once: two copies of all of them are never needed.

    Args:
        num_layers: At most.
        rows: Images or objects.
    """

    def __init__(self, num_layers: int, rows: int) -> None:
        self.room = np.empty((num_layers, rows, rows))
        self.count = 0

    def add(self, numbers: LayerNumbers) -> LayerNumbers:
        """The same numbers, with the Gram matrix in its place behind those of the layers before."""
        place = self.room[self.count]
        place[:] = numbers.gram
        self.count += 1
        return replace(numbers, gram=place)

    def taken(self) -> NDArray[np.float64]:
        """(layers, n, n) those that were added."""
        return self.room[: self.count]

    def clear(self) -> None:
        """Begin again."""
        self.count = 0


def measure(
    output: Output, features: Tensor, grams: Grams, pooling: BoxPooling | None = None, statistics: Statistics = "exact"
) -> Measured:
    """The numbers of a layer from its features (n, p), float32; with boxes, of the objects."""
    activation = features.view(len(features), *output.shape)
    if pooling is not None:
        pooled = pooling.pool(activation.movedim(output.channel_axis, 1))
        return Measured(output, grams.add(layer_numbers(pooled, statistics)), pooled.numpy(), pooled.shape[1])
    pooled = _over_places(output, activation)
    return Measured(output, grams.add(layer_numbers(features, statistics)), pooled.cpu().numpy(), output.num_features)


def measure_parts(
    output: Output,
    parts: Sequence[Tensor],
    grams: Grams,
    pooling: BoxPooling | None = None,
    statistics: Statistics = "exact",
) -> Measured:
    """The same bits from features that lie in several tensors (k, p) on the CPU, in the order of the images."""
    if len(parts) == 1:
        return measure(output, parts[0], grams, pooling, statistics)
    num_values = sum(map(len, parts)) * output.num_features
    if num_values <= SMALL:  # quicker in one
        return measure(output, torch.cat(list(parts)), grams, pooling, statistics)
    maps = [part.view(len(part), *output.shape) for part in parts]
    if pooling is not None:
        firsts = np.cumsum([0, *map(len, parts[:-1])])
        rows = [
            pooling.pool(one.movedim(output.channel_axis, 1), int(first))
            for one, first in zip(maps, firsts, strict=True)
        ]
        pooled = torch.cat(rows)
        return Measured(output, grams.add(layer_numbers(pooled, statistics)), pooled.numpy(), pooled.shape[1])
    pooled = torch.cat([_over_places(output, one) for one in maps])
    return Measured(output, grams.add(layer_numbers(Rows(parts), statistics)), pooled.numpy(), output.num_features)


def _over_places(output: Output, activation: Tensor) -> Tensor:
    """(n, c) each channel's mean over the places."""
    places = [axis for axis in range(1, activation.ndim) if axis != output.channel_axis]
    return activation.mean(places) if places else activation.reshape(len(activation), -1)


def map_sides(output: Output) -> tuple[int, int] | None:
    """Height and width in cells of a layer that is a map over the image; None if it is none."""
    if output.rows != 1 or len(output.shape) != 3:
        return None
    height, width = (size for axis, size in enumerate(output.shape, start=1) if axis != output.channel_axis)
    return height, width


def without_boxes(outputs: Sequence[Output], pooling: BoxPooling) -> dict[str, str]:
    """The layers over which boxes cannot be pooled, by name, with the reasons."""
    found = {}
    for output in outputs:
        sides = map_sides(output)
        if sides is None:
            found[output.name] = f"puts out {output.shape} for an image, which is no map that boxes could lie on"
        elif reason := too_coarse(pooling, *sides):
            found[output.name] = reason
    return found


def is_as_planned(output: Output, features: Tensor) -> bool:
    """Whether the first images have the values that they had when the model was explored."""
    first = features[: len(output.digest)].view(-1, *output.shape)
    return alike(digest_of(first), output.digest, ALIKE)


def allocate(live: LiveTensors, key: int, num_images: int, num_features: int, working: int) -> Tensor:
    """Room for the features (n, p) of all images, in memory or in a mapped file; `working` bytes are left free."""
    return live.allocate(key, (num_images, num_features, 1, 1), channels_last=False, reserve=working).view(
        num_images, num_features
    )


def working_bytes(batch_values: int, num_images: int, num_features: int) -> int:
    """Bytes of the working copies while a layer is computed and measured.

    Args:
        batch_values: Numbers that one batch reads and writes at this layer.
        num_images: Of the probe.
        num_features: Of the layer, per image.
    """
    return FLOAT_BYTES * batch_values + pass_bytes(num_images, num_features)


def usual_working_bytes(output: Output, probe: ProbeImages) -> int:
    """The same for a layer that reads two tensors of its own size."""
    rows = probe.batches[0].stop
    return working_bytes(3 * rows * output.num_features, len(probe), output.num_features)


def check_budget(live: LiveTensors, working: int, what: str, num_images: int, size: int) -> None:
    """Refuse a memory budget that the recording itself and one step do not fit.

    Raises:
        InputError: Naming the amount that is needed.
    """
    if working > live.budget:
        given, needed = live.budget + live.kept, working + live.kept
        raise InputError(
            f"memory = '{byte_size(given)}' is too little: the recording and one step of {what} for {num_images} "
            f"images at {size} pixels take {byte_size(needed, up=True)}. Give at least that, lower batch_size, or "
            "record fewer or smaller images."
        )
