"""Records a model that can be traced: all images through one step of its graph before the next, so little must be kept.

Between steps only what a later step reads is kept, in memory or, past the budget, in mapped files.
"""

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from gapscope.progress import Progress
from gapscope.recording.graph_steps import Step, cut_into_steps, nodes_in
from gapscope.recording.live_tensors import LiveTensors
from gapscope.recording.measured import (
    Grams,
    Measured,
    allocate,
    check_budget,
    is_as_planned,
    measure,
    working_bytes,
)
from gapscope.recording.outputs import as_values, named_tensors
from gapscope.recording.plan import Output
from gapscope.recording.probe_images import ProbeImages
from gapscope.recording.trace import CannotFollowError, Traced

KEEPABLE = (torch.float32, torch.float16, torch.bfloat16)
"""What float32 holds without loss."""


@dataclass(frozen=True)
class _Kept:
    """Stands for some images' rows of a tensor that is kept."""

    slot: int
    shape: tuple[int, ...]
    dtype: torch.dtype


def record_by_graph(
    traced: Traced,
    probe: ProbeImages,
    outputs: list[Output],
    live: LiveTensors,
    grams: Grams,
    progress: Progress,
    what: str,
) -> list[Measured]:
    """Measure layers in one pass.

    Args:
        traced: The model's graph.
        probe: The images.
        outputs: The layers that are wanted.
        live: Where tensors are kept between steps.
        grams: Where Gram matrices go.
        progress: Told after each step.
        what: What to call this for `progress`.

    Raises:
        CannotFollowError: If the graph computes something else than the model.
        InputError: If one step does not fit the budget.
    """
    steps = cut_into_steps(traced, outputs)
    runner = _Runner(traced.graph, probe, live, grams)
    grams.clear()
    measured: list[Measured] = []
    try:
        for done, step in enumerate(steps, start=1):
            measured += runner.run(step)
            progress(what, done, len(steps), f"layer {step.layers[0][0].name}")
    finally:
        live.clear()
    return measured


class _Runner:
    """Carries tensors from step to step."""

    def __init__(self, graph: fx.GraphModule, probe: ProbeImages, live: LiveTensors, grams: Grams) -> None:
        self.interpreter = fx.Interpreter(graph)
        self.probe = probe
        self.live = live
        self.grams = grams
        self.values: dict[fx.Node, list[Any]] = {}
        """What later steps read, batch by batch, with `_Kept` in the place of tensors that are kept."""
        self.kept: dict[int, Tensor] = {}
        """Features (n, p) by slot."""
        self.num_slots = 0

    def run(self, step: Step) -> list[Measured]:
        """All images through one step; measures its layers and forgets what nobody reads any more."""
        handed = {node: self.values.get(node, []) for node in step.hands_on}
        fresh = [node for node in step.hands_on if node not in self.values]
        slots: dict[tuple[str, int], int] = {}
        layer_slots: dict[str, set[int]] = defaultdict(set)
        for batch, rows in enumerate(self.probe.batches):
            fetched: dict[int, Tensor] = {}
            environment = self._compute(step, batch, fetched)
            keeper = _Keeper(self, rows, slots, sum(tensor.numel() for tensor in fetched.values()))
            for output, structure in step.layers:
                value = _filled_in(structure, environment)
                layer_slots[output.name].add(keeper.keep_layer(output, value))
            for node in fresh:
                handed[node].append(keeper.keep_all(node.name, environment[node]))
        measured = [self._measure(output, layer_slots[output.name]) for output, _ in step.layers]
        self.values = handed
        for slot in set(self.kept) - _slots_in(handed):
            del self.kept[slot]
            self.live.free(slot)
        return measured

    def _compute(self, step: Step, batch: int, fetched: dict[int, Tensor]) -> dict[fx.Node, Any]:
        """One batch through one step: the values of the nodes that it reads and computes."""
        rows = self.probe.batches[batch]

        def fetch(part: Any) -> Any:
            if not isinstance(part, _Kept):
                return part
            if part.slot not in fetched:
                # No copy: what a step changes in place, later steps must see changed, as they do in the model.
                fetched[part.slot] = self.kept[part.slot][rows].to(self.probe.device, part.dtype)
            return fetched[part.slot].view(part.shape)

        environment = {node: fx.node.map_aggregate(self.values[node][batch], fetch) for node in step.reads}
        wanted = {node for _, structure in step.layers for node in nodes_in(structure)} | set(step.hands_on)
        self.interpreter.env = environment
        reads_images = any(node.op == "placeholder" for node in step.nodes)  # then they are prepared, not otherwise
        self.interpreter.args_iter = iter(self.probe.arguments(rows).positional if reads_images else ())
        for node in step.nodes:
            try:
                environment[node] = self.interpreter.run_node(node)
            except Exception as error:  # code that was only traced, never run: whatever it may do
                raise CannotFollowError(f"{type(error).__name__} at {node.name}: {error}") from error
            for used in self.interpreter.user_to_last_uses.get(node, []):
                if used not in wanted:
                    environment.pop(used, None)
        return environment

    def _measure(self, output: Output, slots: set[int]) -> Measured:
        features = self.kept[min(slots)]
        if len(slots) > 1 or not is_as_planned(output, features):
            raise CannotFollowError(f"layer {output.name} gets other values in the graph")
        return measure(output, features, self.grams, self.probe.pooling, self.probe.statistics)


class _Keeper:
    """Keeps tensors that one batch has computed in a step; a tensor that is met twice is kept once."""

    def __init__(self, runner: _Runner, rows: slice, slots: dict[tuple[str, int], int], num_read: int) -> None:
        self.runner = runner
        self.rows = rows
        self.slots = slots
        """By what asked first for a tensor to be kept, and which of its tensors it is; the same for all batches."""
        self.num_read = num_read
        self.met: dict[int, tuple[Tensor, _Kept]] = {}

    def keep_layer(self, output: Output, value: Any) -> int:
        """Keep the tensor that is a layer, and say in which slot."""
        for path, tensor in named_tensors(value):
            if path == output.key[1] and output.fits(tensor, self.rows.stop - self.rows.start):
                kept = self._keep(f"layer {output.name}", 0, as_values(tensor), output.rows)
                if isinstance(kept, _Kept):
                    return kept.slot
                raise CannotFollowError(f"layer {output.name} is {tensor.dtype}, which float32 cannot keep for others")
        raise CannotFollowError(f"layer {output.name} has another shape in the graph")

    def keep_all(self, name: str, value: Any) -> Any:
        """A value with every tensor that can be kept replaced by what stands for it."""
        numbers = itertools.count()

        def keep(part: Any) -> Any:
            return self._keep(name, next(numbers), part) if isinstance(part, Tensor) else part

        return fx.node.map_aggregate(value, keep)

    def _keep(self, name: str, number: int, tensor: Tensor, rows: int = 1) -> "_Kept | Tensor":
        """As many rows per image and nothing lost in float32: it is kept; any other tensor stays what it is."""
        num_rows = self.rows.stop - self.rows.start
        if tensor.dtype not in KEEPABLE or tensor.shape[:1] != (num_rows * rows,) or not tensor.numel():
            return tensor
        if id(tensor) not in self.met:
            features = tensor.numel() // num_rows
            slot = self.slots.get((name, number))
            if slot is None:
                slot = self.slots[name, number] = self._allocate(name, features, tensor.numel())
            room = self.runner.kept[slot]
            if room.shape[1] != features:
                return tensor
            room[self.rows] = tensor.reshape(num_rows, features)
            self.met[id(tensor)] = tensor, _Kept(slot, tuple(tensor.shape), tensor.dtype)
        return self.met[id(tensor)][1]

    def _allocate(self, name: str, num_features: int, num_written: int) -> int:
        runner, n = self.runner, len(self.runner.probe)
        working = working_bytes(self.num_read + num_written, n, num_features)
        check_budget(runner.live, working, name, n, runner.probe.images.shape[-1])
        slot = runner.num_slots
        runner.num_slots += 1
        runner.kept[slot] = allocate(runner.live, slot, n, num_features, working)
        return slot


def _filled_in(structure: Any, environment: dict[fx.Node, Any]) -> Any:
    """What a call puts out, with the values in the place of the nodes."""
    return fx.node.map_aggregate(structure, lambda part: environment[part] if isinstance(part, fx.Node) else part)


def _slots_in(values: dict[fx.Node, list[Any]]) -> set[int]:
    found: set[int] = set()
    for batches in values.values():
        fx.node.map_aggregate(batches, lambda part: found.add(part.slot) if isinstance(part, _Kept) else None)
    return found
