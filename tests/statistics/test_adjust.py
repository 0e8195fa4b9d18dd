import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_tools import read_expected
from scipy import stats

from ser.errors import InputError
from ser.statistics import adjust

SHARES = st.lists(st.floats(1e-12, 1), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("method", "key"),
    [("holm", "holm"), ("hochberg", "hochberg"), ("bonferroni", "bonferroni"), ("bh", "BH"), ("by", "BY")],
)
def test_adjusted_p_equal_r(method, key):
    expected = read_expected("multiplicity_power")
    np.testing.assert_allclose(adjust.adjust_p(expected["p"], method), expected["adjusted"][key], rtol=1e-7)


@settings(max_examples=40, deadline=None)
@given(SHARES, st.sampled_from(["holm", "hochberg", "bonferroni", "bh", "by", "sidak"]))
def test_adjusted_p_keep_their_order_and_never_shrink(p, method):
    p = np.array(p)
    adjusted = adjust.adjust_p(p, method)
    assert (adjusted >= p * (1 - 1e-12)).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= -1e-12).all()
    np.testing.assert_allclose(adjust.adjust_p(p[::-1], method), adjusted[::-1], rtol=1e-9)


def test_unknown_tests_are_no_part_of_the_family():
    np.testing.assert_allclose(adjust.adjust_p([0.01, np.nan, 0.02], "holm"), [0.02, np.nan, 0.02])
    np.testing.assert_allclose(adjust.adjust_p([0.01, np.nan, 0.02], "holm", 3), [0.03, np.nan, 0.04])
    with pytest.raises(InputError, match="unknown adjustment"):
        adjust.adjust_p([0.1], "fdr2")


@pytest.mark.parametrize("df", [7.3, 60.0, np.inf])
def test_two_means_need_no_adjustment(df):
    stat, one = np.array([2.1, -0.3]), np.array([df, df])
    np.testing.assert_allclose(adjust.adjust_tukey(stat, one, 2), 2 * stats.t.sf(np.abs(stat), df), rtol=1e-4)
    critical = adjust.find_critical("tukey", one, 0.95, 2, 1, np.eye(2))
    np.testing.assert_allclose(critical, stats.t.ppf(0.975, df), rtol=1e-5)


@pytest.mark.parametrize("means", [2, 3, 7, 20])
@pytest.mark.parametrize("df", [1.5, 6.0, 48.0, 4000.0, np.inf])
def test_studentized_range_equals_scipy(means, df):
    for value in (0.4, 2.0, 4.5):
        wanted = stats.studentized_range.sf(value, means, df)
        np.testing.assert_allclose(adjust.exceed_range(value, means, df), wanted, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        adjust.exceed_range(30.0, 2, df), 2 * stats.t.sf(30 / np.sqrt(2), df), rtol=1e-6, atol=1e-20
    )


def test_dunnett_equals_scipy():
    rng = np.random.default_rng(3)
    control, *others = samples = [rng.normal(shift, 1, 9) for shift in (0, 0.4, 1.0, 1.9)]
    pooled = np.sqrt(np.mean([sample.var(ddof=1) for sample in samples]))
    stat = np.array([(other.mean() - control.mean()) / (pooled * np.sqrt(2 / 9)) for other in others])
    correlation = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    p = adjust.adjust_dunnett(stat, np.full(3, 32.0), correlation)
    wanted = stats.dunnett(*others, control=control, rng=np.random.default_rng(1)).pvalue
    np.testing.assert_allclose(p, wanted, atol=3e-4)
    # Dunnett's table: two-sided 5 % point for 3 comparisons on 30 degrees of freedom.
    np.testing.assert_allclose(
        adjust.find_critical("dunnett", np.full(3, 30.0), 0.95, 4, 3, correlation), 2.47, atol=0.01
    )


def test_dunnett_of_z_and_of_one_comparison():
    correlation = np.full((2, 2), 0.5) + 0.5 * np.eye(2)
    p = adjust.adjust_dunnett(np.array([2.212, 0.1]), np.full(2, np.inf), correlation)
    assert abs(p[0] - 0.05) < 2e-4 and p[1] < 1
    np.testing.assert_allclose(adjust.adjust_dunnett(np.array([2.0]), np.array([9.0]), np.eye(1)), 2 * stats.t.sf(2, 9))


@pytest.mark.parametrize("method", ["bonferroni", "sidak", "dunnett", "tukey"])
def test_intervals_agree_with_p(method):
    df, means = np.full(3, 17.0), 3
    correlation = np.array([[1, 0.5, -0.5], [0.5, 1, 0.5], [-0.5, 0.5, 1]])
    critical = adjust.find_critical(method, df, 0.95, means, 3, correlation)
    p = adjust.adjust_family(method, critical, df, 2 * stats.t.sf(critical, df), means, correlation)
    np.testing.assert_allclose(p, 0.05, atol=5e-4)
