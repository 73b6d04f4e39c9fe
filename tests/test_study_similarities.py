"""What the compare stage leaves: grids with images and blocks, and effects with the ceilings of who trained a layer."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from small_recordings import features, recorded, two_networks

from gapscope.config import Similarity
from gapscope.similarity.cka import linear_cka
from gapscope.similarity.compare import compare
from gapscope.similarity.gram import features_gram
from gapscope.similarity.layer_summary import layer_summary
from gapscope.study.similarities import NOT_TRAINED, effect_of, grid_of, read_again, with_images_and_blocks

FEW = Similarity(permutations=20, bootstraps=20)


def with_pixels(*recordings):
    pixels = features_gram(features(30, 9, seed=77))
    return tuple(replace(one, input_gram=pixels) for one in recordings)


def test_a_grid_holds_every_measure_in_the_plans_order_and_the_same_numbers_as_one_by_one():
    a, b = with_pixels(*two_networks())
    plan = Similarity(measures=["rsa", "cka_debiased", "procrustes", "cka_biased"], permutations=20, bootstraps=20)
    grid = grid_of(a, b, plan)
    assert grid["measure"].values.tolist() == plan.measures
    for name in plan.measures:
        alone = compare(a, b, measures=[name], permutations=20, bootstraps=20).isel(measure=0, drop=True)
        both = grid.sel(measure=name).drop_vars("measure")
        ends = [] if name.startswith("cka") else ["interval_low", "interval_high", "band_low", "band_high"]
        xr.testing.assert_identical(both.drop_attrs().drop_vars(ends), alone.drop_attrs().drop_vars(ends))
    assert (grid.attrs["permutations"], grid.attrs["bootstraps"], grid.attrs["n"]) == (20, 20, 30)


def test_intervals_are_drawn_for_cka_and_left_open_for_other_measures():
    grid = grid_of(*with_pixels(*two_networks()), FEW)
    open_ended = np.isnan(grid["interval_low"]).all("layer")
    assert dict(zip(grid["measure"].values.tolist(), open_ended.values.tolist(), strict=True)) == {
        "cka_debiased": False,
        "cka_biased": False,
        "cka_deconfounded": False,
        "rsa": True,
    }


def test_a_network_compared_with_itself_is_as_alike_on_any_images():
    (a,) = with_pixels(two_networks()[0])
    grid = grid_of(a, a, FEW)
    own = np.diagonal(grid["value"].values, axis1=1, axis2=2)
    assert own == pytest.approx(1)
    np.testing.assert_array_equal(grid["interval_low"].values, own)
    np.testing.assert_array_equal(grid["interval_high"].values, own)


def test_an_images_influence_is_what_the_value_loses_without_it():
    a, b = with_pixels(*two_networks())
    grid = with_images_and_blocks(grid_of(a, b, FEW), a, b)
    x, y = a.pooled_of(1).astype(float), b.pooled_of(1).astype(float)
    left = np.delete(np.arange(30), 7)
    expected = linear_cka(x, y) - linear_cka(x[left], y[left])
    assert grid["influence"].sel(layer=1, image="7.png").item() == pytest.approx(expected, abs=1e-6)
    assert grid["influence"].dims == ("layer", "image")
    assert not grid["block_a"].any()  # three layers make one block of two or more


def test_blocks_are_numbered_from_0_along_each_network():
    shared, other = features(30, 8, 0), features(30, 8, 1)
    layers = [*(shared + 0.05 * features(30, 8, 10 + i) for i in range(4)), *(other for _ in range(3))]
    a, b = with_pixels(recorded(*layers), recorded(*layers[::-1]))
    grid = with_images_and_blocks(grid_of(a, b, FEW), a, b)
    assert grid["block_a"].values.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert grid["block_b"].values.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_dead_network_has_no_blocks_and_says_so_and_four_images_leave_none_out():
    layers = [features(4, 6, seed) for seed in range(4)]
    pixels = features_gram(features(4, 3, 9))
    a, b = (replace(recorded(*(sign * x for x in layers)), input_gram=pixels) for sign in (1, -1))
    dead = replace(b, gram=np.zeros_like(b.gram))
    plan = Similarity(measures=["cka_debiased"], permutations=20, bootstraps=20)
    grid = with_images_and_blocks(grid_of(a, dead, plan), a, dead)
    assert "influence" not in grid and "block_a" not in grid
    assert "too few to be cut into blocks" in grid.attrs["no_blocks"]


def two_arms(n=40):
    """Recordings of two arms with two seeds: three layers, of one origin but for noise."""
    shared = features(n, 20, 100)

    def network(seed, *noise):
        return recorded(*(shared + level * features(n, 20, [seed, i]) for i, level in enumerate(noise)))

    real = [network(seed, 0.3, 0.3, 0.3) for seed in (1, 2)]
    synthetic = [network(seed, 0.9, 0.9, 0.9) for seed in (3, 4)]
    return real, synthetic


ALL, NONE, HEAD = np.ones(3, bool), np.zeros(3, bool), np.array([False, False, True])


def effect(trained_real, trained_synthetic, plan=FEW):
    real, synthetic = two_arms()
    seeds = {"real": [tuple(real)], "synthetic": [tuple(synthetic)]}
    trained = {"real": trained_real, "synthetic": trained_synthetic}
    return effect_of(real[0], synthetic[0], seeds, trained, plan)


def summary(*arms):
    real, synthetic = two_arms()
    ceilings = [tuple({"real": real, "synthetic": synthetic}[arm]) for arm in arms]
    return layer_summary(real[0], synthetic[0], ceilings, permutations=20, bootstraps=20)


def test_where_both_arms_trained_every_layer_the_ceiling_is_that_of_both():
    found, wanted = effect(ALL, ALL), summary("real", "synthetic")
    xr.testing.assert_identical(found[list(wanted)].drop_attrs(), wanted.drop_attrs())
    assert found["networks"].shape == (4, 4, 3) and found["part"].values.tolist()[:3] == ["backbone", "head", "stem"]
    np.testing.assert_allclose(found["networks"][0, 2], found["similarity"], atol=1e-12)
    assert found["part_shortfall"].sel(part="stem") == pytest.approx(found["shortfall"][0].item())


def test_a_layer_that_one_arm_kept_frozen_has_the_other_arms_ceiling():
    found, real, both = effect(ALL, HEAD), summary("real"), summary("real", "synthetic")
    for name in ("similarity", "floor_q", "ceiling", "ceiling_low", "shortfall", "effect", "effect_low", "effect_high"):
        np.testing.assert_allclose(found[name][:2], real[name][:2], rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(found[name][2], both[name][2], rtol=1e-9, err_msg=name)
    assert found["ceiling"][0] > both["ceiling"][0]
    assert (found["reason"] == "").all()


def test_a_layer_that_neither_arm_trained_has_a_similarity_but_no_ceiling_and_a_reason():
    found, whole = effect(HEAD, HEAD), summary("real", "synthetic")
    for name in (str(name) for name in whole if str(name) != "reason" and "band" not in str(name)):
        untouched = name.startswith(("similarity", "interval", "floor"))
        assert np.isnan(found[name][:2]).all() != untouched, name
        np.testing.assert_allclose(found[name][2], whole[name][2], rtol=1e-9, err_msg=name)
    np.testing.assert_array_equal(found["similarity"], whole["similarity"])
    assert found["reason"].values.tolist() == [NOT_TRAINED, NOT_TRAINED, ""]
    assert (effect(NONE, NONE)["reason"] == NOT_TRAINED).all()


def test_q_is_adjusted_for_all_layers_whoever_trained_them():
    np.testing.assert_array_equal(effect(ALL, HEAD)["floor_q"], summary("real")["floor_q"])


def test_a_recording_that_was_replaced_is_read_anew(tmp_path):
    a, b = two_networks()
    path = tmp_path / "a.nc"
    a.save(path)
    first = read_again(path)
    assert read_again(path) is first
    b.save(path)
    assert read_again(path).name == b.name != first.name
