"""How many images go through a layer at a time, where its output lies, and what all of it will cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gapscope.detector.layers import IMAGE, Layer
from gapscope.errors import InputError
from gapscope.recording.arena import Arena, plan_arena
from gapscope.recording.chunks import CHUNK, pass_bytes
from gapscope.recording.live_tensors import FLOAT_BYTES
from gapscope.words import byte_size

CPU_STEP, DEVICE_STEP = 2**24, 2**30
"""Bytes that a step may read and write: a few images fit a processor's cache, a GPU wants many."""
MOST_IMAGES = 256
"""Images per step at most, however small they are."""
ALONE = 2**26
"""Values of an output from which on it lies over the input that its layer reads for the last time. A smaller one does
not, so that what is made of the input's values can be made meanwhile."""
LAG = 2**24
"""Values of layers whose numbers may be made later. Fresh memory for more of them costs more time than it saves."""
LEAST_WORK = 1e8
"""Nanoseconds of a whole recording below which it is not shared out: threads would wait for each other longer."""
VALUE_TIME, LAYER_SPEED = (2.0, 0.011), 80
"""About: nanoseconds that a value's numbers take, and for each image more; operations of a layer in a nanosecond."""


class Schedule:
    """The steps of a layer-synchronous recording.

    Args:
        table: The network's layers.
        num_images: Of the probe.
        size: Side of the images, pixels.
        budget: Bytes for live activations and working copies.
        device: Where the layers run.
        batch_size: Images at a time; None: as many as suit the layer and the device.
        kept: Bytes of the budget that the recording itself takes, see `recording_bytes`; None: with all layers in it.
    """

    def __init__(
        self,
        table: Sequence[Layer],
        num_images: int,
        size: int,
        budget: int,
        device: torch.device,
        batch_size: int | None = None,
        kept: int | None = None,
    ) -> None:
        self.table = table
        self.num_images, self.size = num_images, size
        self.budget = budget
        channels = sum(layer.filters for layer in table)
        self.kept = recording_bytes(num_images, len(table), channels) if kept is None else kept
        self.device = device
        shared = device.type == "cpu" and self._layer_time(*table) + self._numbers_time(sum(self._sizes())) > LEAST_WORK
        self.threads = torch.get_num_threads() if shared else 1
        self.batch_size = batch_size
        self.numbers_by = self._numbers_by()
        self.last_reader = {source: layer.index for layer in table for source in layer.inputs}

    def last_step(self, index: int) -> int:
        """The step at whose end an output may go: its last reader's, or that which waits for its numbers."""
        return max(self.last_reader.get(index, index), self.numbers_by[index])

    def _numbers_by(self) -> list[int]:
        """Of each layer the step at whose end its numbers must be there; those of small layers may lag behind."""
        most = min(LAG, self.budget // FLOAT_BYTES // 16) if self.threads > 1 else 0
        sums = np.cumsum(self._sizes())
        return [
            max(int(np.searchsorted(sums, before + most)), index + 1) for index, before in enumerate([0, *sums[:-1]])
        ]

    def in_pieces(self, layer: Layer, backlog: int) -> bool:
        """Whether threads take batches of a layer, one each; otherwise all of them work at one batch after the other.

        Args:
            layer: The layer.
            backlog: Chunks of features that wait for their numbers, which can be made meanwhile.
        """
        batch = self.batch_size_of(layer)
        if self.threads == 1 or self.threads * self._step_bytes(layer, batch) > self.budget // 16:
            return False
        beside = self._numbers_time(backlog * CHUNK * self.num_images)
        return batch * self.threads <= self.num_images or beside > self._layer_time(layer) / 4

    def _layer_time(self, *layers: Layer) -> float:
        """About the nanoseconds that layers take one core."""
        return self.num_images * sum(num_operations(layer, self.size) for layer in layers) / LAYER_SPEED

    def _numbers_time(self, num_values: int) -> float:
        """About those that the numbers of so many values take."""
        return num_values * (VALUE_TIME[0] + VALUE_TIME[1] * self.num_images)

    def batch_size_of(self, layer: Layer) -> int:
        """Images at a time: on a CPU few enough for its cache, on an accelerator enough to keep it busy."""
        if self.batch_size is not None:
            return min(self.batch_size, self.num_images)
        alone = self.working_bytes(layer, 0)
        per_image = self.working_bytes(layer, 1) - alone
        step = CPU_STEP if self.device.type == "cpu" else DEVICE_STEP
        room = self.budget - self.kept - alone
        return max(min(step // per_image, room // per_image // 2, self.num_images, MOST_IMAGES), 1)

    def working_bytes(self, layer: Layer, batch: int) -> int:
        """What running a layer on a batch, and taking its numbers, needs besides the tensors that are kept."""
        return self._step_bytes(layer, batch) + pass_bytes(self.num_images, layer.num_features(self.size))

    def _step_bytes(self, layer: Layer, batch: int) -> int:
        """What a layer reads and writes for a batch."""
        written = layer.num_features(self.size)
        if layer.kind in ("shortcut", "avgpool"):  # of which an input may be larger than the output
            read = sum(self.table[source].num_features(self.size) for source in layer.inputs if source != IMAGE)
        else:
            cells = (self.size // layer.stride) ** 2 if layer.stride else 1
            read = layer.in_filters * cells * layer.step**2 * max(len(layer.inputs), 1)
        return FLOAT_BYTES * batch * (read + written)

    def widest_step(self) -> tuple[int, int]:
        """The largest `working_bytes` of all layers, and the layer that needs it."""
        steps = [
            self.working_bytes(layer, self.batch_size_of(layer) * (self.threads if self.in_pieces(layer, 2**31) else 1))
            for layer in self.table
        ]
        return max(steps), int(np.argmax(steps))

    def arena(self) -> Arena:
        """Where in memory each output will lie.

        Raises:
            InputError: If the budget does not hold the recording itself and the working copies of some layer.
        """
        widest, layer = self.widest_step()
        needed = widest + self.kept
        if needed > self.budget:
            raise InputError(
                f"memory = '{byte_size(self.budget)}' is too little: the recording and one step of layer {layer} for "
                f"{self.num_images} images at {self.size} pixels take {byte_size(needed, up=True)}. Give at least "
                "that, lower batch_size, or record fewer or smaller images."
            )
        last_use = [self.last_step(layer.index) for layer in self.table]
        room, sizes = (self.budget - needed) // FLOAT_BYTES, self._sizes()
        overwriting = self._may_overwrite()
        apart = {index: sources for index, sources in overwriting.items() if sizes[index] >= ALONE}
        found, denser = (plan_arena(sizes, last_use, room, over) for over in (apart, overwriting))
        return found if len(found.places) >= len(denser.places) else denser

    def _may_overwrite(self) -> dict[int, list[int]]:
        """Which inputs a layer may write over, image after image, while it reads them for the last time.

        A convolution computes a batch elsewhere before it is stored; a sum overwrites each number as it reads it, if
        both lie at one place. On a device the numbers of the layer before may still be under way.
        """
        if self.device.type != "cpu":
            return {}
        inputs = {layer.index: [source for source in layer.inputs if source != IMAGE] for layer in self.table}
        shapes, kinds = [(layer.filters, layer.stride) for layer in self.table], [layer.kind for layer in self.table]
        return {
            index: [source for source in sources if kinds[index] == "conv" or shapes[source] == shapes[index]]
            for index, sources in inputs.items()
            if kinds[index] in ("conv", "shortcut")
        }

    def _sizes(self) -> list[int]:
        return [self.num_images * layer.num_features(self.size) for layer in self.table]

    def cost(self) -> "Cost":
        """What the recording will need, before any of it is done."""
        arena, sizes = self.arena(), self._sizes()
        spilled = [index for index in range(len(sizes)) if index not in arena.places]
        standing = [
            sum(sizes[index] for index in spilled if index <= step <= self.last_step(index))
            for step in range(len(sizes))
        ]
        gram = sum(size * (self.num_images + 1) for size in sizes)
        forward = sum(self.num_images * num_operations(layer, self.size) for layer in self.table)
        pooled = FLOAT_BYTES * self.num_images * sum(layer.filters for layer in self.table)
        file = 8 * self.num_images**2 * len(self.table) + pooled
        return Cost(
            memory=FLOAT_BYTES * arena.size + self.widest_step()[0] + self.kept,
            disk=FLOAT_BYTES * sum(sizes[index] for index in spilled),
            disk_at_once=FLOAT_BYTES * max(standing),
            file=file,
            everything=FLOAT_BYTES * sum(sizes),
            forward_operations=forward,
            gram_operations=gram,
        )


@dataclass(frozen=True)
class Cost:
    """Bytes and floating-point operations of a recording."""

    memory: int
    """Live activations, working copies and the recording itself, besides the images, the network and the libraries."""
    disk: int
    """Temporary files over the whole recording."""
    disk_at_once: int
    """The most that they take at a time."""
    file: int
    """The recording itself, about."""
    everything: int
    """What keeping all activations would take."""
    forward_operations: int
    """Multiplications and additions of the convolutions."""
    gram_operations: int
    """Those of the Gram matrices, each of which is symmetric."""


def recording_bytes(rows: int, num_layers: int, channels: int) -> int:
    """What a recording takes in memory while it is made: Gram matrices, and channel means, which are joined at the end.

    Args:
        rows: Images, or objects.
        num_layers: That are recorded.
        channels: Of all these layers together.
    """
    return 8 * rows**2 * num_layers + 2 * FLOAT_BYTES * rows * channels


def num_operations(layer: Layer, size: int) -> int:
    """Multiplications and additions of a convolution for one image; 0 for other layers."""
    if layer.kind != "conv":
        return 0
    return 2 * layer.num_features(size) * layer.size**2 * layer.in_filters // layer.groups
