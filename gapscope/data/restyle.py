"""Restyling: the same picture as another camera or renderer would have it. Pixels change, boxes never move."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gapscope.data.samples import Sample, Samples

_STREAM = 7  # tells the draws of styles from those of places and colours in augment.py
BLUR, NOISE, WORST_QUALITY = 1.5, 14.0, 25
"""Of the strongest camera: standard deviations of its blur in pixels and its noise in grey values, JPEG quality."""
TURN, GAIN, GAMMA = 0.5, 0.6, 0.7
"""Of the strongest change of colours: hue in turns, gain of a channel and exponent of brightness to both sides."""


@dataclass(frozen=True)
class RestyleStrengths:
    """How much of what is done to an image; each part is off at 0."""

    share: float = 0.5
    """Of the images that are changed."""
    fourier: float = 0.0
    """Half the side of the square of low frequencies whose amplitudes another image gives, as a share of the side."""
    colours: float = 0.0
    """How far mean and spread of each channel move towards those of another image: 1 is all the way."""
    camera: float = 0.0
    """Strength of blur, noise and JPEG, each drawn from nothing up to this: 1 is a bad camera."""
    randomise: float = 0.0
    """Strength of a random change of colours: hue, gain of each channel, brightness."""


class Restyled(Samples):
    """Samples some of whose images are restyled, drawn for each by (seed, turn, image index) and nothing else.

    Args:
        samples: As they are.
        strengths: For each position of the samples how strongly, or None.
        others: For each position the images (n, 3, s, s), bytes, whose amplitudes and colours are lent; may be empty
            where neither is asked for.
        seed: Of the run.
        turn: How often the images have been gone through before.
    """

    def __init__(
        self,
        samples: Samples,
        strengths: Sequence[RestyleStrengths | None],
        others: Sequence[Tensor],
        *,
        seed: int,
        turn: int,
    ) -> None:
        vars(self).update(vars(samples))
        self.unchanged, self.strengths, self.others, self.seed, self.turn = samples, strengths, others, seed, turn

    def __getitem__(self, position: int) -> Sample:
        sample, strength = self.unchanged[position], self.strengths[position]
        if strength is None:
            return sample
        rng = np.random.default_rng([_STREAM, self.seed, self.turn, sample.index])
        return replace(sample, image=restyled(sample.image, strength, self.others[position], rng))


def restyled(image: Tensor, strength: RestyleStrengths, others: Tensor, rng: np.random.Generator) -> Tensor:
    """An image (3, h, w), bytes, restyled; the very tensor where nothing is changed.

    Every draw is made whether it is used or not, so that switching one part off does not change the others.
    """
    changed, pick = rng.random(), rng.random()
    strengths, gains = rng.random(3), rng.uniform(-1, 1, 5)
    noise = rng.integers(0, 2**32)
    if changed >= strength.share:
        return image
    if strength.fourier or strength.colours:
        other = others[int(pick * len(others))]
        image = with_amplitudes(image, other, strength.fourier)
        image = with_colours(image, other, strength.colours)
    if strength.randomise:
        image = recoloured(image, strength.randomise * gains)
    if strength.camera:
        blur, grain, loss = (strength.camera * strengths).tolist()
        image = through_camera(image, blur, grain, loss, np.random.default_rng(noise))
    return image


def with_amplitudes(image: Tensor, other: Tensor, strength: float) -> Tensor:
    """The image with another's Fourier amplitudes at low frequencies, and its own phases everywhere.

    Args:
        image, other: (3, h, w), bytes.
        strength: Half the side of the square of frequencies, as a share of the shorter side; 0 changes nothing.

    Source:
        Yang & Soatto 2020, arXiv:2004.05498 (FDA).
    """
    reach = int(strength * min(image.shape[1:]))
    if not reach:
        return image
    mine, theirs = (torch.fft.fftshift(torch.fft.fft2(one.float()), dim=(1, 2)) for one in (image, other))
    y, x = (side // 2 for side in image.shape[1:])
    window = (slice(None), slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1))
    amplitude = mine.abs()
    amplitude[window] = theirs.abs()[window]
    mixed = torch.polar(amplitude, mine.angle())
    return as_bytes(torch.fft.ifft2(torch.fft.ifftshift(mixed, dim=(1, 2))).real)


def with_colours(image: Tensor, other: Tensor, strength: float) -> Tensor:
    """Mean and standard deviation of each channel moved towards another image's; 0 leaves the image as it is.

    Source:
        Reinhard et al. 2001, "Color transfer between images", in RGB in place of l-alpha-beta.
    """
    if not strength:
        return image
    pixels, theirs = image.flatten(1).float(), other.flatten(1).float()
    mean, spread = pixels.mean(1, keepdim=True), pixels.std(1, keepdim=True)
    there = (pixels - mean) / spread.clamp(min=1.0) * theirs.std(1, keepdim=True) + theirs.mean(1, keepdim=True)
    return as_bytes(torch.lerp(pixels, there, strength).view_as(image))


def recoloured(image: Tensor, draws: np.ndarray) -> Tensor:
    """Hue, gain of each channel and brightness changed by draws (5,) from -1 to 1; all 0 leave it as it is."""
    from torchvision.transforms.v2 import functional as tv

    turned = tv.adjust_hue(image, float(TURN * draws[0])) if draws[0] else image
    gains = torch.from_numpy(np.exp2(GAIN * draws[1:4])).float().view(3, 1, 1)
    bright = (turned.float() / 255 * gains).clamp(0, 1) ** float(np.exp2(GAMMA * draws[4]))
    return as_bytes(255 * bright)


def through_camera(image: Tensor, blur: float, noise: float, loss: float, rng: np.random.Generator) -> Tensor:
    """Blur, sensor noise and JPEG of these strengths, from 0 to 1; all 0 leave the image as it is."""
    from torchvision.transforms.v2 import functional as tv

    if blur:
        sigma = BLUR * blur
        image = tv.gaussian_blur(image, [2 * int(np.ceil(2 * sigma)) + 1] * 2, [sigma] * 2)
    if noise:
        grain = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
        image = as_bytes(image.float() + NOISE * noise * grain)
    if loss:
        image = tv.jpeg(image.contiguous(), round(100 - (100 - WORST_QUALITY) * loss))
    return image


def as_bytes(values: Tensor) -> Tensor:
    """Rounded and cut to 0..255."""
    return values.round().clamp(0, 255).to(torch.uint8)
