"""Floors, z, p and q; intervals of cells and of any measure; single images; how many images are enough."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest
from small_recordings import features, recorded, two_networks

from gapscope.errors import InputError
from gapscope.similarity.cell_intervals import bootstrap_cka_of_cells
from gapscope.similarity.cka import linear_cka
from gapscope.similarity.compare import compare
from gapscope.similarity.convergence import convergence
from gapscope.similarity.floors import p_values, q_values, z_values
from gapscope.similarity.influence import extreme_images, leave_one_out
from gapscope.similarity.intervals import bootstrap_cka, draw_images, values_on_subsets
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.measures import MEASURES, measure_layers
from gapscope.similarity.prepared import views_of

pytestmark = pytest.mark.slow

SIMILARITY, DISTANCE = MEASURES["rsa"], MEASURES["procrustes"]
CKA = pytest.mark.parametrize("name", ["cka_debiased", "cka_biased"])


def test_p_counts_the_true_order_in_and_z_is_in_units_of_the_floor():
    floor = np.array([[0.1, 0.5], [0.2, 0.6], [0.3, 0.7]])
    value = np.array([0.25, 0.9])
    np.testing.assert_allclose(p_values(value, floor, SIMILARITY), [2 / 4, 1 / 4])
    np.testing.assert_allclose(z_values(value, floor, SIMILARITY), [0.5, 3])
    np.testing.assert_allclose(p_values(value, floor, DISTANCE), [3 / 4, 4 / 4])
    np.testing.assert_allclose(z_values(value, floor, DISTANCE), [-0.5, -3])


def test_undefined_cells_have_neither_z_nor_p_nor_q_and_do_not_disturb_the_others():
    floor = np.array([[0.1, np.nan], [0.2, np.nan]])
    value = np.array([0.5, np.nan])
    for got in (p_values(value, floor, SIMILARITY), z_values(value, floor, SIMILARITY)):
        assert np.isfinite(got[0]) and np.isnan(got[1])
    q = q_values(np.array([0.01, np.nan, 0.04, 0.03]))
    np.testing.assert_allclose(q[[0, 2, 3]], [0.03, 0.04, 0.04])
    assert np.isnan(q[1]) and np.isnan(q_values(np.full(2, np.nan))).all()


def test_p_of_unrelated_layers_is_uniform():
    n, count = 30, 60
    a, b = (recorded(*(features(n, 8, [which, seed]) for seed in range(count))) for which in (0, 1))
    grid = compare(a, b, measures=["cka_debiased"], cells="diagonal", permutations=99, bootstraps=0)
    p = grid["floor_p"].to_numpy()[0]
    assert kstest(p, "uniform").pvalue > 0.01
    assert (grid["floor_q"].to_numpy()[0] > 0.05).all()
    assert (grid["floor_q"] >= grid["floor_p"] - 1e-12).all()


@pytest.mark.parametrize("name", ["cka_debiased", "cka_angle", "mutual_knn", "procrustes"])
def test_floors_of_all_cells_agree_with_those_of_the_diagonal(name):
    a, b = two_networks(40)
    one = compare(a, b, measures=[name], permutations=30, bootstraps=0)
    every = compare(a, b, measures=[name], floor="cells", permutations=30, bootstraps=0)
    for column in ("mean", "low", "high", "z", "p"):
        diagonal = np.diagonal(every[f"cell_floor_{column}"].to_numpy()[0])
        np.testing.assert_allclose(diagonal, one[f"floor_{column}"].to_numpy()[0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(every[f"floor_{column}"], one[f"floor_{column}"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in ("euclidean", "cka_deconfounded")])
def test_a_shuffled_value_is_the_measure_of_shuffled_images(name):
    n = 45
    x, y = features(n, 5, 0), features(n, 5, 1)
    grid = compare(recorded(x), recorded(y), measures=[name], floor="cells", permutations=1, bootstraps=0)
    order = np.random.default_rng([0, 1]).permutation(n)
    wanted = measure_layers(name, x, y[order])
    assert grid["floor_mean"].item() == pytest.approx(wanted, abs=1e-6)
    assert grid["cell_floor_mean"].item() == pytest.approx(wanted, abs=1e-6)


def test_unlike_and_alike_cells_are_told_apart_by_q():
    a, b = two_networks(60)
    q = compare(a, b, measures=["cka_debiased"], floor="cells", bootstraps=0)["cell_floor_q"].to_numpy()[0]
    assert (q[:2, :2] < 0.05).all()
    assert (q[2, :] > 0.05).all() and (q[:, 2] > 0.05).all()


@CKA
def test_intervals_of_all_cells_are_those_of_each_pair_of_layers(name):
    a, b = two_networks(25)
    counts = draw_images(25, 30, np.random.default_rng(0))
    debiased = MEASURES[name].debiased
    got = bootstrap_cka_of_cells(a.gram, b.gram, counts, debiased)
    for i in range(3):
        wanted = bootstrap_cka([a.gram[i]] * 3, b.gram, counts, debiased)
        np.testing.assert_allclose(got[:, i], wanted, atol=1e-10)


@pytest.mark.parametrize("name", ["cka_debiased", "cka_rbf_biased", "rsa"])
def test_a_grid_with_intervals_everywhere_has_the_same_ones_on_its_diagonal(name):
    a, b = two_networks(25)
    one = compare(a, b, measures=[name], permutations=0, bootstraps=40)
    every = compare(a, b, measures=[name], interval="cells", permutations=0, bootstraps=40)
    for bound in ("low", "high"):
        diagonal = np.diagonal(every[f"cell_interval_{bound}"].to_numpy()[0])
        np.testing.assert_allclose(diagonal, one[f"interval_{bound}"].to_numpy()[0], atol=1e-9)
        np.testing.assert_allclose(every[f"interval_{bound}"], one[f"interval_{bound}"], atol=1e-9)


def test_a_dead_layer_is_undefined_in_every_cell_and_in_no_other():
    a, b = two_networks(25)
    a = replace(a, gram=np.concatenate([np.zeros((1, 25, 25)), a.gram[1:]]))
    grid = compare(a, b, floor="cells", interval="cells", permutations=20, bootstraps=20)
    for name in ("value", "cell_floor_mean", "cell_floor_z", "cell_floor_q", "cell_interval_low"):
        assert np.isnan(grid[name].sel(layer_a=0)).all() and np.isfinite(grid[name].sel(layer_a=[1, 2])).all()


@CKA
def test_weights_of_0_and_1_give_the_cka_of_the_images_that_are_left(name):
    a, b = two_networks(20)
    rows = [np.array([0, 3, 4, 9, 15, 16, 19]), np.arange(12)]
    got = values_on_subsets(views_of(a), views_of(b), MEASURES[name], rows)
    for part, values in zip(rows, got, strict=True):
        parts = [recorded(*(one.pooled_of(layer)[part] for layer in range(3))) for one in (a, b)]
        wanted = compare(*parts, measures=[name], cells="diagonal", permutations=0, bootstraps=0)["value"][0]
        np.testing.assert_allclose(values, wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["rsa", "procrustes", "mutual_knn", "svcca_20", "pwcca_pooled"])
def test_a_measure_on_part_of_the_images_is_the_measure_of_that_part(name):
    x, y = features(90, 6, 0), features(90, 6, 1)
    rows = np.random.default_rng(0).permutation(90)[:45]
    got = values_on_subsets(views_of(recorded(x)), views_of(recorded(y)), MEASURES[name], [rows])
    assert got.item() == pytest.approx(measure_layers(name, x[rows], y[rows]), abs=1e-6)


@pytest.mark.parametrize(("name", "draws"), [("rsa", 60), ("cka_biased", 100)])
@pytest.mark.slow
def test_intervals_hold_what_many_images_give_about_as_often_as_they_say(name, draws):
    """An interval of halves is centred on the sample's value; the biased estimator's own bias is not its business."""
    mix = features(4, 8, seed=1), features(4, 8, seed=2)

    def layers(n, rng):
        shared = rng.standard_normal((n, 4))
        return [shared @ one + 0.7 * rng.standard_normal((n, 8)) for one in mix]

    truth = measure_layers(name, *layers(700, np.random.default_rng(0)))
    trials, covered = 60, 0
    for trial in range(trials):
        a, b = (recorded(x) for x in layers(60, np.random.default_rng([1, trial])))
        grid = compare(a, b, measures=[name], cells="diagonal", permutations=0, bootstraps=draws)
        covered += bool(grid["interval_low"].item() <= truth <= grid["interval_high"].item())
    assert covered >= 0.8 * trials


def test_halves_too_small_for_a_measure_leave_its_interval_undefined():
    x, y = features(12, 5, 0), features(12, 5, 1)
    grid = compare(recorded(x), recorded(y), measures=["mutual_knn"], permutations=20, bootstraps=20)
    assert np.isfinite(grid["value"]).all() and np.isnan(grid["interval_low"]).all()


@pytest.mark.parametrize("name", ["cka_debiased", "cka_rbf_debiased", "shape_angle"])
def test_influence_is_the_exact_change_when_an_image_is_left_out(name):
    a, b = two_networks(16)
    found = leave_one_out(a, b, name)
    for image in (0, 7, 15):
        rest = np.delete(np.arange(16), image)
        wanted = [measure_layers(name, a.pooled_of(i)[rest], b.pooled_of(i)[rest]) for i in range(3)]
        np.testing.assert_allclose(found["without"].isel(image=image), wanted, atol=1e-6)
    np.testing.assert_allclose(found["influence"], found["value"] - found["without"], atol=1e-12)


@pytest.mark.parametrize("name", ["cka_debiased", "procrustes"])
def test_an_image_that_one_network_sees_quite_differently_has_the_most_negative_influence(name):
    shared, odd = features(40, 6, 0), 13
    other = shared + 0.1 * features(40, 6, 1)
    other[odd] = -3 * shared[odd]
    found = leave_one_out(recorded(shared), recorded(other), name)
    agreeing, differing = extreme_images(found, 0, count=3)
    assert differing[0] == "13.png" and "13.png" not in agreeing and len(agreeing) == 3


def test_jackknife_and_bootstrap_intervals_are_about_as_wide():
    a, b = two_networks(80)
    found = leave_one_out(a, b)
    grid = compare(a, b, measures=["cka_debiased"], permutations=0, bootstraps=400)
    ratio = (found["jackknife_high"] - found["jackknife_low"]) / (grid["interval_high"] - grid["interval_low"])[0]
    assert (ratio > 0.7).all() and (ratio < 1.4).all()


def test_influence_refuses_what_it_cannot_answer():
    a, b = two_networks(8)
    found = leave_one_out(a, b)
    with pytest.raises(InputError, match=r"there is no layer 7\. Choose one of 0 to 2"):
        extreme_images(found, 7)
    dead = replace(a, gram=np.zeros_like(a.gram))
    with pytest.raises(InputError, match="layer 0 has no cka_debiased, so no image has an influence on it"):
        extreme_images(leave_one_out(dead, b), 0)
    with pytest.raises(InputError, match="4 images are too few to leave one out: cka_debiased needs 4 without it"):
        leave_one_out(*two_networks(4))
    with pytest.raises(InputError, match="have different layers"):
        leave_one_out(a, recorded(features(8, 3, 0)))


def test_more_images_narrow_the_spread_and_end_at_the_value_itself():
    a, b = two_networks(100)
    curve = convergence(a, b, sizes=[12, 25, 50, 100])
    assert (curve["std"].diff("size") < 0).all()
    value = np.diagonal(compare(a, b, permutations=0, bootstraps=0)["value"].sel(measure="cka_debiased"))
    np.testing.assert_allclose(curve["mean"].sel(size=100), value, atol=1e-12)


def test_with_few_images_biased_cka_is_too_high_and_debiased_cka_is_not():
    shared = features(200, 30, 0)
    a, b = (recorded(shared + 1.5 * features(200, 30, seed)) for seed in (1, 2))
    curves = {
        name: convergence(a, b, name, sizes=[15, 30, 200])["mean"].to_numpy()[:, 0]
        for name in MEASURES
        if name in ("cka_debiased", "cka_biased")
    }
    assert curves["cka_biased"][0] > curves["cka_biased"][1] > curves["cka_biased"][2] + 0.1
    assert curves["cka_debiased"][0] == pytest.approx(curves["cka_debiased"][2], abs=0.05)


def test_sizes_of_parts_must_fit_the_images_and_the_measure():
    a, b = two_networks(30)
    assert convergence(a, b)["size"].to_numpy().tolist() == [12, 25, 30]
    with pytest.raises(InputError, match=r"sizes = \[3, 10\]: give numbers of images from 4 to 30"):
        convergence(a, b, sizes=[10, 3])
    with pytest.raises(InputError, match=r"sizes = \[31\]: give numbers of images from 12 to 30"):
        convergence(a, b, "mutual_knn", sizes=[31])


def seeds_and_arms(n=80):
    """Two seeds of one arm, and another arm that shares all, much, or nothing with them in its three layers."""
    shared, noise = features(n, 20, 0), 0.5

    def network(seed, *mixes):
        layers = [mix * shared + np.sqrt(1 - mix**2) * features(n, 20, 50) for mix in mixes]
        return recorded(*(x + noise * features(n, 20, [seed, i]) for i, x in enumerate(layers)))

    return network(1, 1, 1, 1), network(2, 1, 1, 1), network(3, 1, 0.7, 0)


@pytest.mark.parametrize("name", ["cka_debiased", "cka_biased", "procrustes"])
def test_the_effect_is_1_for_as_much_as_seeds_share_and_0_for_no_more_than_chance(name):
    first, second, other = seeds_and_arms()
    draws = 100 if name.startswith("cka") else 20
    found = layer_summary(first, other, [(first, second)], measure=name, bootstraps=draws, permutations=100)
    effect = found["effect"].to_numpy()
    assert effect[0] == pytest.approx(1, abs=0.1)
    assert 0.2 < effect[1] < 0.8
    assert effect[2] == pytest.approx(0, abs=0.1)
    assert (found["effect_low"] < found["effect"]).all() and (found["effect"] < found["effect_high"]).all()
    assert found["shortfall_low"][1] > 0 and found["shortfall_low"][0] < 0.02
    assert found["floor_p"][0] == pytest.approx(1 / 101) and found["floor_p"][2] > 0.05
    assert found["reason"].to_numpy().tolist() == ["", "", ""]


def test_similarity_and_ceiling_on_the_same_images_give_a_narrower_shortfall_than_apart():
    first, second, other = seeds_and_arms()
    found = layer_summary(first, other, [(first, second)], bootstraps=200).isel(layer=1)
    together = found["shortfall_high"] - found["shortfall_low"]
    apart = np.hypot(found["interval_high"] - found["interval_low"], found["ceiling_high"] - found["ceiling_low"])
    assert together < apart


def test_where_two_seeds_share_nothing_there_is_no_effect_but_a_reason():
    n = 40
    a, b = recorded(features(n, 5, 0), features(n, 5, 1)), recorded(features(n, 5, 2), features(n, 5, 1))
    again = recorded(features(n, 5, 3), features(n, 5, 1) + 0.1 * features(n, 5, 4))
    found = layer_summary(a, b, [(a, again)], bootstraps=50)
    assert np.isnan(found["effect"][0]) and np.isnan(found["effect_low"][0]) and np.isfinite(found["shortfall"][0])
    assert str(found["reason"].to_numpy()[0]).startswith("two seeds are no more alike than shuffled images may be")
    assert np.isfinite(found["effect"][1]) and found["reason"].to_numpy()[1] == ""


def test_several_ceilings_are_averaged_and_their_range_is_told():
    first, second, other = seeds_and_arms()
    third = recorded(*(first.pooled_of(i) + features(80, 20, 90 + i) for i in range(3)))
    pairs = [(first, second), (first, third)]
    found = layer_summary(first, other, pairs, bootstraps=20)
    values = [linear_cka(one.pooled_of(0), two.pooled_of(0)) for one, two in pairs]
    assert found["ceiling"][0] == pytest.approx(np.mean(values), abs=1e-6)
    assert (found["ceiling_min"][0].item(), found["ceiling_max"][0].item()) == pytest.approx(sorted(values), abs=1e-6)
    assert found.attrs["ceilings"] == 2


def test_a_summary_without_ceiling_or_with_other_images_is_refused():
    a, b = two_networks()
    with pytest.raises(InputError, match=r"there is no ceiling\. Give recordings of one arm with two seeds"):
        layer_summary(a, b, [])
    with pytest.raises(InputError, match="both must be 20 or more"):
        layer_summary(a, b, [(a, b)], bootstraps=5)
    with pytest.raises(InputError, match="hold 30 and 29 images"):
        layer_summary(a, b, [(a, two_networks(29)[0])])


def test_a_dead_layer_has_no_summary_and_says_why():
    a, b = two_networks()
    dead = replace(b, gram=np.concatenate([np.zeros((1, 30, 30)), b.gram[1:]]))
    found = layer_summary(a, dead, [(a, b)], bootstraps=20)
    assert np.isnan(found["similarity"][0]) and np.isnan(found["effect"][0])
    assert str(found["reason"].to_numpy()[0]).startswith("tells no images apart")
    assert np.isfinite(found["effect"][1])


def test_gaussian_intervals_hold_their_bandwidth_fixed_and_surround_the_value():
    x = features(50, 6, 0)
    y = x + 0.5 * features(50, 6, 1)
    grid = compare(recorded(x), recorded(y), measures=["cka_rbf_debiased"], bootstraps=100)
    assert grid["interval_low"].item() < grid["value"].item() < grid["interval_high"].item()
