"""One p, one band and one calibrated number for many layers; and what exchanging the names of arms allows to say."""

import numpy as np
import pytest
from small_recordings import features, recorded, two_networks

from gapscope.errors import InputError
from gapscope.similarity.compare import compare
from gapscope.similarity.duplicates import with_a_twin
from gapscope.similarity.floors import permutation_floor_of_cells
from gapscope.similarity.groups import Groups
from gapscope.similarity.intervals import COVERED
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.many_layers import band, calibrated, p_over_all
from gapscope.similarity.measures import MEASURES, measure_layers
from gapscope.similarity.prepared import prepare, views_of
from gapscope.similarity.summary import in_sentences
from gapscope.similarity.trainings import exchange_arms, smallest_p

SIMILARITY, DISTANCE = MEASURES["cka_debiased"], MEASURES["procrustes"]


def test_p_of_one_layer_is_its_own_and_of_many_the_p_of_the_farthest():
    floor = np.array([[0.1, 0.5], [0.2, 0.6], [0.3, 0.7]])
    alone = p_over_all(np.array([0.25]), floor[:, :1], SIMILARITY)
    assert alone == pytest.approx(2 / 4)
    both = p_over_all(np.array([0.25, 9.0]), floor, SIMILARITY)
    assert both[1] == 1 / 4 and both[0] >= alone[0]
    mirrored = p_over_all(-np.array([0.25, 9.0]), -floor, DISTANCE)
    np.testing.assert_allclose(mirrored, both)


def test_layers_without_a_value_have_no_p_and_count_for_nothing():
    floor = np.array([[0.1, np.nan], [0.2, np.nan], [0.3, np.nan]])
    p = p_over_all(np.array([0.9, np.nan]), floor, SIMILARITY)
    assert p[0] == 1 / 4 and np.isnan(p[1])
    assert np.isnan(p_over_all(np.full(2, np.nan), np.full((3, 2), np.nan), SIMILARITY)).all()


def test_some_layer_of_unrelated_networks_is_called_one_time_in_20_and_not_every_other_time():
    rng, runs, layers = np.random.default_rng(0), 400, 30
    alone, together = 0, 0
    for _ in range(runs):
        every = rng.standard_normal((100, layers)) + rng.standard_normal((100, 1))  # layers err together
        value, floor = every[0], every[1:]
        alone += ((1 + (floor >= value).sum(0)) / 100 <= 0.05).any()
        together += (p_over_all(value, floor, SIMILARITY) <= 0.05).any()
    assert together / runs <= 0.08 < 0.3 < alone / runs


def test_a_band_holds_a_whole_curve_as_often_as_an_interval_holds_a_layer():
    rng = np.random.default_rng(0)
    drawn = np.exp(0.3 * rng.standard_normal((2000, 20)))  # skewed
    low, high = band(drawn)
    own_low, own_high = np.quantile(drawn, COVERED, axis=0)
    assert (low <= own_low).all() and (high >= own_high).all()
    fresh = np.exp(0.3 * rng.standard_normal((2000, 20)))
    assert 0.93 <= ((fresh > low) & (fresh < high)).all(1).mean() <= 0.97
    assert ((fresh > own_low) & (fresh < own_high)).all(1).mean() < 0.5
    middle = np.median(drawn, axis=0)
    assert (high - middle > middle - low).all()  # a skewed interval stays skewed


def test_layers_that_move_as_one_need_no_wider_band_and_undefined_ones_stay_so():
    drawn = np.random.default_rng(0).standard_normal((1000, 1)) * np.array([1.0, 2.0, 5.0])
    low, high = band(np.column_stack([drawn, np.full(1000, np.nan)]))
    np.testing.assert_allclose(low[:3], np.quantile(drawn, 0.025, axis=0), rtol=0.06)
    assert np.isnan(low[3]) and np.isnan(high[3])
    assert np.isnan(band(np.full((20, 2), np.nan))[0]).all()


def test_a_calibrated_maximum_is_measured_against_maxima():
    rng = np.random.default_rng(0)
    floor = 0.1 * rng.standard_normal((99, 50))
    value = floor[0].copy()
    value[7] = 0.25  # large for a layer of its own, not for the largest of 50
    found = calibrated(value, floor, SIMILARITY)
    assert (1 + (floor[:, 7] >= 0.25).sum()) / 100 <= 0.02
    assert found["max"].value == 0.25 and found["max"].p > 0.05 and found["max"].score == 0
    value[7] = 0.6
    found = calibrated(value, floor, SIMILARITY)["max"]
    assert found.p == 0.01 and found.score == pytest.approx((0.6 - found.threshold) / (1 - found.threshold))
    assert calibrated(np.ones(50), floor, SIMILARITY)["mean"].score == 1


def test_a_distance_is_calibrated_towards_its_own_end():
    floor = 1 + 0.1 * np.random.default_rng(0).standard_normal((99, 5))
    found = calibrated(np.full(5, 0.2), floor, DISTANCE)
    assert found["mean"].value == pytest.approx(0.2) and found["mean"].p == 0.01
    assert 0 < found["mean"].score < 1 and found["max"].threshold < 1
    nothing = calibrated(np.full(2, np.nan), np.full((3, 2), np.nan), DISTANCE)
    assert np.isnan(nothing["max"].score)


def test_a_grid_holds_all_of_it_and_the_same_draws_for_every_layer():
    a, b = two_networks(40)
    grid = compare(a, b, measures=["cka_debiased", "procrustes"], cells="diagonal", permutations=39, bootstraps=60)
    assert (grid["floor_p_all"] >= grid["floor_p"] - 1e-12).all()
    assert (grid["band_low"] <= grid["interval_low"] + 1e-12).all()
    assert grid["max_value"].dims == ("measure",)
    assert grid["max_value"].sel(measure="cka_debiased") == grid["value"].sel(measure="cka_debiased").max()
    assert grid["max_value"].sel(measure="procrustes") == grid["value"].sel(measure="procrustes").min()
    everywhere = compare(a, b, measures=["cka_debiased"], floor="cells", permutations=39, bootstraps=0)
    assert everywhere["cell_floor_p_all"].shape == (1, 3, 3) and everywhere["cells_max_p"].item() <= 0.05


def test_a_summary_measures_parts_and_what_was_learnt():
    n, shared = 60, features(60, 20, 100)
    x, y, z = (recorded(*(shared + 0.5 * features(n, 20, [seed, i]) for i in range(4))) for seed in (1, 2, 3))
    never = recorded(*(0.4 * shared + features(n, 20, [9, i]) for i in range(4)))
    parts = {"front": np.array([True, True, False, False]), "none": np.zeros(4, bool)}
    found = layer_summary(x, y, [(x, z)], untrained=[never], parts=parts, permutations=20, bootstraps=60)
    front = found.sel(part="front")
    assert front["part_similarity"] == pytest.approx(found["similarity"][:2].mean().item())
    assert front["part_shortfall"] == pytest.approx(found["shortfall"][:2].mean().item())
    assert front["part_shortfall_band_low"] <= front["part_shortfall_low"] < front["part_shortfall_high"]
    assert np.isnan(found.sel(part="none")["part_shortfall"])
    assert (found["learnt_band_low"] > 0).all() and (found["untrained"] < found["similarity"]).all()
    counted = layer_summary(x, y, [(x, z)], counted=[parts["front"]], permutations=20, bootstraps=20)
    assert np.isnan(counted["ceiling"][2:]).all() and np.isfinite(counted["ceiling"][:2]).all()


class TestExchangedArms:
    @staticmethod
    def networks(seeds: int, apart: float, rng: np.random.Generator, parts: int = 5) -> np.ndarray:
        """Similarities of trainings of two arms; those of one arm are more alike by `apart`."""
        noise = 0.05 * rng.standard_normal((2 * seeds, 2 * seeds, parts))
        arm = np.arange(2 * seeds) // seeds
        same = (arm[:, None] == arm[None, :])[..., None]
        return 0.8 + apart * same + (noise + noise.swapaxes(0, 1)) / 2

    @pytest.mark.parametrize(("seeds", "least"), [(2, 1 / 3), (3, 1 / 10), (4, 1 / 35)])
    def test_arms_however_far_apart_get_no_smaller_p_than_their_seeds_allow(self, seeds, least):
        found = exchange_arms(self.networks(seeds, 0.5, np.random.default_rng(0)), range(seeds))
        assert found.p == found.least_p == smallest_p(seeds) == pytest.approx(least)
        assert (found.p_parts == found.p).all()
        assert found.difference == pytest.approx(0.5, abs=0.1)

    def test_arms_of_one_kind_are_called_different_as_often_as_p_says(self):
        rng, studies = np.random.default_rng(0), 300
        tests = [exchange_arms(self.networks(4, 0, rng), range(4)) for _ in range(studies)]
        assert sum(one.p <= 0.05 for one in tests) / studies <= 0.07
        assert sum((one.p_parts <= 0.05).any() for one in tests) / studies <= 0.07

    def test_two_networks_of_one_seed_that_share_their_start_make_it_careful(self):
        similarity = self.networks(2, 0, np.random.default_rng(0))
        for one, other in ((0, 2), (1, 3)):
            similarity[one, other] = similarity[other, one] = 0.99
        assert exchange_arms(similarity, [0, 1]).p == 1

    def test_arms_of_many_seeds_are_exchanged_at_random(self):
        found = exchange_arms(self.networks(9, 0.5, np.random.default_rng(0)), range(9))
        assert found.least_p == 1 / 10_001 and found.p <= 3 / 10_001  # the true split may be drawn again

    def test_one_network_of_an_arm_is_refused(self):
        with pytest.raises(InputError, match=r"1 and 2 networks - expected two or more of each arm"):
            exchange_arms(np.ones((3, 3, 1)), [0])


def test_images_that_are_there_twice_are_found_unless_they_are_of_one_group():
    a, _ = two_networks(20)
    twice = np.repeat(np.arange(10), 2)
    copied = recorded(*(features(20, 6, seed)[twice] for seed in range(3)))
    assert len(with_a_twin(a)) == 0 and with_a_twin(copied).tolist() == list(range(20))
    assert len(with_a_twin(copied, Groups(twice))) == 0
    grid = compare(copied, copied, measures=["cka_biased"], permutations=0, bootstraps=0)
    said = list(in_sentences(grid, ["cka_biased"]))
    assert "20 of 20 images are as good as the same as another: they lift every value. " in " ".join(said)
    assert any(line.startswith("cka_biased: another value over more images") for line in said)
    small = compare(*two_networks(6), measures=["cka_debiased"], permutations=0, bootstraps=0)
    assert any(line.startswith("no intervals: draws of fewer than 8") for line in in_sentences(small, ["cka_debiased"]))


MOVING = ["cka_rbf_biased", "mutual_knn", "cca_mean", "svcca", "svcca_20", "pwcca_pooled", "procrustes", "shape_angle"]
STILL = ["cka_debiased", "cka_rbf_debiased", "cka_deconfounded", "rsa", "euclidean"]


@pytest.mark.parametrize("name", [*MOVING, *STILL])
def test_measures_move_with_the_number_of_images_where_the_table_says_so(name):
    maps = [np.random.default_rng(which).standard_normal((4, 8)) for which in (0, 1)]

    def values(n: int, draws: int) -> np.ndarray:
        found = []
        for draw in range(draws):
            rng = np.random.default_rng([draw, n])
            held = rng.standard_normal((n, 4))
            x, y = (held @ one + 0.8 * rng.standard_normal((n, 8)) for one in maps)
            found.append(measure_layers(name, x, y, inputs=rng.standard_normal((n, 3)) + held[:, :3]))
        return np.array(found)

    few, many = values(45, 60), values(150, 30)
    moved = abs(few.mean() - many.mean()) / np.hypot(few.std() / np.sqrt(60), many.std() / np.sqrt(30))
    assert MEASURES[name].moves_with_n == (name in MOVING)
    assert (moved > 2.5) == (name in MOVING), moved


def test_the_floor_of_a_best_match_is_the_best_match_of_shuffled_images():
    shared = features(40, 12, 0)
    a = recorded(shared, features(40, 12, 3))
    b = recorded(*(features(40, 12, seed) for seed in range(10, 30)), shared + 0.5 * features(40, 12, 2))
    measures = ["cka_debiased", "procrustes"]
    grid = compare(a, b, measures=measures, permutations=50, bootstraps=50)
    found = grid.sel(measure="cka_debiased")
    assert found["best"].values.tolist()[0] == 20  # the last layer of b
    np.testing.assert_array_equal(found["best_value"], found["value"].max("layer_b"))
    related, chance = found["best_value"].to_numpy()
    assert chance > 0.02 and related > 0.5  # of 21 unrelated layers one is a little alike
    assert found["best_floor_p_all"].to_numpy()[0] <= 0.05 < found["best_floor_p_all"].to_numpy()[1]
    prepared = [prepare(views_of(one), SIMILARITY) for one in (a, b)]
    floor = permutation_floor_of_cells(*prepared, 50, np.random.default_rng([0, 1])).max(2)
    np.testing.assert_allclose(found["best_floor_mean"], floor.mean(0), atol=1e-12)
    chosen = [b.pooled_of(at).astype(float) for at in found["best"].values]
    again = compare(a, recorded(*chosen), measures=["cka_debiased"], permutations=0, bootstraps=50)
    np.testing.assert_allclose(found["best_interval_low"], again["interval_low"][0], atol=1e-6)
    assert np.isnan(grid["best_floor_mean"].sel(measure="procrustes")).all()
    assert grid.attrs["not_taken"].startswith("no floor and interval beside best matches by orthogonal Procrustes")
    said = "\n".join(in_sentences(grid, measures))
    assert "1 of 2 layers are beyond that" in said and "--floor cells and --interval cells insist" in said
