"""Restyling: pixels change, boxes never move; strength 0 is the identity; draws hang on seed, turn and image alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import noise, table_of
from two_domains import TEXT, study_of, write_two_domains

from gapscope.data.restyle import (
    Restyled,
    RestyleStrengths,
    recoloured,
    restyled,
    through_camera,
    with_amplitudes,
    with_colours,
)
from gapscope.data.samples import Samples
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.run_folder import RunName
from gapscope.study.diets import diet_of
from gapscope.study.run import do
from gapscope.study.stages import units_of

EVERYTHING = RestyleStrengths(share=1.0, fourier=0.1, colours=1.0, camera=1.0, randomise=1.0)


def picture(seed: int, size: int = 64) -> torch.Tensor:
    """Smooth blobs, whose spectrum is not flat."""
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bicubic")[0]
    return (255 * smooth.clamp(0, 1)).to(torch.uint8)


IMAGE, OTHER = picture(0), picture(1)


def test_strength_0_is_the_identity_of_every_part():
    rng = np.random.default_rng(0)
    assert with_amplitudes(IMAGE, OTHER, 0.0) is IMAGE and with_colours(IMAGE, OTHER, 0.0) is IMAGE
    assert through_camera(IMAGE, 0.0, 0.0, 0.0, rng) is IMAGE
    assert torch.equal(recoloured(IMAGE, np.zeros(5)), IMAGE)
    assert restyled(IMAGE, RestyleStrengths(share=1.0), OTHER[None], rng) is IMAGE
    nothing = RestyleStrengths(share=0.0, fourier=0.1, camera=1.0)
    assert restyled(IMAGE, nothing, OTHER[None], rng) is IMAGE


def test_low_frequencies_have_the_others_amplitudes_and_all_the_own_phases():
    """Worked out in float64 once more; bytes round it by half a grey value, which is 32 in a frequency of 64 x 64."""
    grey, bright = IMAGE // 2 + 60, OTHER // 2 + 60  # so that nothing is cut
    found = torch.fft.fft2(with_amplitudes(grey, bright, 2 / 64).double())
    mine, theirs = torch.fft.fft2(grey.double()), torch.fft.fft2(bright.double())
    low = [0, 1, 2, -1, -2]
    for y in low:
        for x in low:
            expected = torch.polar(theirs[:, y, x].abs(), mine[:, y, x].angle())
            assert (found[:, y, x] - expected).abs().max() < 64
    assert (found[:, 3:-2, 3:-2] - mine[:, 3:-2, 3:-2]).abs().max() < 64
    assert (found[:, 0, 0].abs() - theirs[:, 0, 0].abs()).abs().max() < 64  # the mean, so brightness, is the other's


def test_colours_get_mean_and_spread_of_the_other():
    grey, bright = IMAGE // 2 + 60, OTHER // 3 + 90
    found = with_colours(grey, bright, 1.0).flatten(1).float()
    theirs = bright.flatten(1).float()
    torch.testing.assert_close(found.mean(1), theirs.mean(1), atol=0.5, rtol=0)
    torch.testing.assert_close(found.std(1), theirs.std(1), atol=0.5, rtol=0)
    half = with_colours(grey, bright, 0.5).flatten(1).float().mean(1)
    torch.testing.assert_close(half, (grey.flatten(1).float().mean(1) + theirs.mean(1)) / 2, atol=0.6, rtol=0)


def test_a_bad_camera_blurs_is_noisy_and_compresses():
    def roughness(image: torch.Tensor) -> float:
        return float((image[:, :, 1:].float() - image[:, :, :-1].float()).abs().mean())

    checked = (255 * ((torch.arange(64)[:, None] + torch.arange(64)) % 2)).to(torch.uint8).expand(3, 64, 64)
    rng = np.random.default_rng(0)
    assert roughness(through_camera(checked, 1.0, 0.0, 0.0, rng)) < 0.2 * roughness(checked)
    flat = torch.full((3, 64, 64), 100, dtype=torch.uint8)
    assert 12 < through_camera(flat, 0.0, 1.0, 0.0, rng).float().std() < 16
    lossy = through_camera(IMAGE, 0.0, 0.0, 1.0, rng)
    assert lossy.shape == IMAGE.shape and 0 < (lossy.float() - IMAGE.float()).abs().mean() < 10


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    root = tmp_path_factory.mktemp("restyle")
    for i in range(8):
        noise(root / f"images/{i:03}.png", (64, 48), seed=i)
    return Samples(table_of([[("car", i, 5, 30, 40)] for i in range(8)], root=root, size=(64, 48)), size=64)


def test_boxes_never_move_and_only_the_named_images_change(samples):
    strengths = [EVERYTHING] * 4 + [None] * 4
    seen = Restyled(samples, strengths, [OTHER[None]] * 8, seed=0, turn=0)
    for position in range(8):
        one, other = samples[position], seen[position]
        for name in ("boxes", "classes", "ignore", "index"):
            assert getattr(one, name) is getattr(other, name) or getattr(one, name) == getattr(other, name)
        assert torch.equal(one.image, other.image) == (position >= 4)
        assert other.image.dtype == torch.uint8 and other.image.shape == one.image.shape


def test_how_an_image_is_restyled_is_decided_by_seed_turn_and_image(samples):
    def image(seed: int, turn: int, position: int = 2) -> torch.Tensor:
        lent = [torch.stack([OTHER, IMAGE])] * 8
        return Restyled(samples, [EVERYTHING] * 8, lent, seed=seed, turn=turn)[position].image

    assert torch.equal(image(0, 3), image(0, 3))
    different = [image(0, 3), image(0, 4), image(1, 3), image(0, 3, 5)]
    assert not any(torch.equal(a, b) for i, a in enumerate(different) for b in different[:i])


def test_about_the_share_of_the_images_is_changed(samples):
    half = RestyleStrengths(share=0.5, randomise=1.0)
    changed = [
        not torch.equal(Restyled(samples, [half] * 8, [OTHER[:0]] * 8, seed=0, turn=turn)[i].image, samples[i].image)
        for turn in range(25)
        for i in range(8)
    ]
    assert 80 < sum(changed) < 120  # of 200, so within three standard deviations


RESTYLED = TEXT.replace('start = "streets"\nfreeze = "0-74"', "").replace(
    "[train]",
    """[arms.restyled]
domains = ["game", "real"]
restyle.game = { towards = "real", fourier = 0.05, share = 1.0 }
[train]
""",
)


@pytest.mark.slow
def test_a_study_lends_images_of_the_other_domain_without_their_labels(tmp_path: Path):
    write_two_domains(tmp_path / "data")
    study = study_of(
        parse_config(RESTYLED.replace('domains = ["game", "real"]', 'domains = ["game"]')),
        tmp_path / "run",
        tmp_path / "data",
    )
    do(units_of(study), study, only="data")
    unit = next(unit for unit in units_of(study) if unit.name == "train/restyled/seed0")
    assert unit.reads == {"data/game": "training", "data/real": "images"}
    study.folder.annotations("real").write_bytes(b"no labels at all")
    diet = diet_of(study, RunName("restyled", 0))
    assert diet.restyle is not None
    seen = diet.restyle(diet.samples, 0)
    assert all(not torch.equal(seen[i].image, diet.samples[i].image) for i in range(len(diet.samples)))
    assert all(torch.equal(seen[i].boxes, diet.samples[i].boxes) for i in range(len(diet.samples)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("restyle.game", "restyle.gane", r"restyle.gane: 'gane' is none of the arm's domains. Did you mean 'game'"),
        ('towards = "real", ', "", r"restyle.game: 'towards' and one of 'fourier' and 'colours' need each other"),
        (
            'towards = "real"',
            'towards = "reel"',
            r"restyle.game towards: there is no domain 'reel'. Did you",
        ),
    ],
)
def test_styles_that_cannot_be_are_refused(old, new, message):
    with pytest.raises(InputError, match=message):
        parse_config(RESTYLED.replace(old, new))
