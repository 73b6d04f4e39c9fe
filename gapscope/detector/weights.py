"""How are a network's weights kept in a file, and where do they come from?

The files are safetensors: named tensors and a text, nothing that could be run. The text says which network the
weights belong to and, under `provenance`, what made them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gapscope.detector.layers import BACKBONE_LAST, NUM_LAYERS, check_range
from gapscope.detector.network import YOLOv3
from gapscope.errors import InputError
from gapscope.files import atomic_path

FORMAT = "gapscope yolov3 1"
METADATA_KEY = "gapscope"
ALL_LAYERS = range(NUM_LAYERS)


@dataclass(frozen=True)
class WeightsFile:
    """What a weights file says about itself and the tensors it holds."""

    path: Path
    width: float
    class_names: tuple[str, ...]
    anchors: list[list[float]]
    layers: tuple[int, ...]
    """The layers it holds weights of; all 107, or some of them, such as a backbone's 0 to 74."""
    provenance: dict[str, str]
    tensors: dict[str, Tensor]


def save_weights(
    network: YOLOv3,
    path: Path,
    provenance: Mapping[str, str],
    *,
    dtype: torch.dtype = torch.float32,
    layers: Iterable[int] = ALL_LAYERS,
) -> None:
    """Write weights and batch statistics; the same weights and provenance give the same bytes.

    Args:
        network: What to keep.
        path: Where, ending in `.safetensors`; a file there is replaced.
        provenance: Where the weights come from, as names and texts, such as arm and seed.
        dtype: torch.float16 halves the file at the cost of a rounding of about 0.05 %.
        layers: Which layers to keep; range(75) is the backbone alone.
    """
    kept = sorted(set(layers))
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
    with atomic_path(path) as temporary:
        # One entry: safetensors writes several in an order that changes from call to call.
        save_file(tensors, temporary, {METADATA_KEY: json.dumps(about, sort_keys=True, ensure_ascii=False)})


def read_weights(path: Path) -> WeightsFile:
    """Everything in a weights file.

    Raises:
        InputError: If the file is missing, broken, or was not written by `save_weights`.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file. Check the path.")
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            about: dict[str, Any] = json.loads(metadata.get(METADATA_KEY, "{}"))
            tensors = {name: stream.get_tensor(name) for name in stream.keys()} if about else {}
    except SafetensorError as error:
        raise InputError(
            f"{path} is no whole safetensors file ({error}) - expected weights written by gapscope. Copy it again; "
            "Darknet's .weights files are read by another function, load_darknet_weights."
        ) from error
    if about.get("format") != FORMAT:
        raise InputError(
            f"{path} says its format is {about.get('format', 'unknown')!r} - expected {FORMAT!r}. "
            "Use weights that this version of gapscope wrote."
        )
    return WeightsFile(
        path=path,
        width=about["width"],
        class_names=tuple(about["classes"]),
        anchors=about["anchors"],
        layers=tuple(about["layers"]),
        provenance=about["provenance"],
        tensors={name: value.float() if value.is_floating_point() else value for name, value in tensors.items()},
    )


def load_weights(path: Path) -> YOLOv3:
    """The network that a file holds, in evaluation mode, in float32 on the CPU.

    Raises:
        InputError: If the file cannot be read, or holds only a part of a network.
    """
    file = read_weights(path)
    if file.layers != tuple(ALL_LAYERS):
        raise InputError(
            f"{path} holds {len(file.layers)} of {NUM_LAYERS} layers ({file.layers[0]}-{file.layers[-1]}) - expected a "
            "whole network. Use it as the start of a training instead."
        )
    network = YOLOv3(file.class_names, file.width)
    network.anchors.copy_(torch.tensor(file.anchors))
    copy_layers(network, file, range(NUM_LAYERS))
    return network.eval()


def load_backbone(network: YOLOv3, path: Path, last: int = BACKBONE_LAST) -> None:
    """Copy layers 0..last (included) from a file into a network of the same width, whatever the classes of either.

    Raises:
        InputError: If the file cannot be read, lacks a layer, or a layer has another shape; nothing is copied then.
    """
    check_range(0, last)
    copy_layers(network, read_weights(path), range(last + 1))


@torch.no_grad()
def copy_layers(network: YOLOv3, file: WeightsFile, layers: Iterable[int]) -> None:
    """Copy these layers' weights and batch statistics, after checking that all of them fit."""
    pairs = []
    for index in layers:
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
