"""One solve for all targets, penalties and folds says what a loop of grid searches says."""

import numpy as np
import pytest
from probing_tools import make_toy
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser.explainer.probing.controls import score_pooled
from ser.explainer.probing.ridge import ALPHAS, Solver, decompose, turn


@pytest.mark.parametrize("dims", [5, 40, 300])
def test_it_is_a_grid_search_for_each_target(dims):
    toy = make_toy(dims=dims, speakers=8, targets=4, noise=1.5)
    values = toy.values * np.geomspace(0.01, 100, dims) + 7
    for division in toy.divisions[:2]:
        solution = Solver(values, division).solve(toy.targets)
        places = {row: place for place, row in enumerate(division.train)}
        inner = [tuple(np.array([places[row] for row in rows]) for rows in pair) for pair in division.inner]
        for column, target in enumerate(toy.targets.T):
            search = GridSearchCV(
                make_pipeline(StandardScaler(), Ridge()),
                {"ridge__alpha": list(ALPHAS)},
                scoring="neg_mean_squared_error",
                cv=inner,
            )
            search.fit(values[division.train], target[division.train])
            assert solution.alphas[column] == search.best_params_["ridge__alpha"]
            np.testing.assert_allclose(
                solution.predicted[:, column], search.predict(values[division.test]), atol=1e-6 * target.std()
            )


@pytest.mark.parametrize("dims", [4, 100])
def test_weights_are_those_of_scikit_learn(dims):
    toy = make_toy(dims=dims)
    basis = decompose(toy.values)
    turned, _ = turn(basis, toy.targets)
    weights = basis.find_weights(turned, np.array([1.0, 10.0, 1000.0]))
    scaled = StandardScaler().fit_transform(toy.values)
    for column, alpha in enumerate((1.0, 10.0, 1000.0)):
        np.testing.assert_allclose(
            weights[:, column], Ridge(alpha).fit(scaled, toy.targets[:, column]).coef_, atol=1e-9
        )


def test_a_constant_dimension_does_no_harm():
    toy = make_toy()
    before = Solver(toy.values, toy.divisions[0]).solve(toy.targets).predicted
    padded = np.concatenate([toy.values, np.full((len(toy.values), 2), 3.7)], axis=1)
    np.testing.assert_allclose(Solver(padded, toy.divisions[0]).solve(toy.targets).predicted, before, atol=1e-9)


def test_test_targets_are_not_looked_at():
    toy = make_toy()
    solver, changed = Solver(toy.values, toy.divisions[0]), toy.targets.copy()
    changed[toy.divisions[0].test] = 99
    np.testing.assert_array_equal(solver.solve(changed).predicted, solver.solve(toy.targets).predicted)


def test_a_planted_target_is_recovered_and_noise_is_not():
    toy = make_toy(speakers=12, takes=10, noise=0.3)
    solvers = [Solver(toy.values, division) for division in toy.divisions]
    best = 1 - 0.3**2 / (1 + 0.3**2)
    np.testing.assert_allclose(score_pooled(solvers, toy.targets), best, atol=0.06)
    noise = np.random.default_rng(5).normal(size=(len(toy.values), 200))
    assert -0.05 < score_pooled(solvers, noise).mean() < 0.005


def test_a_broken_measurement_does_not_decide():
    toy = make_toy(speakers=12, takes=10)
    broken = toy.values.copy()
    broken[17, 2] = 500.0
    before, after = (score_pooled([Solver(v, d) for d in toy.divisions], toy.targets) for v in (toy.values, broken))
    assert (after > before - 0.25).all() and (after > 0.6).all()
