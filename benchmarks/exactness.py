"""How far is CKA of recorded layers from plain float64, up to five million features with large offsets?

    python benchmarks/exactness.py                  four widths up to 5,000,000 features (4 GB)
    python benchmarks/exactness.py --widths 30 2000

For each width a layer of float32 features (200 images) goes the way a recorded layer goes. The reference centres and
multiplies the same features in float64. Offsets are in standard deviations of a feature over the images.
"""

import argparse
import time

import numpy as np
import torch
from numpy.typing import NDArray

from gapscope.recording.layer_numbers import layer_numbers
from gapscope.similarity.cka import cka_from_grams

IMAGES, STEP = 200, 20_000


def features(p: int, offset: float, scale: float, seed: int) -> NDArray[np.float32]:
    """Features (200, p) that share three directions with those of any other seed."""
    rng, shared = np.random.default_rng(seed), np.random.default_rng(0).standard_normal((IMAGES, 3), dtype=np.float32)
    x = np.empty((IMAGES, p), dtype=np.float32)
    for start in range(0, p, STEP):
        part = x[:, start : start + STEP]
        rng.standard_normal(out=(noise := np.empty(part.shape, dtype=np.float32)), dtype=np.float32)
        part[:] = noise + shared @ rng.standard_normal((3, part.shape[1]), dtype=np.float32)
        part += np.float32(2 * offset) * rng.standard_normal(part.shape[1], dtype=np.float32)
        part *= np.float32(scale)
    return x


def plain_gram(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """X X^T of the centred features, everything in float64."""
    gram = np.zeros((IMAGES, IMAGES))
    for start in range(0, x.shape[1], STEP):
        part = x[:, start : start + STEP].astype(np.float64)
        part -= part.mean(0)
        gram += part @ part.T
    return gram


def main() -> None:
    """Print the largest difference for each width, offset and scale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[30, 2000, 200_000, 5_000_000])
    parser.add_argument("--offsets", type=float, nargs="+", default=[0, 300])
    parser.add_argument("--scales", type=float, nargs="+", default=[1e-6, 1, 1e6])
    options = parser.parse_args()
    other = features(2000, 0, 1, seed=1)
    other_recorded, other_plain = layer_numbers(torch.from_numpy(other)).gram, plain_gram(other)
    print("  features  offset   scale   debiased  difference     biased  difference")
    for p in options.widths:
        for offset in options.offsets:
            for scale in options.scales:
                start, x = time.perf_counter(), features(p, offset, scale, seed=2)
                recorded, plain = layer_numbers(torch.from_numpy(x)).gram, plain_gram(x)
                cells = []
                for debiased in (True, False):
                    value = cka_from_grams(recorded, other_recorded, debiased=debiased)
                    wanted = cka_from_grams(plain, other_plain, debiased=debiased)
                    cells.append(f"{value:10.6f} {abs(value - wanted):11.1e}")
                spent = time.perf_counter() - start
                print(f"{p:10d} {offset:7.0f} {scale:7.0e} {' '.join(cells)}  ({spent:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
