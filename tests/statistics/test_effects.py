import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_tools import close, read_data, read_expected
from scipy import stats

from ser.errors import InputError
from ser.statistics import effects


@pytest.mark.parametrize("name", ["toothgrowth", "warpbreaks", "runs_balanced", "runs_unbalanced"])
@pytest.mark.parametrize(("kind", "table"), [("effects_type2", "type2"), ("effects_type3", "type3_sum_contrasts")])
def test_effect_sizes_equal_effectsize(name, kind, table):
    expected = read_expected(f"{name}_anova")
    wanted = {row["term"]: row for row in expected[kind]}
    for row in expected[table]:
        if row["term"] not in wanted:
            continue
        want, F, df = wanted[row["term"]], row["F value"], row["Df"]
        eta = effects.compute_partial_eta(F, df, expected["df_resid"])
        assert close(eta.value, want["partial_eta2"], 1e-7, 1e-12)
        assert close(eta.low, want["partial_eta2_ci90_low"], 1e-6, 1e-7)
        # R searches the upper limit with an optimiser that stops up to 3e-4 short; the equation itself decides.
        assert close(eta.high, want["partial_eta2_ci90_high"], 0, 5e-4)
        high = eta.high / (1 - eta.high) * expected["df_resid"]
        assert eta.high == 0 or close(stats.ncf.cdf(F, df, expected["df_resid"], high), 0.05, 1e-6)
        omega = effects.compute_partial_omega(F, df, expected["df_resid"], expected["n"])
        assert close(omega.value, want["partial_omega2"], 1e-7, 1e-10)
        assert omega.low <= max(omega.value, 0) <= omega.high


def test_limits_of_eta():
    want = read_expected("multiplicity_power")["partial_eta2_from_F"]
    eta = effects.compute_partial_eta(want["F"], want["df1"], want["df2"])
    np.testing.assert_allclose(eta, [want["eta2p"], want["low90"], want["high90"]], rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.floats(-12, 12), st.floats(3, 500))
def test_noncentral_limits_solve_their_equation(stat, df):
    low, high = effects.find_noncentrality_t(stat, df)
    assert low < high
    np.testing.assert_allclose(stats.nct.cdf(stat, df, high), 0.025, atol=1e-5)
    np.testing.assert_allclose(stats.nct.cdf(stat, df, low), 0.975, atol=1e-5)


def test_d_and_g():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 2, 12), rng.normal(0, 2, 9)
    d, g = effects.compute_cohen_d(first, second), effects.compute_hedges_g(first, second)
    t = stats.ttest_ind(first, second).statistic
    np.testing.assert_allclose(d.value, t * np.sqrt(1 / 12 + 1 / 9))
    assert d.low < d.value < d.high
    np.testing.assert_allclose(g.value / d.value, 1 - 3 / (4 * 19 - 1), rtol=1e-3)
    back = effects.compute_cohen_d(second, first)
    np.testing.assert_allclose((back.value, back.low, back.high), (-d.value, -d.high, -d.low), rtol=1e-6)
    assert all(np.isnan(effects.standardize(0.1, 0.0, 5, 1.0)))
    with pytest.raises(InputError):
        effects.compute_cohen_d([1.0], [2.0])


def test_odds_ratio():
    ratio = effects.compute_odds_ratio(np.log(2), 0.1)
    np.testing.assert_allclose(ratio, [2, 2 * np.exp(-0.1959964), 2 * np.exp(0.1959964)], rtol=1e-7)


@pytest.mark.parametrize(
    ("estimate", "ci", "ci90", "verdict"),
    [
        (0.05, (0.03, 0.07), (0.033, 0.067), effects.SUPERIOR),
        (-0.05, (-0.07, -0.03), (-0.067, -0.033), effects.SUPERIOR),
        (0.01, (0.005, 0.015), (0.006, 0.014), effects.SMALL),
        (0.0, (-0.01, 0.01), (-0.008, 0.008), effects.EQUIVALENT),
        (0.015, (-0.01, 0.04), (-0.006, 0.036), effects.INCONCLUSIVE),
        (0.03, (0.01, 0.05), (0.013, 0.047), effects.INCONCLUSIVE),
        (np.nan, (np.nan, np.nan), (np.nan, np.nan), effects.INCONCLUSIVE),
    ],
)
def test_verdicts(estimate, ci, ci90, verdict):
    assert effects.classify_effect(estimate, ci, ci90, 0.02) == verdict
    with pytest.raises(InputError, match="smallest effect"):
        effects.classify_effect(estimate, ci, ci90, 0)


def test_equivalence_p_goes_with_the_90_percent_interval():
    half = stats.t.ppf(0.95, 20) * 0.005
    np.testing.assert_allclose(effects.compute_equivalence_p(0.02 - half, 0.005, 20, 0.02), 0.05, rtol=1e-6)


def test_reference_data_of_a_mean_difference():
    table = read_data("runs_unbalanced")
    one, two = (
        group["uar"].to_numpy() for _, group in table[table.arch.isin(sorted(table.arch.unique())[:2])].groupby("arch")
    )
    d = effects.compute_cohen_d(one, two)
    assert np.sign(d.value) == np.sign(one.mean() - two.mean())
