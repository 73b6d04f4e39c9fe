"""CKA against published numbers, its definition term by term, its invariances and its known trap."""

import numpy as np
import pytest

from gapscope.errors import InputError
from gapscope.similarity.cka import MEASURES, cka_from_grams, linear_cka
from gapscope.similarity.gram import center, features_gram, flatten, shuffled_positions, u_center

BOTH = pytest.mark.parametrize("debiased", [True, False])


def features(n, p, seed):
    return np.random.default_rng(seed).standard_normal((n, p))


def related(n, p, q, seed):
    """Two layers that share three directions."""
    shared = features(n, 3, seed)
    x, y = (features(n, width, seed + 1 + width) for width in (p, q))
    return x + shared @ features(3, p, 8), y + shared @ features(3, q, 9)


def rotation(p):
    return np.linalg.qr(features(p, p, seed=5))[0]


CHANGES = {
    "shift": lambda x: x + np.linspace(-300, 300, x.shape[1]),
    "scale": lambda x: -7e6 * x,
    "rotation": lambda x: x @ rotation(x.shape[1]),
    "invertible map": lambda x: x * np.geomspace(1, 100, x.shape[1]),
    "unrelated features": lambda x: np.hstack([x, 3 * features(len(x), 500, seed=6)]),
}


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


def test_every_claim_of_the_table_of_measures_holds():
    x, y = related(40, 12, 9, seed=0)
    for name, measure in MEASURES.items():
        plain = linear_cka(x, y, debiased=measure.debiased)
        assert (linear_cka(x, x, debiased=measure.debiased) > plain) == measure.larger_is_more_similar
        for change in measure.invariant_to:
            changed = linear_cka(CHANGES[change](x), y, debiased=measure.debiased)
            assert changed == pytest.approx(plain, abs=1e-9), (name, change)
        for change in measure.varies_with:
            assert abs(linear_cka(CHANGES[change](x), y, debiased=measure.debiased) - plain) > 0.02, (name, change)


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
