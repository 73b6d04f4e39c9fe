"""How well layers tell two sets of images apart: formulas written out, known cases, floors that hold."""

from itertools import product

import numpy as np
import pytest
from small_recordings import features, recorded

import gapscope
from gapscope.errors import InputError
from gapscope.findings.separability_file import parse_separability
from gapscope.recording.netcdf import read_netcdf
from gapscope.similarity.cka import linear_cka
from gapscope.similarity.gram import features_gram
from gapscope.similarity.separability import (
    NAMES,
    label_cka,
    mmd_squared,
    neighbour_accuracy,
    separability,
    shuffled_signs,
    write_separability,
)
from gapscope.similarity.separability_intervals import Halves

RNG = np.random.default_rng


def halves(n):
    return np.where(np.arange(n) < n // 2, 1.0, -1.0)


class TestMmd:
    @pytest.mark.parametrize("sizes", [(2, 2), (5, 9)])
    def test_is_the_formula_term_by_term(self, sizes):
        m, n = sizes
        x, y = features(m, 7, 0) + 1, features(n, 7, 1)

        def mean(one, other, same):
            pairs = [
                float(a @ b) for (i, a), (j, b) in product(enumerate(one), enumerate(other)) if not (same and i == j)
            ]
            return sum(pairs) / len(pairs)

        expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
        signs = np.array([[1.0] * m + [-1.0] * n])
        both = np.concatenate([x, y])
        assert mmd_squared(both @ both.T, signs)[0] == pytest.approx(expected, abs=1e-10)
        assert mmd_squared(features_gram(both), signs)[0] == pytest.approx(expected, abs=1e-10)  # centred or not

    def test_with_groups_the_pairs_within_a_set_are_of_different_groups(self):
        groups = np.array([0, 0, 1, 1, 1, 2, 3, 3, 4])
        x, sizes = features(9, 4, 0), (5, 4)
        signs = np.array([[1.0] * sizes[0] + [-1.0] * sizes[1]])

        def mean(pairs):
            return np.mean([float(x[i] @ x[j]) for i, j in pairs])

        a, b = range(5), range(5, 9)
        within = [[(i, j) for i, j in product(one, one) if groups[i] != groups[j]] for one in (a, b)]
        expected = mean(within[0]) + mean(within[1]) - 2 * mean(product(a, b))
        assert mmd_squared(x @ x.T, signs, groups)[0] == pytest.approx(expected, abs=1e-10)

    def test_is_0_on_average_for_two_halves_of_one_set_and_the_distance_of_the_means_otherwise(self):
        found = [mmd_squared(features_gram(features(40, 6, seed)), halves(40)[None])[0] for seed in range(400)]
        assert np.mean(found) == pytest.approx(0, abs=0.03)
        shift = np.outer(halves(40) > 0, np.full(6, 2.0))
        apart = [mmd_squared(features_gram(features(40, 6, seed) + shift), halves(40)[None])[0] for seed in range(400)]
        assert np.mean(apart) == pytest.approx(6 * 2.0**2, rel=0.02)


class TestNeighbours:
    def test_an_image_and_its_inverted_copy_are_told_apart_wholly_where_images_are_bright(self):
        """Bright images have dark copies, and each is nearer to its like than to any copy; not so with even ones."""
        images = 0.75 + 0.05 * RNG(0).random((20, 50))
        both = np.concatenate([images, 1 - images])
        assert neighbour_accuracy(features_gram(both), halves(40)[None])[0] == 1
        even = RNG(0).random((20, 50))
        both = np.concatenate([even, 1 - even])
        assert neighbour_accuracy(features_gram(both), halves(40)[None])[0] < 0.9

    def test_is_what_a_search_for_each_image_finds(self):
        x, signs = features(30, 4, 2), RNG(3).permutation(halves(30))
        right = 0
        for i in range(30):
            far = [np.inf if j == i else ((x[i] - x[j]) ** 2).sum() for j in range(30)]
            right += signs[int(np.argmin(far))] == signs[i]
        assert neighbour_accuracy(features_gram(x), signs[None])[0] == pytest.approx(right / 30)

    def test_equally_near_images_count_in_part_whatever_their_order(self):
        x = np.array([[0.0], [1.0], [-1.0], [5.0], [9.0]])  # 0 has two neighbours, one of each set
        signs = np.array([[1.0, 1.0, -1.0, -1.0, -1.0]])
        assert neighbour_accuracy(features_gram(x), signs)[0] == pytest.approx((0.5 + 1 + 0 + 0.5 + 1) / 5, abs=0.11)

    def test_with_groups_the_neighbour_is_of_another_group(self):
        x = np.array([[0.0], [0.1], [10.0], [10.1], [0.2], [0.3], [10.2], [10.3]])
        signs = np.array([[1.0, 1, 1, 1, -1, -1, -1, -1]])
        groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
        assert neighbour_accuracy(features_gram(x), signs)[0] > 0.7
        assert neighbour_accuracy(features_gram(x), signs, groups)[0] == 0


def test_label_cka_is_debiased_cka_with_the_labels_as_a_feature():
    x, signs = features(20, 5, 0), RNG(1).permutation(halves(20))
    expected = linear_cka(x + signs[:, None], signs[:, None])
    found = label_cka(features_gram(x + signs[:, None]), np.stack([signs, halves(20)]))
    assert found[0] == pytest.approx(expected)
    assert found[1] == pytest.approx(linear_cka(x + signs[:, None], halves(20)[:, None]))


class TestSeparability:
    def test_finds_the_layer_that_tells_the_sets_apart_and_no_other(self):
        signs = halves(60)
        apart = features(60, 30, 1) + signs[:, None]
        found = separability(recorded(features(60, 30, 0), apart, features(60, 30, 2)), signs, shuffles=200)
        for name in NAMES:
            assert found[name].to_numpy().argmax() == 1
            assert found[f"{name}_p"][1] == found[f"{name}_p_all"][1] == pytest.approx(1 / 201)
            assert (found[f"{name}_p_all"][[0, 2]] > 0.05).all()
        assert found["accuracy"][1] > 0.9

    def test_two_halves_of_one_set_lie_within_the_floor(self):
        """In 60 sets: of 5 % outside a two-sided floor more than 12 % would be surprising."""
        outside = dict.fromkeys(NAMES, 0)
        for seed in range(60):
            found = separability(recorded(features(24, 8, seed)), halves(24), shuffles=100, bootstraps=0, seed=seed)
            for name in NAMES:
                low, value, high = (float(found[n][0]) for n in (f"{name}_floor_low", name, f"{name}_floor_high"))
                outside[name] += not low <= value <= high
        assert max(outside.values()) <= 8, outside

    def test_corrected_p_holds_over_all_layers_where_single_ones_do_not(self):
        single = corrected = 0
        for seed in range(60):
            layers = [features(20, 5, 100 * seed + at) for at in range(12)]
            found = separability(recorded(*layers), halves(20), shuffles=99, bootstraps=0, seed=seed)
            single += bool((found["cka_p"] <= 0.05).any())
            corrected += bool((found["cka_p_all"] <= 0.05).any())
        assert corrected <= 8 < 18 < single

    def test_images_of_a_few_drives_are_told_apart_by_their_drives_alone(self):
        """Drives that differ look like sets that differ, unless whole drives are shuffled and neighbours foreign."""
        group = np.repeat(np.arange(8), 6)
        x = features(48, 10, 0) + 3 * features(8, 10, 1)[group]
        signs = halves(48)
        free, grouped = (separability(recorded(x), signs, groups=g, shuffles=200) for g in (None, group))
        assert free["accuracy"] == 1 and free["cka_p"] <= 0.01
        assert grouped["accuracy"] < 0.9 and grouped["cka_p"] > 0.05

    def test_intervals_hold_what_other_images_would_give(self):
        """Of 60 samples of one world nearly all have the mean over samples in their 95 %, and none is idle."""
        samples = [features(40, 6, seed) + 0.5 * halves(40)[:, None] for seed in range(60)]
        found = [separability(recorded(x), halves(40), shuffles=20, bootstraps=60) for x in samples]
        for name in NAMES:
            middle = np.mean([float(one[name][0]) for one in found])
            spans = np.array([[float(one[f"{name}_interval_{end}"][0]) for end in ("low", "high")] for one in found])
            assert ((spans[:, 0] <= middle) & (middle <= spans[:, 1])).sum() >= 52
            widths, spread = np.ptp(spans, axis=1), np.std([float(one[name][0]) for one in found])
            assert 2 * spread < widths.mean() < 8 * spread

    def test_a_half_is_judged_as_if_there_were_no_other_images(self):
        x, signs = features(24, 5, 0), halves(24)
        groups = np.repeat(np.arange(12), 2)
        drawn = Halves(signs, groups, 5, RNG(0))
        for at, counts in enumerate(drawn.counts):
            rows = np.flatnonzero(counts)
            gram, own, numbers = features_gram(x[rows]), signs[None, rows], groups[rows]
            spread = np.trace(gram) / (len(rows) - 1)
            whole = features_gram(x)
            assert drawn.mmd(whole)[at] == pytest.approx(mmd_squared(gram, own, numbers)[0] / spread)
            assert drawn.accuracy(whole)[at] == pytest.approx(neighbour_accuracy(gram, own, numbers)[0])
            assert drawn.cka(whole)[at] == pytest.approx(label_cka(gram, own)[0])
            assert len(rows) == 12 and set(np.unique(numbers, return_counts=True)[1]) == {2}

    def test_few_images_or_groups_have_no_interval(self):
        x, signs = features(12, 4, 0), halves(12)
        for more in ({"groups": np.arange(12) // 2}, {"bootstraps": 0}):
            found = separability(recorded(x), signs, shuffles=20, **more)
            assert np.isnan(found["cka_interval_low"][0]) and np.isfinite(found["cka_floor_low"][0])

    def test_layers_share_the_shuffles_and_the_first_row_is_the_truth(self):
        one = recorded(features(20, 5, 0), features(20, 5, 0))
        found = separability(one, halves(20), shuffles=50)
        for name in found.data_vars:
            assert float(found[name][0]) == float(found[name][1])
        orders = shuffled_signs(halves(20), None, 30, RNG(0))
        assert (orders[0] == halves(20)).all() and (orders.sum(1) == 0).all() and len(np.unique(orders, axis=0)) == 31

    def test_whole_groups_change_their_label(self):
        groups = np.array([0, 0, 1, 2, 2, 2, 3])
        orders = shuffled_signs(np.array([1.0, 1, 1, -1, -1, -1, -1]), groups, 50, RNG(0))
        for group in range(4):
            assert (np.ptp(orders[:, groups == group], axis=1) == 0).all()

    def test_a_layer_that_tells_no_images_apart_is_undefined(self):
        found = separability(recorded(np.ones((10, 3)), features(10, 3, 0)), halves(10), shuffles=20)
        assert all(np.isnan(found[name][0]) and np.isfinite(found[name][1]) for name in found.data_vars)

    def test_the_file_gives_it_back(self, tmp_path):
        x = recorded(features(20, 5, 0) + halves(20)[:, None], features(20, 5, 1))
        labels = ["render"] * 10 + ["photo"] * 10
        found = separability(x, labels, shuffles=20, bootstraps=20, groups=[f"{i // 2}" for i in range(20)])
        write_separability(found, tmp_path / "found.nc")
        read = parse_separability(read_netcdf(tmp_path / "found.nc"))
        assert read.domains == ("photo", "render") and read.images == (10, 10) and read.groups == (5, 5)
        assert read.grouped and read.layers.tolist() == [0, 1] and read.shuffles == 20 and not read.not_grouped
        for name in NAMES:
            curve = getattr(read, name)
            np.testing.assert_array_equal(curve.value, found[name])
            for part in ("interval_low", "interval_high", "floor_mean", "floor_low", "floor_high", "p", "p_all"):
                np.testing.assert_array_equal(getattr(curve, part), found[f"{name}_{part}"])
        with pytest.raises(ValueError, match="its format is 'other', not 'gapscope separability 1'"):
            parse_separability(found.assign_attrs(format="other"))

    @pytest.mark.parametrize(
        ("labels", "more", "words"),
        [
            (["a"] * 9, {}, r"labels have shape \(9,\), but the recording has 10 images"),
            (["a"] * 10, {}, r"labels name 1 sets \(a\) - expected 2"),
            (["a"] * 9 + ["b"], {}, "set 'b' has 1 images - expected at least 2"),
            (["a"] * 5 + ["b"] * 5, {"groups": ["g"] * 10}, "group 'g' is in both sets"),
            (["a"] * 5 + ["b"] * 5, {"groups": [*"1122334444"]}, "group '3' is in both sets"),
            (["a"] * 5 + ["b"] * 5, {"groups": [*"1122244444"]}, "set 'b' has 1 groups - expected at least 2"),
            (["a"] * 5 + ["b"] * 5, {"shuffles": 3}, "3 shuffles are too few for a floor"),
        ],
    )
    def test_refuses_what_is_no_two_sets(self, labels, more, words):
        with pytest.raises(InputError, match=f"^{words}"):
            separability(recorded(features(10, 3, 0)), labels, **more)

    def test_is_what_the_package_offers(self):
        assert gapscope.separability is separability
