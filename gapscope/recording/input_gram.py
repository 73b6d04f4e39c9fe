"""How alike are the images themselves, before any network has seen them?"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PIXELS_AT_ONCE = 8192


def input_gram(images: Tensor, device: torch.device | str = "cpu") -> NDArray[np.float64]:
    """X X^T (n, n) of the column-centred pixel values X of images (n, c, h, w), any type.

    As for layers, chunks are centred and multiplied in float32 (float64 for float64 images) and added in float64.
    """
    pixels = images.flatten(1)
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    gram = torch.zeros(len(pixels), len(pixels), dtype=torch.float64, device=device)
    for part in pixels.split(PIXELS_AT_ONCE, dim=1):
        values = part.to(device).to(dtype)
        centered = values - values.mean(0)
        gram += (centered @ centered.T).double()
    gram = gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()
    return ((gram + gram.T) / 2).cpu().numpy()
