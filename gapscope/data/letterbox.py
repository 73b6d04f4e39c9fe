"""Letterboxing: an image of any shape becomes a square without being stretched, and boxes find their way back."""

from math import ceil, gcd

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

FILL = 128
"""Grey of the bars, 0 to 255."""
INTERPOLATION = "bilinear, antialiased"
"""How images are scaled: averages over triangles as wide as the scale asks for."""


def letterbox(image: Tensor, size: int, fill: int = FILL) -> tuple[Tensor, float, tuple[float, float]]:
    """Fit an image into a square.

    The image is padded to a square, then scaled (`INTERPOLATION`), so that one factor holds exactly for both axes: a
    box at `xyxy` lies at `xyxy * scale + (left, top, left, top)` to the last digit, at any aspect ratio.

    Args:
        image: uint8 (3, h, w).
        size: Side of the square in pixels.
        fill: Grey of the bars.

    Returns:
        The contiguous uint8 (3, size, size) image, the scale (network pixels per image pixel), and the (left, top)
        offset in network pixels.
    """
    height, width = image.shape[-2:]
    side, left, top = _square(width, height)
    square = torch.full((3, size, size), fill, dtype=torch.uint8)
    if height <= width:
        first, last = _reach(top, height, side, size)
        framed = _framed(_scaled(image, height, size), 0, top - first, last - first, fill)
        where = slice(first * size // side, last * size // side)
        _copy(_scaled(framed, where.stop - where.start, size), square[:, where])
    else:
        first, last = _reach(left, width, side, size)
        framed = _framed(image, 1, left - first, last - first, fill)
        where = slice(first * size // side, last * size // side)
        _copy(_scaled(framed, size, where.stop - where.start), square[:, :, where])
    return square, *letterbox_geometry(width, height, size)


def letterbox_geometry(width: int, height: int, size: int) -> tuple[float, tuple[float, float]]:
    """The scale and the (left, top) offset that `letterbox` uses for an image of so many pixels."""
    side, left, top = _square(width, height)
    scale = size / side
    return scale, (left * scale, top * scale)


def _square(width: int, height: int) -> tuple[int, int, int]:
    """Side of the padded square, and what is added left and above, in image pixels."""
    side = max(width, height)
    return side, (side - width) // 2, (side - height) // 2


def _reach(start: int, length: int, side: int, size: int) -> tuple[int, int]:
    """Which pixels of the padded side have to be scaled; beyond them the result is bar and nothing else.

    They are all that a pixel of the result looks at, if it looks at the image too, and then up to a place where pixels
    of the square and of the result begin together: so scaling the part gives what scaling the whole would.
    """
    step = side // gcd(side, size)
    margin = 2 * ceil(side / size) + 2  # half the width of the averaging triangle is side / size, or 1 when enlarging
    first, last = max(0, start - margin) // step * step, min(side, ceil((start + length + margin) / step) * step)
    return first, last


def _scaled(image: Tensor, height: int, width: int) -> Tensor:
    """torchvision scales across, then down: doing so in two calls gives the same bytes."""
    if (height, width) == image.shape[-2:]:
        return image
    return tv.resize(image, [height, width], interpolation=InterpolationMode.BILINEAR, antialias=True)


def _framed(image: Tensor, axis: int, before: int, length: int, fill: int) -> Tensor:
    """The image on a longer canvas; rows of RGB triples in memory, as decoders give them and scaling is quickest."""
    shape = [*image.shape[1:], 3]
    if shape[axis] == length:
        return image
    shape[axis] = length
    canvas = np.empty(shape, dtype=np.uint8)
    along = canvas if axis == 0 else canvas.swapaxes(0, 1)
    after = before + image.shape[1 + axis]
    along[:before], along[after:] = fill, fill
    inside = image.permute(1, 2, 0).numpy()
    along[before:after] = inside if axis == 0 else inside.swapaxes(0, 1)
    return torch.from_numpy(canvas).permute(2, 0, 1)


def _copy(source: Tensor, target: Tensor) -> None:
    target.numpy()[...] = source.numpy()  # numpy splits RGB triples into planes twice as fast as torch


def letterbox_boxes(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from image pixels to network pixels."""
    return boxes * scale + boxes.new_tensor([*offset, *offset])


def unletterbox(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from network pixels back to image pixels."""
    return (boxes - torch.tensor([*offset, *offset], dtype=boxes.dtype, device=boxes.device)) / scale
