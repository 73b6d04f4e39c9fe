"""CKA against published numbers, its definition term by term, its invariances and its known trap."""

import numpy as np
import pytest
import torch
from small_recordings import features

from gapscope.errors import InputError
from gapscope.recording.layer_numbers import layer_numbers
from gapscope.similarity.cka import cka_from_grams, deconfounded_cka, linear_cka, rbf_cka
from gapscope.similarity.gram import center, features_gram, flatten, shuffled_positions, u_center
from gapscope.similarity.measures import measure_layers
from gapscope.similarity.minibatch import minibatch_cka, minibatch_cka_from_grams

BOTH = pytest.mark.parametrize("debiased", [True, False])


def related(n, p, q, seed):
    """Two layers that share three directions."""
    shared = features(n, 3, seed)
    x, y = (features(n, width, seed + 1 + width) for width in (p, q))
    return x + shared @ features(3, p, 8), y + shared @ features(3, q, 9)


def test_kornblith_and_others_published_these_values():
    random = np.random.RandomState(1337)
    x = random.randn(100, 10)
    y = random.randn(100, 10) + x
    assert linear_cka(x, y, debiased=False) == pytest.approx(0.55761, abs=5e-6)
    assert linear_cka(x, y) == pytest.approx(0.51346, abs=5e-6)


def hsic_1(k, l):
    """Song et al. 2012, eq. 5, term by term."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    one = np.ones(n)
    trace = np.trace(k @ l)
    sums = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return (trace + sums - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))


@pytest.mark.parametrize("n", [4, 5, 40])
def test_debiased_cka_is_the_ratio_of_unbiased_hsics(n):
    x, y = related(n, 6, 9, seed=0)
    k, l = x @ x.T, y @ y.T
    wanted = hsic_1(k, l) / np.sqrt(hsic_1(k, k) * hsic_1(l, l))
    assert linear_cka(x, y) == pytest.approx(wanted, rel=1e-10)
    assert cka_from_grams(k, l) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("n", [4, 40])
def test_biased_cka_is_the_paper_s_equation_in_feature_space(n):
    x, y = related(n, 6, 9, seed=0)
    x, y = x - x.mean(0), y - y.mean(0)
    wanted = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert linear_cka(x, y, debiased=False) == pytest.approx(wanted, rel=1e-10)


def test_debiased_cka_is_kornblith_s_correction_in_feature_space():
    x, y = related(30, 6, 9, seed=0)
    n = len(x)

    def corrected(a, b):
        a, b = a - a.mean(0), b - b.mean(0)
        rows_a, rows_b = (a**2).sum(1), (b**2).sum(1)
        plain = np.linalg.norm(b.T @ a) ** 2
        return plain - n / (n - 2) * rows_a @ rows_b + rows_a.sum() * rows_b.sum() / ((n - 1) * (n - 2))

    wanted = corrected(x, y) / np.sqrt(corrected(x, x) * corrected(y, y))
    assert linear_cka(x, y) == pytest.approx(wanted, rel=1e-10)


@BOTH
def test_a_layer_is_wholly_similar_to_itself_and_similarity_goes_both_ways(debiased):
    x, y = related(40, 12, 9, seed=0)
    assert linear_cka(x, x, debiased=debiased) == pytest.approx(1, abs=1e-12)
    assert linear_cka(x, y, debiased=debiased) == pytest.approx(linear_cka(y, x, debiased=debiased), abs=1e-12)


@pytest.mark.parametrize("p", [10, 1000])
def test_unrelated_wide_layers_look_alike_unless_debiased(p):
    n = 100
    values = [
        [linear_cka(features(n, p, 2 * i), features(n, p, 2 * i + 1), debiased=debiased) for i in range(6)]
        for debiased in (False, True)
    ]
    assert np.mean(values[0]) == pytest.approx(p / (n - 1 + p), abs=0.01)
    assert np.mean(values[1]) == pytest.approx(0, abs=0.02)


def test_double_centring_is_what_centred_features_give():
    x = features(7, 5, seed=0) + 2
    np.testing.assert_allclose(center(x @ x.T), features_gram(x), atol=1e-12)
    stack = np.stack([x @ x.T, np.eye(7)])
    for centring in (center, u_center):
        np.testing.assert_allclose(centring(stack)[0], centring(stack[0]), atol=1e-12)


def test_u_centred_rows_sum_to_zero_around_an_empty_diagonal():
    x = features(7, 5, seed=0)
    centered = u_center(x @ x.T)
    np.testing.assert_allclose(centered.sum(0), 0, atol=1e-12)
    np.testing.assert_array_equal(np.diag(centered), 0)


def test_centring_twice_changes_nothing_debiased_or_not():
    x, y = related(20, 6, 9, seed=0)
    for debiased in (True, False):
        wanted = cka_from_grams(x @ x.T, y @ y.T, debiased=debiased)
        assert cka_from_grams(center(x @ x.T), y @ y.T, debiased=debiased) == pytest.approx(wanted, abs=1e-12)


def test_flattened_matrices_keep_their_inner_products_and_shuffles():
    k, l = (one @ one.T for one in (features(6, 3, 0), features(6, 3, 1)))
    assert flatten(k) @ flatten(l) == pytest.approx((k * l).sum())
    order = np.array([3, 1, 0, 5, 4, 2])
    np.testing.assert_allclose(flatten(k)[shuffled_positions(order)], flatten(k[order][:, order]))


@BOTH
@pytest.mark.parametrize("flat", [np.zeros((6, 6)), np.full((6, 6), 0.1)])
def test_a_layer_that_tells_no_images_apart_is_refused_not_scored(flat, debiased):
    with pytest.raises(InputError, match="there is nothing to compare: x tells no images apart"):
        linear_cka(flat, features(6, 3, seed=0), debiased=debiased)


def test_images_all_equally_far_apart_leave_the_debiased_estimator_nothing():
    with pytest.raises(InputError, match="nothing to compare: y tells no images apart: after centring only rounding"):
        linear_cka(features(6, 3, seed=0), np.eye(6))


@pytest.mark.parametrize(
    ("x", "y", "wording"),
    [
        (np.ones((3, 5)), np.ones((3, 5)), "3 images are too few: CKA needs at least 4"),
        (features(40, 3, 0), features(39, 3, 0), "x holds 40 images and y holds 39, but both must hold the same"),
        (np.ones(5), np.ones(5), r"features have shape \(5,\), but need \(n, p\)"),
        (np.ones((5, 0)), np.ones((5, 1)), r"features have shape \(5, 0\)"),
        (np.full((5, 2), np.nan), np.ones((5, 1)), "features hold values that are not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(x, y, wording):
    with pytest.raises(InputError, match=wording):
        linear_cka(x, y)


def test_a_gram_matrix_that_is_not_square_is_refused():
    with pytest.raises(InputError, match=r"Gram matrix has shape \(5, 3\), but must be square"):
        cka_from_grams(np.ones((5, 3)), np.eye(5))


def test_kornblith_and_others_published_this_value_of_gaussian_cka():
    random = np.random.RandomState(1337)
    x = random.randn(100, 10)
    y = random.randn(100, 10) + x
    assert rbf_cka(x, y, bandwidth=0.5, debiased=False) == pytest.approx(0.65483, abs=5e-6)


def test_gaussian_cka_with_a_wide_bandwidth_is_linear_cka():
    x, y = related(40, 6, 9, seed=0)
    for debiased in (True, False):
        wanted = linear_cka(x, y, debiased=debiased)
        far = [abs(rbf_cka(x, y, bandwidth=width, debiased=debiased) - wanted) for width in (1, 10, 100)]
        assert far[0] > far[1] > far[2] and far[2] < 1e-3
    with pytest.raises(InputError, match="bandwidth = 0 is not a positive number"):
        rbf_cka(x, y, bandwidth=0)


def test_most_images_exactly_alike_leave_no_bandwidth():
    x = np.zeros((40, 3))
    x[0] = 1
    with pytest.raises(InputError, match="a layer finds most images exactly alike: there is no typical distance"):
        rbf_cka(x, features(40, 3, 0))


def test_deconfounded_cka_is_the_partial_correlation_given_the_inputs():
    x, y = related(40, 6, 9, seed=0)
    inputs = features(40, 4, seed=7)
    x, y = (np.hstack([one, 2 * inputs]) for one in (x, y))
    xy, xz, yz = linear_cka(x, y), linear_cka(x, inputs), linear_cka(y, inputs)
    wanted = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert deconfounded_cka(x, y, inputs) == pytest.approx(wanted, abs=1e-9)


def test_networks_that_only_pass_on_their_input_look_alike_until_it_is_taken_out():
    inputs = features(200, 5, seed=0)
    x, y = (inputs @ features(5, 400, seed) + 4 * features(200, 400, seed + 10) for seed in (1, 2))
    assert linear_cka(x, y) > 0.8
    assert abs(deconfounded_cka(x, y, inputs)) < 0.1


def test_a_layer_that_is_its_input_has_nothing_left_to_compare():
    inputs = features(40, 5, seed=0)
    with pytest.raises(InputError, match="a layer finds images exactly as alike as their pixels"):
        deconfounded_cka(3 * inputs, features(40, 5, 1), inputs)
    with pytest.raises(InputError, match="the images are all the same, or all equally far apart"):
        deconfounded_cka(inputs, features(40, 5, 1), np.ones((40, 3, 2, 2)))


@BOTH
@pytest.mark.parametrize("p", [30, 480, 8192])
def test_unrelated_layers_score_what_their_width_gives_unless_debiased(p, debiased):
    n = 200
    values = [
        linear_cka(features(n, p, 2 * i), features(n, p, 2 * i + 1), debiased=debiased) for i in range(1 + (p < 1000))
    ]
    wanted = 0 if debiased else p / (n - 1 + p)
    assert np.mean(values) == pytest.approx(wanted, abs=0.014)


@pytest.mark.parametrize(
    ("p", "offset", "scale"),
    [
        *[(p, offset, scale) for p in (30, 2000) for offset in (0, 300) for scale in (1, 1e-6, 1e6)],
        (100_000, 300, 1e6),
    ],
)
def test_recorded_grams_give_the_value_of_plain_float64(p, offset, scale):
    """Offsets are in standard deviations; float32 features, n = 200."""
    n, rng = 200, np.random.default_rng(p)
    shared = rng.standard_normal((n, 3), dtype=np.float32)
    plain, recorded = [], []
    for _ in range(2):
        x = shared @ rng.standard_normal((3, p), dtype=np.float32) + rng.standard_normal((n, p), dtype=np.float32)
        x = np.float32(scale) * (x / x.std() + np.float32(offset) * rng.standard_normal(p, dtype=np.float32))
        recorded.append(layer_numbers(torch.from_numpy(x)).gram)
        exact = x.astype(np.float64)
        exact -= exact.mean(0)
        plain.append(exact @ exact.T)
    for debiased in (True, False):
        wanted = cosine_of_centred(*plain, debiased)
        assert cka_from_grams(*recorded, debiased=debiased) == pytest.approx(wanted, abs=1e-6)


def cosine_of_centred(k, l, debiased):
    """The definition, with its matrices written out."""
    n = len(k)
    if debiased:
        return hsic_1(k, l) / np.sqrt(hsic_1(k, k) * hsic_1(l, l))
    h = np.eye(n) - 1 / n
    return np.trace(k @ h @ l @ h) / np.sqrt(np.trace(k @ h @ k @ h) * np.trace(l @ h @ l @ h))


def test_one_batch_of_all_images_gives_debiased_cka():
    a, b = ([one for one in related(40, 6, 9, seed=seed)] for seed in (0, 1))
    got = minibatch_cka([(a, b)])
    np.testing.assert_allclose(got, [[linear_cka(x, y) for y in b] for x in a], atol=1e-12)


def test_batches_are_averaged_before_the_ratio_and_count_by_their_size():
    (x, y), parts = related(40, 6, 9, seed=0), (slice(0, 16), slice(16, 40))
    sums = np.zeros(3)
    for part in parts:
        k, l = (features_gram(one[part]) for one in (x, y))
        sums += len(k) * np.array([hsic_1(k, l), hsic_1(k, k), hsic_1(l, l)])
    got = minibatch_cka(([x[part]], [y[part]]) for part in parts)
    assert got.item() == pytest.approx(sums[0] / np.sqrt(sums[1] * sums[2]), abs=1e-12)
    assert got.item() != pytest.approx(np.mean([linear_cka(x[part], y[part]) for part in parts]), abs=1e-4)


@pytest.mark.parametrize("size", [4, 8, 40])
def test_the_size_of_batches_does_not_bias_the_estimate(size):
    n, rng = 2000, np.random.default_rng(0)
    x, y = related(n, 300, 200, seed=0)
    orders = [rng.permutation(n) for _ in range(4)]
    rows = [order[at : at + size] for order in orders for at in range(0, n, size)]
    assert minibatch_cka(([x[some]], [y[some]]) for some in rows).item() == pytest.approx(linear_cka(x, y), abs=0.02)


@pytest.mark.parametrize(
    ("batches", "wording"),
    [
        ([], "there is no batch"),
        ([([np.eye(3)], [np.eye(3)])], "3 images are too few"),
        ([([np.eye(5)], [np.eye(6)])], "batch 0 holds different images for a and b"),
        ([([np.eye(5)], [np.eye(5)]), ([np.eye(5)] * 2, [np.eye(5)])], "batch 1 has 2 and 1 layers, the first had 1"),
        ([([np.ones((5, 4))], [np.eye(5)])], r"batch 0 holds Gram matrices of shape \(5, 4\)"),
    ],
)
def test_batches_that_do_not_fit_together_are_refused(batches, wording):
    with pytest.raises(InputError, match=wording):
        minibatch_cka_from_grams(batches)


def test_a_dead_layer_is_undefined_in_batches_too():
    x, y = related(20, 6, 9, seed=0)
    got = minibatch_cka([([x, np.ones((20, 3))], [y])])
    assert np.isfinite(got[0, 0]) and np.isnan(got[1, 0])


def test_tokens_and_places_may_be_the_rows():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(10, 6, 8, 3)), draw.normal(size=(10, 6, 8, 3))
    y[..., :2] += x[..., :2]
    table, other = x.reshape(-1, 3), y.reshape(-1, 3)
    wanted = linear_cka(table, other)
    assert linear_cka(x, y, rows="tokens", channels_last=True) == pytest.approx(wanted, abs=1e-12)
    first = [np.moveaxis(one, -1, 1) for one in (x, y)]
    assert linear_cka(*first, rows="tokens") == pytest.approx(wanted, abs=1e-12)
    assert measure_layers("cka_biased", *first, rows="tokens") == pytest.approx(
        linear_cka(table, other, debiased=False), abs=1e-12
    )
    apart = linear_cka(*first, rows="tokens", groups=range(10))
    assert apart == pytest.approx(linear_cka(table, other, groups=np.repeat(range(10), 48)), abs=1e-12)
    assert linear_cka(x, y) == pytest.approx(linear_cka(x.reshape(10, -1), y.reshape(10, -1)), abs=1e-12)
    assert linear_cka(torch.from_numpy(x).requires_grad_(), y) == linear_cka(x, y)
    with pytest.raises(InputError, match="rows = 'words' is unknown - expected 'images' or 'tokens'"):
        linear_cka(x, y, rows="words")
    with pytest.raises(InputError, match=r"features have shape \(10,\), but need"):
        linear_cka(np.arange(10), y)


@pytest.mark.parametrize("debiased", [True, False])
def test_many_rows_take_no_gram_matrix_and_give_the_same(debiased, monkeypatch):
    draw = np.random.default_rng(1)
    x = 100 + draw.normal(size=(60, 7))
    y = x @ draw.normal(size=(7, 4)) + 3 * draw.normal(size=(60, 4))
    wanted = linear_cka(x, y, debiased=debiased)
    monkeypatch.setattr("gapscope.similarity.cka.MANY_ROWS", 50)
    monkeypatch.setattr("gapscope.similarity.cka.view_of_features", None)
    assert linear_cka(x, 1e9 * y, debiased=debiased) == pytest.approx(wanted, abs=1e-12)
    with pytest.raises(InputError, match="y tells no rows apart"):
        linear_cka(x, np.ones((60, 2)), debiased=debiased)
    with pytest.raises(InputError, match="x holds values that are not finite"):
        linear_cka(x * np.inf, y, debiased=debiased)
