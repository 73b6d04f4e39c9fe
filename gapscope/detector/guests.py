"""Detectors of other makes by name: built, kept in files and read again, beside Darknet's own."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gapscope.detector.anchor_free import AnchorFree, anchor_free_layers
from gapscope.detector.factories import ANCHOR_FREE, call_factory, is_built_in, is_torchvision, load_factory
from gapscope.detector.file_kind import file_kind
from gapscope.detector.fits import stored_values
from gapscope.detector.layers import LARGEST_STRIDE
from gapscope.detector.network import Darknet, darknet
from gapscope.detector.network_map import LayerMap
from gapscope.detector.protocol import Guest
from gapscope.detector.stack import LEAK
from gapscope.detector.weights import METADATA_KEY, WIDEST, load_backbone, load_weights, save_weights
from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, atomic_path, parse_json
from gapscope.intact import check_intact, remedy

Network = Darknet | Guest
"""What a study trains."""
AnyNetwork = TypeVar("AnyNetwork", bound=Network)
"""One of them, and the same kind again."""
FORMAT = "gapscope guest 1"
LARGEST = 1 << 16
"""Side of images, in pixels."""


def build_guest(
    name: str,
    classes: Sequence[str],
    size: int,
    seed: int = 0,
    *,
    width: float = 1.0,
    anchor_scale: float = 1.0,
    learns: bool = True,
) -> Guest:
    """A new detector, drawn at random by the seed; the state of random numbers is left as it was.

    Args:
        name: yolov3-anchor-free, one of torchvision's, or `module:factory`, a function of classes, size and seed.
        classes: Their names, in order.
        size: Side of the images that it will be trained on, in pixels.
        seed: Of its weights.
        width: Factor on the channels; of torchvision's only some have one, a factory has none.
        anchor_scale: Factor on the anchors, likewise.
        learns: Whether it is to be trained.

    Raises:
        InputError: There is no such detector, it has no such settings, or it does not offer the protocol.
    """
    settings = {"width": width, "anchor_scale": anchor_scale, "size": size}
    if name == ANCHOR_FREE:
        if anchor_scale != 1:
            raise InputError(f"anchor_scale = {anchor_scale:g}: {name} has no anchors. Leave it out.")
        model = AnchorFree(len(classes), width, seed)
        return Guest(model, name, classes, LARGEST_STRIDE, settings=settings, layer_map=model.layer_map)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if is_torchvision(name):
            from gapscope.detector.torchvision_networks import STRIDE, TorchvisionDetector

            return Guest(
                TorchvisionDetector(name, len(classes), width, anchor_scale), name, classes, STRIDE, settings=settings
            )
        if width != 1 or anchor_scale != 1:
            raise InputError(
                f"{name}: width and anchor_scale are for gapscope's own networks - expected 1. Leave them out, and let "
                "the factory decide."
            )
        made = call_factory(name, load_factory(name), classes=list(classes), size=size, seed=seed)
        stride = int(getattr(made, "stride", 1))
        return Guest(made, name, classes, stride, settings=settings, learns=learns)


def save_network(network: Network, path: Path | str, provenance: Mapping[str, str]) -> None:
    """Write weights and batch statistics; the same weights and provenance give the same bytes."""
    if isinstance(network, Darknet):
        save_weights(network, path, provenance)
        return
    about = {"format": FORMAT, "name": network.name, "classes": list(network.class_names), **network.settings}
    about["provenance"] = dict(provenance)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    with atomic_path(Path(path)) as temporary:
        save_file(tensors, temporary, {METADATA_KEY: json.dumps(about, sort_keys=True, ensure_ascii=False)})


def load_network(path: Path | str, name: str = "") -> Network:
    """The network that a file holds, in evaluation mode, in float32 on the CPU.

    Args:
        path: A weights file of any network that a study trains, or as `load_weights` takes it.
        name: The detector that is expected. A `module:factory` must be named here: no code is imported because a file
            says so.

    Raises:
        InputError: If the file cannot be read, or is of another detector.
    """
    path = Path(path)
    about = guest_file(path)
    if about is None:
        return load_weights(path)
    said, classes, size, width, anchor_scale = built_with(path, about, name)
    network = build_guest(said, classes, size, width=width, anchor_scale=anchor_scale, learns=False)
    copy_guest(network, path, range(len(network.paths)), others=True)
    return network.eval()


def built_with(path: Path, about: Mapping[str, Any], name: str = "") -> tuple[str, list[str], int, float, float]:
    """Name, classes, image size, width and scale of the anchors that a file says its network was built with.

    Args:
        path: The file.
        about: What `guest_file` found in it.
        name: The detector that is expected, as `load_network` takes it.

    Raises:
        InputError: Its name is none of gapscope's or torchvision's and was not expected, or the rest is no such thing,
            or a network of so many classes or channels does not fit in the file: said before memory for it is asked
            for.
    """
    said = str(about.get("name"))
    if said != name and not is_built_in(said):
        raise InputError(
            f"{path} holds weights of {said} - gapscope imports no code because a file names it. Name it yourself: as "
            "[model] name in an experiment file."
        )
    try:
        classes, size = [str(one) for one in about["classes"]], int(about["size"])
        width, anchor_scale = float(about["width"]), float(about["anchor_scale"])
        for what, is_right in (
            (f"a width of {width}", 0 < width <= WIDEST),
            (f"anchors of {anchor_scale} times their size", 0 < anchor_scale < math.inf),
            (f"images of {size:,} pixels", 0 < size <= LARGEST),
            (f"{len(classes):,} classes", len(classes) > 0),
        ):
            if not is_right:
                raise ValueError(what)
        if is_built_in(said):
            _check_room(path, said, len(classes), width)
        return said, classes, size, width, anchor_scale
    except OTHER_CONTENT as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{path}: what it says of itself cannot be used ({what}) - expected what gapscope writes. "
            + remedy(path, "Copy it again")
        ) from error


def _check_room(path: Path, name: str, classes: int, width: float) -> None:
    """
    Raises:
        ValueError: The network has more values than the file has bytes.
    """
    if name == ANCHOR_FREE:
        values = sum(stored_values(layer) for layer in anchor_free_layers(classes, width)[0])
    else:
        from gapscope.detector.torchvision_networks import TorchvisionDetector

        with torch.device("meta"):  # it has shapes, and takes no memory
            values = sum(value.numel() for value in TorchvisionDetector(name, classes, width).state_dict().values())
    if values > path.stat().st_size:
        raise ValueError(f"its network has {values:,} values, which a file of its size cannot hold")


def guest_file(path: Path) -> dict[str, Any] | None:
    """What a weights file of a guest says of itself; None for all other files.

    Raises:
        InputError: The file is missing or broken.
    """
    about = said_of_itself(path)
    return about if about.get("format") == FORMAT else None


def said_of_itself(path: Path) -> dict[str, Any]:
    """The note that gapscope leaves in its weights files; empty for those of other programs.

    Raises:
        InputError: The file is missing or broken.
    """
    if file_kind(path) != "safetensors":
        return {}
    check_intact(path)
    try:
        with safe_open(path, framework="pt") as stream:
            about: Any = parse_json((stream.metadata() or {}).get(METADATA_KEY, "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError):
        return {}  # which the reader of other files tells
    return about if isinstance(about, dict) else {}


@torch.no_grad()
def copy_guest(network: Guest, path: Path, layers: Sequence[int] | range, *, others: bool = False) -> None:
    """Copy these layers from a file of the same detector, after checking that all of them fit.

    Args:
        network: Gets them.
        path: Of a guest's weights file.
        layers: Indices.
        others: Whether what is in no layer, such as fixed buffers, is taken too.

    Raises:
        InputError: The file is of another detector, lacks a layer, or a layer has another shape.
    """
    about = guest_file(path)
    if about is None or about.get("name") != network.name:
        what = f"weights of {about.get('name')}" if about is not None else "weights of another make"
        raise InputError(f"{path} holds {what} - expected those of {network.name}, which is the network here.")
    prefixes = {f"model.{network.paths[index]}." for index in layers}
    owned = tuple(f"model.{one}." for one in network.paths)
    pairs = []
    try:
        with safe_open(path, framework="pt") as stream:
            for name, value in network.state_dict().items():
                if any(name.startswith(prefix) for prefix in prefixes) or (others and not name.startswith(owned)):
                    pairs.append((name, value, stream.get_tensor(name)))
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}). " + remedy(path, "Copy it again")) from error
    for name, value, stored in pairs:
        if value.shape != stored.shape:
            raise InputError(
                f"{path}, {name.removeprefix('model.')}: its shape is {tuple(stored.shape)}, the network's "
                f"{tuple(value.shape)} - both must match. Take weights of the same network and classes."
            )
    for _, value, stored in pairs:
        value.copy_(stored)


def start_guest(network: Guest, path: Path, *, keep_head: bool) -> None:
    """Take the backbone, or all layers, from a guest's file.

    The backbone of one that has Darknet-53 may come from any file of Darknet-53, too.

    Raises:
        InputError: As `copy_guest` or `load_backbone`, or if the head knows other classes than the network's.
    """
    about = guest_file(path)
    if about is None and isinstance(network.model, AnchorFree) and not keep_head:
        copy_darknet53(network.model, path)
        return
    known = [str(one) for one in about.get("classes") or ()] if about is not None else []
    if keep_head and about is not None and tuple(known) != network.class_names:
        raise InputError(
            f"{path}: its head knows {', '.join(known)} - expected {', '.join(network.class_names)}, in "
            "this order, to keep it. Set keep_head = false, or use weights of these classes."
        )
    taken = range(len(network.paths) if keep_head else network.map.backbone_last + 1)
    copy_guest(network, path, taken, others=keep_head)


def copy_darknet53(model: AnchorFree, path: Path) -> None:
    """Copy layers 0-74 from a file of YOLOv3, or of Darknet-53 alone.

    Raises:
        InputError: As `load_backbone`, or the file's leaky ReLU has another slope.
    """
    body = darknet("darknet53", width=model.width)
    load_backbone(body, path)
    if any(layer.leak != LEAK for layer in body.table):
        raise InputError(
            f"{path}: its leaky ReLU has another slope than Darknet's {LEAK:g}, which {ANCHOR_FREE} has. Start from "
            "Darknet's own weights, or from those of an arm."
        )
    for layer, taken in zip(model.layers, body.layers, strict=False):
        layer.load_state_dict(taken.state_dict())


def map_of_guest(name: str, classes: Sequence[str], size: int, width: float, anchor_scale: float) -> LayerMap:
    """What the layers of a detector are; it is built for that."""
    return build_guest(name, classes, size, width=width, anchor_scale=anchor_scale, learns=False).map
