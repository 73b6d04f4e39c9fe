"""How far is CKA of recorded layers from plain float64, up to five million features with large offsets?

    python benchmarks/exactness.py                  widths up to 5,000,000 features (4 GB, about half an hour)
    python benchmarks/exactness.py --widths 30 2000 200000

For each width a layer of float32 features (200 images) goes the way a recorded layer goes, and so does another layer of
2,000 features; half of what tells images apart is common to both. The reference centres and multiplies the same
features in float64. Kinds of features:

    plain          drawn from a normal distribution about 0
    rectified      leaky ReLU of the plain ones, the usual activation
    common         with one offset for all features, of 300 standard deviations of a feature over the images
    own            with an offset of each feature's own, 300 such deviations large on average
    outliers       one feature in a thousand is a thousand times as large
    one image      one image's features are a hundred times as large
    same pictures  all images but for one thousandth the same: the layer hardly tells them apart

Debiased and biased CKA of both layers are compared, and the Gram matrix itself: the largest entry of the difference, as
a share of the largest entry.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gapscope.recording.layer_numbers import layer_numbers
from gapscope.similarity.cka import cka_from_grams

IMAGES, STEP = 200, 20_000
KINDS = ("plain", "rectified", "common", "own", "outliers", "one image", "same pictures")
DEVIATIONS = 300


def features(p: int, kind: str, seed: int) -> NDArray[np.float32]:
    """Features (200, p): three directions shared with any other seed, three of this seed's own, and noise."""
    rng, of_all = np.random.default_rng(seed), np.random.default_rng(0)
    shared = np.hstack([one.standard_normal((IMAGES, 3), dtype=np.float32) for one in (of_all, rng)])
    x = np.empty((IMAGES, p), dtype=np.float32)
    for start in range(0, p, STEP):
        part = x[:, start : start + STEP]
        rng.standard_normal(out=(noise := np.empty(part.shape, dtype=np.float32)), dtype=np.float32)
        part[:] = (noise + shared @ rng.standard_normal((6, part.shape[1]), dtype=np.float32)) / np.float32(7**0.5)
        change(part, kind, rng)
    return x


def change(part: NDArray[np.float32], kind: str, rng: np.random.Generator) -> None:
    """Make features of variance 1 about 0 into those of a kind, in place."""
    if kind == "rectified":
        np.maximum(part, np.float32(0.1) * part, out=part)
    elif kind == "common":
        part += np.float32(DEVIATIONS)
    elif kind == "own":
        part += np.float32(DEVIATIONS) * rng.standard_normal(part.shape[1], dtype=np.float32)
    elif kind == "outliers":
        part[:, ::1000] *= np.float32(1000)
    elif kind == "one image":
        part[7] *= np.float32(100)
    elif kind == "same pictures":
        part[1:] = part[0] + np.float32(1e-3) * part[1:]


def plain_gram(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """X X^T of the centred features, everything in float64."""
    gram = np.zeros((IMAGES, IMAGES))
    for start in range(0, x.shape[1], STEP):
        part = x[:, start : start + STEP].astype(np.float64)
        part -= part.mean(0)
        gram += part @ part.T
    return gram


def differences(x: NDArray[np.float32], other: Sequence[NDArray[np.float64]]) -> tuple[list[float], list[float]]:
    """CKA in float64, debiased and biased; and how far ours is from it, with the Gram matrix's error last."""
    recorded, plain = layer_numbers(torch.from_numpy(x)).gram, plain_gram(x)
    wanted = [cka_from_grams(plain, other[1], debiased=debiased) for debiased in (True, False)]
    ours = [cka_from_grams(recorded, other[0], debiased=debiased) for debiased in (True, False)]
    of_gram = float(np.abs(recorded - plain).max() / np.abs(plain).max())
    return wanted, [*(abs(a - b) for a, b in zip(wanted, ours, strict=True)), of_gram]


def main() -> None:
    """Print the differences for each width, kind and scale, and the largest of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 30, 2000, 200_000, 5_000_000])
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--scales", type=float, nargs="+", default=[1e-6, 1, 1e6])
    options = parser.parse_args()
    other = features(2000, "plain", seed=1)
    grams = layer_numbers(torch.from_numpy(other)).gram, plain_gram(other)
    largest = np.zeros(3)
    print("  features  kind             scale   debiased     biased  difference of both    of the Gram")
    for p in options.widths:
        for kind in options.kinds:
            x, scaled_by = features(p, kind, seed=2), 1.0
            for scale in options.scales:
                start = time.perf_counter()
                x *= np.float32(scale / scaled_by)
                scaled_by = scale
                values, errors = differences(x, grams)
                largest = np.maximum(largest, errors)
                shown = " ".join(f"{one:10.6f}" for one in values) + "  " + " ".join(f"{one:9.1e}" for one in errors)
                print(f"{p:10d}  {kind:14s} {scale:7.0e} {shown}  ({time.perf_counter() - start:.0f} s)", flush=True)
    print(
        "largest differences: debiased {:.1e}, biased {:.1e}, Gram matrix {:.1e} of its largest entry".format(*largest)
    )


if __name__ == "__main__":
    main()
