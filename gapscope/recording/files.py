"""A weights file and a folder of images -> a recording."""

from pathlib import Path

import torch

from gapscope.data.images import find_images, read_pixels
from gapscope.data.letterbox import letterbox
from gapscope.detector.weights import load_weights
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.recording.layer_sync import record
from gapscope.recording.recording import Recording


def record_files(
    weights: Path, images: Path, *, size: int, memory: str = "8GiB", progress: Progress = silent
) -> Recording:
    """Record a network on all images below a folder, in order of their names.

    Args:
        weights: A weights file of ours.
        images: Folder; images in folders below it count too.
        size: Input size in pixels, a multiple of 32; images are letterboxed.
        memory: Live tensors above this spill to disk.

    Raises:
        InputError: If the weights or an image cannot be read, or the folder holds fewer than 4 images.
    """
    if size < 32 or size % 32:
        raise InputError(
            f"size = {size} is not a multiple of 32, which YOLOv3 needs. Try {max(32, round(size / 32) * 32)}."
        )
    network = load_weights(weights)
    if not images.is_dir():
        raise InputError(f"there is no folder {images}. Name a folder of images.")
    files = find_images(images)
    if len(files) < 4:
        raise InputError(f"{images} holds {len(files)} images, and comparing layers needs at least 4, better 200.")
    pixels = torch.stack([letterbox(read_pixels(file), size)[0] for file in files])
    names = [file.relative_to(images).as_posix() for file in files]
    return record(
        network,
        pixels,
        size=size,
        memory=memory,
        device="cuda" if torch.cuda.is_available() else "cpu",
        progress=progress,
        paths=names,
        provenance={"weights": weights.name, "images": images.name},
    )
