"""Factorial analysis of variance by least squares: one row per trained model and its score.

Type II is the primary analysis, Type III stands beside it where cells differ in size. Both are computed as tests of
coefficients (``linear.find_hypothesis``) and not by a package's ANOVA table: statsmodels' Type II is wrong without a
word where combinations of levels are missing, and its Type III wherever factors are not coded sum-to-zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.adjust import adjust_p
from ser.statistics.cells import describe_levels, keep_levels
from ser.statistics.effects import compute_partial_eta, compute_partial_omega
from ser.statistics.linear import find_hypothesis
from ser.statistics.matrix import keep_complete
from ser.statistics.ols import OlsFit, fit_ols
from ser.statistics.permutation import DRAWS, permute_terms

__all__ = [
    "AnovaTable",
    "OlsFit",
    "analyse_variance",
    "choose_types",
    "fit_ols",
    "test_all",
    "test_terms",
    "test_terms_hc3",
    "transform_logit",
]

NAN = float("nan")


@dataclass
class AnovaTable:
    """One ANOVA.

    Attributes:
        type: 2 or 3; formula: as R writes it.
        terms: rows of :func:`test_terms`, with HC3 and permutation tests beside them.
        scope: ``full``, ``lower order`` (interactions left out) or ``complete part`` (levels left out).
        notes: what a reader must know, in words.
        fit: the model, for marginal means, contrasts and checks.
    """

    type: int
    formula: str
    terms: list[dict[str, Any]]
    fit: OlsFit
    scope: str = "full"
    notes: list[str] = field(default_factory=list)


# ---- the whole analysis


def analyse_variance(
    table: pd.DataFrame,
    response: str,
    factors: Sequence[str],
    *,
    interactions: int | None = None,
    blocks: Sequence[str] = (),
    terms: Sequence[Sequence[str]] | None = None,
    kind: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    alpha: float = 0.05,
) -> list[AnovaTable]:
    """ANOVA tables of a design, most important first; incomplete designs are reduced and say so.

    Args:
        table, response, factors, interactions, blocks, terms: see :func:`fit_ols`.
        kind: 2 or 3; by default Type II, and Type III after it where the two can differ.
        draws, seed: of the permutation tests; 0 draws leave them out.
        alpha: level at which a term counts as sensitive to the choice of test.

    Returns:
        For a complete design one table a type. Where combinations of levels are missing: Type II of what exists, the
        model with lower interactions, and the largest complete part. Type III of the former is refused, with words.
    """
    given, table = table, keep_complete(table, [response, *factors, *blocks])
    fit = fit_ols(table, response, factors, interactions=interactions, blocks=blocks, terms=terms)
    check = fit.completeness

    missing = len(given) - len(table)
    dropped = [f"{missing} rows with missing values left out."] if missing else []

    def tabulate(own: OlsFit, scope: str, *notes: str) -> list[AnovaTable]:
        return [
            AnovaTable(each, own.formula, test_all(own, each, draws, seed, alpha), own, scope, [*dropped, *notes])
            for each in choose_types(own, kind)
        ]

    if check.complete:
        same = ["Every combination occurs equally often: Types I, II and III agree."] if fit.balanced else []
        return tabulate(fit, "full", *same)
    refused = f"Type III is refused: {check.explain()}."
    tables = [AnovaTable(2, fit.formula, test_all(fit, 2, draws, seed, alpha), fit, "full", [*dropped, refused])]
    highest = max(len(term) for term in fit.terms)
    if 0 < check.order < highest:
        lower = fit_ols(table, response, factors, interactions=check.order, blocks=blocks)
        kept = "main effects" if check.order == 1 else f"interactions of at most {check.order} factors"
        tables += tabulate(lower, "lower order", f"Reduced to {kept}, of which every one can be estimated.")
    part, left = keep_levels(table, check.levels)
    inside = None if terms is None else [term for term in terms if set(term) <= {*left, *blocks}]
    try:
        whole = fit_ols(part, response, left, interactions=highest, blocks=blocks, terms=inside)
    except InputError as error:
        tables[0].notes.append(f"The largest complete part cannot be analysed: {error}")
    else:
        where = describe_levels(check.levels)
        tables += tabulate(whole, "complete part", f"Reduced to {where}, of which no combination is missing.")
    return tables


def choose_types(fit: OlsFit, kind: int | None = None) -> list[int]:
    """Types worth showing: the one asked for, or II and, where it can differ, III."""
    if kind is not None:
        return [kind]
    crossed = any(len(term) > 1 for term in fit.terms)
    return [2, 3] if crossed and fit.completeness.complete and not fit.balanced else [2]


# ---- tests


def test_terms(fit: OlsFit, kind: int = 2) -> list[dict[str, Any]]:
    """F test of every term, in the order of the model.

    Rows of: term, role (``factor`` or ``block``), df, df_resid, sum_sq, F, p, p_adjusted (Benjamini–Hochberg over the
    factors' terms), partial_eta_sq and omega_sq (partial too), each with its 90 % interval ``_low``, ``_high``.

    Raises:
        InputError: Type III where combinations of levels are missing.
    """
    _check_type(fit, kind)
    rows: list[dict[str, Any]] = []
    for term in fit.columns:
        test = fit.test_terms(find_hypothesis(fit, term, kind))
        eta = compute_partial_eta(test.F, test.df, fit.df_resid)
        omega = compute_partial_omega(test.F, test.df, fit.df_resid, len(fit.observed))
        rows.append(
            {
                "term": term,
                "role": "block" if term in fit.blocks else "factor",
                "df": test.df,
                "df_resid": fit.df_resid,
                "sum_sq": test.F * test.df * fit.sum_sq_resid / fit.df_resid,
                "F": test.F,
                "p": test.p,
                "p_adjusted": NAN,
                **dict(zip(("partial_eta_sq", "partial_eta_sq_low", "partial_eta_sq_high"), eta, strict=True)),
                **dict(zip(("omega_sq", "omega_sq_low", "omega_sq_high"), omega, strict=True)),
            }
        )
    family = [row for row in rows if row["role"] == "factor"]
    for row, p in zip(family, adjust_p(np.array([row["p"] for row in family]), "bh"), strict=True):
        row["p_adjusted"] = float(p)
    return rows


def test_terms_hc3(fit: OlsFit, kind: int = 2, reweigh: bool = True) -> dict[str, tuple[float, float]]:
    """F and p of every term with the HC3 covariance, which allows each row a variance of its own.

    R's car (and statsmodels) takes other terms out of a Type II test in the metric of that covariance. So where cells
    differ in variance the precise ones weigh more, and a main effect is another average than in :func:`test_terms`.
    ``reweigh=False`` tests the same contrasts as there. Type III is the same either way.

    NaN where a row alone determines a coefficient (a cell with one run): its variance cannot be seen.
    """
    _check_type(fit, kind)
    if (fit.leverage > 1 - 1e-9).any():
        return dict.fromkeys(fit.columns, (NAN, NAN))
    inverse = fit.vcov / (fit.sum_sq_resid / fit.df_resid)
    weighted = fit.design @ inverse * (fit.residuals / (1 - fit.leverage))[:, None]
    robust = replace(fit, vcov=weighted.T @ weighted)
    information = np.linalg.pinv(robust.vcov, rcond=1e-9, hermitian=True) if reweigh else fit.information
    tests = {}
    for term in fit.columns:
        test = robust.test_terms(find_hypothesis(robust, term, kind, information))
        tests[term] = (test.F, test.p)
    return tests


def test_all(
    fit: OlsFit, kind: int = 2, draws: int = DRAWS, seed: int = 0, alpha: float = 0.05
) -> list[dict[str, Any]]:
    """Rows of :func:`test_terms` with the same terms tested otherwise.

    F_hc3 and p_hc3 are those of R's car, F_hc3_same and p_hc3_same test the very contrasts of F
    (:func:`test_terms_hc3`), p_permutation shuffles within blocks. ``sensitive``: at ``alpha`` one of the latter two
    decides otherwise than p.
    """
    rows = test_terms(fit, kind)
    robust, same = test_terms_hc3(fit, kind), test_terms_hc3(fit, kind, reweigh=False)
    hypotheses = {term: find_hypothesis(fit, term, kind) for term in fit.columns}
    permuted = (
        permute_terms(fit.design, fit.observed, hypotheses, fit.strata, draws, seed)
        if draws
        else dict.fromkeys(fit.columns, NAN)
    )
    for row in rows:
        term = row["term"]
        row["F_hc3"], row["p_hc3"] = robust[term]
        row["F_hc3_same"], row["p_hc3_same"] = same[term]
        row["p_permutation"] = permuted[term]
        others = [p for p in (row["p_hc3_same"], permuted[term]) if not np.isnan(p)]
        row["sensitive"] = any((p < alpha) != (row["p"] < alpha) for p in others)
    return rows


# ---- small tools


def transform_logit(correct: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Log odds of counts [N] of N trials each, 0.5 added to both sides so that 0 and 100 % stay finite."""
    return np.log((np.asarray(correct) + 0.5) / (np.asarray(trials) - np.asarray(correct) + 0.5))


def _check_type(fit: OlsFit, kind: int) -> None:
    """Refuse Type III where the rows do not determine every coefficient, naming the empty cells."""
    if kind not in (2, 3):
        raise InputError(f"no ANOVA of type {kind}", expected="2 or 3")
    if kind == 3 and not fit.completeness.complete:
        check = fit.completeness
        order = f"interactions of at most {check.order} factors, " if check.order > 1 else ""
        additive = "a model without interactions, " if check.order else ""
        raise InputError(
            f"{check.explain()}: there is no Type III test of {fit.formula}",
            expected="runs for every combination of levels",
            remedy=f"Type II, {order}{additive}or only {describe_levels(check.levels)}",
        )
