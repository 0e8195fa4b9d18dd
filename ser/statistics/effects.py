"""Effect sizes with intervals, and what an estimate says against a smallest effect of interest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from ser.errors import InputError

SUPERIOR = "superior"
SMALL = "different but small"
EQUIVALENT = "equivalent"
INCONCLUSIVE = "inconclusive"


class Effect(NamedTuple):
    """An effect size and its interval."""

    value: float
    low: float
    high: float


def compute_cohen_d(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> Effect:
    """Cohen's d of two independent samples [N], [M]: mean difference over the pooled SD, noncentral-t interval."""
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    sizes = len(first), len(second)
    df = sum(sizes) - 2
    if min(sizes) < 1 or df < 1:
        raise InputError("Cohen's d needs at least three values in two groups")
    squares = ((first - first.mean()) ** 2).sum() + ((second - second.mean()) ** 2).sum()
    pooled = float(np.sqrt(squares / df))
    difference = float(first.mean() - second.mean())
    return standardize(difference, pooled * float(np.sqrt(1 / sizes[0] + 1 / sizes[1])), df, pooled, level)


def compute_hedges_g(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> Effect:
    """Hedges' g of two independent samples [N], [M]: Cohen's d without its small-sample bias."""
    factor = find_hedges_factor(len(first) + len(second) - 2)
    return Effect(*(factor * value for value in compute_cohen_d(first, second, level)))


def find_hedges_factor(df: float) -> float:
    """Factor that turns d into g (Hedges 1981, exact)."""
    return (
        float(np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2)) if df > 1 else np.nan
    )


def standardize(estimate: float, se: float, df: float, scale: float, level: float = 0.95) -> Effect:
    """A difference in units of a standard deviation, with the noncentral-t interval of its t = estimate / se.

    Exact where ``scale`` is the residual SD on ``df`` degrees of freedom; with variance components it ignores that the
    scale is estimated from several of them.
    """
    if not (scale > 0 and se > 0) or np.isnan(estimate):
        return Effect(np.nan, np.nan, np.nan)
    low, high = find_noncentrality_t(estimate / se, df, level)
    return Effect(estimate / scale, low * se / scale, high * se / scale)


def find_noncentrality_t(stat: float, df: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of the noncentrality of an observed t."""
    tail = (1 - level) / 2
    if np.isinf(df) or df > 1e5:
        half = float(stats.norm.ppf(1 - tail))
        return stat - half, stat + half

    if stat < 0:
        low, high = find_noncentrality_t(-stat, df, level)
        return -high, -low

    def miss(place: float, probability: float) -> float:
        below = float(special.nctdtr(df, place, stat))
        # Far out the distribution function is NaN, where it is 0 or 1 to all digits.
        return (below if np.isfinite(below) else float(place < stat)) - probability

    width = 10.0 + 6 * stat / np.sqrt(df)
    low, high = (
        optimize.brentq(miss, stat - width, stat + width, args=(probability,), xtol=1e-10)
        for probability in (1 - tail, tail)
    )
    return float(low), float(high)


def compute_odds_ratio(estimate: float, se: float, level: float = 0.95) -> Effect:
    """Odds ratio of a difference on the logit scale, with its Wald interval."""
    half = float(stats.norm.ppf((1 + level) / 2)) * se
    return Effect(*(float(np.exp(value)) for value in (estimate, estimate - half, estimate + half)))


def compute_partial_eta(F: float, df: float, df_resid: float, level: float = 0.90) -> Effect:
    """Partial eta squared of an F test, with the two-sided noncentral-F interval (90 % by default).

    The limits are lambda / (lambda + error df), as in R's effectsize.
    """
    low, high = find_noncentrality_f(F, df, df_resid, level)
    return Effect(F * df / (F * df + df_resid), low / (low + df_resid), high / (high + df_resid))


def compute_partial_omega(F: float, df: float, df_resid: float, rows: int, level: float = 0.90) -> Effect:
    """Partial omega squared of an F test on ``rows`` observations (less biased than eta; it can be negative).

    The limits are lambda / (lambda + rows): the share of variance that a noncentrality of lambda stands for.
    """
    low, high = find_noncentrality_f(F, df, df_resid, level)
    value = df * (F - 1) / (df * (F - 1) + rows)
    return Effect(value, low / (low + rows), high / (high + rows))


def find_noncentrality_f(F: float, df: float, df_resid: float, level: float = 0.90) -> tuple[float, float]:
    """Interval of the noncentrality of an observed F; a limit is 0 where even 0 leaves too little below F."""
    if np.isnan(F):
        return float("nan"), float("nan")

    def miss(place: float, probability: float) -> float:
        return float(special.ncfdtr(df, df_resid, place, F)) - probability

    limits = []
    for probability in ((1 + level) / 2, (1 - level) / 2):
        far = df * F + 10.0
        while miss(far, probability) > 0:
            far *= 2
        inside = stats.f.cdf(F, df, df_resid) > probability
        limits.append(float(optimize.brentq(miss, 0.0, far, args=(probability,), xtol=1e-12)) if inside else 0.0)
    return limits[0], limits[1]


def compute_equivalence_p(estimate: float, se: float, df: float, sesoi: float) -> float:
    """p of the two one-sided tests that the effect lies within -sesoi .. +sesoi (TOST)."""
    above, below = (estimate + sesoi) / se, (estimate - sesoi) / se
    return float(max(stats.t.sf(above, df), stats.t.cdf(below, df)))


def classify_effect(estimate: float, ci: tuple[float, float], ci90: tuple[float, float], sesoi: float) -> str:
    """What an estimate says against the smallest effect of interest.

    ``superior``: the whole interval ``ci`` lies beyond +sesoi or -sesoi (the sign of the estimate says who wins);
    ``different but small``: it excludes 0 and the 90 % interval lies within the band; ``equivalent``: it holds 0 and
    the 90 % interval lies within the band (TOST at 5 %); ``inconclusive`` otherwise, also where a difference is certain
    but not on which side of sesoi it lies.

    Raises:
        InputError: sesoi is not positive.
    """
    if not sesoi > 0:
        raise InputError(f"the smallest effect of interest is {sesoi}", expected="a number above 0")
    if np.isnan([estimate, *ci, *ci90]).any():
        return INCONCLUSIVE
    if ci[0] > sesoi or ci[1] < -sesoi:
        return SUPERIOR
    if -sesoi < ci90[0] and ci90[1] < sesoi:
        return EQUIVALENT if ci[0] <= 0 <= ci[1] else SMALL
    return INCONCLUSIVE
