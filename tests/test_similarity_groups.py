"""Images that come in groups: pairs within a group are left out, and whole groups are drawn and shuffled."""

from itertools import product

import numpy as np
import pytest
from small_recordings import features, recorded, two_networks

import gapscope
from gapscope.errors import InputError
from gapscope.similarity.between_groups import DrawnGroups, choices_of, hsic, without_each_image
from gapscope.similarity.cka import cka_from_grams, deconfounded_kernel, linear_cka
from gapscope.similarity.compare import compare
from gapscope.similarity.gram import features_gram, u_center
from gapscope.similarity.groups import Groups, drawn_parts, groups_of, shuffled_order
from gapscope.similarity.influence import leave_one_out
from gapscope.similarity.intervals import bootstrap_cka, draw_units
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.layer_view import LayerView

UNEVEN = Groups(np.array([0, 0, 1, 2, 2, 2, 3, 4, 0]))


def symmetric(n: int, seed: int) -> np.ndarray:
    half = np.random.default_rng(seed).standard_normal((n, n))
    return half + half.T


def term_by_term(k: np.ndarray, l: np.ndarray, number: np.ndarray, times: np.ndarray) -> float:
    """HSIC of images of different groups, as the definition says it, each image as often as its group was drawn."""
    means = []
    for size, pair in ((2, (0, 1, 0, 1)), (3, (0, 1, 0, 2)), (4, (0, 1, 2, 3))):
        total = weight = 0.0
        for chosen in product(range(len(k)), repeat=size):
            if len({number[one] for one in chosen}) == size:
                often = float(np.prod(times[list(chosen)]))
                a, b, c, d = (chosen[at] for at in pair)
                total, weight = total + often * k[a, b] * l[c, d], weight + often
        means.append(total / weight)
    return means[0] - 2 * means[1] + means[2]


def test_the_estimator_is_its_formula_term_by_term():
    k, l = symmetric(9, 0), symmetric(9, 1)
    assert hsic(k, l, UNEVEN) == pytest.approx(term_by_term(k, l, UNEVEN.number, np.ones(9)), abs=1e-12)


def test_a_draw_of_whole_groups_is_the_formula_with_every_image_as_often_as_its_group():
    k, l = symmetric(9, 0), symmetric(9, 1)
    times = np.array([[1.0, 1, 1, 1, 1], [2, 1, 0, 1, 3], [0, 2, 1, 2, 1]])
    choices = choices_of(times * UNEVEN.member.sum(0))
    a, b = (DrawnGroups(one, times, UNEVEN, choices) for one in (k, l))
    wanted = [term_by_term(k, l, UNEVEN.number, one[UNEVEN.number]) for one in times]
    np.testing.assert_allclose(a.inner(b) * np.abs(k).max() * np.abs(l).max(), wanted, atol=1e-12)


def test_groups_of_one_image_give_debiased_cka_and_its_kernel_without_any_pair_less():
    x, y = features(12, 5, 0), features(12, 7, 1)
    k, l = features_gram(x), features_gram(y)
    alone = Groups(np.arange(12))
    assert hsic(k, l, alone) == pytest.approx((u_center(k) * u_center(l)).sum() / (12 * 9), rel=1e-12)
    assert linear_cka(x, y, groups=[f"{i}" for i in range(12)]) == linear_cka(x, y)


@pytest.mark.parametrize("number", [UNEVEN.number, np.repeat(np.arange(5), 2)])
def test_an_image_left_out_is_the_value_of_the_others(number):
    groups, n = Groups(number), len(number)
    k, l = (features_gram(features(n, 6, seed)) for seed in (0, 1))
    l = l + k
    got = without_each_image(k, l, groups)
    for image in range(n):
        rest = np.delete(np.arange(n), image)
        left = groups.select(rest)
        a, b = k[np.ix_(rest, rest)], l[np.ix_(rest, rest)]
        norms = hsic(a, a, left) * hsic(b, b, left)
        wanted = hsic(a, b, left) / np.sqrt(norms) if norms > 0 else np.nan
        assert got[image] == pytest.approx(wanted, abs=1e-10, nan_ok=True)


def scenes(rng: np.random.Generator, number: int, frames: int, d: int, within: float) -> np.ndarray:
    of_scene = np.repeat(rng.standard_normal((number, d)), frames, axis=0)
    return np.sqrt(within) * of_scene + np.sqrt(1 - within) * rng.standard_normal((number * frames, d))


def test_frames_of_scenes_are_covered_by_groups_and_not_one_by_one():
    """20 scenes of 5 frames that share nine tenths: the interval of single images holds the truth far too rarely."""
    rng, d, studies = np.random.default_rng(0), 12, 120
    groups = Groups(np.repeat(np.arange(20), 5))
    held, held_one_by_one, errors, plain = 0, 0, [], []
    for _ in range(studies):
        a = rng.standard_normal((d, 10)) * np.linspace(1.5, 0.3, d)[:, None]
        b = 0.6 * a + rng.standard_normal((d, 10)) * np.linspace(1, 0.6, d)[:, None]
        truth = np.square(a.T @ b).sum() / np.sqrt(np.square(a.T @ a).sum() * np.square(b.T @ b).sum())
        seen = scenes(rng, 20, 5, d, 0.9)
        k, l = features_gram(seen @ a), features_gram(seen @ b)
        for together in (groups, None):
            counts = draw_units(100, together, 100, rng)
            drawn = bootstrap_cka([k], [l], counts, True, together)[:, 0]
            low, high = np.quantile(drawn, (0.025, 0.975))
            if together:
                held += low <= truth <= high
            else:
                held_one_by_one += low <= truth <= high
        errors.append(hsic(k, l, groups) / np.sqrt(hsic(k, k, groups) * hsic(l, l, groups)) - truth)
        plain.append(cka_from_grams(k, l) - truth)
    assert held / studies >= 0.88
    assert held_one_by_one / studies <= 0.7
    assert abs(np.mean(errors)) < 0.02 < np.mean(plain)


def test_images_that_are_there_twice_lift_the_value_unless_they_are_a_group():
    x, y = features(12, 200, 0), features(12, 200, 1)
    x, y = x, x + 1.2 * y
    twice = np.repeat(np.arange(12), 2)
    once = linear_cka(x, y)
    assert linear_cka(x[twice], y[twice]) > once + 0.1
    assert linear_cka(x[twice], y[twice], groups=[f"{i}" for i in twice]) == pytest.approx(once, abs=1e-9)


def test_whole_groups_change_places_and_are_drawn_whole():
    rng, groups = np.random.default_rng(0), Groups(np.array([0, 1, 2, 3, 0, 1, 2, 3]))
    order = shuffled_order(8, groups, rng)
    assert sorted(order.tolist()) == list(range(8))
    for group in range(4):  # a group's places all get images of one other group
        assert len(set(groups.number[order[groups.number == group]].tolist())) == 1
    uneven = shuffled_order(9, UNEVEN, rng)
    assert sorted(uneven.tolist()) == list(range(9))
    for rows in drawn_parts(8, groups, 2, 5, rng):
        assert len(rows) == 4 and len(set(groups.number[rows].tolist())) == 2
    counts = draw_units(8, Groups(np.arange(8) % 8), 20, rng)
    assert (counts.sum(1) == 8).all()


def test_a_grid_and_a_summary_hold_the_values_between_groups():
    a, b = two_networks(40)
    names = [f"scene {at // 4}" for at in range(40)]
    grid = compare(a, b, measures=["cka_debiased", "cka_biased", "rsa"], groups=names, permutations=20, bootstraps=20)
    for layer in range(3):
        wanted = cka_from_grams(a.gram[layer], b.gram[layer], groups=names)
        assert grid["value"][0, layer, layer].item() == pytest.approx(wanted, abs=1e-9)
    biased = compare(a, b, measures=["cka_biased"], permutations=0, bootstraps=0)["value"][0]
    np.testing.assert_allclose(grid["value"][1], biased, atol=1e-12)
    assert grid.attrs["groups"] == 10 and np.isfinite(grid["interval_low"][0]).all()
    found = layer_summary(a, b, [(a, b)], groups=names, permutations=20, bootstraps=20)
    np.testing.assert_allclose(found["similarity"], np.diagonal(grid["value"][0]), atol=1e-12)
    left = leave_one_out(a, b, groups=names)
    np.testing.assert_allclose(left["value"], np.diagonal(grid["value"][0]), atol=1e-12)
    networks = gapscope.compare_all([a, b], groups=names)["value"]
    np.testing.assert_allclose(networks[0, 1], np.diagonal(grid["value"][0]), atol=1e-12)
    np.testing.assert_allclose(networks[0, 1], networks[1, 0], atol=1e-12)


def test_what_pixels_explain_is_taken_out_between_groups():
    groups = Groups(np.repeat(np.arange(10), 3))
    pixels = features_gram(features(30, 4, 5))
    kernel = deconfounded_kernel(
        LayerView(features_gram(features(30, 6, 0)) + pixels, input_gram=pixels, groups=groups)
    )
    assert hsic(kernel, pixels, groups) == pytest.approx(0, abs=1e-9)


def test_the_floor_of_unrelated_networks_holds_for_scenes_only_with_groups():
    rng, called = np.random.default_rng(1), {True: 0, False: 0}
    names = [f"{at // 5}" for at in range(60)]
    for _ in range(30):
        a, b = (recorded(scenes(rng, 12, 5, 3, 0.95)) for _ in range(2))
        for grouped in called:
            given = {"groups": names if grouped else None, "permutations": 39, "bootstraps": 0}
            called[grouped] += compare(a, b, measures=["cka_debiased"], **given)["floor_p"].item() <= 0.05
    assert called[True] <= 5 < 12 <= called[False]


@pytest.mark.parametrize(
    ("call", "wording"),
    [
        (lambda x: linear_cka(x, x, groups=["a"] * 3), r"groups have shape \(3,\), but there are 12 images"),
        (lambda x: linear_cka(x, x, groups=list("aaaabbbbcccc")), "the 12 images are of 3 groups, but pairs within"),
        (lambda x: linear_cka(x, x, debiased=False, groups=list("aabbccddeeff")), "given to the biased estimator"),
    ],
)
def test_groups_that_do_not_fit_are_refused(call, wording):
    with pytest.raises(InputError, match=wording):
        call(features(12, 5, 0))


def test_an_image_without_a_group_stands_alone_and_all_alone_are_no_groups():
    assert groups_of([""] * 5, 5) is None
    found = groups_of(["a", "", "a", "", "b", "c"], 6)
    assert len(found) == 5 and found.number[0] == found.number[2]
    a, b = two_networks(24)
    with pytest.raises(InputError, match="intervals of all cells are not drawn by groups"):
        compare(a, b, groups=[f"{at // 2}" for at in range(24)], interval="cells")
