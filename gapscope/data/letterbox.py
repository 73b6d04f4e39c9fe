"""Letterboxing: an image of any shape becomes a square without being stretched, and boxes find their way back."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

FILL = 128
"""Grey of the bars, 0 to 255."""


def letterbox(image: Tensor, size: int, fill: int = FILL) -> tuple[Tensor, float, tuple[float, float]]:
    """Fit an image into a square.

    The image is first padded to a square, then scaled, so that one factor holds exactly for both axes: a box at
    `xyxy` lies at `xyxy * scale + (left, top, left, top)` to the last digit, at any aspect ratio.

    Args:
        image: uint8 (3, h, w).
        size: Side of the square in pixels.
        fill: Grey of the bars.

    Returns:
        The uint8 (3, size, size) image, the scale (network pixels per image pixel), and the (left, top) offset in
        network pixels.
    """
    height, width = image.shape[-2:]
    side, left, top = _square(width, height)
    if height != width:
        padding = [left, top, side - width - left, side - height - top]
        image = tv.pad(image, padding, fill=[float(fill)])
    if side != size:
        image = tv.resize(image, [size, size], interpolation=InterpolationMode.BILINEAR, antialias=True)
    return image, *letterbox_geometry(width, height, size)


def letterbox_geometry(width: int, height: int, size: int) -> tuple[float, tuple[float, float]]:
    """The scale and the (left, top) offset that `letterbox` uses for an image of so many pixels."""
    side, left, top = _square(width, height)
    scale = size / side
    return scale, (left * scale, top * scale)


def _square(width: int, height: int) -> tuple[int, int, int]:
    """Side of the padded square, and what is added left and above, in image pixels."""
    side = max(width, height)
    return side, (side - width) // 2, (side - height) // 2


def letterbox_boxes(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from image pixels to network pixels."""
    return boxes * scale + boxes.new_tensor([*offset, *offset])


def unletterbox(boxes: Tensor, scale: float, offset: tuple[float, float]) -> Tensor:
    """Boxes (n, 4) from network pixels back to image pixels."""
    return (boxes - torch.tensor([*offset, *offset], dtype=boxes.dtype, device=boxes.device)) / scale
