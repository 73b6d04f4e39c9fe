"""A model by name and a folder of images -> a recording."""

from pathlib import Path

import torch
from torch import nn

from gapscope.data.images import find_images, read_pixels
from gapscope.data.letterbox import letterbox
from gapscope.detector.network import Darknet
from gapscope.detector.plans import input_side
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.choose import Layers
from gapscope.recording.estimate import estimate_seconds
from gapscope.recording.layer_sync import Precision, check_precision
from gapscope.recording.live_tensors import parse_memory
from gapscope.recording.named_models import load_model
from gapscope.recording.record import record
from gapscope.recording.recording import Recording
from gapscope.recording.schedule import Cost, Schedule

USUAL_SIZE = 416
"""Pixels: of the input of models that do not say what they were made for."""


def record_files(
    model: str | Path,
    images: Path | str,
    *,
    size: int | None = None,
    layers: Layers | None = None,
    preprocess: str = "0-1",
    precision: Precision = "32",
    memory: str = "8GiB",
    name: str = "",
    progress: Progress = silent,
) -> Recording:
    """Record a model on all images below a folder, in order of their names.

    Args:
        model: A weights file of ours, or `module:factory`, see `load_model`.
        images: Folder; images in folders below it count too.
        size: Input size in pixels, for YOLOv3 a multiple of 32; images are letterboxed. None: what a network of ours
            was made for, 416 for any other model.
        layers: Which layers, see `record`; None: all.
        preprocess: "0-1" or "imagenet".
        precision: "32", or "bf16" for the convolutions of gapscope's own networks.
        memory: Kept activations above this spill to disk, or more passes are made.
        name: What figures and tables call the network; left out, its weights file or its class.

    Raises:
        InputError: If the model or an image cannot be read, or the folder holds fewer than 4 images.
    """
    images = Path(images)
    check_precision(precision)
    network = load_model(model)
    files = _probe_files(images)
    size = checked_size(network, size)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if isinstance(network, Darknet) and device == "cpu":
        network.to(memory_format=torch.channels_last)  # quicker there
    pixels = torch.stack([letterbox(read_pixels(file), size)[0] for file in files])
    source = "weights" if isinstance(network, Darknet) else "source"
    return record(
        network,
        pixels,
        size=size,
        layers=layers,
        preprocess=preprocess,
        precision=precision,
        memory=memory,
        device=device,
        progress=progress,
        paths=[file.relative_to(images).as_posix() for file in files],
        provenance={source: Path(model).name, "images": images.name, **({"name": name} if name else {})},
    )


def plan_files(
    model: str | Path, images: Path, *, size: int | None = None, precision: Precision = "32", memory: str = "8GiB"
) -> tuple[Cost, float]:
    """What `record_files` will need for a network of ours, and for how many seconds, without reading an image.

    Raises:
        InputError: As `record_files`, or if the model is another one.
    """
    check_precision(precision)
    network = load_model(model)
    if not isinstance(network, Darknet):
        raise InputError(f"{model} is not a network of gapscope, and only those can be planned. Leave out --plan.")
    size = checked_size(network, size)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    schedule = Schedule(network.table, len(_probe_files(images)), size, parse_memory(memory), device)
    cost = schedule.cost()
    return cost, estimate_seconds(network, schedule, cost, precision)


def _probe_files(images: Path) -> list[Path]:
    if not images.is_dir():
        raise InputError(f"there is no folder {images}. Name a folder of images.")
    files = find_images(images)
    if len(files) < 4:
        raise InputError(f"{images} holds {len(files)} images, and comparing layers needs at least 4, better 200.")
    return files


def checked_size(network: nn.Module, asked: int | None) -> int:
    size = USUAL_SIZE if asked is None else asked
    if isinstance(network, Darknet):
        size = input_side(network.plan, asked)
        stride = network.largest_stride
        if size < stride or size % stride:
            nearest = max(stride, round(size / stride) * stride)
            raise InputError(f"size = {size} is not a multiple of {stride}, which YOLOv3 needs. Try {nearest}.")
    elif size < 32:
        raise InputError(f"size = {size} is too small for an image. Give at least 32 pixels.")
    return size
