"""Minibatches say what all clips together say, where they should."""

from itertools import combinations

import numpy as np
import pytest

from ser.explainer.layers.accumulate import Similarities, cut_batches, unbiased
from ser.explainer.layers.similarity import multiply


def make_pair(count, seed=0, shared=6):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 60))
    other = rng.normal(size=(count, 80))
    other[:, :shared] += 2 * values[:, :shared]
    return [values, other]


def measure(pair, size, seed=0, groups=None):
    found = Similarities(2, 0.95, 1 if groups is None else groups.max() + 1)
    groups = np.zeros(len(pair[0]), dtype=int) if groups is None else groups
    for rows in cut_batches(len(pair[0]), size, np.random.default_rng(seed)):
        found.add([each[rows] for each in pair], groups[rows])
    return found


def test_the_mean_over_all_minibatches_is_the_whole():
    kernels = [each @ each.T for each in make_pair(9)]
    batches = [
        unbiased([kernel[np.ix_(rows, rows)] for kernel in kernels]) for rows in map(list, combinations(range(9), 5))
    ]
    np.testing.assert_allclose(np.mean(batches, axis=0), unbiased(kernels), rtol=2e-4, atol=1e-3)


def test_one_batch_is_the_whole():
    pair = make_pair(120)
    whole, parts = measure(pair, 120), measure(pair, 500)
    assert whole.batches == parts.batches == 1
    for name, matrix in whole.find().items():
        np.testing.assert_array_equal(matrix, parts.find()[name])


def test_debiased_cka_does_not_depend_on_the_size_of_the_batches():
    pair = make_pair(1200)
    whole = measure(pair, 1200).find()
    small = np.mean([measure(pair, 60, seed).find()["cka_debiased"][0, 1] for seed in range(3)])
    assert small == pytest.approx(whole["cka_debiased"][0, 1], abs=0.02)
    assert measure(pair, 60).find()["cka"][0, 1] > whole["cka"][0, 1] + 0.2
    assert measure(pair, 300).find()["rsa"][0, 1] == pytest.approx(whole["rsa"][0, 1], abs=0.05)


def test_batches_share_the_clips_out_evenly():
    found = cut_batches(1001, 250, np.random.default_rng(0))
    assert sorted(map(len, found)) == [200, 200, 200, 200, 201]
    assert sorted(np.concatenate(found)) == list(range(1001))
    assert cut_batches(0, 10, np.random.default_rng(0)) == []


def test_the_interval_is_the_jackknifes():
    pair, groups = make_pair(60, shared=20), np.arange(60) % 5
    found = measure(pair, 60, groups=groups)
    left = []
    for group in range(5):
        rows = np.flatnonzero(groups != group)
        products = unbiased([multiply(each)[np.ix_(rows, rows)] for each in pair])
        left.append(products[0, 1] / np.sqrt(products[0, 0] * products[1, 1]))
    error = np.sqrt(4 / 5 * ((left - np.mean(left)) ** 2).sum())
    low, high = found.find_limits()[:, 0, 1]
    assert (high - low) / 2 == pytest.approx(2.776 * error, rel=1e-3)
    assert low < found.find()["cka_debiased"][0, 1] < high


def test_intervals_of_one_group_are_unknown():
    assert np.isnan(measure(make_pair(30), 30).find_limits()).all()


def test_groups_left_out_over_batches_are_left_out_of_all():
    pair = make_pair(80)
    groups = np.repeat([0, 1], 40)  # a batch is a group, as a fold with one speaker is
    found = Similarities(2, 0.95, 2)
    for group in (0, 1):
        rows = np.flatnonzero(groups == group)
        found.add([each[rows] for each in pair], groups[rows])
    each = [measure([one[groups == group] for one in pair], 80).find()["cka_debiased"][0, 1] for group in (0, 1)]
    error = np.sqrt(1 / 2 * ((each - np.mean(each)) ** 2).sum())
    low, high = found.find_limits()[:, 0, 1]
    assert (high - low) / 2 == pytest.approx(12.706 * error, rel=1e-3)
