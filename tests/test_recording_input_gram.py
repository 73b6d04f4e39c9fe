"""The likeness of the images themselves, kept beside that of every layer."""

import numpy as np
import pytest
import torch

import gapscope
from gapscope.recording.input_gram import PIXELS_AT_ONCE, input_gram
from gapscope.similarity.compare import compare


def pixels(n, size):
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_input_s_gram_is_that_of_its_centred_pixels():
    images = pixels(5, 64)
    flat = images.flatten(1).double().numpy()
    assert flat.shape[1] > PIXELS_AT_ONCE
    flat -= flat.mean(0)
    np.testing.assert_allclose(input_gram(images), flat @ flat.T, rtol=1e-6)
    assert not input_gram(images[:1].repeat(4, 1, 1, 1)).any()


@pytest.mark.parametrize("kind", ["darknet", "any"])
def test_every_recording_can_be_deconfounded(kind, tmp_path):
    images = pixels(8, 32)
    if kind == "darknet":
        model = gapscope.yolov3(2, 0.05, generator=torch.Generator().manual_seed(0))
    else:
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    recording = gapscope.record(model, images, size=32)
    recording.save(tmp_path / "a.nc")
    back = gapscope.read_recording(tmp_path / "a.nc")
    np.testing.assert_array_equal(back.input_gram, input_gram(images))
    grid = compare(back, back, measures=["cka_deconfounded"], cells="diagonal", permutations=0, bootstraps=0)
    known = grid["reason_a"].to_numpy()[0] == ""
    np.testing.assert_allclose(grid["value"].to_numpy()[0][known], 1, atol=1e-9)
    assert known.any()
