"""Textures without texture files: two fixed tables of random numbers, looked up at world coordinates."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gapscope.streets.meshes import Floats

_SIZE = 512


@cache
def _tables() -> tuple[Floats, Floats]:
    """Clouds (1/f noise, mean 0, standard deviation 0.25, repeating) and white noise in 0..1, each 512 x 512."""
    rng = np.random.default_rng(512)
    frequency = np.hypot(np.fft.fftfreq(_SIZE)[:, None], np.fft.fftfreq(_SIZE)[None])
    frequency[0, 0] = 1
    clouds = np.fft.ifft2(np.fft.fft2(rng.normal(size=(_SIZE, _SIZE))) / frequency**1.15).real
    clouds = 0.25 * (clouds - clouds.mean()) / clouds.std()
    return clouds.astype(np.float32), rng.random((_SIZE, _SIZE), dtype=np.float32)


def cloud_noise(u: Floats, v: Floats) -> Floats:
    """Smooth blotches, mean 0: the largest are some tens of units wide, the smallest 0.1."""
    return _tables()[0][_wrapped(u * np.float32(10)), _wrapped(v * np.float32(10))]


def white_noise(u: Floats | NDArray[np.int64], v: Floats | NDArray[np.int64]) -> Floats:
    """A number in 0..1 for each cell of side 1, without relation to its neighbours'."""
    return _tables()[1][_wrapped(u * 37 + v * 11), _wrapped(v * 53 + u * 5)]


def _wrapped(value: NDArray) -> NDArray[np.int32]:
    return np.floor(value).astype(np.int32) & (_SIZE - 1)
