"""Weights from one format into another: Darknet's .weights and ours, whole networks or their first layers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gapscope.detector.cfg_plan import plan_from
from gapscope.detector.cfg_text import cfg_text, check_leaks
from gapscope.detector.class_names import names_for
from gapscope.detector.darknet_weights import (
    DarknetFile,
    DarknetHeader,
    check_length,
    fitting_header,
    load_darknet_weights,
    open_darknet_file,
    save_darknet_weights,
)
from gapscope.detector.file_kind import file_kind
from gapscope.detector.fits import built_in_fits, classes_of_whole_file, is_exact, last_begun
from gapscope.detector.network import Darknet
from gapscope.detector.plans import BUILT_IN, Plan, built_in_plan
from gapscope.detector.weights import WeightsFile, copy_layers, read_weights, save_weights
from gapscope.errors import InputError
from gapscope.files import hash_file, write_text

VERSION, SEEN, LONG_COUNT = "darknet_version", "images_seen", "darknet_long_count"
"""Entries of the provenance that keep a Darknet file's header."""


def convert_weights(
    source: Path | str, target: Path | str, cfg: str | Path | None = None, class_names: Sequence[str] | None = None
) -> list[Path]:
    """Write a weights file in the format that the target's suffix says: ours for `.safetensors`, else Darknet's.

    A Darknet file of a network's first layers stays one, and one that was converted comes back byte for byte. With a
    Darknet file goes the .cfg that it belongs to, under the same name.

    Args:
        source: A Darknet file, one of ours, or timm's darknet53.
        target: The file to write; one that is there is replaced.
        cfg: The network of a Darknet file, if it is no whole or first part of a built-in one.
        class_names: Names of the classes to keep in the file.

    Returns:
        The files written.

    Raises:
        InputError: If the source cannot be read or does not fit, or the target is the source.
    """
    source = Path(source)
    target = Path(target)
    if target.resolve() == source.resolve():
        raise InputError(f"{target} is the file to convert - name another to write, so that this one stays.")
    ours = target.suffix == ".safetensors"
    if file_kind(source) == "darknet":
        if not ours:
            raise InputError(f"{source} is a Darknet file already - convert it to a file that ends in .safetensors.")
        network, last, provenance = _from_darknet(source, cfg, class_names)
    else:
        if cfg is not None:
            raise InputError(f"{source} says itself which network it holds - leave out {cfg}.")
        network, last, provenance = _from_safetensors(read_weights(source), class_names)
    if ours:
        save_weights(network, target, provenance, layers=range(last + 1))
        return [target]
    return _to_darknet(network, last, provenance, target)


def darknet_fit(file: DarknetFile, cfg: str | Path | None) -> tuple[DarknetFile, Plan, int]:
    """The network of a Darknet file and the last layer that it fills; the file with the header that fits.

    Raises:
        InputError: If it fills neither the network nor its first layers, or, without `cfg`, no built-in network.
    """
    if cfg is None:
        fits = sorted(built_in_fits(file.num_values), key=lambda fit: fit[1] < len(fit[0].layers) - 1)
        if not fits:
            raise InputError(
                f"{file.path} holds {file.num_values:,} values, which are no built-in network nor the first layers of "
                "one - expected its .cfg, since a Darknet file does not say what it belongs to. Give the .cfg."
            )
        return file, *fits[0]
    plan = plan_from(cfg)
    file = fitting_header(file, plan.layers)
    classes = classes_of_whole_file(plan.layers, file.num_values)
    if str(cfg) in BUILT_IN and classes:
        plan = built_in_plan(str(cfg), classes)
    if not is_exact(plan.layers, file.num_values):
        check_length(file, plan, len(plan.layers) - 1, whole=True)
    return file, plan, last_begun(plan.layers, file.num_values)


def _from_darknet(
    source: Path, cfg: str | Path | None, class_names: Sequence[str] | None
) -> tuple[Darknet, int, dict[str, str]]:
    _, plan, last = darknet_fit(open_darknet_file(source), cfg)
    network = Darknet(plan, names_for(plan, class_names))
    header = load_darknet_weights(network, source, last=last)
    provenance = {
        "source": source.name,
        "source_sha256": hash_file(source),
        VERSION: f"{header.major}.{header.minor}.{header.revision}",
        SEEN: str(header.seen),
    }
    if header.always_long:
        provenance[LONG_COUNT] = "yes"
    return network, last, provenance


def _from_safetensors(file: WeightsFile, class_names: Sequence[str] | None) -> tuple[Darknet, int, dict[str, str]]:
    last = len(file.layers) - 1
    if file.layers != tuple(range(last + 1)):
        raise InputError(
            f"{file.path} holds layers {', '.join(map(str, file.layers))} - expected all or the first ones without a "
            "gap. Use a file that has them."
        )
    names = list(file.class_names) if class_names is None else class_names
    network = Darknet(file.plan, names_for(file.plan, names))
    network.anchors.copy_(network.anchors.new_tensor(file.anchors).view_as(network.anchors))
    copy_layers(network, file, file.layers)
    return network, last, dict(file.provenance)


def _to_darknet(network: Darknet, last: int, provenance: Mapping[str, str], target: Path) -> list[Path]:
    check_leaks(network.table)
    text = network.plan.cfg or cfg_text(network.plan, network.anchors.tolist())
    beside = target.with_suffix(".cfg")
    if beside.is_file() and beside.read_bytes() != text.encode():
        raise InputError(
            f"{beside} is there and says something else than the network that goes with {target.name} - expected no "
            "such file. Choose another name, or move it away."
        )
    save_darknet_weights(network, target, _header(provenance), last=last)
    write_text(beside, text)
    return [target, beside]


def _header(provenance: Mapping[str, str]) -> DarknetHeader:
    """The header that a converted file had; a new one for weights that never were in a Darknet file."""
    if VERSION not in provenance:
        return DarknetHeader()
    major, minor, revision = map(int, provenance[VERSION].split("."))
    return DarknetHeader(major, minor, revision, int(provenance[SEEN]), always_long=LONG_COUNT in provenance)
