"""From uint8 images to the arguments of any model, batch by batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.transforms.v2 import functional as tv

from gapscope.errors import InputError
from gapscope.recording.box_pooling import BoxPooling

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the red, green and blue values from 0 to 1, as torchvision's and most other ImageNet weights expect."""


def zero_to_one(batch: Tensor) -> Tensor:
    """The values from 0 to 1, as they are."""
    return batch


def imagenet(batch: Tensor) -> Tensor:
    """Values from 0 to 1, minus ImageNet's mean, divided by its standard deviation."""
    return tv.normalize(batch, list(IMAGENET_MEAN), list(IMAGENET_STD))


PREPROCESSING: dict[str, Callable[[Tensor], Tensor]] = {"0-1": zero_to_one, "imagenet": imagenet}
"""How images may be prepared, by name."""

Preprocess = str | Callable[[Tensor], Tensor]
"""A name from `PREPROCESSING`, or a function from a float batch (b, 3, s, s) of values from 0 to 1 to a batch."""
Inputs = Callable[[Tensor], Any]
"""From a prepared batch to a model's arguments: a tuple is several, a dict named ones, anything else the only one."""


@dataclass(frozen=True)
class Arguments:
    """What a model is called with."""

    positional: tuple[Any, ...]
    named: dict[str, Any]


class ProbeImages:
    """The images of a probe, handed to one model batch by batch.

    Args:
        images: uint8 (n, 3, s, s).
        preprocess: A name from `PREPROCESSING`, or a function.
        inputs: From a prepared batch to the model's arguments; None: the batch is the only one.
        batch_size: Images per call.
        device: What the model computes on.
        dtype: What it computes in.
        pooling: Boxes over the images, where rows are objects.

    Raises:
        InputError: If the preprocessing is unknown, or the batch size is below 1.
    """

    def __init__(
        self,
        images: Tensor,
        *,
        preprocess: Preprocess,
        inputs: Inputs | None,
        batch_size: int,
        device: torch.device,
        dtype: torch.dtype,
        pooling: BoxPooling | None = None,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}. Give at least 1 image per batch.")
        self.images = images
        self.preprocess = find_preprocessing(preprocess)
        self.inputs = inputs
        self.device = device
        self.dtype = dtype
        self.pooling = pooling
        self.batches = [slice(at, min(at + batch_size, len(images))) for at in range(0, len(images), batch_size)]

    def __len__(self) -> int:
        return len(self.images)

    def arguments(self, rows: slice) -> Arguments:
        """What the model is called with for some of the images."""
        batch = self.preprocess(self.images[rows].to(self.device).float() / 255)
        if not isinstance(batch, Tensor) or len(batch) != rows.stop - rows.start:
            found = f"shape {tuple(batch.shape)}" if isinstance(batch, Tensor) else type(batch).__name__
            raise InputError(
                f"preprocess turned {rows.stop - rows.start} images into {found} - expected a tensor with one row per "
                "image. Change the function; what the model's call looks like is the business of `inputs`."
            )
        given = self.inputs(batch.to(self.dtype)) if self.inputs else batch.to(self.dtype)
        if isinstance(given, dict):
            return Arguments((), given)
        return Arguments(given if isinstance(given, tuple) else (given,), {})


def find_preprocessing(preprocess: Preprocess) -> Callable[[Tensor], Tensor]:
    """A function from a batch to a batch.

    Raises:
        InputError: If there is none of this name.
    """
    if callable(preprocess):
        return preprocess
    if preprocess not in PREPROCESSING:
        raise InputError(f"there is no preprocessing {preprocess!r}. Choose from {', '.join(PREPROCESSING)}.")
    return PREPROCESSING[preprocess]


def usual_inputs(model: torch.nn.Module) -> Inputs | None:
    """How a model is known to be called: torchvision's detectors take a list of images (3, s, s)."""
    return list if isinstance(getattr(model, "transform", None), GeneralizedRCNNTransform) else None


Images = Tensor | NDArray[np.uint8] | Sequence[Tensor | NDArray[np.uint8]]
"""uint8 (n, 3, s, s), as a tensor or an array, or a list of n images (3, s, s)."""


def as_tensor(images: Images) -> Tensor:
    """Images as one tensor, whichever way they are given.

    Raises:
        InputError: If they are something else, or a list of images of different shapes.
    """
    if isinstance(images, Tensor):
        return images
    try:
        if isinstance(images, np.ndarray):
            return torch.from_numpy(np.ascontiguousarray(images))
        return torch.stack([torch.as_tensor(image) for image in images])
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"images are a {type(images).__name__} that makes no tensor ({str(error).splitlines()[0]}) - expected "
            "uint8 of shape (n, 3, size, size), or a list of images of one shape. Letterbox them first."
        ) from error


def check_probe_images(images: Tensor, size: int, paths: Sequence[str] | None) -> tuple[str, ...]:
    """The images' names, after a look at the images.

    Args:
        images: Should be uint8 (n, 3, size, size), n at least 4.
        size: Side of the images, pixels.
        paths: The images' names, in order; 0, 1, ... if left out.

    Raises:
        InputError: For fewer than 4 images, images of another shape or type, or names that do not match them.
    """
    if images.dtype != torch.uint8 or images.shape[1:] != (3, size, size):
        raise InputError(
            f"images are {str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}, but recording at "
            f"size {size} takes uint8 of shape (n, 3, {size}, {size}). Letterbox them first."
        )
    if len(images) < 4:
        raise InputError(f"{len(images)} images are too few: comparing layers needs at least 4, better 100 or more.")
    names = tuple(str(index) for index in range(len(images))) if paths is None else tuple(map(str, paths))
    if len(names) != len(images):
        raise InputError(f"there are {len(names)} paths for {len(images)} images. Give one per image, in order.")
    return names
