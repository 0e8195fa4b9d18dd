"""Similarities have the identities of their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.cross_decomposition import CCA

from ser.explainer.layers.accumulate import Similarities, unbiased
from ser.explainer.layers.similarity import (
    centre_unbiased,
    correlate,
    find_distances,
    fold,
    multiply,
    normalise,
    rank_distances,
    spread_radially,
    whiten,
)

ALONE = {"cka", "cka_debiased", "cka_rbf", "cca", "rsa"}


def measure(*values, variance=1.0):
    found = Similarities(len(values), variance, 1)
    found.add(values, np.zeros(len(values[0]), dtype=int))
    return {name: matrix[0, 1] for name, matrix in found.find().items()}


def turn(rng, dims):
    return np.linalg.qr(rng.normal(size=(dims, dims)))[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 40), st.integers(1, 60), st.floats(1e-3, 1e3))
def test_all_are_1_for_turned_scaled_and_moved_representations(seed, count, dims, scale):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, dims)) * np.geomspace(0.3, 3, dims)
    found = measure(values, scale * values @ turn(rng, dims) + rng.normal(size=dims))
    assert set(found) == ALONE
    for name, value in found.items():
        assert value == pytest.approx(1, abs=2e-3 if name == "rsa" else 1e-4), name


def test_debiased_cka_of_noise_is_0_and_the_usual_one_is_not():
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found.append(measure(rng.normal(size=(40, 900)), rng.normal(size=(40, 700))))
    means = {name: np.mean([one[name] for one in found]) for name in ALONE}
    assert means["cka"] > 0.9
    for name in ALONE - {"cka"}:
        assert abs(means[name]) < 0.03, name


def test_cca_does_not_change_under_invertible_maps():
    rng = np.random.default_rng(0)
    values, other = rng.normal(size=(200, 8)), rng.normal(size=(200, 8))
    other[:, :4] += values[:, :4]
    mixed = values @ rng.normal(size=(8, 8)) + 3
    bases = [whiten(each, 1.0) for each in (values, mixed, other)]
    found = correlate(bases)
    assert found[0, 1] == pytest.approx(1) and found[0, 2] == pytest.approx(found[1, 2])
    assert measure(values, mixed)["cka"] < 0.9


def test_cca_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    values, other = rng.normal(size=(300, 4)), rng.normal(size=(300, 3))
    other[:, 0] += values[:, 0]
    one, two = CCA(3, max_iter=5000, tol=1e-10).fit(values, other).transform(values, other)
    squared = [np.corrcoef(one[:, place], two[:, place])[0, 1] ** 2 for place in range(3)]
    found = correlate([whiten(values, 1.0), whiten(other, 1.0)], adjust=False)
    assert found[0, 1] == pytest.approx(np.mean(squared), abs=1e-4)


def test_components_are_as_many_as_the_variance_and_the_clips_allow():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(100, 30)) * np.r_[10, 5, np.full(28, 0.01)]
    assert whiten(values, 0.95).shape[1] == 2
    assert whiten(rng.normal(size=(100, 500)), 0.99).shape[1] == 20
    assert whiten(np.ones((9, 3)), 0.9).shape == (9, 1)


def test_usual_cka_is_its_formula_over_features():
    rng = np.random.default_rng(3)
    values, other = rng.normal(size=(50, 7)), rng.normal(size=(50, 5))
    one, two = values - values.mean(0), other - other.mean(0)
    expected = (np.linalg.norm(one.T @ two) ** 2) / (np.linalg.norm(one.T @ one) * np.linalg.norm(two.T @ two))
    assert measure(values, other)["cka"] == pytest.approx(expected, rel=1e-4)


def test_unbiased_hsic_is_its_formula():
    rng = np.random.default_rng(4)
    kernels = [multiply(rng.normal(size=(12, dims))) for dims in (3, 30)]
    n, ones = 12, np.ones(12)
    first, second = (kernel - np.diag(np.diag(kernel)) for kernel in kernels)
    expected = (
        np.trace(first @ second)
        + (ones @ first @ ones) * (ones @ second @ ones) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * ones @ first @ second @ ones
    ) / (n * (n - 3))
    assert unbiased(kernels)[0, 1] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert not centre_unbiased(kernels[0]).sum(0).round(9).any()


def test_rsa_is_spearmans_correlation_of_distances():
    rng = np.random.default_rng(5)
    values, other = rng.normal(size=(30, 4)), rng.normal(size=(30, 6))
    other[:, :3] += 2 * values[:, :3]
    ranks = [rank_distances(find_distances(multiply(each))) for each in (values, other)]
    assert ranks[0] @ ranks[1] == pytest.approx(spearmanr(pdist(values), pdist(other)).statistic, abs=1e-4)


def test_inner_products_of_folded_matrices_are_those_of_the_matrices():
    rng = np.random.default_rng(6)
    one, two = (each + each.T for each in rng.normal(size=(2, 9, 9)))
    assert fold(one) @ fold(two) == pytest.approx((one * two).sum(), rel=1e-5)


def test_the_width_of_the_radial_kernel_follows_the_data():
    values = np.random.default_rng(7).normal(size=(20, 3))
    one, two = (spread_radially(find_distances(scale * values @ values.T)) for scale in (1.0, 1e6))
    np.testing.assert_allclose(one, two)


def test_a_constant_representation_has_no_cka():
    values = np.random.default_rng(8).normal(size=(20, 3))
    found = measure(values, np.full((20, 2), 7.0))
    assert np.isnan(found["cka"]) and np.isnan(found["cka_debiased"])
    assert np.isnan(normalise(np.zeros((2, 2)))).all()
