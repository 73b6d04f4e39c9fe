"""Which layers did the user mean? By Darknet index for our own networks, by name for any other model."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from gapscope.detector.layers import check_range
from gapscope.errors import InputError
from gapscope.recording.plan import Output, RecordingPlan

Layers = str | int | range | Sequence["str | int | range"]
"""Names, patterns with * and ?, indices, ranges like "0-74", or a list of these."""


def choose_outputs(plan: RecordingPlan, layers: Layers | None) -> list[Output]:
    """The layers that are meant, in the order of computation.

    A pattern is held against the layers that are recorded by default; if none of them matches, against the outputs
    of all modules, such as a block that hands on what its last part made. It matches with or without the `#0` of a
    call and the way to a tensor.

    Raises:
        InputError: If nothing matches a pattern, or only what cannot be recorded does.
    """
    usual = [output for output in plan.outputs if output.usual] or list(plan.outputs)
    if layers is None:
        if not usual:
            raise InputError(f"the model puts out nothing that can be recorded: {_some_reasons(plan.skipped)}.")
        return usual
    chosen: set[str] = set()
    for pattern in _listed(layers):
        if not isinstance(pattern, str):
            raise InputError(
                f"layers = {pattern!r}: the layers of this model have names, such as {usual[0].name!r}. Only those of "
                "gapscope's own networks have numbers."
            )
        candidates = [usual, list(plan.outputs)]
        found = next(filter(None, ([o.name for o in some if _matches(o, pattern)] for some in candidates)), None)
        if found is None:
            raise InputError(_nothing_found(plan, pattern))
        chosen.update(found)
    return [output for output in plan.outputs if output.name in chosen]


def choose_skipped(plan: RecordingPlan, layers: Layers | None) -> dict[str, str]:
    """What is meant too and cannot be recorded, with the reasons."""
    if layers is None:
        return dict(plan.skipped)
    patterns = [str(pattern) for pattern in _listed(layers)]
    return {name: reason for name, reason in plan.skipped.items() if any(_names(name, one) for one in patterns)}


def choose_indices(layers: Layers, num_layers: int) -> list[int]:
    """Darknet indices that are meant, in order.

    Args:
        layers: Indices, ranges, texts like "82" and "0-74", or a list of these.
        num_layers: How many layers the network has.

    Raises:
        InputError: If it is none of these, or the network has no such layer.
    """
    chosen: set[int] = set()
    for part in _listed(layers):
        if isinstance(part, str):
            found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
            if not found:
                raise InputError(
                    f"layers = {part!r}: the layers of gapscope's networks are numbered from 0 to {num_layers - 1}. "
                    "Write '82' or '0-74'."
                )
            part = range(int(found[1]), int(found[2] or found[1]) + 1)
        indices = [part] if isinstance(part, int) else list(part)
        if not indices:
            raise InputError(f"layers = {part!r} is empty. Write the lower number first, like '0-74'.")
        check_range(min(indices), max(indices), num_layers)
        chosen.update(indices)
    return sorted(chosen)


def _listed(layers: Layers) -> Iterable[str | int | range]:
    parts = [layers] if isinstance(layers, str | int | range) else list(layers)
    if not parts:
        raise InputError("layers is an empty list. Name at least one layer, or leave layers out to record all.")
    return parts


def _matches(output: Output, pattern: str) -> bool:
    call, way = output.key
    names = {output.name, call.place or call.module, output.name.removesuffix(way)}
    return any(_names(name, pattern) for name in names if name)


def _names(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)  # names may hold brackets, which mean something in patterns


def _nothing_found(plan: RecordingPlan, pattern: str) -> str:
    skipped = choose_skipped(plan, pattern)
    if skipped:
        return f"layers {pattern!r} cannot be recorded: {_some_reasons(skipped)}."
    names = [output.name for output in plan.outputs]
    near = get_close_matches(pattern, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are {_shortened(names)}."
    return f"no layer of the model matches {pattern!r}. {hint}"


def _some_reasons(skipped: dict[str, str]) -> str:
    shown = [f"{name} {reason}" for name, reason in list(skipped.items())[:3]]
    rest = len(skipped) - len(shown)
    return "; ".join(shown) + (f"; and {rest} more" if rest else "")


def _shortened(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 8 else [*names[:4], "...", *names[-3:]])
