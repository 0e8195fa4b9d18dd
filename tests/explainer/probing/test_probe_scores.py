"""Scores of probes, their intervals, what is left within class and speaker, and permuted targets."""

import numpy as np
from probing_tools import make_toy
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from ser.explainer.probing.controls import make_identities, permute_targets, score_pooled
from ser.explainer.probing.curves import make_tested
from ser.explainer.probing.residuals import Residualiser, permute_within
from ser.explainer.probing.ridge import Solver
from ser.explainer.probing.scores import HeldOut, compare, find_max_t, find_r2, score, sum_moments


def test_scores_are_the_textbook_ones():
    rng = np.random.default_rng(0)
    true, rows = rng.normal(size=(60, 2)), np.arange(60)
    predicted = true + rng.normal(size=(60, 2))
    found = score(HeldOut(rows, true - true.mean(0), predicted - true.mean(0)), rows % 6)
    np.testing.assert_allclose(found.r2, [r2_score(true[:, c], predicted[:, c]) for c in (0, 1)])
    np.testing.assert_allclose(found.r, [stats.pearsonr(true[:, c], predicted[:, c])[0] for c in (0, 1)])
    np.testing.assert_allclose(found.rmse, np.sqrt(((true - predicted) ** 2).mean(0)))
    assert (found.r2_interval[0] < found.r2).all() and (found.r2 < found.r2_interval[1]).all()


def test_predicting_the_training_mean_scores_nothing():
    toy = make_toy()
    parts = []
    for division in toy.divisions:
        true = toy.targets[division.test] - toy.targets[division.train].mean(0)
        parts.append(HeldOut(division.test, true, np.zeros_like(true)))
    found = score(HeldOut.join(parts), toy.speakers)
    np.testing.assert_allclose(found.r2, 0, atol=1e-12)
    np.testing.assert_allclose(found.r, 0)


def test_a_probe_compared_with_itself_gains_nothing():
    toy = make_toy()
    tested = HeldOut.join(
        [make_tested(s, s.solve(toy.targets), toy.targets) for s in (Solver(toy.values, d) for d in toy.divisions)]
    )
    gain, limits = compare(tested, tested, toy.speakers)
    assert not gain.any() and not limits.any()
    assert find_r2(sum_moments(tested, toy.speakers).sum(0)).shape == (3,)


def test_residuals_are_those_of_least_squares_on_class_and_speaker():
    toy = make_toy()
    rows = toy.divisions[0].train
    found = Residualiser(toy.classes, toy.speakers)(toy.targets, rows)[rows]
    dummies = np.concatenate([np.eye(3)[toy.classes[rows]], np.eye(8)[toy.speakers[rows]]], axis=1)
    expected = toy.targets[rows] - LinearRegression().fit(dummies, toy.targets[rows]).predict(dummies)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_only_follows_class_and_speaker_is_not_there_within_both():
    toy = make_toy(takes=12, label=2.0)
    rng = np.random.default_rng(3)
    target = (toy.classes * 2.0 + rng.normal(size=8)[toy.speakers] + 0.3 * rng.normal(size=len(toy.classes)))[:, None]
    whole = score_pooled([Solver(toy.values, d) for d in toy.divisions], target)
    adjust = Residualiser(toy.classes, toy.speakers)
    within = score_pooled([Solver(toy.values, d, adjust=adjust) for d in toy.divisions], target)
    assert whole[0] > 0.3 and abs(within[0]) < 0.05
    planted = score_pooled([Solver(toy.values, d, adjust=adjust) for d in toy.divisions], toy.targets)
    assert planted.min() > 0.7


def test_permutations_stay_within_groups_and_are_all_alike():
    groups = np.array([2, 0, 1, 0, 2, 1, 0, 2])
    rng, seen = np.random.default_rng(0), set()
    for _ in range(300):
        order = permute_within(groups, rng)
        assert sorted(order) == list(range(8)) and (groups[order] == groups).all()
        seen.add(tuple(order))
    assert len(seen) == 6 * 2 * 6


def test_permuted_targets_score_what_the_class_alone_does():
    toy = make_toy(takes=10, label=3.0)
    solvers = [Solver(toy.values, division) for division in toy.divisions]
    targets = np.column_stack([toy.targets[:, 0], toy.classes + 0.0])
    null = permute_targets(solvers, targets, toy.cells, 40, 0)
    assert null.shape == (40, 2)
    assert abs(null[:, 0].mean()) < 0.08  # nothing is left of what dimensions said
    assert (null[:, 1] > 0.6).all()  # the class stays
    z, alone, family = find_max_t(score_pooled(solvers, targets), null)
    assert z[0] > 10 and alone[0] == family[0] == 1 / 41


def test_max_t_keeps_its_level_in_a_family():
    rng = np.random.default_rng(1)
    hits = [find_max_t(rng.normal(size=30), rng.normal(size=(99, 30)))[2].min() <= 0.05 for _ in range(300)]
    assert 0.02 < np.mean(hits) < 0.09


def test_identity_controls_have_the_targets_distribution():
    toy = make_toy()
    made = make_identities(toy.targets, toy.speakers, toy.classes, 0, draws=2)
    assert made.shape == (len(toy.targets), 6)
    np.testing.assert_array_equal(np.sort(made[:, :3], axis=0), np.sort(toy.targets, axis=0))
