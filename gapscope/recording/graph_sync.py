"""Records a model that can be traced: all images through one step of its graph before the next, so little must be kept.

Between steps only what a later step reads is kept, in memory or, past the budget, in mapped files.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, fx

from gapscope.progress import Progress
from gapscope.recording.graph_slots import Keeper, Kept, Slots
from gapscope.recording.graph_steps import Step, cut_into_steps, nodes_in
from gapscope.recording.live_tensors import LiveTensors
from gapscope.recording.measured import Grams, Measured, is_as_planned, measure_parts
from gapscope.recording.plan import Output
from gapscope.recording.probe_images import ProbeImages
from gapscope.recording.trace import CannotFollowError, Traced


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
        self.grams = grams
        self.values: dict[fx.Node, list[Any]] = {}
        """What later steps read, batch by batch, with `Kept` in the place of tensors that are kept."""
        self.slots = Slots(probe, live)

    def run(self, step: Step) -> list[Measured]:
        """All images through one step; measures its layers and forgets what nobody reads any more."""
        handed = {node: self.values.get(node, []) for node in step.hands_on}
        fresh = [node for node in step.hands_on if node not in self.values]
        numbers: dict[tuple[str, int], int] = {}
        layer_slots: dict[str, set[int]] = defaultdict(set)
        for batch in range(len(self.probe.batches)):
            fetched: dict[int, Tensor] = {}
            environment = self._compute(step, batch, fetched)
            keeper = Keeper(self.slots, batch, numbers, sum(tensor.numel() for tensor in fetched.values()))
            for output, structure in step.layers:
                value = _filled_in(structure, environment)
                layer_slots[output.name].add(keeper.keep_layer(output, value))
            for node in fresh:
                handed[node].append(keeper.keep_all(node.name, environment[node]))
        measured = [self._measure(output, layer_slots[output.name]) for output, _ in step.layers]
        self.values = handed
        self.slots.keep_only(_slots_in(handed))
        return measured

    def _compute(self, step: Step, batch: int, fetched: dict[int, Tensor]) -> dict[fx.Node, Any]:
        """One batch through one step: the values of the nodes that it reads and computes."""
        rows = self.probe.batches[batch]

        def fetch(part: Any) -> Any:
            if not isinstance(part, Kept):
                return part
            if part.slot not in fetched:
                fetched[part.slot] = self.slots.fetch(part)
            return fetched[part.slot]

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
        parts = self.slots[min(slots)].parts(self.probe.batches)
        first = torch.cat([part[: len(output.digest)] for part in parts[:2]])
        if len(slots) > 1 or not is_as_planned(output, first):
            raise CannotFollowError(f"layer {output.name} gets other values in the graph")
        return measure_parts(output, parts, self.grams, self.probe.pooling, self.probe.statistics)


def _filled_in(structure: Any, environment: dict[fx.Node, Any]) -> Any:
    """What a call puts out, with the values in the place of the nodes."""
    return fx.node.map_aggregate(structure, lambda part: environment[part] if isinstance(part, fx.Node) else part)


def _slots_in(values: dict[fx.Node, list[Any]]) -> set[int]:
    found: set[int] = set()
    for batches in values.values():
        fx.node.map_aggregate(batches, lambda part: found.add(part.slot) if isinstance(part, Kept) else None)
    return found
