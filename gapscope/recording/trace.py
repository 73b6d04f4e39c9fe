"""A model's computation as a graph (torch.fx): which step ends which call of which module?"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from torch import fx, nn
from torch.jit import ScriptModule

from gapscope.recording.calls import Call, module_names


class CannotFollowError(Exception):
    """The model cannot be recorded by its graph; hooks can still do it."""


@dataclass(frozen=True)
class Traced:
    """A graph that computes what the model computes, and where in it the calls of modules end."""

    graph: fx.GraphModule
    ends: dict[Call, tuple[fx.Node, Any]]
    """The last node of each call, and what the call puts out, with nodes in the place of tensors."""


class _Entry(nn.Module):
    """Calls the model with one argument, so that its optional ones keep their defaults."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, argument: Any) -> Any:
        return self.model(argument)


@dataclass
class _Ends:
    names: dict[int, str]
    counts: Counter[str] = field(default_factory=Counter)
    found: dict[Call, tuple[fx.Node, Any]] = field(default_factory=dict)


class _Tracer(fx.Tracer):
    """Enters the modules that call others, takes the others as one step, and notes where each call ends."""

    def __init__(self, model: nn.Module, leaves: frozenset[str]) -> None:
        super().__init__()
        self.leaves = leaves
        self.ends = _Ends({id(module): name for name, module in module_names(model).items()})

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, ScriptModule) or self.ends.names.get(id(m)) in self.leaves

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        output = super().call_module(m, forward, args, kwargs)
        name = self.ends.names.get(id(m))
        if name is not None:
            call = Call(name, self.ends.counts[name])
            self.ends.counts[name] += 1
            nodes = fx.node.map_aggregate(output, lambda part: part.node if isinstance(part, fx.Proxy) else part)
            self.ends.found[call] = next(iter(reversed(self.graph.nodes))), nodes
        return output


def trace(model: nn.Module, leaves: frozenset[str]) -> Traced:
    """Follow a model that takes one argument.

    Args:
        model: In evaluation mode.
        leaves: Names of the modules that are one step each.

    Raises:
        CannotFollowError: If its Python code needs to know the numbers that it computes with.
    """
    entry, tracer = _Entry(model), _Tracer(model, leaves)
    try:
        graph = fx.GraphModule(entry, tracer.trace(entry))
    except Exception as error:  # whatever a model's code does with a stand-in for a tensor
        raise CannotFollowError(f"{type(error).__name__}: {_first_line(error)}") from error
    return Traced(graph, tracer.ends.found)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")
