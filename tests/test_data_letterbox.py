"""Letterboxing is padding to a square and scaling, byte for byte, however quickly it is done."""

import random

import pytest
import torch
from packaging.version import Version
from torchvision.transforms.v2 import InterpolationMode, functional as tv

from gapscope.data.letterbox import letterbox, letterbox_geometry

ROUNDING = 0 if Version(torch.__version__) >= Version("2.14") else 1
"""Grey levels. torch 2.6 and 2.8 scale a part of an image by weights that are rounded otherwise than for the whole."""


def pad_and_scale(image: torch.Tensor, size: int, fill: int) -> torch.Tensor:
    """The definition, in two calls of torchvision."""
    height, width = image.shape[-2:]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    padded = tv.pad(image, [left, top, side - width - left, side - height - top], fill=[float(fill)])
    return tv.resize(padded, [size, size], interpolation=InterpolationMode.BILINEAR, antialias=True)


def assert_same(square: torch.Tensor, wanted: torch.Tensor, what: object = "") -> None:
    difference = (square.int() - wanted.int()).abs().max().item()
    assert difference <= ROUNDING, what


def drawn(width: int, height: int, seed: int, planes: bool) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator).permute(2, 0, 1)
    return image.contiguous() if planes else image


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        pytest.param(1280, 720, 416, id="BDD100K"),
        pytest.param(1920, 1080, 416, id="VIPER"),
        pytest.param(1242, 375, 416, id="KITTI"),
        pytest.param(720, 1280, 416, id="upright"),
        pytest.param(416, 416, 416, id="as it is"),
        pytest.param(416, 100, 416, id="bars only"),
        pytest.param(100, 416, 416, id="bars at the sides only"),
        pytest.param(1, 1, 32, id="one pixel"),
        pytest.param(1, 500, 32, id="a line"),
        pytest.param(500, 1, 32, id="a row"),
        pytest.param(30, 20, 608, id="enlarged"),
        pytest.param(641, 479, 416, id="no common divisor"),
    ],
)
@pytest.mark.parametrize("fill", [0, 128, 255])
def test_known_shapes(width, height, size, fill):
    image = drawn(width, height, 0, planes=False)
    square, scale, offset = letterbox(image, size, fill)
    assert_same(square, pad_and_scale(image, size, fill))
    assert square.permute(1, 2, 0).is_contiguous() and (scale, offset) == letterbox_geometry(width, height, size)


def test_any_shape_in_either_memory_order():
    draw = random.Random(0)
    for seed in range(300):
        width, height, size = draw.randint(1, 260), draw.randint(1, 260), draw.choice([32, 64, 96, 128])
        image, fill = drawn(width, height, seed, planes=draw.random() < 0.5), draw.choice([0, 7, 128, 255])
        assert_same(letterbox(image, size, fill)[0], pad_and_scale(image, size, fill), (width, height, size))


@pytest.mark.parametrize("size", [(48, 48), (48, 20), (20, 48), (96, 50)])
def test_the_image_that_is_given_stays_as_it_is_and_is_not_shared(size):
    image = drawn(*size, seed=0, planes=True)
    before = image.clone()
    square = letterbox(image, 48)[0]
    square.fill_(3)
    assert torch.equal(image, before)
