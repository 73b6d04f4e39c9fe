"""Our weights files (safetensors): how are a network's weights kept, and where do they come from?

The files are safetensors: named tensors and a text, nothing that could be run. The text says which network the
weights belong to and, under `provenance`, what made them. Darknet's and timm's files are read too.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gapscope.detector.cfg_plan import parse_cfg, plan_from
from gapscope.detector.class_names import check_names, names_for
from gapscope.detector.darknet_weights import fitting_header, load_darknet_weights, open_darknet_file
from gapscope.detector.file_kind import file_kind
from gapscope.detector.fits import built_in_fits, stored_values
from gapscope.detector.layers import BACKBONE_LAST, check_range
from gapscope.detector.network import Darknet, YOLOv3
from gapscope.detector.network_map import backbone_end
from gapscope.detector.plans import Plan, built_in_plan
from gapscope.detector.stack import LEAK
from gapscope.detector.timm_weights import FIRST_NAME, TIMM_LEAK, from_timm, read_torch_tensors, timm_modules
from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, atomic_path, parse_json
from gapscope.intact import check_intact, remedy

FORMAT = "gapscope yolov3 1"
DARKNET_FORMAT = "gapscope darknet 1"
"""Of networks other than YOLOv3."""
METADATA_KEY = "gapscope"
WIDEST = 4.0
"""Of a built-in network in a file."""


@dataclass(frozen=True)
class WeightsFile:
    """What a weights file says about itself and the tensors it holds."""

    path: Path
    plan: Plan
    class_names: tuple[str, ...]
    anchors: list[list[float]]
    layers: tuple[int, ...]
    """The layers it holds weights of; all of them, or some, such as a backbone's 0 to 74."""
    provenance: dict[str, str]
    tensors: dict[str, Tensor]
    leaks: dict[int, float] = field(default_factory=dict)
    """Layers whose leaky ReLU has another slope than Darknet's 0.1."""

    @property
    def width(self) -> float:
        return self.plan.width


def save_weights(
    network: Darknet,
    path: Path | str,
    provenance: Mapping[str, str],
    *,
    dtype: torch.dtype = torch.float32,
    layers: Iterable[int] | None = None,
) -> None:
    """Write weights and batch statistics; the same weights and provenance give the same bytes.

    Args:
        network: What to keep.
        path: Where, ending in `.safetensors`; a file there is replaced.
        provenance: Where the weights come from, as names and texts, such as arm and seed.
        dtype: torch.float16 halves the file at the cost of a rounding of about 0.05 %.
        layers: Which layers to keep, all by default; range(75) is YOLOv3's backbone alone.
    """
    path = Path(path)
    kept = sorted(set(range(len(network.table)) if layers is None else layers))
    tensors = {
        name: value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in network.state_dict().items()
        if name.startswith("layers.") and int(name.split(".")[1]) in kept
    }
    about = {
        "format": FORMAT,
        "width": network.width,
        "classes": network.class_names,
        "anchors": network.anchors.tolist(),
        "layers": kept,
        "provenance": dict(provenance),
    }
    if network.plan.name != "yolov3":
        about |= {"format": DARKNET_FORMAT, "network": network.plan.name, "cfg": network.plan.cfg}
    leaks = {str(layer.index): layer.leak for layer in network.table if layer.leak != LEAK and layer.index in kept}
    if leaks:
        about["leaks"] = leaks
    with atomic_path(path) as temporary:
        # One entry: safetensors writes several in an order that changes from call to call.
        save_file(tensors, temporary, {METADATA_KEY: json.dumps(about, sort_keys=True, ensure_ascii=False)})


def read_weights(path: Path) -> WeightsFile:
    """Everything in a weights file of ours, or in a checkpoint of timm's darknet53 (safetensors or PyTorch).

    Raises:
        InputError: If the file is missing or broken, or neither `save_weights` nor timm wrote it.
    """
    kind = file_kind(path)
    check_intact(path)
    if kind == "torch":
        return _timm_file(path, read_torch_tensors(path))
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            about: dict[str, Any] = parse_json(metadata.get(METADATA_KEY, "{}"))
            theirs = FIRST_NAME in stream.keys()
            tensors = {name: stream.get_tensor(name) for name in stream.keys()} if about or theirs else {}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no whole safetensors file ({error}) - expected weights written by gapscope. "
            + remedy(path, "Copy it again")
        ) from error
    if not isinstance(about, dict):
        raise InputError(f"{path}: what it says of itself is {about!r:.60} - expected an object. Copy it again.")
    if not about and theirs:
        return _timm_file(path, tensors)
    if str(about.get("format")).startswith("gapscope guest"):
        raise InputError(
            f"{path} holds weights of {about.get('name')} - expected those of a network of Darknet's, whose layers "
            "can be grafted, stitched and converted. gapscope evaluate and record take it."
        )
    if about.get("format") not in (FORMAT, DARKNET_FORMAT):
        raise InputError(
            f"{path} says its format is {about.get('format', 'unknown')!r} - expected {FORMAT!r}, {DARKNET_FORMAT!r} "
            "or timm's darknet53. Use weights that this version of gapscope wrote."
        )
    try:
        return _described(path, about, tensors)
    except OTHER_CONTENT as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{path}: what it says of itself cannot be read ({what}) - expected what gapscope writes. "
            + remedy(path, "Copy it again")
        ) from error


def _described(path: Path, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> WeightsFile:
    plan, names = _plan(path, about), tuple(map(str, about["classes"]))
    layers, anchors = tuple(map(int, about["layers"])), [[float(a), float(b)] for a, b in about["anchors"]]
    if not set(layers) <= set(range(len(plan.layers))) or not layers:
        raise ValueError(f"layers {layers[0] if layers else 'none'} ... of a network of {len(plan.layers)}")
    if len(anchors) != len(plan.anchors) or len(names) != plan.classes:
        raise ValueError(
            f"{len(anchors)} anchors and {len(names)} classes, where its network has other numbers of them"
        )
    wanted = sum(stored_values(plan.layers[layer]) for layer in layers)
    found = sum(value.numel() for value in tensors.values() if value.is_floating_point())
    if wanted != found:  # before memory for the network is asked for
        raise ValueError(f"its layers have {wanted:,} values, but it holds {found:,}")
    return WeightsFile(
        path=path,
        plan=plan,
        class_names=names,
        anchors=anchors,
        layers=layers,
        provenance={str(key): str(value) for key, value in about["provenance"].items()},
        tensors={name: value.float() if value.is_floating_point() else value for name, value in tensors.items()},
        leaks={int(index): float(leak) for index, leak in about.get("leaks", {}).items()},
    )


def _plan(path: Path, about: Mapping[str, Any]) -> Plan:
    if about.get("cfg"):
        return parse_cfg(str(about["cfg"]), str(about["network"]), f"{path}, the .cfg in it")
    width = float(about["width"])
    if not 0 < width <= WIDEST:
        raise ValueError(f"width {width}")
    return built_in_plan(str(about.get("network", "yolov3")), max(1, len(about["classes"])), width)


def _timm_file(path: Path, tensors: Mapping[str, Tensor]) -> WeightsFile:
    return WeightsFile(
        path=path,
        plan=built_in_plan("darknet53"),
        class_names=(),
        anchors=[],
        layers=tuple(range(BACKBONE_LAST + 1)),
        provenance={"source": f"timm darknet53 ({path.name})"},
        tensors=from_timm(tensors, path),
        leaks=dict.fromkeys(timm_modules(), TIMM_LEAK),
    )


def load_weights(path: Path | str, cfg: str | Path | None = None, class_names: Iterable[str] | None = None) -> Darknet:
    """The network that a file holds, in evaluation mode, in float32 on the CPU.

    Args:
        path: A weights file of ours, a Darknet `.weights` file, or timm's darknet53.
        cfg: The network of a Darknet file: its .cfg file, or the name of a built-in network. If left out, the built-in
            network that is as long as the file. Other files say themselves which network they hold.
        class_names: Names in the order of the class logits, in place of the file's; Darknet files have none.

    Raises:
        InputError: If the file cannot be read, holds only a part of a network, or does not fit `cfg` or the names.
    """
    path = Path(path)
    names = None if class_names is None else list(class_names)
    check_names(names or [])
    if file_kind(path) == "darknet":
        return _load_darknet(path, cfg, names)
    if cfg is not None:
        raise InputError(f"{path} says itself which network it holds - leave out {cfg}, which is for Darknet's files.")
    file = read_weights(path)
    if file.layers != tuple(range(len(file.plan.layers))):
        raise InputError(
            f"{path} holds {len(file.layers)} of {len(file.plan.layers)} layers ({file.layers[0]}-{file.layers[-1]}) - "
            "expected a whole network. Use it as the start of a training instead."
        )
    names = list(file.class_names) if names is None else list(names_for(file.plan, names))
    yolov3 = file.plan.name == "yolov3" and not file.plan.cfg
    network = YOLOv3(names, file.width) if yolov3 else Darknet(file.plan, names)
    network.anchors.copy_(torch.tensor(file.anchors).view_as(network.anchors))
    copy_layers(network, file, file.layers)
    return network.eval()


def _load_darknet(path: Path, cfg: str | Path | None, names: list[str] | None) -> Darknet:
    if cfg is None:
        plan = guessed_plan(path)
    else:
        plan = plan_from(cfg, classes=len(names) if names else 80)
    names_used = names_for(plan, names)
    network = YOLOv3(names_used) if plan.name == "yolov3" and not plan.cfg else Darknet(plan, names_used)
    load_darknet_weights(network, path)
    return network.eval()


def guessed_plan(path: Path) -> Plan:
    """The built-in network that a Darknet file fills wholly.

    Raises:
        InputError: If there is none.
    """
    file = open_darknet_file(path)
    found = [
        plan
        for plan, last in built_in_fits(file.num_values)
        if last == len(plan.layers) - 1 and fitting_header(file, plan.layers).num_values == file.num_values
    ]
    if not found:
        raise InputError(
            f"{path} holds {file.num_values:,} values after its header, which is no whole built-in network - expected "
            "its .cfg beside it, since a .weights file does not say what it belongs to. Give the .cfg."
        )
    return found[0]


def load_backbone(network: Darknet, path: Path | str, last: int | None = None) -> None:
    """Copy layers 0..last (included) from a file of any format into a network of the same width, whatever the classes.

    Args:
        network: Gets the layers.
        path: Of the file.
        last: The last one; the last of the network's backbone by default.

    Raises:
        InputError: If the file cannot be read, lacks a layer, or a layer has another shape; nothing is copied then.
    """
    path = Path(path)
    if last is None:
        last = backbone_end(network.plan) if network.yolo_layers else BACKBONE_LAST
    check_range(0, last, len(network.table))
    if file_kind(path) == "darknet":
        load_darknet_weights(network, path, last=last)
    else:
        copy_layers(network, read_weights(path), range(last + 1))


def load_whole(network: Darknet, path: Path) -> None:
    """Copy all layers, the head too, from a file of the same classes into a network of the same width.

    Raises:
        InputError: If the file cannot be read, holds other classes, lacks a layer, or a layer has another shape.
    """
    if file_kind(path) == "darknet":
        load_darknet_weights(network, path)
        return
    file = read_weights(path)
    if file.class_names != network.class_names:
        raise InputError(
            f"{path}: its head knows {', '.join(file.class_names) or 'no classes'} - expected "
            f"{', '.join(network.class_names)}, in this order, to keep it. Set keep_head = false, or use weights of "
            "these classes."
        )
    copy_layers(network, file, range(len(network.table)))


@torch.no_grad()
def copy_layers(network: Darknet, file: WeightsFile, layers: Iterable[int]) -> None:
    """Copy these layers' weights and batch statistics, after checking that all of them fit."""
    pairs, indices = [], list(layers)
    for index in indices:
        for name, value in network.layers[index].state_dict().items():
            stored = file.tensors.get(f"layers.{index}.{name}")
            if stored is None:
                raise InputError(f"{file.path} holds no weights of layer {index} ({name}) - use a file that has them.")
            if stored.shape != value.shape:
                raise InputError(
                    f"{file.path}, layer {index} ({name}): its shape is {tuple(stored.shape)}, the network's "
                    f"{tuple(value.shape)} - both must match. The file's width is {file.width}, the network's "
                    f"{network.width}."
                )
            pairs.append((value, stored))
    for value, stored in pairs:
        value.copy_(stored)
    network.set_leaks({index: file.leaks.get(index, LEAK) for index in indices})
