"""How do the images of a domain look? Brightness, contrast and saturation of a drawn sample."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapscope.data.images import look_at_all, read_pixels
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.progress import Progress, silent

LOOKS = ("brightness", "contrast", "saturation")
_SIDE = 256
_LUMA = (0.299, 0.587, 0.114)


def look_of(path: Path) -> tuple[float, float, float]:
    """Brightness, contrast and saturation of an image, each 0 to 1.

    Brightness is the mean and contrast the standard deviation of luma (Rec. 601, of the values as stored); saturation
    is the mean of HSV's S. Of a large image every k-th pixel is looked at, so that at least 256 remain a side.

    Raises:
        InputError: The image cannot be decoded.
    """
    import torch  # here, since who only names the looks needs none of it

    pixels = read_pixels(path)
    step = max(1, min(pixels.shape[1:]) // _SIDE)
    rgb = pixels[:, ::step, ::step].float() / 255
    luma = torch.tensordot(torch.tensor(_LUMA), rgb, dims=1)
    most = rgb.amax(0)
    saturation = (most - rgb.amin(0)) / most.clamp(min=1 / 255)
    return float(luma.mean()), float(luma.std(correction=0)), float(saturation.mean())


def looks(
    table: AnnotationTable, sample: int = 200, seed: int = 0, progress: Progress = silent
) -> dict[str, NDArray[np.float64]]:
    """Name of a look -> (n,) its values in n = min(`sample`, all) images, drawn by the seed.

    Raises:
        InputError: An image cannot be decoded.
    """
    drawn = np.sort(np.random.default_rng(seed).permutation(len(table))[:sample])
    found = look_at_all([table.path(i) for i in drawn], look_of, what="looking at images", progress=progress)
    for refusal in found:
        if isinstance(refusal, InputError):
            raise refusal
    return dict(zip(LOOKS, np.array(found, dtype=np.float64).reshape(-1, 3).T, strict=True))
