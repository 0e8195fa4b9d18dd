"""Adjustment of p values and intervals for several tests in one family.

Step procedures (Holm, Hochberg, Benjamini–Hochberg, Benjamini–Yekutieli) adjust p values only; single-step ones
(Bonferroni, Šidák, Tukey, Dunnett) have intervals of their own. A contrast that is not estimable (NaN) stays NaN and
still counts in its family, as in R's emmeans.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from scipy import optimize, special, stats

from ser.errors import InputError

METHODS = ("none", "holm", "hochberg", "bh", "by", "bonferroni", "sidak", "tukey", "dunnett")
#: Methods whose intervals have the same coverage as their p values.
WITH_INTERVALS = ("none", "bonferroni", "sidak", "tukey", "dunnett")
#: Seed of the numerical integral behind Dunnett's p, so that the same table gives the same digits.
INTEGRAL_SEED = 20
#: Points of that integral, as a power of two.
INTEGRAL_POWER = 14
#: Nodes of the integrals behind Tukey's p.
RANGE_NODES = 120


def adjust_p(p: np.ndarray, method: str, size: int | None = None) -> np.ndarray:
    """Adjusted p values [M] of a family by a method that needs only the p values [M].

    NaN stays NaN. ``size`` is the number of tests in the family, by default those with a p value.
    """
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        adjusted[known] = _adjust_known(p[known], method, int(known.sum()) if size is None else size)
    return adjusted


def adjust_tukey(stat: np.ndarray, df: np.ndarray, means: int) -> np.ndarray:
    """p [M] of all pairs among ``means`` means, from t [M] and their df [M], by the studentized range."""
    pairs = zip(np.sqrt(2) * np.abs(np.asarray(stat, dtype=float)), df, strict=True)
    return np.array([exceed_range(value, means, one) for value, one in pairs])


def adjust_dunnett(stat: np.ndarray, df: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """p [M] of several comparisons with one baseline, from t [M], their df [M] and their correlation [M, M].

    Any family of contrasts may use it: the correlation is its own.
    """
    single = 2 * stats.t.sf(np.abs(stat), df)
    joint = np.array([exceed_box(np.abs([t]), d, correlation)[0] for t, d in zip(stat, df, strict=True)])
    # The integral is good to four digits; these bounds hold always.
    return np.clip(joint, single, np.minimum(1.0, len(single) * single))


def adjust_family(
    method: str, stat: np.ndarray, df: np.ndarray, p: np.ndarray, means: int, correlation: np.ndarray
) -> np.ndarray:
    """Adjusted p [M] of one family of contrasts.

    Args:
        method: one of METHODS.
        stat, df, p: t (z with infinite df), degrees of freedom and unadjusted p [M]; NaN where not estimable.
        means: number of means the contrasts compare (Tukey).
        correlation: of the contrasts [M, M] (Dunnett).

    Raises:
        InputError: an unknown method.
    """
    if method not in ("tukey", "dunnett"):
        return adjust_p(p, method, len(p))
    known = ~np.isnan(stat)
    adjusted = np.full(p.shape, np.nan)
    if method == "tukey":
        adjusted[known] = adjust_tukey(stat[known], df[known], means)
    elif known.any():
        adjusted[known] = adjust_dunnett(stat[known], df[known], correlation[np.ix_(known, known)])
    return adjusted


def find_critical(
    method: str, df: np.ndarray, level: float, means: int, tests: int, correlation: np.ndarray
) -> np.ndarray:
    """Half widths [M], in standard errors, of intervals that hold jointly with ``level``; pointwise ones where the
    method has none (see WITH_INTERVALS). Arguments as in :func:`adjust_family`; ``tests`` is the size of the family."""
    df = np.asarray(df, dtype=float)
    if method == "bonferroni":
        return stats.t.ppf(1 - (1 - level) / (2 * tests), df)
    if method == "sidak":
        return stats.t.ppf((1 + level ** (1 / tests)) / 2, df)
    if method == "tukey":
        return _map_unique(lambda one: _find_range(level, means, one), df) / np.sqrt(2)
    if method == "dunnett":
        known = ~np.isnan(df)
        inner = correlation[np.ix_(known, known)]
        return _map_unique(lambda one: _find_box(level, one, inner), df)
    return stats.t.ppf((1 + level) / 2, df)


def _adjust_known(p: np.ndarray, method: str, count: int) -> np.ndarray:
    """Adjust p values [M] without NaN, in a family of ``count`` tests."""
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, len(p) + 1)
    ordered = p[order]
    if method == "none":
        return p.copy()
    if method == "bonferroni":
        return np.minimum(1.0, count * p)
    if method == "sidak":
        return -np.expm1(count * np.log1p(-np.minimum(p, 1 - 1e-16)))
    if method == "holm":
        ordered = np.maximum.accumulate((count - rank + 1) * ordered)
    elif method == "hochberg":
        ordered = _take_lowest((count - rank + 1) * ordered)
    elif method == "bh":
        ordered = _take_lowest(count / rank * ordered)
    elif method == "by":
        ordered = _take_lowest((1 / np.arange(1, count + 1)).sum() * count / rank * ordered)
    else:
        raise InputError(f"unknown adjustment {method}", expected=f"one of {', '.join(METHODS)}")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, ordered)
    return adjusted


def _take_lowest(ordered: np.ndarray) -> np.ndarray:
    """Smallest value from each place to the end."""
    return np.minimum.accumulate(ordered[::-1])[::-1]


def _map_unique(find: Callable[[float], float], df: np.ndarray) -> np.ndarray:
    """A quantile [M] for each df [M], computed once for those that agree in seven digits."""
    known: dict[str, float] = {}
    for one in df:
        if f"{one:.7g}" not in known:
            known[f"{one:.7g}"] = find(float(one))
    return np.array([known[f"{one:.7g}"] for one in df])


def exceed_range(value: float, means: int, df: float) -> float:
    """Probability that the studentized range of ``means`` means on ``df`` degrees of freedom is above a value.

    Gauss–Legendre over the largest of the means and over the logarithm of the estimated SD: five digits or more, in
    tails too, in a small part of the time of scipy.stats.studentized_range.
    """
    if means < 2 or not np.isfinite(value):
        return float("nan")
    if means == 2:  # the range of two means is a t test's difference, in other units
        return float(2 * stats.t.sf(value / np.sqrt(2), df))
    place, weight = _stretch_nodes(-8.5, 8.5)
    spread, share = np.ones(1), np.ones(1)
    if np.isfinite(df):
        logs, steps = _stretch_nodes(*(0.5 * np.log(chi(1e-18, df) / df) for chi in (stats.chi2.ppf, stats.chi2.isf)))
        spread = np.exp(logs)
        share = steps * stats.chi2.pdf(df * spread**2, df) * 2 * df * spread**2
    below = special.ndtr(place)
    lower = special.ndtr(place - value * spread[:, None])
    # The largest mean lies at ``place``; the range is wider if not all others lie between place - value and place.
    wider = -np.expm1((means - 1) * np.log1p(-np.minimum(lower / below, 1 - 1e-16)))
    inner = (wider * below ** (means - 1) * stats.norm.pdf(place) * means) @ weight
    return float(min(1.0, inner @ share))


def _stretch_nodes(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights between two limits."""
    nodes, weights = _list_nodes()
    half = (high - low) / 2
    return low + half * (nodes + 1), half * weights


@cache
def _list_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on -1 to 1."""
    return np.polynomial.legendre.leggauss(RANGE_NODES)


@lru_cache(maxsize=4096)
def _find_range(level: float, means: int, df: float) -> float:
    """Quantile of the studentized range; NaN for unknown df."""
    if np.isnan(df):
        return float("nan")
    if means == 2:
        return float(np.sqrt(2) * stats.t.ppf((1 + level) / 2, df))
    most = means * (means - 1) / 2
    low, high = (np.sqrt(2) * stats.t.ppf(1 - (1 - level) / (2 * count), df) for count in (1, most))
    return float(optimize.brentq(lambda value: exceed_range(value, means, df) - 1 + level, 0.99 * low, 1.01 * high))


def exceed_box(bounds: np.ndarray, df: float, correlation: np.ndarray) -> np.ndarray:
    """Probability that some |T| of a multivariate t with this correlation [M, M] is above each bound [K].

    A normal vector is a length times a direction. Given the direction the rest is an F (chi-square) probability, so
    only directions are drawn (quasi-random, fixed seed): tails have as many right digits as the centre, and contrasts
    that determine each other are no trouble.
    """
    values, vectors = np.linalg.eigh(correlation)
    root = (vectors * np.sqrt(np.maximum(values, 0)))[:, values > 1e-9 * values[-1]]
    rank = root.shape[1]
    cube = stats.qmc.Sobol(rank, rng=INTEGRAL_SEED).random_base2(INTEGRAL_POWER)
    directions = stats.norm.ppf(np.clip(cube, 1e-12, 1 - 1e-12))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    reach = np.abs(directions @ root.T).max(1)
    ratio = (np.asarray(bounds, dtype=float)[:, None] / reach) ** 2
    tail = stats.chi2.sf(ratio, rank) if np.isinf(df) else stats.f.sf(ratio / rank, rank, df)
    return tail.mean(1)


def _find_box(level: float, df: float, correlation: np.ndarray) -> float:
    """Bound below which all |T| stay with probability ``level``; NaN for unknown df."""
    if np.isnan(df):
        return float("nan")
    count = len(correlation)
    low, high = stats.t.ppf((1 + level) / 2, df), stats.t.ppf(1 - (1 - level) / (2 * count), df)

    def miss(bound: float) -> float:
        return float(exceed_box(np.array([bound]), df, correlation)[0]) - (1 - level)

    # The pointwise bound covers too little and Bonferroni's too much; a little room for the integral's error.
    return float(optimize.brentq(miss, 0.98 * low, 1.02 * high, xtol=1e-7))
