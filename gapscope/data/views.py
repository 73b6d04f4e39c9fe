"""Views: images without labels, each seen twice, plainly and through strong changes, from the same place."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gapscope.data.augment import Augmentation
from gapscope.data.batches import Views, batches
from gapscope.data.restyle import RestyleStrengths, restyled
from gapscope.data.samples import Sample, Samples
from gapscope.data.streams import Pool, stream

_STREAM = 8  # tells these draws from those of styles, places and colours
STRONG = RestyleStrengths(share=1.0, camera=0.5, randomise=0.5)
"""Of the second view, besides the colours of the arm's own augmentation."""
PATCHES, SIDES = 3, (0.1, 0.35)
"""Of the second view: most patches that hide something, and their sides as shares of the image's."""


def views(
    samples: Samples,
    batch_size: int,
    num_batches: int,
    *,
    seed: int,
    epoch: int,
    augment: Augmentation,
    workers: int = 0,
    start: int = 0,
    share: tuple[int, int] = (0, 1),
) -> Iterator[Views]:
    """So many batches of an epoch, from the `start`th on; seed and epoch decide which images, and how they vary.

    Args:
        samples: Images, whose boxes are not looked at.
        batch_size: Images of a batch, those of all processes together.
        num_batches: Of the epoch; the samples are gone through again and again, whatever their number.
        seed: Of the run.
        epoch: Counted from 0.
        augment: Where images are mirrored, zoomed, shifted and turned to in both views, and what colours change to in
            the second. Images do not share a square: what is found in one is what it shows.
        workers: Threads that make batches ahead.
        start: Batches to skip, without making them.
        share: As of `batches`.

    Source:
        Weak and strong views: Liu et al. 2021, arXiv:2102.09480 (colours, blur and hidden patches on top of the weak
        view); Kay et al. 2024, arXiv:2403.12029.
    """
    order, rounds = stream((Pool(np.arange(len(samples)), batch_size),), num_batches, seed, epoch)
    alone = replace(augment, mosaic=0.0)

    def changed(plain: Samples, turn: int) -> Samples:
        return _Strong(plain, seed, turn)

    weak, strong = (
        batches(
            samples,
            batch_size,
            seed=seed,
            epoch=epoch,
            augment=one,
            workers=workers,
            start=start,
            share=share,
            order=order,
            rounds=rounds,
            restyle=restyle,
        )
        for one, restyle in ((replace(alone, hsv=(0.0, 0.0, 0.0)), None), (alone, changed))
    )
    for one, other in zip(weak, strong, strict=True):
        yield Views(one.images, other.images)


class _Strong(Samples):
    """Samples whose images are changed strongly, drawn for each by (seed, turn, image index) and nothing else."""

    def __init__(self, samples: Samples, seed: int, turn: int) -> None:
        vars(self).update(vars(samples))
        self.plain, self.seed, self.turn = samples, seed, turn

    def __getitem__(self, position: int) -> Sample:
        sample = self.plain[position]
        rng = np.random.default_rng([_STREAM, self.seed, self.turn, sample.index])
        return replace(sample, image=hidden(restyled(sample.image, STRONG, sample.image[:0], rng), rng))


def hidden(image: Tensor, rng: np.random.Generator) -> Tensor:
    """The image (3, h, w), bytes, with up to `PATCHES` grey patches somewhere; the given one stays as it is."""
    image = image.clone()
    height, width = image.shape[1:]
    for _ in range(int(rng.integers(PATCHES + 1))):
        h, w = (max(1, int(side * share)) for side, share in zip((height, width), rng.uniform(*SIDES, 2), strict=True))
        y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
        image[:, y : y + h, x : x + w] = torch.tensor(rng.integers(256), dtype=torch.uint8)
    return image
