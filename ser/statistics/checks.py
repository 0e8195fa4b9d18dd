"""What the residuals of a model say about its assumptions. Shown beside the tests, never used to choose one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from ser.statistics.ols import OlsFit

#: Most values for which the p of Shapiro and Wilk is known (Royston 1995).
SHAPIRO_ROWS = 5000
NAN = float("nan")


class Check(NamedTuple):
    """One check: its statistic with degrees of freedom and p (NaN where it has none); ``row`` [0, N) it speaks of."""

    check: str
    statistic: float
    df: float = NAN
    df_resid: float = NAN
    p: float = NAN
    row: int | None = None


class Influence(NamedTuple):
    """How much each of N rows pulls: leverage, externally studentised residual, Cook's distance, all [N]."""

    leverage: np.ndarray
    studentized: np.ndarray
    cook: np.ndarray


class Diagnostics(NamedTuple):
    """Points of the two residual plots, all [N]: fitted, residuals; normal quantiles and the sorted residuals."""

    fitted: np.ndarray
    residuals: np.ndarray
    quantiles: np.ndarray
    ordered: np.ndarray


def check_residuals(fit: OlsFit) -> list[Check]:
    """All checks of a least-squares fit: normality and equal spread of residuals, rows that stand out.

    Spread is compared over the cells of the factors, of the scores without the effects of blocks.
    """
    scores = fit.observed - fit.block_effects
    return [
        check_normality(fit.residuals),
        check_spread(scores, fit.cells, "median"),
        check_spread(scores, fit.cells, "mean"),
        check_bartlett(scores, fit.cells),
        check_breusch_pagan(fit.residuals, fit.fitted),
        *find_outliers(measure_influence(fit)),
    ]


def check_normality(residuals: np.ndarray) -> Check:
    """Shapiro and Wilk's test of residuals [N]; without statistic beyond 3 .. 5,000 rows."""
    if not 3 <= len(residuals) <= SHAPIRO_ROWS or np.ptp(residuals) == 0:
        return Check("shapiro_residuals", NAN)
    result = stats.shapiro(residuals)
    return Check("shapiro_residuals", float(result.statistic), p=float(result.pvalue))


def check_spread(scores: np.ndarray, cells: np.ndarray, center: str = "median") -> Check:
    """Levene's F that scores [N] spread alike in all cells [N]; around medians it is Brown and Forsythe's."""
    name = "brown_forsythe_cells" if center == "median" else "levene_mean_cells"
    groups = _split(scores, cells)
    df, df_resid = len(groups) - 1, len(scores) - len(groups)
    if df < 1 or df_resid < 1:
        return Check(name, NAN, df, df_resid)
    middle = np.median if center == "median" else np.mean
    result = stats.f_oneway(*(np.abs(group - middle(group)) for group in groups))
    return Check(name, float(result.statistic), df, df_resid, float(result.pvalue))


def check_bartlett(scores: np.ndarray, cells: np.ndarray) -> Check:
    """Bartlett's K squared that variances of scores [N] are equal in all cells [N]; it takes normality for granted."""
    groups = _split(scores, cells)
    if len(groups) < 2 or min(len(group) for group in groups) < 2 or min(np.ptp(group) for group in groups) == 0:
        return Check("bartlett_cells", NAN)
    result = stats.bartlett(*groups)
    return Check("bartlett_cells", float(result.statistic), len(groups) - 1, p=float(result.pvalue))


def check_breusch_pagan(residuals: np.ndarray, fitted: np.ndarray) -> Check:
    """Breusch and Pagan's chi-square that variance does not change with the fitted values, residuals and fitted [N]."""
    if np.ptp(fitted) == 0:
        return Check("breusch_pagan_fitted", NAN)
    squares = residuals**2 / np.mean(residuals**2)
    centred = fitted - fitted.mean()
    statistic = float((centred @ squares) ** 2 / (centred @ centred) / 2)
    return Check("breusch_pagan_fitted", statistic, 1, p=float(stats.chi2.sf(statistic, 1)))


def measure_influence(fit: OlsFit) -> Influence:
    """Leverage, studentised residuals and Cook's distances; NaN for a row that alone determines a coefficient."""
    free = 1 - fit.leverage
    free = np.where(free > 1e-9, free, NAN)
    squares = fit.residuals**2 / free
    variance = float(fit.residuals @ fit.residuals) / fit.df_resid
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (fit.df_resid * variance - squares) / (fit.df_resid - 1)
        studentized = fit.residuals / np.sqrt(without * free)
    rank = len(fit.observed) - fit.df_resid
    return Influence(fit.leverage, studentized, squares * fit.leverage / free / (rank * variance))


def find_outliers(influence: Influence) -> list[Check]:
    """The largest studentised residual (p Bonferroni-adjusted over the rows) and the largest Cook's distance."""
    checks = []
    sizes = np.abs(influence.studentized)
    rows = int(np.isfinite(sizes).sum())
    df = len(sizes) - round(float(influence.leverage.sum())) - 1
    if rows and df > 0:
        row = int(np.nanargmax(sizes))
        p = min(1.0, rows * 2 * float(stats.t.sf(sizes[row], df)))
        checks.append(Check("max_abs_studentized", float(sizes[row]), df, p=p, row=row))
    if np.isfinite(influence.cook).any():
        row = int(np.nanargmax(influence.cook))
        checks.append(Check("max_cooks", float(influence.cook[row]), row=row))
    return checks


def collect_diagnostics(fit: OlsFit) -> Diagnostics:
    """Points of the residual-against-fitted and the quantile plot; quantiles are in residual standard deviations."""
    rows = len(fit.residuals)
    quantiles = stats.norm.ppf((np.arange(1, rows + 1) - 0.375) / (rows + 0.25))
    deviation = math.sqrt(float(fit.residuals @ fit.residuals) / fit.df_resid)
    return Diagnostics(fit.fitted, fit.residuals, quantiles, np.sort(fit.residuals) / deviation)


def _split(scores: np.ndarray, cells: np.ndarray) -> list[np.ndarray]:
    """Scores [N] of each cell [N]."""
    return [scores[cells == cell] for cell in np.unique(cells)]
