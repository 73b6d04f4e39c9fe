"""Activations as people hold them -> a table with one row per image, or one per token or place."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError

Rows = Literal["images", "tokens"]
"""What is compared: images, each with all its numbers, or tokens (places of a map), each with its channels."""


Activations = Any
"""An array, a list, or a tensor of any framework that numpy can read, also with gradients or on a GPU."""


def as_rows(x: Activations, rows: Rows = "images", *, channels_last: bool = False) -> NDArray[np.float64]:
    """A table (rows, features) in float64.

    Args:
        x: (n, ...) of n images.
        rows: "images" (n, p): all numbers of an image are its features. "tokens": (n, t, c) gives (n * t, c), a map (n,
            c, h, w) gives (n * h * w, c), one image's after the other's.
        channels_last: Maps are (n, h, w, c).

    Raises:
        InputError: If there is no axis of images, or `rows` is neither of both.
    """
    values = np.asarray(_on_this_side(x), dtype=np.float64)
    if values.ndim < 2:
        raise InputError(f"features have shape {values.shape}, but need (n, p) or (n, ...): the images come first.")
    if rows == "images":
        return values.reshape(len(values), -1)
    if rows != "tokens":
        raise InputError(f"rows = {rows!r} is unknown - expected 'images' or 'tokens'.")
    if values.ndim > 3 and not channels_last:
        values = np.moveaxis(values, 1, -1)
    return values.reshape(-1, values.shape[-1])


def groups_of_rows(
    groups: Sequence[str] | ArrayLike | None, num_images: int, num_rows: int
) -> Sequence[str] | ArrayLike | None:
    """Groups of images as groups of the rows that they have; those of the rows themselves stay as they are."""
    if groups is None or num_rows == num_images or len(np.asarray(groups)) != num_images:
        return groups
    return np.repeat(np.asarray(groups), num_rows // num_images)


def _on_this_side(x: Any) -> Any:
    """A tensor without its gradient, and on the CPU; anything else as it is."""
    for step in ("detach", "cpu"):
        x = getattr(x, step)() if hasattr(x, step) else x
    return x.float() if str(getattr(x, "dtype", "")) == "torch.bfloat16" else x
