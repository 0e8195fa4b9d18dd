"""Factorial analysis of variance by least squares: one row per trained model and its score.

Type II is the primary analysis, Type III stands beside it where cells differ in size. Both are computed as tests of
coefficients (``linear.find_hypothesis``) and not by a package's ANOVA table: statsmodels' Type II is wrong without a
word where combinations of levels are missing, and its Type III wherever factors are not coded sum-to-zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.adjust import adjust_p
from ser.statistics.cells import (
    Completeness,
    check_rank,
    count_cells,
    describe_levels,
    keep_levels,
    list_terms,
    number_cells,
)
from ser.statistics.effects import compute_partial_eta, compute_partial_omega
from ser.statistics.linear import LinearFit, find_hypothesis
from ser.statistics.matrix import build_matrix, find_null_space, keep_complete, write_formula
from ser.statistics.permutation import DRAWS, permute_terms

NAN = float("nan")


@dataclass(kw_only=True)
class OlsFit(LinearFit):
    """A least-squares fit of N rows.

    Attributes:
        design: model matrix [N, P]; observed, fitted, residuals, leverage: [N].
        df_resid: N minus the rank of the design.
        blocks: factors that only take variance out (shared seeds, folds); ``block_effects`` [N] is what they take.
        cells, strata: number [N] of each row's combination of factors and of blocks.
        balanced: every combination of factors occurs equally often, in every block.
        completeness: whether the rows determine every coefficient, and what is missing if not.
        notes: what a reader must know of this fit, in words.
    """

    design: np.ndarray
    observed: np.ndarray
    fitted: np.ndarray
    residuals: np.ndarray
    leverage: np.ndarray
    df_resid: int
    blocks: tuple[str, ...]
    block_effects: np.ndarray
    cells: np.ndarray
    strata: np.ndarray
    balanced: bool
    completeness: Completeness
    notes: list[str]

    @property
    def sum_sq_resid(self) -> float:
        """Residual sum of squares."""
        return float(self.residuals @ self.residuals)


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


# ---- fitting


def fit_ols(
    table: pd.DataFrame,
    response: str,
    factors: Sequence[str],
    *,
    interactions: int | None = None,
    blocks: Sequence[str] = (),
    terms: Sequence[Sequence[str]] | None = None,
) -> OlsFit:
    """Fit a factorial model by least squares.

    Args:
        table: one row per run; rows without a value in a used column are left out and counted in the notes.
        response: column of scores.
        factors: columns whose effects are asked for.
        interactions: highest order of interactions; by default :func:`choose_order`.
        blocks: columns that enter as main effects only, before the factors.
        terms: effects and interactions by column name, in place of ``interactions``.

    Raises:
        InputError: no such column, a factor with one level, no rows left to estimate the error from, scores that do not
            vary within cells.
    """
    given, table = len(table), keep_complete(table, [response, *factors, *blocks])
    wanted = list_terms(table, factors, interactions, blocks, terms)
    matrix = build_matrix(table, [*blocks, *factors], wanted)
    design, scores = matrix.coded, table[response].to_numpy(dtype=float)
    null_space = find_null_space(design)
    rank = design.shape[1] - null_space.shape[1]
    df_resid = len(scores) - rank
    if df_resid < 1:
        raise InputError(
            f"{len(scores)} rows, {rank} coefficients: nothing is left to estimate the error from",
            remedy="more seeds, or interactions of fewer factors",
        )
    inverse = np.linalg.pinv(design.T @ design, rcond=1e-9, hermitian=True)
    # Centred scores lose fewer digits; the intercept takes the mean back.
    mean = float(scores.mean())
    beta = inverse @ (design.T @ (scores - mean))
    residuals = scores - mean - design @ beta
    beta[0] += mean
    spread = float(((scores - mean) ** 2).sum())
    variance = float(residuals @ residuals) / df_resid
    if not residuals @ residuals > 1e-20 * max(spread, mean**2):
        raise InputError(
            f"{response} does not vary within the cells: its error cannot be estimated",
            remedy="runs that repeat the same score are one run; vary the seed of something that matters",
        )
    places = list(chain.from_iterable(matrix.columns[name] for name in blocks))
    counts = count_cells(table, [*factors, *blocks])
    return OlsFit(
        formula=write_formula(response, wanted),
        response=response,
        factors={name: matrix.factors[name] for name in factors},
        names=matrix.names,
        beta=beta,
        vcov=variance * inverse,
        find_df=lambda _: float(df_resid),
        build_row=matrix.build_row,
        terms=matrix.terms[1:],
        columns=matrix.columns,
        information=design.T @ design,
        null_space=null_space,
        scale=float(np.sqrt(variance)),
        design=design,
        observed=scores,
        fitted=scores - residuals,
        residuals=residuals,
        leverage=np.einsum("np,pq,nq->n", design, inverse, design),
        df_resid=df_resid,
        blocks=tuple(blocks),
        block_effects=design[:, places] @ beta[places],
        cells=number_cells(table, factors),
        strata=number_cells(table, blocks),
        balanced=bool((counts == counts.flat[0]).all()),
        completeness=check_rank(table, factors, wanted, blocks),
        notes=[f"{given - len(table)} rows with missing values left out"] if given > len(table) else [],
    )


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


def test_terms_hc3(fit: OlsFit, kind: int = 2) -> dict[str, tuple[float, float]]:
    """F and p of every term with the HC3 covariance, which allows each row a variance of its own.

    NaN where a row alone determines a coefficient (a cell with one run): its variance cannot be seen.
    """
    _check_type(fit, kind)
    if (fit.leverage > 1 - 1e-9).any():
        return dict.fromkeys(fit.columns, (NAN, NAN))
    inverse = fit.vcov / (fit.sum_sq_resid / fit.df_resid)
    weighted = fit.design @ inverse * (fit.residuals / (1 - fit.leverage))[:, None]
    robust = replace(fit, vcov=weighted.T @ weighted)
    information = np.linalg.pinv(robust.vcov, rcond=1e-9, hermitian=True)
    tests = {}
    for term in fit.columns:
        test = robust.test_terms(find_hypothesis(robust, term, kind, information))
        tests[term] = (test.F, test.p)
    return tests


def test_all(
    fit: OlsFit, kind: int = 2, draws: int = DRAWS, seed: int = 0, alpha: float = 0.05
) -> list[dict[str, Any]]:
    """Rows of :func:`test_terms` with F_hc3, p_hc3, p_permutation and ``sensitive``: another test decides otherwise."""
    rows = test_terms(fit, kind)
    robust = test_terms_hc3(fit, kind)
    hypotheses = {term: find_hypothesis(fit, term, kind) for term in fit.columns}
    permuted = (
        permute_terms(fit.design, fit.observed, hypotheses, fit.strata, draws, seed)
        if draws
        else dict.fromkeys(fit.columns, NAN)
    )
    for row in rows:
        term = row["term"]
        row["F_hc3"], row["p_hc3"] = robust[term]
        row["p_permutation"] = permuted[term]
        others = [p for p in (row["p_hc3"], permuted[term]) if not np.isnan(p)]
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
