"""Measures of overlap on distributions whose overlap is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ser.explainer.overlap.measures import (
    average_others,
    average_own,
    find_coefficients,
    find_distances,
    find_intensities,
    intersect,
    pick_neighbours,
    shrink,
)
from ser.explainer.overlap.space import Space

NUMBERS = st.floats(-50, 50)
CLASSES, AXES = 4, 3
MEANS = arrays(float, (CLASSES, AXES), elements=NUMBERS)
WIDTHS = arrays(float, (CLASSES, AXES), elements=st.floats(0.01, 20))


@settings(max_examples=80, deadline=None)
@given(MEANS, WIDTHS, st.floats(0.01, 100), arrays(float, AXES, elements=NUMBERS))
def test_products_of_intervals(means, widths, scale, move):
    found = intersect(means, widths)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(intersect(scale * means + move, scale * widths), found, atol=1e-6)
    np.testing.assert_allclose(intersect(means[:, ::-1], widths[:, ::-1]), found, atol=1e-12)


def test_intervals_by_hand():
    means, widths = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), np.ones((2, 3))
    widths[1, 1] = 0.5
    # [-2, 2] and [0, 4] share 2 of 6; [-2, 2] holds [-1, 1], 2 of 4; the third are the same.
    assert intersect(means, widths)[0, 1] == pytest.approx(2 / 6 * 2 / 4)
    assert intersect(means + 9 * np.eye(2, 3, -1), widths)[0, 1] == 0
    assert np.isnan(intersect(np.array([[0.0] * 3, [np.nan] * 3]), widths)[0, 1])


def make_gaussians(rng, dims):
    means, roots = rng.normal(size=(2, dims)), rng.normal(size=(2, dims, dims))
    return means, roots @ roots.transpose(0, 2, 1) / dims + 0.5 * np.eye(dims)


def test_coefficients_are_those_of_the_formula():
    means, covariances = make_gaussians(np.random.default_rng(0), 4)
    middle, apart = covariances.mean(0), means[0] - means[1]
    distance = apart @ np.linalg.inv(middle) @ apart / 8
    distance += np.log(np.linalg.det(middle) / np.sqrt(np.prod(np.linalg.det(covariances)))) / 2
    found = find_coefficients(means, covariances)
    assert found[0, 1] == found[1, 0] == pytest.approx(np.exp(-distance))
    np.testing.assert_allclose(np.diag(found), 1)


def test_coefficients_are_the_integral_of_the_densities():
    from scipy.stats import norm

    grid = np.linspace(-30, 30, 20001)
    densities = norm.pdf(grid, 0, 1), norm.pdf(grid, 1.5, 2.5)
    expected = np.sqrt(densities[0] * densities[1]).sum() * (grid[1] - grid[0])
    found = find_coefficients(np.array([[0.0], [1.5]]), np.array([[[1.0]], [[6.25]]]))
    assert found[0, 1] == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_coefficients_do_not_change_under_invertible_maps(seed, dims):
    rng = np.random.default_rng(seed)
    means, covariances = make_gaussians(rng, dims)
    matrix = rng.normal(size=(dims, dims)) + 2 * np.eye(dims)
    if np.linalg.cond(matrix) > 1e3:
        return
    found = find_coefficients(means @ matrix.T, matrix @ covariances @ matrix.T)
    np.testing.assert_allclose(found, find_coefficients(means, covariances), atol=1e-6)


def test_estimated_coefficients_approach_the_true_ones():
    rng = np.random.default_rng(2)
    means, covariances = make_gaussians(rng, 5)
    clouds = [rng.multivariate_normal(*pair, size=3000) for pair in zip(means, covariances, strict=True)]
    values, classes = np.concatenate(clouds), np.repeat([0, 1], 3000)
    own = np.stack([np.cov(cloud.T, bias=True) for cloud in clouds])
    shrunk = shrink(own, find_intensities(values, classes, 2))
    found = find_coefficients(np.stack([cloud.mean(0) for cloud in clouds]), shrunk)
    assert found[0, 1] == pytest.approx(find_coefficients(means, covariances)[0, 1], abs=0.02)


def test_shrinking_is_that_of_scikit_learn():
    from sklearn.covariance import ledoit_wolf

    values = np.random.default_rng(3).normal(size=(15, 8)) * np.arange(1, 9)
    expected, intensity = ledoit_wolf(values)
    found = shrink(np.cov(values.T, bias=True)[None], find_intensities(values, np.zeros(15, dtype=int), 1))
    np.testing.assert_allclose(found[0], expected)
    assert 0 < intensity < 1


def test_classes_of_two_clips_or_of_one_point_have_coefficients():
    values = np.random.default_rng(9).normal(size=(6, 8))
    values[2:4] = values[2]
    classes = np.repeat([0, 1, 2], 2)
    own = np.stack([np.cov(values[classes == number].T, bias=True) for number in range(3)])
    means = np.stack([values[classes == number].mean(0) for number in range(3)])
    found = find_coefficients(means, shrink(own, find_intensities(values, classes, 3)))
    assert np.isfinite(found).all() and (found <= 1).all()


def test_an_unknown_class_overlaps_with_none():
    means, covariances = make_gaussians(np.random.default_rng(4), 3)
    means[1], covariances[1] = np.nan, np.nan
    found = find_coefficients(means, covariances)
    assert found[0, 0] == 1 and np.isnan(found[[0, 1, 1], [1, 0, 1]]).all()
    assert np.isnan(average_others(found)) and average_own(found) == 1


def test_neighbours_are_other_speakers_nearest():
    rng = np.random.default_rng(5)
    values, speakers = rng.normal(size=(40, 6)), np.arange(40) % 4
    found = pick_neighbours(find_distances(values, speakers), 3)
    for row in range(40):
        others = np.flatnonzero(speakers != speakers[row])
        expected = others[np.argsort(((values[others] - values[row]) ** 2).sum(1))[:3]]
        assert found[row].tolist() == expected.tolist()


def test_a_lone_speaker_has_his_own_neighbours():
    values = np.random.default_rng(6).normal(size=(10, 2))
    found = pick_neighbours(find_distances(values, np.zeros(10, dtype=int)), 50)
    assert found.shape == (10, 9) and not (found == np.arange(10)[:, None]).any()


def test_a_space_has_distinct_components_of_the_fitting_clips():
    rng = np.random.default_rng(7)
    values = rng.normal(size=(60, 20)) @ rng.normal(size=(20, 20)) + 5
    space = Space.fit(values, 3)
    np.testing.assert_allclose(space.axes.T @ space.axes, np.eye(3), atol=1e-9)
    scores = space.turn(values)
    np.testing.assert_allclose(np.corrcoef(scores.T), np.eye(3), atol=0.02)  # what is clipped is little
    assert (np.diff(space.widths) < 0).all() and space.shares.sum() < 1
    low = Space.fit(np.outer(rng.normal(size=30), np.ones(4)), 3)
    assert low.axes.shape == (4, 1)


def test_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    values = np.random.default_rng(8).normal(size=(50, 12)) * np.geomspace(1, 9, 12)
    scaled = (values - values.mean(0)) / values.std(0)
    space, found = Space.fit(values, 3), PCA(3).fit(scaled)
    np.testing.assert_allclose(np.abs((space.axes * found.components_.T).sum(0)), 1, atol=1e-6)
    np.testing.assert_allclose(space.shares, found.explained_variance_ratio_, atol=1e-9)
