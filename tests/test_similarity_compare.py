"""Grids of layers, and what chance makes of them."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from small_recordings import features, recorded, two_networks

from gapscope.errors import InputError
from gapscope.similarity.cka import cka_from_grams, linear_cka
from gapscope.similarity.compare import compare, read_similarity, write_similarity
from gapscope.similarity.floors import permutation_floor
from gapscope.similarity.gram import center, features_gram
from gapscope.similarity.influence import leave_one_out
from gapscope.similarity.intervals import bootstrap_cka, draw_images
from gapscope.similarity.measures import MEASURES
from gapscope.similarity.prepared import prepare, views_of
from gapscope.similarity.ready import Ready
from gapscope.similarity.summary import diagonal_means

CKA = ("cka_debiased", "cka_biased")
BOTH = pytest.mark.parametrize("name", CKA)


@BOTH
def test_a_grid_holds_the_cka_of_each_pair_of_layers(name):
    a, b = two_networks()
    value = compare(a, b, permutations=0, bootstraps=0)["value"].sel(measure=name)
    for i in range(3):
        for j in range(3):
            wanted = cka_from_grams(a.gram[i], b.gram[j], debiased=MEASURES[name].debiased)
            assert float(value.sel(layer_a=i, layer_b=j)) == pytest.approx(wanted, abs=1e-12)


def test_a_network_against_itself_is_1_on_the_diagonal_and_symmetric():
    a, _ = two_networks()
    value = compare(a, a)["value"].to_numpy()
    np.testing.assert_allclose(np.diagonal(value, axis1=1, axis2=2), 1, atol=1e-12)
    np.testing.assert_allclose(value, value.transpose(0, 2, 1), atol=1e-12)


def test_swapping_the_networks_transposes_the_grid():
    a, b = two_networks()
    grids = [compare(*pair, permutations=0, bootstraps=0)["value"].to_numpy() for pair in ((a, b), (b, a))]
    np.testing.assert_allclose(grids[0], grids[1].transpose(0, 2, 1), atol=1e-12)


def test_related_layers_stand_above_the_floor_and_unrelated_ones_on_it():
    a, b = two_networks(60)
    grid = compare(a, b)
    for name in CKA:
        at = grid.sel(measure=name)
        assert (at["interval_low"] > at["floor_high"]).to_numpy()[:2].all()
        assert at["floor_low"][2] < at["value"].to_numpy()[2, 2] < at["floor_high"][2]
        values = np.diagonal(at["value"])
        assert (at["interval_low"] < values).all() and (values < at["interval_high"]).all()
        assert (at["floor_low"] < at["floor_mean"]).all() and (at["floor_mean"] < at["floor_high"]).all()


def test_the_floor_of_wide_layers_is_p_over_n_minus_1_plus_p_unless_debiased():
    n, p = 60, 500
    a, b = (recorded(features(n, p, seed)) for seed in (0, 1))
    floor = compare(a, b, bootstraps=0)["floor_mean"]
    assert float(floor.sel(measure="cka_biased")[0]) == pytest.approx(p / (n - 1 + p), abs=0.01)
    assert float(floor.sel(measure="cka_debiased")[0]) == pytest.approx(0, abs=0.01)


def test_a_floor_is_the_cka_of_images_in_another_order():
    a, b = two_networks(12)
    k, l = (prepare(views_of(one), MEASURES["cka_biased"]) for one in (a, b))
    got = permutation_floor(k, l, 3, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    for row in got:
        order = rng.permutation(12)
        wanted = [cka_from_grams(a.gram[i], b.gram[i][order][:, order], debiased=False) for i in range(3)]
        np.testing.assert_allclose(row, wanted, atol=1e-12)


@BOTH
def test_drawing_every_image_once_gives_the_value_itself(name):
    a, b = two_networks()
    got = bootstrap_cka(a.gram, b.gram, np.ones((1, 30)), MEASURES[name].debiased)[0]
    value = compare(a, b, measures=[name], permutations=0, bootstraps=0)["value"].to_numpy()[0]
    np.testing.assert_allclose(got, np.diagonal(value), atol=1e-12)


def spelled_out(k, l, drawn, debiased):
    """The bootstrap over explicit copies: rows and columns of the drawn images, pairs of copies left out."""
    k, l = k[np.ix_(drawn, drawn)], l[np.ix_(drawn, drawn)]
    n, apart = len(drawn), drawn[:, None] != drawn[None, :]
    if debiased:
        rows, columns = np.nonzero(apart)
        design = np.eye(n)[rows] + np.eye(n)[columns]  # a_i + a_j for each pair kept
        residuals = [one[apart] - design @ np.linalg.lstsq(design, one[apart], rcond=None)[0] for one in (k, l)]
    else:
        kept = apart | np.eye(n, dtype=bool)
        residuals = [center(one)[kept] for one in (k, l)]
    return residuals[0] @ residuals[1] / np.sqrt((residuals[0] @ residuals[0]) * (residuals[1] @ residuals[1]))


@BOTH
def test_a_draw_is_cka_over_the_copies_without_the_pairs_of_an_image_with_itself(name):
    a, b = two_networks(12)
    rng = np.random.default_rng(0)
    for _ in range(4):
        drawn = rng.integers(0, 12, 12)
        counts = np.bincount(drawn, minlength=12)[None].astype(float)
        got = bootstrap_cka(a.gram + 0.3, b.gram, counts, MEASURES[name].debiased)[0]
        wanted = [spelled_out(a.gram[i], b.gram[i], drawn, MEASURES[name].debiased) for i in range(3)]
        np.testing.assert_allclose(got, wanted, atol=1e-9)


@BOTH
def test_copies_do_not_lift_the_draws_above_the_value(name):
    a, b = two_networks(60)
    counts = draw_images(60, 400, np.random.default_rng(0))
    values = np.diagonal(compare(a, b, measures=[name])["value"].to_numpy()[0])
    np.testing.assert_allclose(
        bootstrap_cka(a.gram, b.gram, counts, MEASURES[name].debiased).mean(0), values, atol=0.03
    )


@pytest.mark.slow
def test_the_interval_covers_the_value_of_the_population_about_as_often_as_it_says():
    mix = features(4, 8, seed=1), features(4, 8, seed=2)

    def layers(n, rng):
        shared = rng.standard_normal((n, 4))
        return [shared @ one + 0.7 * rng.standard_normal((n, 8)) for one in mix]

    truth = linear_cka(*layers(3000, np.random.default_rng(0)))
    trials, covered = 100, 0
    for trial in range(trials):
        x, y = layers(50, np.random.default_rng([1, trial]))
        counts = draw_images(50, 200, np.random.default_rng([2, trial]))
        drawn = bootstrap_cka(features_gram(x)[None], features_gram(y)[None], counts, True)
        low, high = np.quantile(drawn, [0.025, 0.975])
        covered += low <= truth <= high
    assert 0.85 * trials <= covered <= trials


def test_draws_leave_enough_different_images():
    for n in (4, 5, 7, 50):
        counts = draw_images(n, 100, np.random.default_rng(0))
        assert counts.shape == (100, n)
        assert (counts.sum(1) == n).all()
        assert ((counts > 0).sum(1) >= 4).all() and (counts.max(1) * 2 < n).all()


@pytest.mark.parametrize("n", [4, 7, 8])
def test_a_handful_of_images_gives_numbers_not_a_crash(n):
    grid = compare(*two_networks(n))
    for name in ("value", "floor_low", "floor_p_all", "max_p"):
        assert np.isfinite(grid[name]).all()
    for name in ("interval_low", "interval_high", "band_low"):  # draws of fewer than 8 say nothing of other images
        assert np.isfinite(grid[name]).all() == (n >= 8)


def test_the_same_seed_draws_the_same_and_another_does_not():
    grids = [compare(*two_networks(), seed=seed) for seed in (0, 0, 1)]
    assert grids[0].identical(grids[1])
    assert not grids[0]["interval_low"].equals(grids[2]["interval_low"])
    assert grids[0]["value"].equals(grids[2]["value"])


@pytest.mark.parametrize("dead", [np.zeros((30, 5)), np.full((30, 5), 0.1), 5 + 1e-8 * features(30, 5, 0)])
def test_a_layer_that_tells_no_images_apart_is_undefined_and_says_why(dead):
    a, b = two_networks()
    dead = recorded(dead)
    a = replace(
        a,
        gram=np.concatenate([a.gram[:2], dead.gram]),
        mean=np.append(a.mean[:2], dead.mean),
        std=np.append(a.std[:2], dead.std),
        pooled=np.hstack([a.pooled[:, :12], dead.pooled]),
        channels=np.append(a.channels[:2], dead.channels),
        p=np.append(a.p[:2], dead.p),
    )
    grid = compare(a, b)
    for name in CKA:
        at = grid.sel(measure=name)
        assert np.isnan(at["value"].sel(layer_a=2)).all()
        assert np.isfinite(at["value"].sel(layer_a=[0, 1])).all()
        for row in ("floor_mean", "floor_low", "interval_low", "interval_high"):
            assert np.isnan(at[row][2]) and np.isfinite(at[row][:2]).all()
        assert at["reason_a"].to_numpy().tolist()[:2] == ["", ""]
        assert str(at["reason_a"].to_numpy()[2]).startswith("tells no images apart")
        assert at["reason_b"].to_numpy().tolist() == ["", "", ""]
        means = diagonal_means(grid, name)
        assert means.undefined == (2,)
        assert means.all == pytest.approx(np.nanmean(np.diagonal(at["value"])))


def test_networks_with_other_layers_have_a_grid_but_no_diagonal():
    a, _ = two_networks()
    short = recorded(features(30, 4, 0), features(30, 5, 1))
    grid = compare(a, short)
    assert grid["value"].shape == (2, 3, 2)
    assert "layer" not in grid.dims


def test_a_file_gives_back_the_grid(tmp_path):
    grid = compare(*two_networks())
    path = tmp_path / "similarity" / "u-real-seed0--u-synth-seed1--real-32.nc"
    write_similarity(grid, path)
    back = read_similarity(path)
    assert back.equals(grid)
    assert back.attrs["a"] == "u-real-seed0"
    assert back.attrs["b"] == "u-synth-seed1"
    assert (back.attrs["n"], back.attrs["size"], back.attrs["probe"]) == (30, 32, "real")
    assert back.sel(measure="cka_debiased")["reason_a"].to_numpy().tolist() == [""] * 3
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=r"real-32\.nc cannot be read: it is broken or cut off"):
        read_similarity(path)


def test_table_5_is_the_mean_over_layers_of_backbone_and_head():
    layers = [features(8, 3, seed) for seed in range(107)]
    a = recorded(*layers)
    b = recorded(*layers[:75], *[features(8, 3, 200 + seed) for seed in range(32)])
    means = diagonal_means(compare(a, b, permutations=0, bootstraps=0), "cka_debiased")
    assert means.backbone == pytest.approx(1)
    assert means.head == pytest.approx(
        np.mean([cka_from_grams(a.gram[i], b.gram[i]) for i in range(75, 107)]), abs=1e-9
    )
    assert means.all == pytest.approx((75 * means.backbone + 32 * means.head) / 107)
    assert means.undefined == ()


NAMES = tuple(f"{i}.png" for i in range(30))


@pytest.mark.parametrize(
    ("changes", "wording"),
    [
        ({"size": 64}, "u-real-seed0 and u-synth-seed1 were taken at 32 and 64 pixels"),
        (
            {"images": ("x.png", *NAMES[1:])},
            "hold different images: image 0 is '0.png' in one and 'x.png' in the other",
        ),
        ({"images": (*NAMES[:28], "29.png", "28.png")}, "the same images in another order: image 28 is '28.png'"),
        ({"pixels_sha256": "2"}, "name the same images, but the pixels differ"),
    ],
)
def test_recordings_of_different_images_are_refused(changes, wording):
    a, b = two_networks()
    with pytest.raises(InputError, match=wording):
        compare(a, replace(b, **changes))


def test_recordings_of_different_numbers_of_images_are_refused():
    with pytest.raises(InputError, match="hold 30 and 29 images, but need the same ones"):
        compare(two_networks()[0], two_networks(29)[1])
    with pytest.raises(InputError, match="3 images are too few"):
        compare(*(recorded(np.eye(3)) for _ in range(2)))


def test_an_unknown_measure_is_refused_with_the_known_ones():
    a, b = two_networks()
    with pytest.raises(InputError, match=r"no measure 'cka_debased'. Did you mean 'cka_debiased'.*cka_biased"):
        compare(a, b, measures=["cka_debased"])
    with pytest.raises(InputError, match="no measure is given"):
        compare(a, b, measures=[])
    with pytest.raises(InputError, match="permutations = -1"):
        compare(a, b, permutations=-1)


def test_what_was_made_of_recordings_serves_the_next_comparison_and_changes_nothing(tmp_path):
    ready, networks = Ready(), [*two_networks(), recorded(*(features(30, 9, seed) for seed in range(3)))]
    groups = np.repeat(np.arange(10), 3)
    how = {"measures": ["cka_debiased", "cka_biased", "rsa"], "groups": groups, "permutations": 20, "bootstraps": 20}
    for a, b in combinations(networks, 2):
        xr.testing.assert_identical(compare(a, b, ready=ready, **how), compare(a, b, **how))
        xr.testing.assert_identical(leave_one_out(a, b, ready=ready), leave_one_out(a, b))
    assert len(ready.held) == 3
    networks[0].save(tmp_path / "a.nc")
    assert ready.read(tmp_path / "a.nc") is ready.read(tmp_path / "a.nc")
    small = Ready(limit=1)
    small.read(tmp_path / "a.nc")
    for one in networks:
        small.views(one, None)
    assert [held.recording for held in small.held.values()] == networks[-2:]


def test_what_is_kept_stays_below_its_limit_though_it_grows_while_it_is_used():
    """Beside the two in use: what comparing makes of them is counted once they are used no more."""
    networks = [recorded(*(features(30, 9, seed + 3 * of) for seed in range(3))) for of in range(6)]
    how = {"measures": ["cka_debiased", "rsa"], "permutations": 20, "bootstraps": 20}
    alone = Ready()
    compare(networks[0], networks[1], ready=alone, **how)
    one = max(held.size() for held in alone.held.values())
    ready = Ready(limit=4 * one)  # an eighth is less than one takes, so it is added up every time
    for a, b in combinations(networks, 2):
        compare(a, b, ready=ready, **how)
        sizes = [held.size() for held in ready.held.values()]
        assert sum(sizes[:-2]) <= ready.limit and len(sizes) >= 2
    assert 3 <= len(ready.held) <= 6
