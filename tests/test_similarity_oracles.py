"""The same numbers from code that others wrote."""

import numpy as np
import pytest
import torch
from small_recordings import features

from gapscope.similarity.blocks import adjusted_rand
from gapscope.similarity.cka import linear_cka
from gapscope.similarity.measures import measure_layers


def related(n, p, q):
    shared = features(n, 3, seed=0)
    return features(n, p, 1) + shared @ features(3, p, 8), features(n, q, 2) + shared @ features(3, q, 9)


def test_ckatorch_gives_the_same_cka():
    cka_base = pytest.importorskip("ckatorch.core").cka_base
    x, y = related(50, 30, 20)
    for debiased in (True, False):
        theirs = cka_base(torch.from_numpy(x), torch.from_numpy(y), "linear", unbiased=debiased, method="fro_norm")
        assert linear_cka(x, y, debiased=debiased) == pytest.approx(float(theirs), abs=1e-9)


def test_whitened_cosines_of_rsatoolbox_are_biased_cka():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    x, y = related(50, 30, 20)
    rdms = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(one), method="euclidean") for one in (x, y)]
    theirs = rsatoolbox.rdm.compare(*rdms, method="cosine_cov").item()
    assert linear_cka(x, y, debiased=False) == pytest.approx(theirs, abs=1e-6)
    theirs = rsatoolbox.rdm.compare(*rdms, method="spearman").item()
    assert measure_layers("rsa", x, y) == pytest.approx(theirs, abs=1e-9)


def test_scikit_learn_finds_the_same_canonical_correlations():
    decomposition = pytest.importorskip("sklearn.cross_decomposition")
    x, y = related(60, 6, 5)
    scores = decomposition.CCA(n_components=5, max_iter=5000, tol=1e-12).fit(x, y).transform(x, y)
    rho = [np.corrcoef(one, other)[0, 1] for one, other in zip(*(table.T for table in scores), strict=True)]
    assert measure_layers("cca_mean", x, y) == pytest.approx(np.mean(rho), abs=1e-6)


def test_scikit_learn_gives_the_same_adjusted_rand_index():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 4, 30), rng.integers(0, 3, 30)
        assert adjusted_rand(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b), abs=1e-12)
