"""A model by name and a folder of images -> a recording."""

from pathlib import Path

import torch

from gapscope.data.images import find_images, read_pixels
from gapscope.data.letterbox import letterbox
from gapscope.detector.network import Darknet
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.choose import Layers
from gapscope.recording.named_models import load_model
from gapscope.recording.record import record
from gapscope.recording.recording import Recording


def record_files(
    model: str | Path,
    images: Path,
    *,
    size: int,
    layers: Layers | None = None,
    preprocess: str = "0-1",
    memory: str = "8GiB",
    progress: Progress = silent,
) -> Recording:
    """Record a model on all images below a folder, in order of their names.

    Args:
        model: A weights file of ours, or `module:factory`, see `load_model`.
        images: Folder; images in folders below it count too.
        size: Input size in pixels, for YOLOv3 a multiple of 32; images are letterboxed.
        layers: Which layers, see `record`; None: all.
        preprocess: "0-1" or "imagenet".
        memory: Kept activations above this spill to disk, or more passes are made.

    Raises:
        InputError: If the model or an image cannot be read, or the folder holds fewer than 4 images.
    """
    network = load_model(model)
    if size < 32 or (isinstance(network, Darknet) and size % 32):
        raise InputError(
            f"size = {size} is not a multiple of 32, which YOLOv3 needs. Try {max(32, round(size / 32) * 32)}."
            if isinstance(network, Darknet)
            else f"size = {size} is too small for an image. Give at least 32 pixels."
        )
    if not images.is_dir():
        raise InputError(f"there is no folder {images}. Name a folder of images.")
    files = find_images(images)
    if len(files) < 4:
        raise InputError(f"{images} holds {len(files)} images, and comparing layers needs at least 4, better 200.")
    pixels = torch.stack([letterbox(read_pixels(file), size)[0] for file in files])
    source = "weights" if isinstance(network, Darknet) else "source"
    return record(
        network,
        pixels,
        size=size,
        layers=layers,
        preprocess=preprocess,
        memory=memory,
        device="cuda" if torch.cuda.is_available() else "cpu",
        progress=progress,
        paths=[file.relative_to(images).as_posix() for file in files],
        provenance={source: Path(model).name, "images": images.name},
    )
