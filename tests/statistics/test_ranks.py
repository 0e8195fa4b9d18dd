"""Friedman, Nemenyi, Wilcoxon and the groups of the critical-difference diagram against R, scipy and by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from reference_tools import close, read_data, read_expected
from scipy import stats

from ser.errors import InputError
from ser.statistics import ranks

EXACT, RANGE = 1e-7, 1e-4


@pytest.fixture(scope="module")
def expected():
    return read_expected("many_datasets")


@pytest.fixture(scope="module")
def result(expected):
    return ranks.analyse_ranks(read_data("many_datasets"), expected["models"])


def test_omnibus_equals_r(result, expected):
    got = result.omnibus
    want = expected["friedman"]
    assert close(got.chisq, want["chisq"], EXACT)
    assert got.df == want["df"]
    assert close(got.p, want["p"], EXACT)
    want = expected["iman_davenport"]
    assert (got.df1, got.df2) == (want["df1"], want["df2"])
    assert close(got.F, want["F"], EXACT)
    assert close(got.p_F, want["p"], EXACT)
    assert close(got.kendall_w, expected["kendall_w"], EXACT)
    assert result.n_datasets == expected["n_datasets"]
    assert all(close(result.mean_rank[model], value, EXACT) for model, value in expected["mean_rank"].items())


def test_nemenyi_equals_r(result, expected):
    want = expected["nemenyi"]
    assert close(result.cd_05, want["cd_05"], RANGE)
    assert close(result.cd_10, want["cd_10"], RANGE)
    for got, pair in zip(result.nemenyi, want["pairs"], strict=True):
        assert (got.a, got.b) == (pair["a"], pair["b"])
        assert close(got.difference, pair["diff"], EXACT, 1e-12)
        assert close(got.p, pair["p"], RANGE)


def test_wilcoxon_equals_r(result, expected):
    for got, want in zip(result.wilcoxon, expected["wilcoxon"], strict=True):
        assert (got.a, got.b, got.V, got.exact) == (want["a"], want["b"], want["V"], want["exact"])
        # With ties R's normal approximation is followed, so that these p agree as well.
        assert close(got.p, want["p"], EXACT)
        assert close(got.p_holm, want["p_holm"], EXACT)
        assert close(got.t_p, want["t_p"], EXACT)


def test_groups_follow_holm(result):
    order = sorted(result.mean_rank, key=result.mean_rank.get)
    assert order[0] == "wavlm"
    assert {(test.a, test.b) for test in result.wilcoxon if test.different} == {("cnn", "wavlm"), ("cnn", "whisper")}
    assert result.groups == [["wavlm", "wav2vec2", "whisper", "hubert"], ["wav2vec2", "hubert", "cnn"]]


def test_groups_of_nobody_and_everybody():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 3)), columns=list("abc"))
    assert [sorted(group) for group in ranks.analyse_ranks(table, list("abc")).groups] == [["a", "b", "c"]]
    apart = table * 0.01 + [0, 1, 2]
    got = ranks.analyse_ranks(apart, list("abc"))
    assert got.groups == []
    assert got.omnibus.kendall_w == pytest.approx(1)
    assert np.isinf(got.omnibus.F)
    assert got.omnibus.p_F == 0
    assert got.mean_rank == {"c": 1, "b": 2, "a": 3}
    assert ranks.analyse_ranks(apart, list("abc"), higher_is_better=False).mean_rank["a"] == 1
    json.dumps(got.describe(), allow_nan=False)


def test_friedman_with_ties_equals_scipy():
    scores = np.random.default_rng(1).integers(0, 4, (9, 4)).astype(float)
    got = ranks.test_ranks(stats.rankdata(-scores, axis=1))
    want = stats.friedmanchisquare(*scores.T)
    assert got.chisq == pytest.approx(want.statistic)
    assert got.p == pytest.approx(want.pvalue)
    assert ranks.test_ranks(np.full((5, 3), 2.0)).p == 1.0


def test_wilcoxon_is_exact_on_small_cases():
    rng = np.random.default_rng(2)
    for size in (5, 9, 16):
        values = rng.normal(0.3, 1, size)
        got = ranks.test_signed_ranks(values)
        assert got.exact
        assert got.p == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, rel=1e-12)
        other = ranks.test_signed_ranks(-values)
        assert (other.p, other.rank_biserial) == pytest.approx((got.p, -got.rank_biserial))
        assert np.sign(got.rank_biserial) == np.sign(got.V - size * (size + 1) / 4)
    assert ranks.test_signed_ranks(np.arange(1, 7)).p == 2.0**-5


def test_zeros_are_dropped_and_ties_take_the_normal_distribution():
    got = ranks.test_signed_ranks([0.0, 1.0, -2.0, 3.0, 4.0])
    assert (got.n_used, got.exact, got.V) == (4, False, 8)
    # By hand: V = 8 of mean 5, continuity 0.5, variance n (n + 1) (2n + 1) / 24 of n = 4.
    assert got.p == pytest.approx(2 * stats.norm.sf(2.5 / np.sqrt(7.5)))
    assert ranks.test_signed_ranks(np.zeros(4)).p == 1.0


def test_many_datasets_use_the_normal_distribution():
    values = np.random.default_rng(3).normal(0.1, 1, 60)
    got = ranks.test_signed_ranks(values)
    assert not got.exact
    assert got.p == pytest.approx(stats.wilcoxon(values, correction=True, method="asymptotic").pvalue)


def test_few_datasets_are_flagged():
    table = pd.DataFrame(np.random.default_rng(4).normal(size=(4, 3)), columns=list("abc"))
    notes = ranks.analyse_ranks(table, list("abc")).notes
    assert "too few" in notes[0]
    assert "no single pair can reach 0.05" in notes[1]


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="no score"):
        ranks.analyse_ranks(pd.DataFrame({"a": [1, np.nan], "b": [1, 2]}), ["a", "b"])
    with pytest.raises(InputError, match="two or more"):
        ranks.analyse_ranks(pd.DataFrame({"a": [1, 2]}), ["a"])
