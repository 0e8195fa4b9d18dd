"""Estimated marginal means of a fitted model and contrasts among them.

Means are averages over a balanced grid of the levels of every other factor, covariates at their mean, not over observed
frequencies: so an unbalanced sweep does not favour the level that happened to run on easy corpora. What needs an empty
cell is not estimable and says so (NaN, ``estimable`` False).

In logit models means and contrasts are on the logit scale. ``response`` is the probability for a typical speaker,
utterance and run (random effects at 0); ``response_averaged`` is averaged over the estimated distribution of the random
effects, which is the share of correct answers to expect.

A family, within which p values are adjusted, is the set of contrasts within one combination of ``by`` levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product

import numpy as np
from scipy import special, stats

from ser.errors import InputError
from ser.statistics.adjust import METHODS, WITH_INTERVALS, adjust_family, find_critical
from ser.statistics.effects import classify_effect, compute_equivalence_p, compute_odds_ratio, standardize
from ser.statistics.linear import LinearFit, find_level

Levels = dict[str, str]
#: A combination of coefficients: its label and its row [P].
Named = tuple[str, np.ndarray]


def estimate_means(
    fit: LinearFit, factors: str | Sequence[str], by: str | Sequence[str] | None = None, level: float = 0.95
) -> list[dict[str, object]]:
    """Marginal means of every combination of the factors' (and ``by``) levels.

    Returns:
        Rows of levels {factor: level}, mean, se, df, ci_low, ci_high, estimable; logit models add response,
        response_se, response_low, response_high, response_averaged.
    """
    rows = []
    for cell in _list_cells(fit, [*_as_list(by), *_as_list(factors)]):
        test = fit.test_contrast(average_row(fit, cell), level)
        row: dict[str, object] = {
            "levels": cell,
            "mean": test.estimate,
            "se": test.se,
            "df": test.df,
            "ci_low": test.ci[0],
            "ci_high": test.ci[1],
            "estimable": not np.isnan(test.estimate),
        }
        if fit.link == "logit":
            row |= _describe_response(fit, test.estimate, test.se, test.ci)
        rows.append(row)
    return rows


def contrast_pairs(
    fit: LinearFit,
    factors: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    adjust: str = "holm",
    level: float = 0.95,
    sesoi: float | None = None,
) -> list[dict[str, object]]:
    """All pairs of levels (of cells, for several factors), within each combination of ``by`` levels.

    A contrast is named ``level1 - level2``, in sorted order. See :func:`compare_family` for the columns.
    """
    rows = []
    for group in _list_cells(fit, _as_list(by)):
        cells = _list_cells(fit, _as_list(factors))
        named = [
            (f"{_label(one)} - {_label(two)}", average_row(fit, group | one) - average_row(fit, group | two))
            for one, two in combinations(cells, 2)
        ]
        rows += compare_family(fit, named, group, adjust, len(cells), level, sesoi)
    return rows


def contrast_baseline(
    fit: LinearFit,
    factor: str,
    baseline: str,
    by: str | Sequence[str] | None = None,
    adjust: str = "dunnett",
    level: float = 0.95,
    sesoi: float | None = None,
) -> list[dict[str, object]]:
    """Every other level against one baseline (``level - baseline``), Dunnett's adjustment by default."""
    known = fit.factors.get(factor, [])
    base = {factor: known[find_level(factor, baseline, known)]}
    rows = []
    for group in _list_cells(fit, _as_list(by)):
        named = [
            (f"{other} - {baseline}", average_row(fit, group | {factor: other}) - average_row(fit, group | base))
            for other in known
            if other != base[factor]
        ]
        rows += compare_family(fit, named, group, adjust, len(known), level, sesoi)
    return rows


def contrast_differences(
    fit: LinearFit,
    first: str,
    second: str,
    by: str | Sequence[str] | None = None,
    adjust: str = "holm",
    level: float = 0.95,
    sesoi: float | None = None,
) -> list[dict[str, object]]:
    """Differences of differences: does a pair of levels of ``first`` differ by more in one level of ``second``?

    The one named ``a1 - a2 : b1 - b2`` is
    (a1 - a2 in b1) - (a1 - a2 in b2).

    Raises:
        InputError: Tukey's adjustment.
    """
    _refuse_tukey(adjust)
    rows = []
    for group in _list_cells(fit, _as_list(by)):
        named = []
        for (a1, a2), (b1, b2) in product(
            combinations(_list_cells(fit, [first]), 2), combinations(_list_cells(fit, [second]), 2)
        ):
            signs = ((a1 | b1, 1), (a2 | b1, -1), (a1 | b2, -1), (a2 | b2, 1))
            row = np.sum([sign * average_row(fit, group | cell) for cell, sign in signs], axis=0)
            named.append((f"{_label(a1)} - {_label(a2)} : {_label(b1)} - {_label(b2)}", row))
        rows += compare_family(fit, named, group, adjust, len(named) + 1, level, sesoi)
    return rows


def contrast_custom(
    fit: LinearFit,
    factors: str | Sequence[str],
    weights: Mapping[str, Mapping[str | tuple[str, ...], float]],
    by: str | Sequence[str] | None = None,
    adjust: str = "holm",
    level: float = 0.95,
    sesoi: float | None = None,
) -> list[dict[str, object]]:
    """Contrasts of one's own: name -> {level: weight}; for several factors a level is a tuple in their order.

    For example ``{"hubert against the rest": {"hubert": 1, "cnn": -0.5, "wav2vec2": -0.5}}``.

    Raises:
        InputError: weights that do not sum to 0, an unknown level, Tukey's adjustment.
    """
    _refuse_tukey(adjust)
    names = _as_list(factors)
    rows = []
    for group in _list_cells(fit, _as_list(by)):
        named = []
        for label, parts in weights.items():
            if abs(sum(parts.values())) > 1e-9:
                raise InputError(f"the weights of {label} sum to {sum(parts.values()):g}", expected="a sum of 0")
            row = np.zeros(len(fit.beta))
            for levels, weight in parts.items():
                values = levels if isinstance(levels, tuple) else (levels,)
                row += weight * average_row(fit, group | dict(zip(names, values, strict=True)))
            named.append((label, row))
        rows += compare_family(fit, named, group, adjust, len(named) + 1, level, sesoi)
    return rows


def tabulate_simple_effects(fit: LinearFit, factor: str, by: str | Sequence[str]) -> list[dict[str, object]]:
    """Joint test of a factor within each combination of ``by`` levels: rows of term, by, df, df_denom, F, p."""
    rows: list[dict[str, object]] = []
    for group in _list_cells(fit, _as_list(by)):
        cells = [average_row(fit, group | cell) for cell in _list_cells(fit, [factor])]
        # Cells that do not exist take part in no comparison.
        known = [row for row in cells if fit.is_estimable(row)]
        test = fit.test_terms(np.array([row - known[0] for row in known[1:]]).reshape(-1, len(fit.beta)))
        rows.append({"term": factor, "by": group, "df": test.df, "df_denom": test.df_denom, "F": test.F, "p": test.p})
    return rows


def compare_family(
    fit: LinearFit,
    named: Sequence[Named],
    group: Levels,
    adjust: str,
    means: int,
    level: float = 0.95,
    sesoi: float | None = None,
) -> list[dict[str, object]]:
    """Test one family of named combinations and adjust within it.

    Returns:
        Rows of contrast, by, estimate, se, df, stat (t, or z with infinite df), p, p_adjusted, adjust, ci_low, ci_high
        (adjusted as ``ci_adjust`` says: ``none`` where the method has no intervals), ci90_low, ci90_high (never
        adjusted), effect_size with effect_low, effect_high and effect_kind (``d``: estimate over the model's SD, or
        ``odds_ratio``), estimable; with ``sesoi`` and an identity link also p_equivalence and verdict.

    Raises:
        InputError: an unknown adjustment.
    """
    if adjust not in METHODS:
        raise InputError(f"unknown adjustment {adjust}", expected=f"one of {', '.join(METHODS)}")
    if not named:
        return []
    tests = [fit.test_contrast(row, level) for _, row in named]
    stat, df, p = (np.array([getattr(test, name) for test in tests]) for name in ("stat", "df", "p"))
    correlation = _correlate(fit, np.array([row for _, row in named]))
    adjusted = adjust_family(adjust, stat, df, p, means, correlation)
    ci_adjust = adjust if adjust in WITH_INTERVALS else "none"
    critical = find_critical(ci_adjust, df, level, means, len(named), correlation)
    rows = []
    for place, ((label, _), test) in enumerate(zip(named, tests, strict=True)):
        half = critical[place] * test.se
        ci = (test.estimate - half, test.estimate + half)
        ci90 = _find_ci90(test.estimate, test.se, test.df)
        row: dict[str, object] = {
            "contrast": label,
            "by": group or None,
            "estimate": test.estimate,
            "se": test.se,
            "df": test.df,
            "stat": test.stat,
            "p": test.p,
            "p_adjusted": float(adjusted[place]),
            "adjust": adjust,
            "ci_low": ci[0],
            "ci_high": ci[1],
            "ci_adjust": ci_adjust,
            **ci90,
            **_describe_effect(fit, test.estimate, test.se, test.df, level),
            "estimable": not np.isnan(test.estimate),
        }
        if sesoi is not None and fit.link == "identity":
            row["p_equivalence"] = compute_equivalence_p(test.estimate, test.se, test.df, sesoi)
            row["verdict"] = classify_effect(test.estimate, ci, (ci90["ci90_low"], ci90["ci90_high"]), sesoi)
        rows.append(row)
    return rows


def average_row(fit: LinearFit, cell: Mapping[str, str]) -> np.ndarray:
    """Model-matrix row [P] of a cell, averaged with equal weight over the levels of every factor it does not name."""
    for name, level in cell.items():
        if name not in fit.factors:
            raise InputError(f"the model has no factor {name}", expected=f"one of {', '.join(fit.factors)}")
        find_level(name, level, fit.factors[name])
    others = [name for name in fit.factors if name not in cell]
    grid = product(*(fit.factors[name] for name in others))
    return np.mean([fit.build_row({**cell, **dict(zip(others, levels, strict=True))}) for levels in grid], axis=0)


def average_over_random(logit: float, spread: float) -> float:
    """Probability at a logit, averaged over a normal random effect with SD ``spread`` (Gauss–Hermite, 60 nodes)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float(special.expit(logit + spread * nodes) @ weights / weights.sum())


def _refuse_tukey(adjust: str) -> None:
    """Tukey's range is that of all pairs of means, nothing else."""
    if adjust == "tukey":
        raise InputError("Tukey's adjustment is for all pairs", expected="holm, bh, bonferroni, sidak or dunnett")


def _describe_response(fit: LinearFit, mean: float, se: float, ci: tuple[float, float]) -> dict[str, float]:
    """A logit mean as a probability; SE by the delta method, limits transformed."""
    share = float(special.expit(mean))
    return {
        "response": share,
        "response_se": share * (1 - share) * se,
        "response_low": float(special.expit(ci[0])),
        "response_high": float(special.expit(ci[1])),
        "response_averaged": average_over_random(mean, fit.spread),
    }


def _describe_effect(fit: LinearFit, estimate: float, se: float, df: float, level: float) -> dict[str, object]:
    """Odds ratio or standardised difference of a contrast."""
    if fit.link == "logit":
        kind, effect = "odds_ratio", compute_odds_ratio(estimate, se, level)
    else:
        kind, effect = "d", standardize(estimate, se, df, fit.scale, level)
    return {"effect_size": effect.value, "effect_low": effect.low, "effect_high": effect.high, "effect_kind": kind}


def _find_ci90(estimate: float, se: float, df: float) -> dict[str, float]:
    """The 90 % interval, whose place in the band of the smallest effect is the equivalence test at 5 %."""
    half = float(stats.t.ppf(0.95, df)) * se
    return {"ci90_low": estimate - half, "ci90_high": estimate + half}


def _correlate(fit: LinearFit, rows: np.ndarray) -> np.ndarray:
    """Correlation [M, M] of combinations [M, P]."""
    covariance = rows @ fit.vcov @ rows.T
    sd = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    return covariance / np.outer(sd, sd)


def _list_cells(fit: LinearFit, names: Sequence[str]) -> list[Levels]:
    """Every combination of the factors' levels, sorted; one empty cell of no factors."""
    for name in names:
        if name not in fit.factors:
            raise InputError(f"the model has no factor {name}", expected=f"one of {', '.join(fit.factors)}")
    return [dict(zip(names, levels, strict=True)) for levels in product(*(fit.factors[name] for name in names))]


def _label(cell: Levels) -> str:
    """Levels of a cell, side by side."""
    return " ".join(cell.values())


def _as_list(names: str | Sequence[str] | None) -> list[str]:
    """Names as a list; none of None."""
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)
