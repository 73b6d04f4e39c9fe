"""Samples: any image file becomes the same kind of tensor, and boxes stay on their objects."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_data import noise, painted, table_of

from gapscope.data.images import read_pixels, read_size
from gapscope.data.letterbox import letterbox, letterbox_boxes, letterbox_geometry, unletterbox
from gapscope.data.samples import Samples
from gapscope.errors import InputError

BOXES = [("car", 10, 20, 40, 45), ("van", 60, 5, 90, 55)]


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *[("RGB", "png"), ("RGB", "jpg"), ("RGB", "webp"), ("L", "png"), ("L", "jpg"), ("1", "png")],
        *[("P", "png"), ("RGBA", "png"), ("LA", "png"), ("CMYK", "jpg")],
    ],
)
def test_every_kind_of_image_is_read_as_pillow_reads_it(tmp_path, mode, suffix):
    path = noise(tmp_path / f"a.{suffix}", mode=mode)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1).astype(int)
    pixels = read_pixels(path)
    assert (pixels.dtype, tuple(pixels.shape), read_size(path)) == (torch.uint8, (3, 60, 100), (100, 60))
    assert np.abs(pixels.numpy() - expected).mean() < 1


def test_sixteen_bits_become_eight(tmp_path):
    Image.fromarray(np.full((6, 5), 40_000, dtype=np.uint16)).save(tmp_path / "a.png")
    assert read_pixels(tmp_path / "a.png").unique().tolist() == [40_000 >> 8]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_an_image_cut_short_is_named(tmp_path, suffix):
    path = noise(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=rf"a\.{suffix} cannot be decoded: .*Replace it, or remove it"):
        read_pixels(path)
    with pytest.raises(InputError, match=r"no\.png is missing"):
        read_size(tmp_path / "no.png")
    with pytest.raises(InputError, match=r"no\.png is missing"):
        read_pixels(tmp_path / "no.png")


def extent(image: torch.Tensor, threshold: int = 128) -> list[int]:
    """The box around the bright pixels of an image (3, h, w)."""
    rows, columns = torch.nonzero(image.float().mean(0) > threshold, as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


@pytest.mark.parametrize("size", [(100, 60), (60, 100), (64, 64), (33, 50), (101, 30)])
@pytest.mark.parametrize("side", [64, 96])
def test_boxes_follow_the_pixels_into_the_letterbox_and_back(tmp_path, size, side):
    box = ("car", 8, 6, 28, 25)
    image, scale, offset = letterbox(read_pixels(painted(tmp_path / "a.png", [box], size)), side, fill=0)
    boxes = torch.tensor([box[1:]], dtype=torch.float32)
    moved = letterbox_boxes(boxes, scale, offset)
    assert tuple(image.shape) == (3, side, side)
    assert extent(image) == pytest.approx(moved[0].tolist(), abs=0.75)
    torch.testing.assert_close(unletterbox(moved, scale, offset), boxes, atol=1e-4, rtol=0)


def test_the_letterbox_keeps_the_shape_and_fills_the_rest():
    image, scale, (left, top) = letterbox(torch.full((3, 50, 100), 200, dtype=torch.uint8), 64, fill=7)
    assert (scale, (left, top)) == letterbox_geometry(100, 50, 64) == (0.64, (0.0, 16.0))
    assert image[:, 17:47].unique().tolist() == [200]
    assert image[:, :15].unique().tolist() == image[:, 49:].unique().tolist() == [7]


def test_a_square_image_of_the_right_size_is_left_alone():
    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    same, scale, offset = letterbox(image, 32)
    assert torch.equal(same, image)
    assert (scale, offset) == (1.0, (0.0, 0.0))


def street(tmp_path, boxes=(BOXES, [], BOXES[:1])):
    for i, some in enumerate(boxes):
        painted(tmp_path / f"images/{i:03}.png", some)
    return table_of(boxes, root=tmp_path)


def test_a_sample_holds_the_image_of_the_table_and_its_boxes(tmp_path):
    samples = Samples(street(tmp_path), [2, 1], size=64)
    assert len(samples) == 2
    first, empty = samples[0], samples[1]
    assert (first.index, first.classes.tolist(), first.ignore.tolist()) == (2, [0], [False])
    assert first.boxes[0].tolist() == pytest.approx([6.4, 25.6, 25.6, 41.6], abs=1e-5)
    assert extent(first.image, 200) == pytest.approx(first.boxes[0].tolist(), abs=0.75)
    assert (empty.index, tuple(empty.boxes.shape)) == (1, (0, 4))


def test_the_cache_changes_no_sample_and_keeps_to_its_bound(tmp_path):
    table = street(tmp_path)
    cached, uncached = Samples(table, size=64, cache_bytes=2 * 3 * 64 * 64 + 5), Samples(table, size=64, cache=False)
    for _ in range(2):
        for i in range(3):
            assert torch.equal(cached[i].image, uncached[i].image)
            assert torch.equal(cached[i].boxes, uncached[i].boxes)
    assert (len(cached.cached), len(uncached.cached)) == (2, 0)
    assert cached[0] is cached[0]


def test_an_image_that_changed_its_size_is_refused(tmp_path):
    samples = Samples(street(tmp_path), size=64)
    painted(tmp_path / "images/001.png", [], size=(90, 60))
    with pytest.raises(InputError, match=r"001\.png is 90 x 60 pixels but was 100 x 60"):
        samples[1]
    with pytest.raises(InputError, match=r"image index 3 asked for - the table's images are 0 to 2"):
        Samples(samples.table, [0, 3], size=64)
