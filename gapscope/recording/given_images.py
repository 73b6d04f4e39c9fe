"""Images in whatever form people hold them -> one tensor, with their names: arrays, lists, files, loaders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.data.images import find_images, read_pixels
from gapscope.data.letterbox import letterbox
from gapscope.errors import InputError

Images = Tensor | NDArray[Any] | Path | str | Iterable[Any]
"""A tensor or an array (n, c, h, w); a list of images (c, h, w); a list of image files, or a folder of them; a
`DataLoader` or anything else that gives batches or images, alone or first in a tuple, or in a dictionary. Bytes (uint8)
are letterboxed RGB values; floats are what the model is to be given."""

USUAL_SIZE = 416
"""Pixels, to which files are letterboxed unless another size is asked for."""
HELD_IN = ("pixel_values", "images", "image", "inputs", "x")
"""Under which of these a batch that is a dictionary holds its images."""
FLOATS = (torch.float32, torch.float64)


@dataclass(frozen=True)
class GivenImages:
    """What a model will see."""

    pixels: Tensor
    """uint8 (n, 3, size, size), or float (n, c, h, w) as the model is to be given it."""
    names: tuple[str, ...]
    size: int
    """Side of the images, pixels; of images that are no squares the longer one."""


def given_images(images: Images, size: int | None = None, paths: Sequence[str] | None = None) -> GivenImages:
    """Images as one tensor, whichever way they are given, and their names.

    What gives batches is read to its end; the random numbers of torch, by which a loader shuffles, are as before then.

    Args:
        images: In any of the forms above.
        size: Side that they must have, or are letterboxed to; None: their own, of files 416.
        paths: Their names, in order; left out, those of their files, or 0, 1, ...

    Raises:
        InputError: If they are something else, of different shapes, fewer than 4, of another size than is asked for, or
            there is not one name for each.
    """
    files = _files(images)
    if files is not None:
        side = USUAL_SIZE if size is None else size
        pixels = torch.stack([letterbox(read_pixels(file), side)[0] for _, file in files]) if files else torch.empty(0)
        return _checked(pixels, side, [name for name, _ in files] if paths is None else paths)
    return _checked(as_tensor(images), size, paths)


def _files(images: Images) -> list[tuple[str, Path]] | None:
    """Name and path of each image, if paths are given."""
    if isinstance(images, str | Path):
        folder = Path(images)
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}. Name a folder of images, or give a list of image files.")
        return [(file.relative_to(folder).as_posix(), file) for file in find_images(folder)]
    if isinstance(images, list | tuple) and images and all(isinstance(one, str | Path) for one in images):
        return [(str(one), Path(one)) for one in images]
    return None


def as_tensor(images: Images) -> Tensor:
    """Images that are held in memory, or given batch by batch, as one tensor (n, c, h, w).

    Raises:
        InputError: If they are something else, or of different shapes.
    """
    try:
        if isinstance(images, Tensor | np.ndarray):
            return _tensor(images)
        if isinstance(images, Path):
            raise TypeError("it is a path")
        with torch.random.fork_rng(devices=[]):
            parts = [_images_in(part) for part in images]
        if not parts:
            raise ValueError("it is empty")
        one_by_one = all(part.ndim == 3 for part in parts)
        return torch.stack(parts) if one_by_one else torch.cat(parts)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"images are a {type(images).__name__} that makes no tensor ({str(error).splitlines()[0]}) - expected "
            "(n, channels, height, width), a list of images or image files, or what gives batches of one shape. "
            "Letterbox them first."
        ) from error


def _images_in(part: Any) -> Tensor:
    """The images of one batch, or one image: what it is, what comes first in it, or what it is called."""
    if isinstance(part, Tensor | np.ndarray):
        return _tensor(part)
    if isinstance(part, Mapping):
        part = [*(part[name] for name in HELD_IN if name in part), *part.values()]
    if isinstance(part, Iterable) and not isinstance(part, str | bytes):
        for held in part:
            if isinstance(held, Tensor | np.ndarray) and held.ndim in (3, 4):
                return _tensor(held)
    raise TypeError(f"a {type(part).__name__} in it holds no image")


def _tensor(values: Tensor | NDArray[Any]) -> Tensor:
    """Half precision is widened, since nothing is computed in it before the model."""
    tensor = values.detach() if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values))
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _checked(pixels: Tensor, size: int | None, paths: Sequence[str] | None) -> GivenImages:
    side = size
    if side is None:
        side = max(pixels.shape[-2:], default=0)
    names = check_probe_images(pixels, side, paths)
    return GivenImages(pixels, names, side)


def check_probe_images(images: Tensor, size: int, paths: Sequence[str] | None) -> tuple[str, ...]:
    """The images' names, after a look at the images.

    Args:
        images: Should be uint8 (n, 3, size, size), or float (n, c, h, w) of which the longer side is `size`; n at
            least 4.
        size: Side of the images, pixels.
        paths: The images' names, in order; 0, 1, ... if left out.

    Raises:
        InputError: For fewer than 4 images, images of another shape or type, or names that do not match them.
    """
    fits = images.ndim == 4 and (
        images.shape[1:] == (3, size, size)
        if images.dtype == torch.uint8
        else images.dtype in FLOATS and max(images.shape[2:]) == size
    )
    if not fits:
        raise InputError(
            f"images are {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}, but recording at "
            f"size {size} takes uint8 of shape (n, 3, {size}, {size}), or floats (n, channels, {size}, {size}) as the "
            "model is to be given them. Letterbox them first."
        )
    if len(images) < 4:
        raise InputError(f"{len(images)} images are too few: comparing layers needs at least 4, better 100 or more.")
    names = tuple(str(index) for index in range(len(images))) if paths is None else tuple(map(str, paths))
    if len(names) != len(images):
        raise InputError(f"there are {len(names)} paths for {len(images)} images. Give one per image, in order.")
    return names


def as_floats(batch: Tensor) -> Tensor:
    """Bytes as values from 0 to 1; floats as they are, in memory of their own, which a model may change in place."""
    return batch.clone() if batch.is_floating_point() else batch.float() / 255
