"""Watches a model's modules during one forward pass: which are called, in which order, and what they put out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.jit import ScriptModule

from gapscope.recording.probe_images import Arguments


@dataclass(frozen=True)
class Call:
    """One call of a module in a forward pass."""

    module: str
    """The module's name; "" is the model itself. A module with several names goes by its first."""
    number: int
    """Which of the module's calls it is, counted from 0 in the order in which they end."""
    place: str = field(default="", compare=False)
    """Of a module that a model holds in several places, such as one activation of all its blocks: the name that it has
    where it was called. Only `run_watched` over all modules knows it."""


class EnoughError(BaseException):
    """Ends a forward pass when everything that was wanted of it has been seen; no model catches it by accident."""


OnOutput = Callable[[Call, Any, bool, Any], None]
"""Told of every call that has ended: which, what it put out, whether no other watched module was called in it, and what
it was given."""
OnInput = Callable[[Any], None]
"""Told of what every call is given, before it begins."""


def module_names(model: nn.Module) -> dict[str, nn.Module]:
    """All modules of a model by name, in order of definition; one that is shared has its first name.

    Parts that are TorchScript are not among them: they cannot be watched.
    """
    return {name: module for name, module in model.named_modules() if not isinstance(module, ScriptModule)}


def scripted_parts(model: nn.Module) -> list[str]:
    """Names of the parts that are TorchScript, without the parts of these."""
    scripted = [name for name, module in model.named_modules() if isinstance(module, ScriptModule)]
    return [name for name in scripted if name.rpartition(".")[0] not in scripted]


def run_watched(
    model: nn.Module,
    arguments: Arguments,
    watched: Mapping[str, nn.Module],
    on_output: OnOutput,
    on_input: OnInput | None = None,
) -> None:
    """One forward pass, in which `on_output` is told of the end of each call of the watched modules.

    The output is handed over before anything after the module can change it in place. The hooks are gone afterwards,
    also after an error. `on_output` may raise `EnoughError` to end the pass.
    """
    counts: Counter[str] = Counter()
    running: list[tuple[nn.Module, bool]] = []  # the calls that have begun, the innermost last, and if they called any
    places: list[str] = []  # of the same
    shared = _held_in_several_places(model)

    def begin(module: nn.Module, args: Any, kwargs: Any) -> None:
        if running:
            running[-1] = (running[-1][0], True)
        above = zip(reversed([module for module, _ in running]), reversed(places), strict=True)
        places.append(_place(module, above) or names[module] if module in shared else names[module])
        running.append((module, False))
        if on_input is not None:
            on_input((args, kwargs))

    def end(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        inner, called_others = running.pop()
        while inner is not module:  # a call inside failed, and the model went on
            inner, called_others = running.pop()
        place = places[len(running)]
        del places[len(running) :]
        call = Call(names[module], counts[names[module]], place)
        counts[names[module]] += 1
        on_output(call, output, not called_others, (args, kwargs))

    names = {module: name for name, module in watched.items()}
    handles = []
    try:
        for module in watched.values():
            handles.append(module.register_forward_pre_hook(begin, with_kwargs=True))
            handles.append(module.register_forward_hook(end, with_kwargs=True))
        model(*arguments.positional, **arguments.named)
    except EnoughError:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _held_in_several_places(model: nn.Module) -> set[nn.Module]:
    times = Counter(module for _, module in model.named_modules(remove_duplicate=False))
    return {module for module, count in times.items() if count > 1}


def _place(module: nn.Module, above: Iterable[tuple[nn.Module, str]]) -> str:
    """A module's name below the nearest of the calls around it (module and place) that holds it; "" if none does."""
    for caller, place in above:
        for name, held in caller.named_modules(remove_duplicate=False):
            if held is module and name:
                return f"{place}.{name}" if place else name
    return ""
