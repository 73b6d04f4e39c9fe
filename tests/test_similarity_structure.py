"""Blocks of layers, dominant components, many networks at once, and a grid as words and rows."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from small_recordings import features, recorded, two_networks

from gapscope.detector.layers import yolov3_layers
from gapscope.detector.network_map import BLOCKS
from gapscope.errors import InputError
from gapscope.several.statements import DETECTION_BLOCKS
from gapscope.similarity.all_pairs import compare_all
from gapscope.similarity.blocks import PAPER_BLOCKS, YOLOV3_BLOCKS, Blocks, adjusted_rand, agreement, find_blocks
from gapscope.similarity.cka import linear_cka
from gapscope.similarity.compare import compare
from gapscope.similarity.components import explained_variance, principal_components, remove_top
from gapscope.similarity.gram import features_gram
from gapscope.similarity.layer_view import UndefinedError, view_of_features
from gapscope.similarity.summary import diagonal_means, extreme_layers, grid_table


def grid_of(values):
    """A grid of one measure with the layers 0, 1, ..."""
    rows, columns = values.shape
    coords = {"measure": ["cka_debiased"], "layer_a": np.arange(rows), "layer_b": np.arange(columns)}
    return xr.Dataset({"value": (("measure", "layer_a", "layer_b"), values[None])}, coords=coords)


def planted(ranges, noise=0.1, seed=0):
    """Similarity 0.9 within blocks and 0.3 between them, with noise."""
    last = max(last for _, last in ranges)
    member = np.concatenate([np.full(end - start + 1, i) for i, (start, end) in enumerate(ranges)])
    values = np.where(member[:, None] == member[None], 0.9, 0.3)
    return grid_of(values + noise * features(last + 1, last + 1, seed))


@pytest.mark.parametrize("noise", [0, 0.05, 0.1])
@pytest.mark.parametrize("network", ["a", "b"])
def test_planted_blocks_are_found_with_their_number(noise, network):
    ranges = list(YOLOV3_BLOCKS[1:])  # without the stem: one layer is no block
    ranges[0] = (0, 4)
    found = find_blocks(planted(ranges, noise), network=network)
    assert found.ranges == ranges
    assert find_blocks(planted(ranges, 2 * noise), network=network, count=8).ranges == ranges
    assert found.explained > 0.5 and (found.explained == pytest.approx(1)) == (noise == 0)


def test_blocks_of_one_network_need_not_be_those_of_the_other():
    values = np.repeat(features(3, 40, 0), [10, 20, 15], axis=0)
    values[:, 20:] = values[:, [20]]
    assert find_blocks(grid_of(values)).ranges == [(0, 9), (10, 29), (30, 44)]
    assert find_blocks(grid_of(values), network="b").ranges[-1] == (20, 39)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_one_block(seed):
    found = find_blocks(grid_of(features(60, 60, seed)))
    assert found.ranges == [(0, 59)] and found.explained == pytest.approx(0)


def test_a_number_of_blocks_can_be_asked_for():
    grid = planted([(0, 9), (10, 19), (20, 29)])
    assert [len(find_blocks(grid, count=count).ranges) for count in (1, 2, 3, 15)] == [1, 2, 3, 15]
    explained = [find_blocks(grid, count=count).explained for count in (1, 2, 3, 4)]
    assert explained[0] == 0 and explained == sorted(explained)
    assert len(find_blocks(grid, penalty=0.9).ranges) == 1 < len(find_blocks(grid, penalty=1e-4).ranges)


def test_layers_without_a_value_belong_to_the_block_before_them():
    grid = planted([(0, 9), (10, 19)])
    grid["value"][0, [0, 10, 15]] = np.nan
    grid["value"][0, :, [3]] = np.nan
    assert find_blocks(grid).ranges == [(0, 10), (11, 19)]


@pytest.mark.parametrize(
    ("arguments", "wording"),
    [
        ({"count": 16}, "count = 16: 30 layers make 1 to 15 blocks of 2 or more"),
        ({"count": 0}, "count = 0"),
        ({"penalty": 0}, "penalty = 0 is not a share of the variance"),
        ({"measure": "cka"}, "no measure 'cka'"),
    ],
)
def test_a_number_or_penalty_that_cannot_be_is_refused(arguments, wording):
    with pytest.raises(InputError, match=wording):
        find_blocks(planted([(0, 9), (10, 29)]), **arguments)


def test_a_grid_without_enough_values_has_no_blocks():
    with pytest.raises(InputError, match="network a has 0 layers with values, too few to be cut into blocks"):
        find_blocks(grid_of(np.full((5, 5), np.nan)))
    a, _ = two_networks()
    with pytest.raises(InputError, match="this grid holds its diagonal only"):
        find_blocks(compare(a, a, cells="diagonal", permutations=0, bootstraps=0))


def test_the_architecture_s_blocks_are_those_that_figures_outline():
    assert len(BLOCKS) == len(YOLOV3_BLOCKS) and YOLOV3_BLOCKS[-3:] == PAPER_BLOCKS[-3:] == DETECTION_BLOCKS
    strides = np.array([layer.stride for layer in yolov3_layers(5)])
    assert all(len(set(strides[first : min(last, 74) + 1])) == 1 for first, last in YOLOV3_BLOCKS if last <= 74)
    detections = [layer.index for layer in yolov3_layers(5) if layer.kind == "yolo"]
    assert [last for _, last in YOLOV3_BLOCKS if last > 74] == detections


def test_found_blocks_agree_with_the_ones_that_were_planted_and_not_with_others():
    found = find_blocks(planted([(0, 12), (13, 37), (38, 61), (62, 74), (75, 82), (83, 94), (95, 106)]))
    same = agreement(found, PAPER_BLOCKS, draws=200)
    assert same.adjusted_rand == 1 and same.boundary_f1 == 1 and same.p == pytest.approx(1 / 201)
    assert 0.2 < same.chance_rand < 0.7, "contiguous blocks agree well above 0 by chance"
    other = agreement(find_blocks(planted([(0, 25), (26, 50), (51, 106)])), PAPER_BLOCKS, draws=200)
    assert other.adjusted_rand < 0.7 and other.p > 0.05 and other.boundary_f1 == 0


def test_regular_cuts_are_held_against_regular_cuts():
    """Nine equal blocks match the stages better than cuts at random places do; that is no finding."""
    member = np.arange(107) * 9 // 107
    found = agreement(Blocks(np.arange(107), member, 0.5), YOLOV3_BLOCKS, draws=200)
    assert found.p > 0.05  # all blocks are of 11 or 12 layers: any order of them is about as good
    assert found.chance_rand == pytest.approx(found.adjusted_rand, abs=0.02)


def test_a_boundary_may_be_off_by_the_margin_and_has_one_partner_only():
    found = find_blocks(planted([(0, 10), (11, 20), (21, 29)], noise=0))
    expected = [(0, 9), (10, 18), (19, 29)]
    assert agreement(found, expected, margin=1, draws=10).boundary_f1 == pytest.approx(0.5)
    assert agreement(found, expected, margin=2, draws=10).boundary_f1 == 1
    assert agreement(found, expected, margin=0, draws=10).boundary_f1 == 0


def test_blocks_of_named_layers_have_no_expected_ones():
    grid = planted([(0, 9), (10, 19)]).assign_coords(layer_a=[f"stage.{i}" for i in range(20)])
    found = find_blocks(grid)
    assert found.ranges == [("stage.0", "stage.9"), ("stage.10", "stage.19")]
    with pytest.raises(InputError, match="none of the layers lies in an expected block"):
        agreement(found, PAPER_BLOCKS)


def test_the_adjusted_rand_index_of_six_by_hand():
    a, b = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert adjusted_rand(a, b) == pytest.approx((2 - 6 * 3 / 15) / ((6 + 3) / 2 - 6 * 3 / 15))
    assert adjusted_rand(a, a) == 1 and adjusted_rand(np.zeros(4, int), np.zeros(4, int)) == 1


def test_principal_components_are_those_of_the_features():
    x = features(12, 5, 0) * [9, 4, 2, 1, 0.5]
    values, coordinates = principal_components(features_gram(x))
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    np.testing.assert_allclose(values, s**2, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.diag(coordinates.T @ u)), 1, atol=1e-9)
    np.testing.assert_allclose(explained_variance(features_gram(x)), s**2 / (s**2).sum(), rtol=1e-9)


def test_a_layer_without_its_top_components_has_the_others_left():
    x = features(30, 8, 0) * np.geomspace(20, 1, 8)
    left, share = remove_top(view_of_features(x), 2)
    u, s, v = np.linalg.svd(x - x.mean(0), full_matrices=False)
    rest = (u[:, 2:] * s[2:]) @ v[2:]
    np.testing.assert_allclose(left.gram, rest @ rest.T, atol=1e-9)
    np.testing.assert_allclose(left.features - left.features.mean(0), rest, atol=1e-9)
    assert share == pytest.approx((s[:2] ** 2).sum() / (s**2).sum())


def test_one_dominant_component_makes_unrelated_layers_alike_until_it_is_taken_away():
    bright = np.outer(features(60, 1, 0)[:, 0], np.ones(20)) * 5
    a, b = (recorded(bright + features(60, 20, seed), features(60, 20, seed + 9)) for seed in (1, 2))
    before = compare(a, b, permutations=0, bootstraps=0)["value"].sel(measure="cka_debiased")
    grid = compare(a, b, remove_top=1, bootstraps=0).sel(measure="cka_debiased")
    after = grid["value"]
    assert before[0, 0] > 0.9 and abs(after[0, 0]) < 0.1
    assert grid["removed_a"][0] > 0.9 and grid["removed_a"][1] < 0.3
    assert grid["floor_low"][0] < after[0, 0] < grid["floor_high"][0]


def test_a_layer_with_no_more_components_than_were_taken_away_is_undefined():
    a = recorded(features(20, 2, 0), features(20, 9, 1))
    grid = compare(a, a, remove_top=2, permutations=0, bootstraps=0)
    assert np.isnan(grid["value"].sel(layer_a=0)).all() and np.isfinite(grid["value"].sel(layer_a=1, layer_b=1)).all()
    assert grid["reason_a"].to_numpy()[0].tolist() == ["has only 2 principal components, and 2 were taken away", ""]
    with pytest.raises(UndefinedError, match="has only 2 principal components"):
        remove_top(view_of_features(features(20, 2, 0)), 3)


@pytest.mark.parametrize("count", [-1, 17])
def test_components_that_cannot_be_taken_away_are_refused(count):
    a, _ = two_networks(20)
    with pytest.raises(InputError, match=f"remove_top = {count}: 20 images span at most 19 directions"):
        compare(a, a, remove_top=count)


@pytest.mark.parametrize("measure", ["cka_debiased", "cka_angle", "procrustes", "pwcca_pooled"])
def test_all_pairs_of_networks_are_what_pairs_give(measure):
    networks = [recorded(features(50, 6, seed), features(50, 7, seed) + 2 * features(50, 7, 9)) for seed in range(3)]
    found = compare_all(networks, measure, names=["x", "y", "z"])
    assert found["value"].dims == ("a", "b", "layer") and found["value"].shape == (3, 3, 2)
    for one, i in zip(networks, "xyz", strict=True):
        for other, j in zip(networks, "xyz", strict=True):
            wanted = compare(one, other, measures=[measure], cells="diagonal", permutations=0, bootstraps=0)["value"][0]
            np.testing.assert_allclose(found["value"].sel(a=i, b=j), wanted, atol=1e-7)


def test_networks_of_one_name_are_numbered_and_a_dead_layer_says_why():
    a, b = two_networks()
    dead = replace(a, gram=np.concatenate([np.zeros((1, 30, 30)), a.gram[1:]]))
    found = compare_all([a, dead, b])
    assert found["a"].to_numpy().tolist() == ["u-real-seed0#1", "u-real-seed0#2", "u-synth-seed1"]
    assert np.isnan(found["value"].sel(a="u-real-seed0#2", layer=0)).all()
    assert np.isfinite(found["value"].sel(layer=[1, 2])).all()
    assert str(found["reason"].to_numpy()[1, 0]).startswith("tells no images apart")


def test_networks_that_do_not_fit_together_are_refused():
    a, b = two_networks()
    with pytest.raises(InputError, match="1 recording: there is nothing to compare"):
        compare_all([a])
    with pytest.raises(InputError, match="hold 30 and 29 images"):
        compare_all([a, b, two_networks(29)[0]])
    with pytest.raises(InputError, match="have different layers"):
        compare_all([a, recorded(features(30, 4, 0))])


def test_layers_with_names_compare_like_numbered_ones(tmp_path):
    a, b = two_networks()
    names = np.array(["stem", "layer1.0", "head"])
    one, other = replace(a, layers=names), replace(b, layers=names)
    grid, wanted = compare(one, other), compare(a, b)
    np.testing.assert_array_equal(grid["value"], wanted["value"])
    np.testing.assert_array_equal(grid["floor_z"], wanted["floor_z"])
    assert grid["layer_a"].to_numpy().tolist() == ["stem", "layer1.0", "head"]
    means = diagonal_means(grid)
    assert means.all == pytest.approx(diagonal_means(wanted).all) and np.isnan([means.backbone, means.head]).all()
    assert compare_all([one, other])["layer"].to_numpy().tolist() == names.tolist()


def test_the_most_and_least_alike_layers_are_named_by_similarity_and_by_distance():
    a, b = two_networks(60)
    grid = compare(a, b, measures=["cka_debiased", "procrustes"], permutations=0, bootstraps=0)
    assert extreme_layers(grid, "cka_debiased", count=2) == ([0, 1], [2, 1])
    distances = np.diagonal(grid["value"].sel(measure="procrustes"))
    assert extreme_layers(grid, "procrustes", count=1) == ([int(distances.argmin())], [int(distances.argmax())])
    grid["value"][0, 0, 0] = np.nan
    assert extreme_layers(grid, "cka_debiased") == ([1, 2], [2, 1])


def test_a_grid_as_rows_holds_every_cell_and_the_floor_where_it_is_known():
    a, b = two_networks()
    grid = compare(a, b, permutations=20, bootstraps=20)
    table = grid_table(grid)
    assert len(table) == 2 * 3 * 3
    row = table.query("measure == 'cka_biased' and layer_a == 1 and layer_b == 1").iloc[0]
    at = grid.sel(measure="cka_biased")
    assert row["value"] == at["value"].sel(layer_a=1, layer_b=1) and row["floor_p"] == at["floor_p"].sel(layer=1)
    assert table.query("layer_a != layer_b")["floor_p"].isna().all()
    every = grid_table(compare(a, b, floor="cells", permutations=20, bootstraps=0))
    assert every["cell_floor_p"].notna().all()
    only = grid_table(compare(a, b, cells="diagonal", permutations=20, bootstraps=0))
    assert (only["layer_a"] == only["layer_b"]).all() and len(only) == 6 and only["value"].notna().all()
    other = grid_table(compare(a, recorded(features(30, 4, 0)), permutations=0, bootstraps=0))
    assert len(other) == 6 and other["value"].tolist() == pytest.approx(
        [
            linear_cka(a.pooled_of(i), features(30, 4, 0), debiased=debiased)
            for debiased in (True, False)
            for i in range(3)
        ],
        abs=1e-6,
    )
