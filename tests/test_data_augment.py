"""Augmentation: boxes follow the pixels whatever is done to the picture, and nothing but the seed decides."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_data import noise, painted, table_of
from torchvision.transforms.v2 import functional as tv

from gapscope.data.augment import Augmentation, augmented, colour_matrix
from gapscope.data.samples import Samples

OFF = Augmentation(flip=0, hsv=(0, 0, 0), scale=0, translate=0, mosaic=0)
BOX = ("car", 30, 20, 50, 45)


def one_box(tmp_path, num_images=1, box=BOX, size=(100, 60), ignore=False):
    for i in range(num_images):
        painted(tmp_path / f"images/{i:03}.png", [box], size)
    table = table_of([[box]] * num_images, root=tmp_path, size=size, ignore=[ignore] * num_images)
    return Samples(table, size=96, fill=0)


def extent(image, share=0.5):
    light = image.float().mean(0)
    rows, columns = torch.nonzero(light > light.max() * share, as_tuple=True)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


@pytest.mark.parametrize(
    "augment",
    [
        pytest.param(Augmentation(flip=1, hsv=(0, 0, 0), scale=0, translate=0), id="flip"),
        pytest.param(Augmentation(flip=0, hsv=(0, 0, 0), scale=0.3, translate=0), id="scale"),
        pytest.param(Augmentation(flip=0, hsv=(0, 0, 0), scale=0, translate=0.4), id="translate"),
        pytest.param(Augmentation(flip=0, hsv=(0.1, 0.5, 0.3), scale=0, translate=0), id="colour"),
        pytest.param(Augmentation(flip=0.5, hsv=(0.1, 0.5, 0.3), scale=0.5, translate=0.2), id="all"),
    ],
)
def test_boxes_follow_the_pixels(tmp_path, augment):
    samples = one_box(tmp_path)
    for epoch in range(40):
        sample = augmented(samples, 0, augment, seed=0, epoch=epoch)
        assert (sample.image.dtype, tuple(sample.image.shape)) == (torch.uint8, (3, 96, 96))
        if len(sample.boxes):
            assert extent(sample.image) == pytest.approx(sample.boxes[0].tolist(), abs=1.0)
            assert 0 <= sample.boxes.min() <= sample.boxes.max() <= 96


TURNS = [
    pytest.param(Augmentation(flip=0, hsv=(0, 0, 0), scale=0, translate=0, rotate=40), id="rotate"),
    pytest.param(Augmentation(flip=0, hsv=(0, 0, 0), scale=0, translate=0, rotate=180), id="upside down"),
    pytest.param(Augmentation(flip=0, hsv=(0, 0, 0), scale=0, translate=0, shear=30), id="shear"),
    pytest.param(Augmentation(flip=0.5, hsv=(0.1, 0.5, 0.3), scale=0.4, translate=0.2, rotate=20, shear=10), id="all"),
]


@pytest.mark.parametrize("augment", TURNS)
def test_a_turned_box_is_the_upright_one_around_its_turned_pixels(tmp_path, augment):
    samples, whole = one_box(tmp_path), 0
    for epoch in range(40):
        sample = augmented(samples, 0, augment, seed=0, epoch=epoch)
        assert (sample.image.dtype, tuple(sample.image.shape)) == (torch.uint8, (3, 96, 96))
        if len(sample.boxes) and sample.boxes.min() > 0 and sample.boxes.max() < 96:
            assert extent(sample.image, 0.1) == pytest.approx(sample.boxes[0].tolist(), abs=2.0)  # corners are pointed
            whole += 1
    assert whole >= 10


def test_a_quarter_turn_is_exact(tmp_path, monkeypatch):
    samples = one_box(tmp_path)
    monkeypatch.setattr("gapscope.data.augment.turn_matrix", lambda augment, rng: np.array([[0.0, -1.0], [1.0, 0.0]]))
    before, turned = samples[0], augmented(samples, 0, replace(OFF, rotate=1), seed=0, epoch=0)
    assert torch.equal(turned.image, before.image.rot90(-1, (1, 2)))  # clockwise
    x1, y1, x2, y2 = before.boxes[0].tolist()
    assert turned.boxes[0].tolist() == pytest.approx([96 - y2, x1, 96 - y1, x2], abs=1e-4)


def test_turns_leave_the_other_draws_as_they_are(tmp_path):
    samples = one_box(tmp_path, num_images=4)
    plain = Augmentation(mosaic=0.5)
    barely = replace(plain, rotate=1e-9)
    for epoch in range(10):
        a, b = augmented(samples, 0, plain, 0, epoch), augmented(samples, 0, barely, 0, epoch)
        assert (a.image.int() - b.image.int()).abs().max() <= 1
        torch.testing.assert_close(a.boxes, b.boxes, atol=1e-4, rtol=0)


def test_what_a_turn_brings_in_from_outside_has_the_grey_of_the_bars(tmp_path):
    noise(tmp_path / "images/000.png", size=(96, 96))
    samples = Samples(table_of([[]], root=tmp_path, size=(96, 96)), size=96, fill=77)
    turned = augmented(samples, 0, replace(OFF, rotate=180, scale=0.5), seed=3, epoch=0).image
    assert (turned[:, 0, 0] == 77).all() and not (turned == 77).all()


def test_the_boxes_of_a_mosaic_hold_the_bright_pixels_and_nothing_else(tmp_path):
    samples = one_box(tmp_path, num_images=4)
    mosaic = Augmentation(flip=0.5, hsv=(0, 0, 0), scale=0.2, translate=0.1, mosaic=1)
    whole = float((samples[0].boxes[0, 2:] - samples[0].boxes[0, :2]).prod())
    seen = 0
    for epoch in range(40):
        sample = augmented(samples, 1, mosaic, seed=0, epoch=epoch)
        dark = sample.image.float().mean(0) < 128
        for x1, y1, x2, y2 in sample.boxes.round().int().tolist():
            assert not dark[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].any()
            dark[max(y1 - 1, 0) : y2 + 1, max(x1 - 1, 0) : x2 + 1] = True
        seen += len(sample.boxes)
        # What is left of a box that was cut too far to count may stay in the picture: under a fifth of four boxes.
        assert (~dark).sum() < 4 * 0.2 * whole * 1.2**2
    assert seen > 40


def test_with_everything_off_the_sample_is_served_as_it_is(tmp_path):
    samples = one_box(tmp_path)
    sample = augmented(samples, 0, OFF, seed=0, epoch=0)
    assert torch.equal(sample.image, samples[0].image)
    assert torch.equal(sample.boxes, samples[0].boxes)


def test_augmenting_does_not_touch_the_cached_image(tmp_path):
    samples = one_box(tmp_path, num_images=4)
    before = samples[0].image.clone()
    for epoch in range(5):
        augmented(samples, 0, Augmentation(mosaic=0.5), seed=0, epoch=epoch)
    assert torch.equal(samples[0].image, before)


def test_only_seed_epoch_and_image_decide(tmp_path):
    samples = one_box(tmp_path, num_images=3)
    reordered = Samples(samples.table, [2, 0, 1], size=96, fill=0)
    same = (
        augmented(samples, 2, Augmentation(), seed=1, epoch=4),
        augmented(reordered, 0, Augmentation(), seed=1, epoch=4),
    )
    assert torch.equal(same[0].image, same[1].image)
    assert torch.equal(same[0].boxes, same[1].boxes)
    for position, seed, epoch in ((1, 1, 4), (2, 2, 4), (2, 1, 5)):
        assert not torch.equal(augmented(samples, position, Augmentation(), seed, epoch).image, same[0].image)


def test_switching_one_part_off_leaves_the_others_as_they_were(tmp_path):
    samples = one_box(tmp_path)
    plain = Augmentation(hsv=(0, 0, 0))
    for epoch in range(5):
        coloured, uncoloured = (augmented(samples, 0, augment, 0, epoch) for augment in (Augmentation(), plain))
        assert torch.equal(coloured.boxes, uncoloured.boxes)


@pytest.mark.parametrize(("ignore", "left"), [(False, 0), (True, 1)])
def test_a_box_cut_to_a_sliver_is_dropped_but_an_ignore_region_stays(tmp_path, ignore, left):
    samples = one_box(tmp_path, box=("car", 0, 0, 30, 96), size=(96, 96), ignore=ignore)
    shifts = Augmentation(flip=0, hsv=(0, 0, 0), scale=0, translate=0.3)
    widths = []
    for epoch in range(200):
        sample = augmented(samples, 0, shifts, 0, epoch)
        shown = int((sample.image[0].float().mean(0) > 0).sum())  # columns of the box that are still in the picture
        if shown and shown * int((sample.image[0].float().mean(1) > 0).sum()) < 0.2 * 30 * 96:
            assert len(sample.boxes) == left
            widths.append(shown)
        elif shown * int((sample.image[0].float().mean(1) > 0).sum()) > 0.2 * 30 * 96:
            assert len(sample.boxes) == 1
    assert len(widths) > 3


def test_a_box_with_a_very_short_side_is_dropped(tmp_path):
    flip = Augmentation(flip=1, hsv=(0, 0, 0), scale=0, translate=0)
    thin, thick = (
        augmented(one_box(tmp_path / str(w), box=("car", 30, 20, 30 + w, 50), size=(96, 96)), 0, flip, 0, 0)
        for w in (3, 4)
    )
    assert (len(thin.boxes), len(thick.boxes)) == (0, 1)


def test_the_colour_matrix_without_turn_is_torchvisions_saturation():
    image = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    for factor in (0.5, 1.0, 1.2):
        ours = torch.from_numpy(colour_matrix(0, factor)).float() @ image.view(3, -1)
        torch.testing.assert_close(ours.view(3, 8, 8), tv.adjust_saturation(image, factor), atol=2e-3, rtol=0)


def test_turning_the_hue_keeps_grey_and_luma_and_comes_full_circle():
    luma = np.array([0.299, 0.587, 0.114])
    for hue in (0.0, 0.1, 0.5, 1.0):
        matrix = colour_matrix(hue, 0.8)
        np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3), atol=1e-3)
        np.testing.assert_allclose(luma @ matrix, luma, atol=1e-3)
    np.testing.assert_allclose(colour_matrix(1.0, 1.0), np.eye(3), atol=1e-9)
    assert np.argmax(colour_matrix(1 / 3, 1.0) @ [1, 0, 0]) != 0
