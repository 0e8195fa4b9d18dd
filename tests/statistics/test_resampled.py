"""Nadeau–Bengio against R and by hand."""

import json

import numpy as np
import pytest
from reference_tools import close, read_data, read_expected
from scipy import stats

from ser.errors import InputError
from ser.statistics import resampled

EXACT = 1e-7


def test_cv_scores_equal_r():
    table, want = read_data("cv_scores"), read_expected("cv_scores")
    ratio = resampled.find_ratio(folds=10)
    got = resampled.compare_resampled(table["model_b"], table["model_a"], ratio, table["rep"], ("model_b", "model_a"))
    assert close(got.test_train_ratio, want["test_train_ratio"], EXACT)
    assert got.n == want["n"]
    assert close(got.mean_difference, want["mean_diff"], EXACT)
    assert close(got.variance, want["var_diff"], EXACT)
    for test, key in (
        (got.corrected, "nadeau_bengio"),
        (got.naive, "naive_paired_t"),
        (got.by_repetition, "mean_by_rep_t"),
    ):
        assert all(close(getattr(test, name), want[key][name], EXACT) for name in ("t", "df", "p"))
    assert np.allclose(got.corrected.ci, want["nadeau_bengio"]["ci95"], rtol=EXACT)
    assert resampled.find_ratio(test_share=0.1) == pytest.approx(ratio)


def test_exchanging_models_changes_the_sign_only():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.05, (2, 20))
    one, two = resampled.compare_resampled(a, b, 0.25), resampled.compare_resampled(b, a, 0.25)
    assert one.corrected.t == -two.corrected.t
    assert one.corrected.p == two.corrected.p
    assert np.sign(one.corrected.t) == np.sign(one.mean_difference)
    scaled = resampled.compare_resampled(100 * a, 100 * b, 0.25)
    assert scaled.corrected.p == pytest.approx(one.corrected.p)
    assert one.naive.t == pytest.approx(stats.ttest_rel(a, b).statistic)
    assert abs(one.corrected.t) < abs(one.naive.t)


def test_no_spread_means_no_test():
    got = resampled.compare_resampled(np.full(5, 0.8), np.full(5, 0.7), 0.25)
    assert np.isnan(got.corrected.p)
    assert "no test" in got.notes[-1]
    assert json.loads(json.dumps(got.describe(), allow_nan=False))["corrected"]["t"] is None


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="ratio"):
        resampled.compare_resampled([0.1, 0.2], [0.3, 0.1], 0)
    with pytest.raises(InputError, match="without gaps"):
        resampled.compare_resampled([0.1, np.nan], [0.3, 0.1], 0.1)
    with pytest.raises(InputError, match="ratio"):
        resampled.find_ratio(folds=1)
