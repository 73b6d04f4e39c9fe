"""Letterboxing: an image of any shape becomes a square without being stretched, and boxes find their way back."""

from math import ceil, gcd

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

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
        The uint8 (3, size, size) image, the scale (network pixels per image pixel), and the (left, top) offset in
        network pixels. In memory RGB triples lie in rows: so decoders give them, and so scaling is quickest.
    """
    height, width = image.shape[-2:]
    side, left, top = _square(width, height)
    first, last = _reach(top if height <= width else left, min(height, width), side, size)
    start, stop = first * size // side, last * size // side
    if height <= width:  # across, then down, as torch does it in one call
        framed = _framed(scaled(image, height, size), 1, top - first, last - first, fill)
        square = _framed(scaled(framed, stop - start, size), 1, start, size, fill)
    else:
        framed = _framed(image, 2, left - first, last - first, fill)
        square = _framed(scaled(framed, size, stop - start), 2, start, size, fill)
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


def _framed(image: Tensor, axis: int, before: int, length: int, fill: int) -> Tensor:
    """The image (3, h, w) with bars before and after it along an axis, which then has a length; always a copy."""
    shape = list(image.shape)
    shape[axis] = length
    framed = np.empty((*shape[1:], 3), dtype=np.uint8).transpose(2, 0, 1)
    along, inside = framed.swapaxes(0, axis), image.numpy().swapaxes(0, axis)
    after = before + len(inside)
    along[:before], along[before:after], along[after:] = fill, inside, fill
    return torch.from_numpy(framed)


def scaled(image: Tensor, height: int, width: int, *, antialias: bool = True) -> Tensor:
    """The uint8 image (3, h, w) at another size; the same image if it has that size already."""
    if (height, width) == image.shape[1:]:
        return image
    one = image.permute(1, 2, 0)[None].permute(0, 3, 1, 2)  # or torch would not see that triples lie in rows
    return functional.interpolate(one, size=[height, width], mode="bilinear", antialias=antialias)[0]


def letterbox_boxes(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from image pixels to network pixels."""
    return boxes * scale + boxes.new_tensor([*offset, *offset])


def unletterbox(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from network pixels back to image pixels."""
    return (boxes - torch.tensor([*offset, *offset], dtype=boxes.dtype, device=boxes.device)) / scale
