"""Residual checks against R and statsmodels."""

import numpy as np
import pytest
import statsmodels.formula.api as smf
from reference_tools import close, read_data, read_expected
from test_anova import REFERENCES, build_grid, fit_reference

from ser.statistics import anova, checks


@pytest.mark.parametrize("name", REFERENCES)
def test_checks_equal_r(name):
    expected = read_expected(name)["checks"]
    found = {check.check: check for check in checks.check_residuals(fit_reference(name))}
    shapiro = found["shapiro_residuals"]
    assert close(shapiro.statistic, expected["shapiro_residuals"]["W"], 1e-4)
    assert close(shapiro.p, expected["shapiro_residuals"]["p"], 1e-4)
    trust = found["breusch_pagan_fitted"]
    assert close(trust.statistic, expected["breusch_pagan_fitted"]["chisq"], 1e-7)
    assert close(trust.p, expected["breusch_pagan_fitted"]["p"], 1e-7)
    assert close(found["max_abs_studentized"].statistic, expected["max_abs_studentized"], 1e-7)
    assert close(found["max_cooks"].statistic, expected["max_cooks"], 1e-7)
    if name.endswith("seed_block_anova"):  # R takes the blocks as cells too, which have one row each
        assert found["brown_forsythe_cells"].df == 23
        return
    for key in ("brown_forsythe_cells", "levene_mean_cells"):
        assert close(found[key].statistic, expected[key]["F"], 1e-7)
        assert close(found[key].p, expected[key]["p"], 1e-7)
    assert found["brown_forsythe_cells"].df == expected["brown_forsythe_cells"]["df1"]
    assert found["brown_forsythe_cells"].df_resid == expected["brown_forsythe_cells"]["df2"]
    assert close(found["bartlett_cells"].statistic, expected["bartlett_cells"]["K2"], 1e-7)
    assert close(found["bartlett_cells"].p, expected["bartlett_cells"]["p"], 1e-7)


def test_influence_equals_statsmodels_row_by_row():
    table = read_data("runs_unbalanced")
    influence = checks.measure_influence(anova.fit_ols(table, "uar", ["arch", "pft"], interactions=2))
    other = smf.ols("uar ~ arch * pft", table).fit().get_influence()
    np.testing.assert_allclose(influence.leverage, other.hat_matrix_diag, rtol=1e-9)
    np.testing.assert_allclose(influence.studentized, other.resid_studentized_external, rtol=1e-9)
    np.testing.assert_allclose(influence.cook, other.cooks_distance[0], rtol=1e-9)


def test_outlier_is_found_and_named():
    table, factors = build_grid((2, 2), rows=8)
    table.loc[5, "y"] += 12
    found = {check.check: check for check in checks.check_residuals(anova.fit_ols(table, "y", factors))}
    assert found["max_abs_studentized"].row == 5 and found["max_abs_studentized"].p < 0.001
    assert found["max_cooks"].row == 5
    assert found["shapiro_residuals"].p < 0.001


def test_blocks_do_not_count_as_spread():
    """A large difference between seeds is no difference of spread between cells."""
    table, factors = build_grid((2, 2), rows=6)
    table = table.assign(seed=[f"s{place % 6}" for place in range(len(table))])
    shifted = table.assign(y=table["y"] + 50 * table.index.to_series().mod(6))
    plain = checks.check_residuals(anova.fit_ols(table, "y", factors, blocks=["seed"]))
    other = checks.check_residuals(anova.fit_ols(shifted, "y", factors, blocks=["seed"]))
    for one, two in zip(plain[:5], other[:5], strict=True):
        if one.check != "breusch_pagan_fitted":  # which looks at fitted values, seeds among them
            assert two.statistic == pytest.approx(one.statistic, rel=1e-6)


def test_a_cell_with_one_row_is_no_reason_to_fail():
    table, factors = build_grid((2, 2), rows=3)
    fit = anova.fit_ols(table.drop([0, 1]), "y", factors, interactions=2)
    found = {check.check: check for check in checks.check_residuals(fit)}
    assert np.isnan(found["bartlett_cells"].statistic)
    assert np.isfinite(found["max_abs_studentized"].statistic) and np.isfinite(found["max_cooks"].statistic)


def test_points_of_the_plots():
    fit = fit_reference("runs_unbalanced_anova")
    points = checks.collect_diagnostics(fit)
    assert len(points.fitted) == len(points.quantiles) == 57
    assert (np.diff(points.ordered) >= 0).all() and (np.diff(points.quantiles) > 0).all()
    np.testing.assert_allclose(points.fitted + points.residuals, fit.observed)
