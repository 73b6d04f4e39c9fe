"""From images to the arguments of any model, batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gapscope.errors import InputError
from gapscope.recording.box_pooling import BoxPooling
from gapscope.recording.given_images import as_floats
from gapscope.recording.layer_numbers import Statistics

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the red, green and blue values from 0 to 1, as torchvision's and most other ImageNet weights expect."""


def zero_to_one(batch: Tensor) -> Tensor:
    """The values from 0 to 1, as they are."""
    return batch


def imagenet(batch: Tensor) -> Tensor:
    """Values from 0 to 1, minus ImageNet's mean, divided by its standard deviation."""
    from torchvision.transforms.v2 import functional as tv  # late: it takes seconds

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
        images: uint8 (n, 3, s, s), or floats (n, c, h, w) as `preprocess` takes them.
        preprocess: A name from `PREPROCESSING`, or a function.
        inputs: From a prepared batch to the model's arguments; None: the batch is the only one.
        batch_size: Images per call.
        device: What the model computes on.
        dtype: What it computes in.
        pooling: Boxes over the images, where rows are objects.
        statistics: How the statistics of each layer are found.

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
        statistics: Statistics = "exact",
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}. Give at least 1 image per batch.")
        self.images = images
        self.preprocess = find_preprocessing(preprocess)
        self.inputs = inputs
        self.device = device
        self.dtype = dtype
        self.pooling = pooling
        self.statistics = statistics
        self.batches = [slice(at, min(at + batch_size, len(images))) for at in range(0, len(images), batch_size)]

    def __len__(self) -> int:
        return len(self.images)

    def arguments(self, rows: slice) -> Arguments:
        """What the model is called with for some of the images."""
        batch = self.preprocess(as_floats(self.images[rows].to(self.device)))
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
    from torchvision.models.detection.transform import GeneralizedRCNNTransform

    return list if isinstance(getattr(model, "transform", None), GeneralizedRCNNTransform) else None
