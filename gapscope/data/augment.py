"""Augmentation: the same picture seen a little differently each epoch; the boxes follow the pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gapscope.data.letterbox import letterbox_geometry, scaled
from gapscope.data.samples import Sample, Samples

MIN_VISIBLE = 0.2
"""A box that keeps less of its area than this after cutting is dropped."""
MIN_SIDE = 4.0
"""A box with a side shorter than this many network pixels after cutting is dropped."""


@dataclass(frozen=True)
class Augmentation:
    """How strongly images are varied. Each part is off at 0.

    The defaults but for `hsv` are ours; colour in the manner of common YOLOv3 trainings.
    """

    flip: float = 0.5
    """Chance of a mirror image."""
    hsv: tuple[float, float, float] = (0.015, 0.6, 0.4)
    """Largest change of hue (share of the colour circle), saturation and brightness (shares of themselves)."""
    scale: float = 0.3
    """Zoom between 1 - scale and 1 + scale."""
    translate: float = 0.1
    """Largest shift along each axis, as a share of the side."""
    mosaic: float = 0.0
    """Chance that four images share the square."""
    rotate: float = 0.0
    """Largest turn about the centre either way, in degrees."""
    shear: float = 0.0
    """Largest slant along each axis either way, in degrees, below 45."""


def augmented(samples: Samples, position: int, augment: Augmentation, seed: int, epoch: int) -> Sample:
    """The sample at a position, varied as (seed, epoch, image index) and nothing else decide.

    Boxes are cut at the border; one that keeps less than `MIN_VISIBLE` of its area or gets a side under `MIN_SIDE`
    pixels is dropped. Ignore regions stay as long as anything of them is left.
    """
    index = int(samples.indices[position])
    rng = np.random.default_rng([_STREAM, seed, epoch, index])
    # Every draw is made whether it is used or not, so that switching one part off does not change the others.
    draws = rng.random(8)
    mosaic = draws[0] < augment.mosaic
    others = rng.integers(len(samples), size=3)
    four = [position, *map(int, others)]
    canvas = _mosaic([(samples[p], _shown(samples, p)) for p in four], rng) if mosaic else _whole(samples[position])
    zoom = 1 + augment.scale * (2 * draws[1] - 1)
    shift = augment.translate * (2 * draws[2:4] - 1)
    if augment.rotate or augment.shear:
        turn = turn_matrix(augment, np.random.default_rng([_STREAM, seed, epoch, index, _TURN]))
        canvas = _turned(canvas, zoom, shift, turn, samples.fill)
    elif augment.scale or augment.translate:
        canvas = _moved(canvas, zoom, shift, samples.fill)
    if draws[4] < augment.flip:
        canvas = _mirrored(canvas)
    if any(augment.hsv):
        canvas = canvas.with_image(_recoloured(canvas.image, augment.hsv, 2 * draws[5:8] - 1))
    return canvas.finish(index)


_STREAM = 2  # tells the draws of images from those of the order in batches.py
_TURN = 1  # turns are drawn apart from the rest, which they do not change


@dataclass(frozen=True, eq=False)
class _Canvas:
    """A sample in the making: its boxes may reach over the border until `finish` cuts them."""

    image: Tensor
    boxes: Tensor
    whole: Tensor
    """(k,) area of each box before anything was cut, in present pixels"""
    classes: Tensor
    ignore: Tensor

    def with_image(self, image: Tensor) -> "_Canvas":
        return _Canvas(image, self.boxes, self.whole, self.classes, self.ignore)

    def finish(self, index: int) -> Sample:
        side = self.image.shape[-1]
        boxes = self.boxes.clamp(0, side)
        sides = boxes[:, 2:] - boxes[:, :2]
        large = (sides.amin(dim=1) >= MIN_SIDE) & (sides.prod(dim=1) >= MIN_VISIBLE * self.whole)
        keep = torch.where(self.ignore, sides.amin(dim=1) > 0, large)
        return Sample(self.image, boxes[keep], self.classes[keep], self.ignore[keep], index)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)


def _whole(sample: Sample) -> _Canvas:
    return _Canvas(sample.image, sample.boxes, _area(sample.boxes), sample.classes, sample.ignore)


def _mirrored(canvas: _Canvas) -> _Canvas:
    from torchvision.transforms.v2 import functional as tv  # late: it takes seconds

    x1, y1, x2, y2 = canvas.boxes.unbind(1)
    side = canvas.image.shape[-1]
    boxes = torch.stack([side - x2, y1, side - x1, y2], dim=1)
    return _Canvas(tv.horizontal_flip(canvas.image), boxes, canvas.whole, canvas.classes, canvas.ignore)


def _moved(canvas: _Canvas, zoom: float, shift: np.ndarray, fill: int) -> _Canvas:
    """Zoom about the centre, then shift by shares of the side. Whole pixels throughout, so boxes follow exactly."""
    side = canvas.image.shape[-1]
    zoomed, left, top = _place(side, zoom, shift)
    image = _zoomed(canvas.image, zoomed)
    moved = torch.full_like(canvas.image, fill)
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + zoomed, side), min(top + zoomed, side)
    if x1 < x2 and y1 < y2:
        moved[:, y1:y2, x1:x2] = image[:, y1 - top : y2 - top, x1 - left : x2 - left]
    factor = zoomed / side
    boxes = canvas.boxes * factor + canvas.boxes.new_tensor([left, top, left, top])
    return _Canvas(moved, boxes, canvas.whole * factor**2, canvas.classes, canvas.ignore)


def _place(side: int, zoom: float, shift: np.ndarray) -> tuple[int, int, int]:
    """The side of the zoomed picture, and where its left and top borders come to lie."""
    zoomed = max(1, round(side * zoom))
    left, top = (round((side - zoomed) / 2 + side * float(share)) for share in shift)
    return zoomed, left, top


def _zoomed(image: Tensor, side: int) -> Tensor:
    return scaled(image, side, side, antialias=side < image.shape[-1])


def turn_matrix(augment: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """(2, 2) for (x, y) columns, x to the right and y down: slant along both axes, then turn clockwise."""
    angle, *slants = np.deg2rad([augment.rotate, augment.shear, augment.shear]) * rng.uniform(-1, 1, 3)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.array([[1, np.tan(slants[0])], [np.tan(slants[1]), 1]])


def _turned(canvas: _Canvas, zoom: float, shift: np.ndarray, turn: np.ndarray, fill: int) -> _Canvas:
    """Zoom, turn about the centre, then shift. A box becomes the smallest upright one around its four turned corners,
    so it holds its object whole, and is larger than one drawn anew around it would be.
    """
    side = canvas.image.shape[-1]
    zoomed, left, top = _place(side, zoom, shift)
    centre = torch.tensor([left, top]) + zoomed / 2
    back = torch.from_numpy(np.linalg.inv(turn)).float()
    places = torch.arange(side) + 0.5  # pixel centres
    x, y = back @ torch.stack([places.repeat(side) - centre[0], places.repeat_interleave(side) - centre[1]])
    grid = torch.stack([x, y], dim=1).view(1, side, side, 2) * (2 / zoomed)  # -1 and 1 are the borders
    above = _zoomed(canvas.image, zoomed)[None].float() - fill  # so that outside is 0
    image = functional.grid_sample(above, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0] + fill
    there = _area(canvas.boxes) > 0  # a mosaic may have left lines, and a turned line has an area
    before, classes, ignore = canvas.boxes[there], canvas.classes[there], canvas.ignore[there]
    boxes = _around((before - side / 2) * (zoomed / side), turn) + torch.cat([centre, centre])
    whole = canvas.whole[there] * _area(boxes) / _area(before)
    return _Canvas(image.round_().clamp_(0, 255).to(torch.uint8), boxes, whole, classes, ignore)


def _around(boxes: Tensor, turn: np.ndarray) -> Tensor:
    """The upright boxes (k, 4) around boxes that are turned about the origin."""
    x1, y1, x2, y2 = boxes.unbind(1)
    corners = torch.stack([torch.stack([x1, x2, x2, x1]), torch.stack([y1, y1, y2, y2])])  # (2, 4, k)
    turned = torch.einsum("ij,jck->cki", torch.from_numpy(turn).float(), corners)  # (4, k, 2)
    return torch.cat([turned.amin(dim=0), turned.amax(dim=0)], dim=1)


def _shown(samples: Samples, position: int) -> tuple[int, int, int, int]:
    """Where the image itself lies in its square: left, top, right, bottom in whole pixels; the rest is bars."""
    index = int(samples.indices[position])
    width, height = int(samples.table.widths[index]), int(samples.table.heights[index])
    scale, (left, top) = letterbox_geometry(width, height, samples.size)
    return round(left), round(top), round(left + width * scale), round(top + height * scale)


def _window(rng: np.random.Generator, length: int, side: int, first: int, last: int) -> int:
    """Where a window of a length begins along an axis: anywhere within the image, which lies from first to last; if it
    is the longer of the two, anywhere around the image."""
    low, high = sorted((first, last - length))
    return int(rng.integers(max(0, low), min(high, side - length) + 1))


def _mosaic(four: list[tuple[Sample, tuple[int, int, int, int]]], rng: np.random.Generator) -> _Canvas:
    """Four images meet at a random point of the square; each shows a random window of its own, at full scale, with no
    more of its letterbox bars than the window needs."""
    side = four[0][0].image.shape[-1]
    x, y = (int(v) for v in rng.integers(side // 4, side - side // 4 + 1, size=2))
    corners = [(0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)]
    image = torch.empty_like(four[0][0].image)
    boxes, whole = [], []
    for (sample, shown), (x1, y1, x2, y2) in zip(four, corners, strict=True):
        u = _window(rng, x2 - x1, side, shown[0], shown[2])
        v = _window(rng, y2 - y1, side, shown[1], shown[3])
        image[:, y1:y2, x1:x2] = sample.image[:, v : v + y2 - y1, u : u + x2 - x1]
        moved = sample.boxes + sample.boxes.new_tensor([x1 - u, y1 - v, x1 - u, y1 - v])
        moved[:, 0::2] = moved[:, 0::2].clamp(x1, x2)
        moved[:, 1::2] = moved[:, 1::2].clamp(y1, y2)
        boxes.append(moved)
        whole.append(_area(sample.boxes))
    classes, ignore = (torch.cat([getattr(s, name) for s, _ in four]) for name in ("classes", "ignore"))
    return _Canvas(image, torch.cat(boxes), torch.cat(whole), classes, ignore)


def _recoloured(image: Tensor, largest: tuple[float, float, float], draws: np.ndarray) -> Tensor:
    """Turn hue, scale saturation and brightness with one matrix; the result lies in memory as planes.

    Band by band through the same two small buffers, which is twice as quick as turning the whole image float.
    """
    hue, saturation, value = np.asarray(largest) * draws
    matrix = torch.from_numpy((1 + value) * colour_matrix(hue, 1 + saturation)).float()
    pixels, (height, width) = image.numpy(), image.shape[1:]
    recoloured = np.empty(image.shape, dtype=np.uint8)
    before, after = np.empty((2, 3 * _BAND * width), dtype=np.float32)
    for top in range(0, height, _BAND):
        rows = slice(top, min(top + _BAND, height))
        one, other = (buffer[: 3 * (rows.stop - top) * width].reshape(3, -1) for buffer in (before, after))
        np.copyto(one.reshape(3, -1, width), pixels[:, rows])
        torch.mm(matrix, torch.from_numpy(one), out=torch.from_numpy(other)).add_(0.5).clamp_(0, 255)
        np.copyto(recoloured[:, rows], other.reshape(3, -1, width), casting="unsafe")
    return torch.from_numpy(recoloured)


_BAND = 52  # rows


def colour_matrix(hue: float, saturation: float) -> np.ndarray:
    """(3, 3) for RGB columns: turn by `hue` turns about the grey axis, scale the distance from grey by `saturation`.

    Grey stays grey and luma stays as it was. A linear stand-in for shifting H and S of HSV.

    Source: P. Haeberli 1993, Matrix Operations for Image Processing; the YIQ basis is that of Rec. 601 luma.
    """
    angle = 2 * np.pi * hue
    turn = np.array(
        [
            [1, 0, 0],
            [0, saturation * np.cos(angle), -saturation * np.sin(angle)],
            [0, saturation * np.sin(angle), saturation * np.cos(angle)],
        ]
    )
    return np.linalg.inv(_YIQ) @ turn @ _YIQ


_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
