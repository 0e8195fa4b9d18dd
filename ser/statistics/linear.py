"""Linear models as tests and marginal means see them: coefficients, their covariance and degrees of freedom.

Factors are coded sum-to-zero throughout, see :mod:`ser.statistics.matrix`.

Type II and III are used as in R's packages car and lmerTest: Type III tests a term's own coefficients, Type II tests
the term in the model without the terms that contain it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import stats

from ser.errors import InputError
from ser.statistics.matrix import (
    RANK,
    ModelMatrix,
    build_matrix,
    code_levels,
    cross_factors,
    find_level,
    find_null_space,
    keep_complete,
    keep_estimable,
    name_term,
    sort_levels,
    write_formula,
)

__all__ = [
    "ContrastTest",
    "LinearFit",
    "ModelMatrix",
    "TermTest",
    "build_matrix",
    "code_levels",
    "cross_factors",
    "find_hypothesis",
    "find_level",
    "find_null_space",
    "keep_complete",
    "keep_estimable",
    "name_term",
    "reduce_rows",
    "sort_levels",
    "tabulate_coefficients",
    "tabulate_terms",
    "write_formula",
]


class ContrastTest(NamedTuple):
    """Test of one linear combination of coefficients; all NaN where it cannot be estimated."""

    estimate: float
    se: float
    df: float
    stat: float
    p: float
    ci: tuple[float, float]


class TermTest(NamedTuple):
    """Joint test of several combinations; ``df_denom`` is infinite where F times ``df`` is a chi-square."""

    df: int
    df_denom: float
    F: float
    p: float


@dataclass(kw_only=True)
class LinearFit:
    """A fitted model, ready for tests, marginal means and contrasts.

    Attributes:
        formula: the model as R writes it.
        response: name of the response.
        factors: sorted levels of every factor.
        names: P coefficient names (sum-to-zero coding).
        beta: coefficients [P].
        vcov: their covariance [P, P].
        find_df: denominator degrees of freedom of combinations [Q, P] (estimable, full row rank); infinite for z.
        build_row: model-matrix row [P] at factor levels, see :meth:`ModelMatrix.build_row`.
        link: ``identity`` or ``logit``.
        terms: effects and interactions by factor name, in the order of the model, without the intercept.
        columns: term name (its factors joined by ``:``) -> places of its coefficients.
        information: [P, P] in whose metric Type II takes other terms out (see :func:`find_hypothesis`).
        null_space: [P, K] directions that the data do not determine; K is 0 for a complete design.
        scale: standard deviation that standardised effects divide by; NaN where there is none.
        spread: standard deviation of the random effects on the scale of the link.
    """

    formula: str
    response: str
    factors: dict[str, list[str]]
    names: list[str]
    beta: np.ndarray
    vcov: np.ndarray
    find_df: Callable[[np.ndarray], float]
    build_row: Callable[[Mapping[str, str | float]], np.ndarray]
    link: str = "identity"
    terms: list[tuple[str, ...]] = field(default_factory=list)
    columns: dict[str, list[int]] = field(default_factory=dict)
    information: np.ndarray | None = None
    null_space: np.ndarray | None = None
    scale: float = float("nan")
    spread: float = 0.0

    def is_estimable(self, combinations_: np.ndarray) -> bool:
        """Whether the data determine every combination [Q, P] of the coefficients."""
        if self.null_space is None or not self.null_space.shape[1]:
            return True
        rows = np.atleast_2d(combinations_)
        return bool(np.abs(rows @ self.null_space).max() < 1e-6 * max(np.abs(rows).max(), 1e-300))

    def test_contrast(self, row: np.ndarray, level: float = 0.95) -> ContrastTest:
        """Estimate and t test (z with infinite df) of one combination [P], two-sided, with its interval."""
        row = np.asarray(row, dtype=float).ravel()
        nan = float("nan")
        if not self.is_estimable(row):
            return ContrastTest(nan, nan, nan, nan, nan, (nan, nan))
        estimate, se = float(row @ self.beta), float(np.sqrt(row @ self.vcov @ row))
        df = float(self.find_df(row[None]))
        stat = estimate / se if se > 0 else nan
        half = float(stats.t.ppf((1 + level) / 2, df)) * se
        return ContrastTest(
            estimate, se, df, stat, float(2 * stats.t.sf(abs(stat), df)), (estimate - half, estimate + half)
        )

    def test_terms(self, rows: np.ndarray) -> TermTest:
        """Wald F test that all combinations [Q, P] are zero; rows that repeat each other count once."""
        rows = reduce_rows(np.atleast_2d(rows))
        nan = float("nan")
        if not len(rows) or not self.is_estimable(rows):
            return TermTest(len(rows), nan, nan, nan)
        estimate = rows @ self.beta
        df, df_denom = len(rows), float(self.find_df(rows))
        value = float(estimate @ np.linalg.solve(rows @ self.vcov @ rows.T, estimate)) / df
        p = stats.chi2.sf(value * df, df) if np.isinf(df_denom) else stats.f.sf(value, df, df_denom)
        return TermTest(df, df_denom, value, float(p))


def reduce_rows(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span the same space as rows [Q, P]."""
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    return directions[sizes > RANK * max(sizes.max(initial=0.0), 1e-300)]


def find_hypothesis(fit: LinearFit, term: str, kind: int = 2, information: np.ndarray | None = None) -> np.ndarray:
    """Combinations [Q, P] of the coefficients that are zero when a term has no effect.

    Type III: the term's own coefficients. Type II: what the term adds to the terms that do not contain it, in the model
    without the terms that contain it; taking the others out is a projection in the metric of ``information`` [P, P]:
    X'X for linear models, mixed or not (lmerTest), and the inverse covariance of the coefficients where the weights
    depend on the fit, as in logit models and with robust covariances (car).

    Raises:
        InputError: an unknown term; Type III in a design with empty cells.
    """
    if term not in fit.columns:
        raise InputError(f"the model has no term {term}", expected=f"one of {', '.join(fit.columns)}")
    places = fit.columns[term]
    if kind == 3:
        if not fit.is_estimable(np.eye(len(fit.beta))):
            raise InputError(
                "Type III tests need every combination of levels to be observed",
                remedy="use Type II, leave the interaction out, or compare the cells that exist",
            )
        return np.eye(len(fit.beta))[places]
    metric = fit.information if information is None else information
    if metric is None:
        metric = np.linalg.pinv(fit.vcov, rcond=RANK, hermitian=True)
    wanted = next(set(parts) for parts in fit.terms if name_term(parts) == term)
    above = {place for parts in fit.terms if wanted < set(parts) for place in fit.columns[name_term(parts)]}
    others = [place for place in range(len(fit.beta)) if place not in above and place not in places]
    inverse = np.linalg.pinv(metric[np.ix_(others, others)], rcond=RANK, hermitian=True)
    rows = metric[places] - metric[np.ix_(places, others)] @ inverse @ metric[others]
    rows[:, others] = 0.0
    # What is left of coefficients that the others determine is rounding, not a hypothesis.
    rows[np.abs(rows) < RANK * np.abs(metric).max()] = 0.0
    return reduce_rows(rows)


def tabulate_coefficients(fit: LinearFit, matrix: ModelMatrix, level: float = 0.95) -> list[dict[str, object]]:
    """Coefficients as R prints them: differences to the first level of every factor.

    Rows of term (``archwav2vec2:pftnone``), estimate, se, df, stat, p, ci_low, ci_high; NaN where the column is a
    combination of the ones before it.
    """
    kept = keep_estimable(matrix.plain)
    change = np.linalg.lstsq(matrix.plain[:, kept], matrix.coded, rcond=None)[0]
    tests = {place: fit.test_contrast(row, level) for place, row in zip(kept, change, strict=True)}
    nan = float("nan")
    unknown = ContrastTest(nan, nan, nan, nan, nan, (nan, nan))
    rows: list[dict[str, object]] = []
    for place, name in enumerate(matrix.plain_names):
        test = tests.get(place, unknown)
        values = dict(zip(("estimate", "se", "df", "stat", "p"), test[:5], strict=True))
        rows.append({"term": name, **values, "ci_low": test.ci[0], "ci_high": test.ci[1]})
    return rows


def tabulate_terms(fit: LinearFit, kind: int = 2) -> list[dict[str, object]]:
    """Test of every term: rows of term, df, df_denom, F, p; logit models give chi2 in place of F, without df_denom."""
    rows: list[dict[str, object]] = []
    for term in fit.columns:
        test = fit.test_terms(find_hypothesis(fit, term, kind))
        if fit.link == "identity":
            rows.append({"term": term, "df": test.df, "df_denom": test.df_denom, "F": test.F, "p": test.p})
        else:
            rows.append({"term": term, "df": test.df, "df_denom": None, "chi2": test.F * test.df, "p": test.p})
    return rows
