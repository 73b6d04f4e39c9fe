"""Letterboxing: an image of any shape becomes a square without being stretched, and boxes find their way back."""

from math import ceil, gcd

import numpy as np
import torch
from torch import Tensor

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
    first, last = _reach(top if height <= width else left, min(height, width), side, size)
    start, stop = first * size // side, last * size // side
    square = np.empty((3, size, size), dtype=np.uint8)
    if height <= width:  # across, then down, as torchvision does
        canvas, inside = _canvas((last - first, size), 0, top - first, height, fill)
        _scale(image, inside)
        target, along = square[:, start:stop], square.swapaxes(0, 1)
    else:
        canvas, inside = _canvas((height, last - first), 1, left - first, width, fill)
        inside.numpy()[...] = image.numpy()
        target, along = square[:, :, start:stop], square.swapaxes(0, 2)
    along[:start], along[stop:] = fill, fill
    scaled = torch.from_numpy(np.empty((*target.shape[1:], 3), np.uint8)).permute(2, 0, 1)
    _scale(canvas, scaled)
    target[...] = scaled.numpy()  # numpy splits RGB triples into planes twice as fast as torch
    return torch.from_numpy(square), *letterbox_geometry(width, height, size)


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


def _canvas(shape: tuple[int, int], axis: int, before: int, length: int, fill: int) -> tuple[Tensor, Tensor]:
    """An empty image (3, h, w) with bars along an axis, and its part between them, to be filled.

    In memory RGB triples lie in rows, as decoders give them and as scaling is quickest.
    """
    pixels = np.empty((*shape, 3), dtype=np.uint8)
    along = pixels.swapaxes(0, axis)
    along[:before], along[before + length :] = fill, fill
    canvas = torch.from_numpy(pixels).permute(2, 0, 1)
    return canvas, canvas.narrow(1 + axis, before, length)


def _scale(image: Tensor, target: Tensor) -> None:
    """Fill the target with the image, scaled as torchvision's `resize` does it, antialiased."""
    if image.shape == target.shape:
        target.copy_(image)
        return
    one, into = (pixels.permute(1, 2, 0)[None].permute(0, 3, 1, 2) for pixels in (image, target))
    torch.ops.aten._upsample_bilinear2d_aa.out(one, list(target.shape[1:]), False, out=into)


def letterbox_boxes(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from image pixels to network pixels."""
    return boxes * scale + boxes.new_tensor([*offset, *offset])


def unletterbox(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from network pixels back to image pixels."""
    return (boxes - torch.tensor([*offset, *offset], dtype=boxes.dtype, device=boxes.device)) / scale
