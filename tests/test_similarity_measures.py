"""Every measure against what its entry in the table claims, against other people's code and against its definition."""

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata, spearmanr
from small_recordings import features, recorded

from gapscope.errors import InputError
from gapscope.recording.layer_numbers import layer_numbers
from gapscope.similarity.compare import compare
from gapscope.similarity.layer_view import LayerView
from gapscope.similarity.measures import CHANGES, MEASURES, measure_layers
from gapscope.similarity.neighbours import mean_ranks
from gapscope.similarity.subspaces import canonical_correlations

N, P = 60, 25
EACH = pytest.mark.parametrize("name", list(MEASURES))
PIXELS = features(N, 7, seed=99)


def related(seed, n=N, p=P):
    """Two layers (n, p) that share three directions."""
    shared = features(n, 3, seed)
    return [features(n, p, 10 * seed + 1000 + i) + shared @ features(3, p, 8 + i) for i in range(2)]


def value(name, x, y):
    return measure_layers(name, x, y, inputs=PIXELS[: len(x)])


APPLIED = {
    "shift": lambda x: x + np.linspace(-300, 300, x.shape[1]),
    "scale": lambda x: -7e6 * x,
    "permutation": lambda x: x[:, np.random.default_rng(3).permutation(x.shape[1])],
    "rotation": lambda x: x @ np.linalg.qr(features(x.shape[1], x.shape[1], seed=5))[0],
    "invertible map": lambda x: x * np.geomspace(1, 100, x.shape[1]),
    "unrelated features": lambda x: np.hstack([x, 3 * features(len(x), 4, seed=6)]),
}


@EACH
@pytest.mark.parametrize("change", CHANGES)
def test_a_measure_is_blind_to_what_it_says_and_to_nothing_else(name, change):
    pairs = [related(seed) for seed in range(3)]
    if (name, change) == ("euclidean", "unrelated features"):
        with pytest.raises(InputError, match=r"shapes \(60, 29\) and \(60, 25\)"):
            value(name, APPLIED[change](pairs[0][0]), pairs[0][1])
        return
    moved = max(abs(value(name, APPLIED[change](x), y) - value(name, x, y)) for x, y in pairs)
    if change in MEASURES[name].invariant_to:
        assert moved < 1e-6
    else:
        assert moved > 0.004


@EACH
def test_a_layer_is_to_itself_what_the_table_says_and_nothing_is_more_alike(name):
    measure, (x, y) = MEASURES[name], related(0)
    assert value(name, x, x) == pytest.approx(measure.itself, abs=1e-6)
    assert (value(name, x, x) > value(name, x, y)) == measure.larger_is_more_similar
    assert measure.itself == measure.bounds[1 if measure.larger_is_more_similar else 0]


@EACH
def test_more_noise_makes_layers_less_alike(name):
    x = features(N, P, 0)
    values = [value(name, x, x + noise * features(N, P, 1)) for noise in (0.1, 0.5, 3)]
    assert sorted(values, reverse=MEASURES[name].larger_is_more_similar) == values


@EACH
def test_values_stay_within_their_bounds(name):
    low, high = MEASURES[name].bounds
    for seed in range(6):
        x, y = related(seed)
        assert low <= value(name, x, y) <= high
        assert low <= value(name, features(N, 2, seed), features(N, 2, seed + 50)) <= high


@EACH
def test_the_order_of_the_two_layers_matters_only_where_the_table_says(name):
    x, y = related(0)
    same = value(name, x, y) == pytest.approx(value(name, y, x), abs=1e-9)
    assert same == MEASURES[name].symmetric


@EACH
def test_metrics_take_no_detours(name):
    measure = MEASURES[name]
    if not measure.metric:
        assert measure.larger_is_more_similar, "a distance that is no metric should say why"
        return
    for seed in range(8):
        points = [*related(seed), sum(related(seed))]
        for one, middle, other in permutations(points):
            assert value(name, one, other) <= value(name, one, middle) + value(name, middle, other) + 1e-9


def test_what_biased_cka_lacks_to_be_a_metric_is_the_angle():
    x = [np.eye(6)[:, [0]] * 1.0, np.eye(6)[:, [0, 1]] * [1, 1.2], np.eye(6)[:, [1]] * 1.0]
    one, two, whole = (1 - measure_layers("cka_biased", x[i], x[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
    assert whole > one + two
    one, two, whole = (measure_layers("cka_angle", x[i], x[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
    assert whole <= one + two


@EACH
def test_a_grid_of_recordings_holds_what_features_give(name):
    layers = [related(seed) for seed in (0, 1)]
    a, b = (recorded(*(pair[which] for pair in layers)) for which in (0, 1))
    centered = PIXELS - PIXELS.mean(0)
    gram = centered @ centered.T
    if name == "euclidean":
        with pytest.raises(InputError, match=r"a recording holds Gram matrices only\. Give features to measure_layers"):
            compare(a, b, measures=[name])
        return
    grid = compare(a, b, measures=[name], permutations=0, bootstraps=0, input_gram=gram)["value"][0]
    only = compare(a, b, measures=[name], cells="diagonal", permutations=0, bootstraps=0, input_gram=gram)["value"][0]
    for i in range(2):
        for j in range(2):
            assert float(grid[i, j]) == pytest.approx(value(name, layers[i][0], layers[j][1]), abs=1e-6)
        assert float(only[i]) == pytest.approx(float(grid[i, i]), abs=1e-12)


def test_kornblith_published_the_mean_squared_cca_of_these_layers():
    random = np.random.RandomState(1337)
    x = random.randn(100, 10)
    y = random.randn(100, 10) + x
    q_x, q_y = (np.linalg.qr(one)[0] for one in (x, y))
    assert np.linalg.norm(q_y.T @ q_x) ** 2 / 10 == pytest.approx(0.54312, abs=5e-6), "the notebook does not centre"
    q_x, q_y = (np.linalg.qr(one - one.mean(0))[0] for one in (x, y))
    assert measure_layers("cca_squared", x, y) == pytest.approx(np.linalg.norm(q_y.T @ q_x) ** 2 / 10, abs=1e-9)
    uncentered = np.vstack([x, -x]), np.vstack([y, -y])  # their means are 0: centring changes nothing
    assert measure_layers("cca_squared", *uncentered) == pytest.approx(0.54312, abs=5e-6)


def by_definition(x, y):
    """Canonical correlations as roots of the eigenvalues of S_xx^-1 S_xy S_yy^-1 S_yx, falling."""
    x, y = x - x.mean(0), y - y.mean(0)
    product = np.linalg.solve(x.T @ x, x.T @ y) @ np.linalg.solve(y.T @ y, y.T @ x)
    return np.sqrt(np.sort(np.linalg.eigvals(product).real)[::-1][: min(x.shape[1], y.shape[1])].clip(0))


def test_canonical_correlations_are_those_of_the_covariances():
    x, y = related(0, p=9)
    np.testing.assert_allclose(canonical_correlations(x, y[:, :6]), by_definition(x, y[:, :6]), atol=1e-9)
    assert measure_layers("cca_mean", x, y) == pytest.approx(by_definition(x, y).mean(), abs=1e-9)


def test_svcca_is_cca_of_the_principal_components_that_hold_99_percent():
    x, y = (one * np.geomspace(30, 1, P) for one in related(0))

    def cut(one):
        u, s, _ = np.linalg.svd(one - one.mean(0), full_matrices=False)
        kept = int(np.searchsorted(np.cumsum(s**2) / (s**2).sum(), 0.99)) + 1
        assert kept < P
        return u[:, :kept] * s[:kept]

    assert measure_layers("svcca", x, y) == pytest.approx(by_definition(cut(x), cut(y)).mean(), abs=1e-9)


def test_pwcca_weights_each_direction_by_the_channels_it_accounts_for():
    x, y = related(0, p=9)
    x, y = x - x.mean(0), y - y.mean(0)
    a, b = np.linalg.qr(x)[0], np.linalg.qr(y)[0]
    u, rho, _ = np.linalg.svd(a.T @ b)
    directions = a @ u
    weights = [sum(abs(directions[:, i] @ x[:, j]) for j in range(9)) for i in range(9)]
    assert measure_layers("pwcca_pooled", x, y) == pytest.approx(np.average(rho, weights=weights), abs=1e-9)


@pytest.mark.parametrize("name", ["cca_mean", "cca_squared", "svcca", "pwcca_pooled"])
def test_subspaces_too_wide_for_the_images_are_refused_and_not_scored_1(name):
    x, y = features(40, 60, 0), features(40, 60, 1)
    with pytest.raises(InputError, match=rf"{name} has no value here: x .*\d\d directions over 40 images: beyond 19"):
        measure_layers(name, x, y)
    assert measure_layers(name, x[:, :5], y[:, :5]) < 0.8


def test_a_feature_that_repeats_others_changes_no_canonical_correlation():
    x, y = related(0, p=8)
    repeated = np.hstack([x, x[:, :2] + x[:, 2:4]])
    np.testing.assert_allclose(canonical_correlations(repeated, y), canonical_correlations(x, y), atol=1e-9)


def test_the_20_largest_components_are_never_too_many_for_42_images():
    x, y = features(42, 500, 0), features(42, 500, 1)
    assert 0.3 < measure_layers("svcca_20", x, y) < 0.9
    with pytest.raises(InputError, match="40 images are too few: svcca_20 needs at least 41"):
        measure_layers("svcca_20", x[:40], y[:40])


def test_procrustes_distance_is_what_the_best_rotation_leaves():
    x, y = related(0)
    x, y = (one - one.mean(0) for one in (x, y))
    x, y = (one / np.linalg.norm(one) for one in (x, y))
    turn, overlap = orthogonal_procrustes(x, y)
    assert measure_layers("procrustes", x, y) == pytest.approx(np.linalg.norm(x @ turn - y), abs=1e-9)
    assert measure_layers("shape_angle", x, y) == pytest.approx(np.arccos(overlap), abs=1e-9)


@pytest.mark.parametrize("kinds", [2, 40, 10**6])
def test_ties_share_the_mean_of_their_ranks(kinds):
    values = np.random.default_rng(0).integers(0, kinds, 300).astype(float)
    assert (mean_ranks(values) == rankdata(values)).all()


def test_rsa_is_spearman_s_correlation_of_the_distances():
    x, y = related(0)
    assert measure_layers("rsa", x, y) == pytest.approx(spearmanr(pdist(x), pdist(y)).statistic, abs=1e-12)
    tied = np.repeat(np.arange(30.0), 2)[:, None]
    assert measure_layers("rsa", tied, y) == pytest.approx(spearmanr(pdist(tied), pdist(y)).statistic, abs=1e-9)


def test_mutual_knn_counts_neighbours_in_common():
    x, y = related(0)
    near = [np.argsort(squareform(pdist(one)) + np.diag(np.full(N, np.inf)), axis=1)[:, :10] for one in (x, y)]
    wanted = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*near, strict=True)])
    assert measure_layers("mutual_knn", x, y) == pytest.approx(wanted)
    unrelated = np.mean([measure_layers("mutual_knn", features(N, P, s), features(N, P, s + 50)) for s in range(20)])
    assert unrelated == pytest.approx(10 / (N - 1), abs=0.02)
    with pytest.raises(InputError, match="11 images are too few: mutual_knn needs at least 12"):
        measure_layers("mutual_knn", x[:11], y[:11])


def test_euclidean_distance_is_in_the_unit_of_the_activations():
    assert measure_layers("euclidean", features(9, 4, 0), features(9, 4, 0) + 0.25) == pytest.approx(0.25)


@EACH
def test_a_layer_that_tells_no_images_apart_is_refused_by_every_measure_of_likeness(name):
    if name == "euclidean":
        assert measure_layers(name, np.ones((N, 3)), np.zeros((N, 3))) == 1
        return
    with pytest.raises(InputError, match=f"{name} has no value here: y tells no images apart"):
        value(name, features(N, 3, 0), np.full((N, 3), 0.1))


def test_images_all_equally_far_apart_have_no_ranks():
    with pytest.raises(InputError, match="rsa has no value here: x finds all images equally far apart"):
        measure_layers("rsa", np.eye(16), features(16, 3, 0))


@pytest.mark.parametrize(
    ("x", "y", "inputs", "wording"),
    [
        (features(20, 3, 0), features(19, 3, 0), None, "x holds 20 images and y holds 19"),
        (features(20, 3, 0), features(20, 3, 0), features(19, 3, 0), "there are 19 inputs for 20 images"),
        (np.full((20, 3), np.inf), features(20, 3, 0), None, "features hold values that are not finite"),
    ],
)
def test_what_does_not_fit_together_is_refused(x, y, inputs, wording):
    with pytest.raises(InputError, match=wording):
        measure_layers("rsa", x, y, inputs=inputs)


def test_an_unknown_measure_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"no measure 'procrustes_distance'.*Did you mean 'procrustes'"):
        measure_layers("procrustes_distance", features(20, 3, 0), features(20, 3, 1))


@pytest.mark.parametrize("name", ["procrustes", "shape_angle"])
def test_a_recorded_layer_of_few_directions_is_no_distance_from_itself_in_another_order(name):
    """Float32 leaves variances of 1e-8 in directions that the layer does not have, and 1e-4 of their roots."""
    x = (features(50, 3, 0) @ features(3, 1000, 1)).astype(np.float32)
    turned = np.ascontiguousarray(x[:, np.random.default_rng(2).permutation(1000)])
    measure = MEASURES[name]
    one, other = (measure.prepare(LayerView(layer_numbers(torch.from_numpy(each)).gram)) for each in (x, turned))
    assert measure.pair(one, other) < 2e-6
    assert measure.pair(one, measure.prepare(LayerView(x @ x.T + 0.1 * np.eye(50)))) > 1e-2
