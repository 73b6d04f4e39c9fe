"""What is in a weights file, as lines to read: format, network, layers, origin, classes, hash."""

from pathlib import Path

from gapscope.detector.convert_weights import darknet_fit
from gapscope.detector.darknet_weights import DarknetFile, open_darknet_file
from gapscope.detector.file_kind import file_kind
from gapscope.detector.fits import built_in_fits
from gapscope.detector.plans import Plan
from gapscope.detector.weights import WeightsFile, read_weights
from gapscope.files import hash_file
from gapscope.words import number_of

Facts = list[tuple[str, str]]


def weights_facts(path: Path | str, cfg: str | Path | None = None) -> Facts:
    """Names and values, in the order to show them.

    Args:
        path: A weights file of any format that gapscope reads.
        cfg: The network of a Darknet file: a .cfg file, or a built-in network's name.

    Raises:
        InputError: If the file cannot be read, or does not fit `cfg`.
    """
    path = Path(path)
    darknet = file_kind(path) == "darknet"
    facts = _darknet_facts(open_darknet_file(path), cfg) if darknet else _own_facts(read_weights(path))
    return [("file", f"{path} ({path.stat().st_size:,} bytes)"), *facts, ("sha256", hash_file(path))]


def _darknet_facts(file: DarknetFile, cfg: str | Path | None) -> Facts:
    if cfg is not None:
        file, plan, last = darknet_fit(file, cfg)
        fits = [(plan, last)]
    else:
        fits = list(built_in_fits(file.num_values))
    header = file.header
    facts = [
        ("format", f"Darknet weights, version {header.major}.{header.minor}.{header.revision}"),
        ("images seen", f"{header.seen:,}"),
        ("values", f"{file.num_values:,} after a header of {header.num_bytes} bytes"),
    ]
    facts += [("network", _described(plan, last)) for plan, last in fits]
    facts += [fact for plan, _ in fits for fact in _cfg_facts(plan)]
    return facts if fits else [*facts, ("network", "no built-in one; name its .cfg with --cfg")]


def _cfg_facts(plan: Plan) -> Facts:
    """What a .cfg file says of its input, and what of it was read in a way that may surprise."""
    size = [("input", f"{plan.size[0]} x {plan.size[1]} pixels, as {plan.name} says")] if plan.cfg else []
    return [*size, *(("note", note) for note in plan.notes)]


def _described(plan: Plan, last: int) -> str:
    classes = f" with {number_of(plan.classes, 'class', 'classes')}" if plan.classes else ""
    if last == len(plan.layers) - 1:
        return f"{plan.name}{classes}: all {last + 1} layers"
    return f"{plan.name}: layers 0-{last} of {len(plan.layers)}"


def _own_facts(file: WeightsFile) -> Facts:
    width = f" at width {file.width:g}" if file.width != 1 else ""
    timm = not file.anchors and bool(file.leaks)
    facts = [
        ("format", "timm's darknet53" if timm else "gapscope weights (safetensors)"),
        ("network", f"{file.plan.name}{width}, {len(file.plan.layers)} layers"),
        ("layers", f"{_ranges(file.layers)}, {_num_parameters(file):,} parameters"),
    ]
    facts += _cfg_facts(file.plan)
    if file.class_names:
        facts.append(("classes", f"{len(file.class_names)}: {', '.join(file.class_names)}"))
    if file.leaks:
        slopes = ", ".join(f"{slope:g}" for slope in sorted(set(file.leaks.values())))
        facts.append(("leaky slope", f"{slopes} in layers {_ranges(sorted(file.leaks))}, instead of 0.1"))
    return facts + [(f"origin: {name}", value) for name, value in file.provenance.items()]


def _num_parameters(file: WeightsFile) -> int:
    """Weights, biases and scales, without batch statistics."""
    parts = (value for name, value in file.tensors.items() if name.endswith((".weight", ".bias")))
    return sum(value.numel() for value in parts)


def _ranges(layers: tuple[int, ...] | list[int]) -> str:
    """Layer numbers as ranges: 0-3, 5."""
    starts = [i for i in layers if i - 1 not in layers]
    ends = [i for i in layers if i + 1 not in layers]
    return ", ".join(f"{a}-{b}" if b > a else str(a) for a, b in zip(starts, ends, strict=True))
