"""Permutation tests: exact in a small design, blocks kept together, nothing but the data decides."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from reference_tools import read_data
from test_anova import build_grid

from ser.statistics import anova
from ser.statistics.linear import find_hypothesis
from ser.statistics.permutation import permute_terms


def permute(fit, kind=2, draws=1999, seed=0, strata=None):
    hypotheses = {term: find_hypothesis(fit, term, kind) for term in fit.columns}
    return permute_terms(fit.design, fit.observed, hypotheses, fit.strata if strata is None else strata, draws, seed)


def test_two_groups_approach_the_exact_p():
    scores = np.array([0.1, 0.4, 0.35, 0.9, 0.8, 1.3, 0.2])
    groups = np.array(list("aaabbbb"))
    gap = lambda y: abs(y[groups == "a"].mean() - y[groups == "b"].mean())  # noqa: E731
    exact = np.mean([gap(np.array(order)) >= gap(scores) - 1e-12 for order in permutations(scores)])
    fit = anova.fit_ols(pd.DataFrame({"g": groups, "y": scores}), "y", ["g"])
    assert permute(fit, draws=20000)["g"] == pytest.approx(exact, abs=0.01)


def test_within_blocks_approaches_the_exact_p_of_sign_flips():
    """Two conditions in every block: shuffling within blocks flips the signs of the differences."""
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=6), rng.normal(size=6) + 1
    table = pd.DataFrame({"g": ["a"] * 6 + ["b"] * 6, "block": list(range(6)) * 2, "y": np.r_[first, second]})
    fit = anova.fit_ols(table, "y", ["g"], blocks=["block"])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    means = signs @ (second - first)
    exact = np.mean(np.abs(means) >= abs((second - first).sum()) - 1e-12)
    p = permute(fit, draws=20000)
    assert p["g"] == pytest.approx(exact, abs=0.01)
    assert np.isnan(p["block"])


def test_agrees_with_the_f_test_where_errors_are_normal():
    fit = anova.fit_ols(read_data("runs_unbalanced"), "uar", ["arch", "pft", "aug"], interactions=3)
    for kind in (2, 3):
        p = permute(fit, kind, draws=4000)
        for row in anova.test_terms(fit, kind):
            assert p[row["term"]] == pytest.approx(row["p"], abs=0.03)


def test_no_larger_rate_of_false_positives_than_asked_for():
    rng = np.random.default_rng(11)
    table, factors = build_grid((2, 2), rows=4)
    rejected = 0
    for seed in range(200):
        # A main effect is there, the interaction is not; errors are far from normal.
        y = 3.0 * (table["a"] == "a1") + rng.exponential(size=len(table))
        fit = anova.fit_ols(table.assign(y=y), "y", factors, interactions=2)
        rows = {"a:b": find_hypothesis(fit, "a:b")}
        rejected += permute_terms(fit.design, fit.observed, rows, None, 199, seed)["a:b"] <= 0.05
    assert rejected <= 20


def test_seed_row_order_and_scale():
    table = read_data("runs_unbalanced")
    fit = anova.fit_ols(table, "uar", ["arch", "pft"])
    p = permute(fit, draws=500)
    assert permute(fit, draws=500) == p
    assert permute(fit, draws=500, seed=1) != p
    shuffled = table.sample(frac=1, random_state=1).assign(uar=lambda rows: rows["uar"] * 100)
    assert permute(anova.fit_ols(shuffled, "uar", ["arch", "pft"]), draws=500) == p
    renamed = table.assign(arch=table["arch"].map({"cnn": "z", "hubert": "y", "wav2vec2": "x"}))
    assert permute(anova.fit_ols(renamed, "uar", ["arch", "pft"]), draws=500) == p


def test_smallest_p_and_batches(monkeypatch):
    table, factors = build_grid((2, 2), rows=6)
    fit = anova.fit_ols(table.assign(y=table["y"] + 100 * (table["a"] == "a0")), "y", factors)
    p = permute(fit, draws=999)
    assert p["a"] == 1 / 1000
    monkeypatch.setattr("ser.statistics.permutation.BATCH", 24 * 100)
    assert permute(fit, draws=999) == p


def test_blocks_as_names():
    table, factors = build_grid((2, 2), rows=6)
    table = table.assign(seed=[f"s{place % 6}" for place in range(len(table))])
    fit = anova.fit_ols(table, "y", factors, blocks=["seed"])
    assert permute(fit, draws=300, strata=table["seed"].to_numpy()) == pytest.approx(
        permute(fit, draws=300), nan_ok=True
    )
