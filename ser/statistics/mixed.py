"""Mixed models: Gaussian by REML or ML with Satterthwaite degrees of freedom, binomial (logit) by Laplace.

Every fit is repeated from a second start. A variance at zero (a singular fit) is no error: the term stays, since the
design implies it, and is named. A fit that does not converge loses random terms in a fixed order, with words.
Log-likelihoods are those of R's treatment coding, because a REML criterion depends on the coding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.engine import (
    SAME_LOGLIK,
    EngineFit,
    Problem,
    confirm_end,
    find_df,
    find_loglik,
    search_twice,
    tabulate_random,
)
from ser.statistics.formula import RandomTerm, read_formula
from ser.statistics.linear import (
    LinearFit,
    ModelMatrix,
    build_matrix,
    find_null_space,
    keep_complete,
    keep_estimable,
    tabulate_coefficients,
    tabulate_terms,
    write_formula,
)
from ser.statistics.matrix import find_basis
from ser.statistics.random_terms import as_random, check_random, code_groups, list_droppable

#: A logit model is separated where a fixed part is larger, or a standard error.
LARGEST_LOGIT, LARGEST_SE = 8.0, 10.0


@dataclass(kw_only=True)
class MixedFit(LinearFit):
    """A fitted mixed model.

    Attributes:
        family: ``gaussian`` or ``binomial``.
        method: ``REML``, ``ML`` or ``Laplace``.
        loglik: log-likelihood (REML criterion for REML) on the scale of the response, treatment coding.
        parameters: number of estimated parameters, variances among them.
        rows: number of rows fitted.
        groups: number of groups of every random term.
        converged: the search ended, with finite estimates, and two starts agree.
        singular: some variance is at zero or a correlation at -1 or 1.
        separated: (logit) some combination of levels has no finite estimate.
        gain: how much the second start gained over the first in log-likelihood (NaN without one).
        fixed: coefficients in R's treatment coding, see :func:`tabulate_coefficients`.
        random: rows of group, term, sd, boundary; the last group is ``residual`` in Gaussian models.
        correlations: rows of group, first, second, correlation, where there are random slopes.
        dropped: random terms left out because the model did not converge or cannot tell them from others.
        notes: what a reader must know of this fit, in words.
    """

    family: str
    method: str
    loglik: float
    parameters: int
    rows: int
    groups: dict[str, int]
    converged: bool
    singular: bool
    separated: bool
    gain: float
    fixed: list[dict[str, object]] = field(default_factory=list)
    random: list[dict[str, object]] = field(default_factory=list)
    correlations: list[dict[str, object]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: Problem = field(repr=False)

    @property
    def aic(self) -> float:
        """Akaike's criterion, the residual variance counted as a parameter (as R does)."""
        return 2 * self.parameters - 2 * self.loglik

    @property
    def bic(self) -> float:
        """Bayesian information criterion."""
        return float(np.log(self.rows)) * self.parameters - 2 * self.loglik

    def tabulate_tests(self, kind: int = 3) -> list[dict[str, object]]:
        """Type II or III test of every term: F with Satterthwaite df, or Wald chi-square in logit models."""
        return tabulate_terms(self, kind) if np.isfinite(self.vcov).all() else []


# ---- fitting


def fit_mixed(
    table: pd.DataFrame,
    response: str,
    factors: Sequence[str],
    random: Sequence[str | Sequence[str] | RandomTerm],
    *,
    terms: Sequence[Sequence[str]] | None = None,
    covariates: Sequence[str] = (),
    family: str = "gaussian",
    reml: bool = True,
    trials: str | None = None,
    weights: str | None = None,
    droppable: Sequence[str | Sequence[str] | RandomTerm] | None = None,
    second_start: bool = True,
) -> MixedFit:
    """Fit a mixed model.

    Args:
        table: one row per observation; rows without a value in a used column are left out and counted in the notes.
        response: a score; for ``binomial`` 0/1, or the number of correct answers among ``trials``.
        factors: categorical fixed effects.
        random: random intercepts: a column, columns to cross (``("speaker", "arch")``), or a RandomTerm with slopes.
        terms: fixed terms by column; all interactions of the factors, and the covariates, by default.
        covariates: numeric fixed effects.
        family: ``gaussian`` or ``binomial`` (logit link).
        reml: REML (default) or ML, for Gaussian models.
        trials: column with the number of trials of grouped counts.
        weights: column of prior weights (Gaussian): the variance of a row is the residual variance over its weight.
        droppable: random terms to leave out, one after the other, while the model does not converge; by default those
            that cross most columns first, never a term of one column.
        second_start: repeat the search from another start and keep the better end.

    Raises:
        InputError: a response that does not vary or is no share, groups that cannot be told from the fixed part, no
            random term left.
    """
    if family not in ("gaussian", "binomial"):
        raise InputError(f"family={family} is unknown", expected="gaussian or binomial")
    wanted = [as_random(term) for term in random]
    groups = [name for term in wanted for name in (*term.columns, *term.slopes)]
    extra = [name for name in (trials, weights) if name is not None]
    used = list(dict.fromkeys([response, *factors, *covariates, *groups, *extra]))
    complete = keep_complete(table, used)[used]
    notes = [f"{len(table) - len(complete)} rows with missing values left out"] if len(complete) < len(table) else []
    matrix = build_matrix(complete, factors, terms, covariates)
    y, row_weights, scale = _prepare_response(complete, response, family, trials, weights)
    kept, dropped, words = check_random(complete, matrix, wanted, family, row_weights)
    problem = Problem(complete, y, scale, row_weights, matrix, kept, family, reml and family == "gaussian")
    order = [as_random(term) for term in droppable] if droppable is not None else list_droppable(kept)
    fit = _fit_problem(problem, response, second_start)
    for term in order:
        if fit.converged or fit.separated or len(problem.random) < 2:
            break
        if term not in problem.random:
            continue
        problem = replace(problem, random=[other for other in problem.random if other != term])
        dropped.append(str(term))
        words.append(f"{term} left out: the model with it did not converge")
        fit = _fit_problem(problem, response, second_start)
    fit.dropped, fit.notes = dropped, notes + words + fit.notes
    return fit


def fit_formula(
    table: pd.DataFrame, formula: str, *, factors: Sequence[str] | None = None, **options: object
) -> MixedFit:
    """Fit a model given as a formula, see :func:`ser.statistics.formula.read_formula` and :func:`fit_mixed`.

    Numeric columns enter with a slope unless ``factors`` lists them.
    """
    parts = read_formula(formula)
    table = keep_complete(table, [parts.response, *parts.columns])
    numeric = {name for name in parts.columns if pd.api.types.is_numeric_dtype(table[name])}
    numeric = {name for name in numeric if not pd.api.types.is_bool_dtype(table[name])} - set(factors or ())
    return fit_mixed(
        table,
        parts.response,
        [name for name in parts.columns if name not in numeric],
        parts.random,
        terms=parts.terms,
        covariates=[name for name in parts.columns if name in numeric],
        **options,  # type: ignore[arg-type]
    )


def _fit_problem(problem: Problem, response: str, second: bool) -> MixedFit:
    """Fit and describe a prepared problem."""
    matrix, scale = problem.matrix, problem.scale
    basis = find_basis(matrix.coded)
    fixed = matrix.coded @ basis
    engine, gain = search_twice(problem, fixed, second)
    beta, vcov = basis @ engine.beta * scale, basis @ engine.vcov @ basis.T * scale**2
    finite = bool(np.isfinite(beta).all() and np.isfinite(vcov).all())
    random, correlations = tabulate_random(engine, problem)
    agree = not np.isfinite(gain) or abs(gain) < SAME_LOGLIK or confirm_end(problem, fixed, engine)
    intercepts = [
        float(str(row["sd"])) for row in random if row["term"] == "(Intercept)" and row["group"] != "residual"
    ]
    spread = float(np.sqrt(np.sum(np.square(intercepts))))
    gaussian = problem.family == "gaussian"
    residual = float(np.sqrt(engine.dispersion)) * scale if gaussian else float("nan")
    fit = MixedFit(
        formula=write_formula(response, matrix.terms[1:], map(str, problem.random)),
        response=response,
        factors=matrix.factors,
        names=matrix.names,
        beta=beta,
        vcov=vcov,
        find_df=partial(find_df, engine, basis),
        build_row=matrix.build_row,
        link="identity" if gaussian else "logit",
        terms=matrix.terms[1:],
        columns=matrix.columns,
        information=matrix.coded.T @ matrix.coded if gaussian else None,
        null_space=find_null_space(matrix.coded),
        scale=float(np.hypot(residual, spread)),
        spread=spread,
        family=problem.family,
        method=("REML" if problem.reml else "ML") if gaussian else "Laplace",
        loglik=find_loglik(problem, engine, _find_coding_shift(matrix, fixed)),
        parameters=int(engine.df),
        rows=len(problem.y),
        groups={term.group: int(code_groups(problem.table, term.columns).max()) + 1 for term in problem.random},
        converged=bool(engine.converged) and finite and agree,
        singular=bool(engine.singular) or any(bool(row["boundary"]) for row in random),
        separated=False,
        gain=gain,
        random=random,
        correlations=correlations,
        problem=problem,
    )
    if finite:
        fit.fixed = tabulate_coefficients(fit, matrix)
    fit.separated = not gaussian and _is_separated(fit, engine)
    fit.notes = _describe(fit, engine, agree)
    return fit


def _find_coding_shift(matrix: ModelMatrix, fixed: np.ndarray) -> float:
    """REML criterion with R's treatment coding minus that with the fixed columns [N, R] used."""
    plain = matrix.plain[:, keep_estimable(matrix.plain)]
    return float(np.linalg.slogdet(np.linalg.lstsq(plain, fixed, rcond=None)[0])[1])


# ---- what a reader must know


def _is_separated(fit: MixedFit, engine: EngineFit) -> bool:
    """Whether the fixed part runs off to 0 or 100 %."""
    if any(note["kind"] == "separated" for note in engine.diagnostics["notes"]):
        return True
    logits = fit.problem.matrix.coded @ fit.beta
    errors = [float(str(row["se"])) for row in fit.fixed]
    return bool(np.nanmax(np.abs(logits), initial=0) > LARGEST_LOGIT or np.nanmax(errors, initial=0) > LARGEST_SE)


def _describe(fit: MixedFit, engine: EngineFit, agree: bool) -> list[str]:
    """Flags of a fit in words."""
    words = []
    zero = [
        str(row["group"]) if row["term"] == "(Intercept)" else f"{row['term']} by {row['group']}"
        for row in fit.random
        if row["boundary"]
    ]
    if zero:
        words.append(f"variance estimated at 0, kept because the design implies it: {', '.join(zero)}")
    elif fit.singular:
        words.append("singular fit: a correlation of random effects is at -1 or 1")
    if fit.separated:
        words.append(f"separation: {_name_extremes(fit)}; the logit model has no finite estimate there")
    if not agree:
        words.append(f"two starts of the search end {abs(fit.gain):.2g} apart in log-likelihood")
    if fit.family == "gaussian" and engine.df_method != "satterthwaite":
        words.append("degrees of freedom could not be computed: tests use z and are optimistic")
    own = {"singular", "satterthwaite_curvature"} if zero else {"singular"}
    words += [f"engine: {warning['title'].lower()}" for warning in engine.warnings if warning["kind"] not in own]
    return words


def _name_extremes(fit: MixedFit) -> str:
    """Conditions at 0 or 100 %."""
    problem = fit.problem
    if not problem.matrix.factors:
        return "nearly all answers are alike"
    shares = pd.Series(problem.y).groupby([problem.table[name].map(str) for name in problem.matrix.factors]).mean()
    cells = [key if isinstance(key, tuple) else (key,) for key, share in shares.items() if share in (0.0, 1.0)]
    return (
        f"all answers alike in {', '.join(' '.join(cell) for cell in cells)}" if cells else "a nearly perfect condition"
    )


# ---- preparing


def _prepare_response(
    table: pd.DataFrame, response: str, family: str, trials: str | None, weights: str | None
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Response as the engine takes it, its weights, and the factor back to the scale of the table."""
    y = table[response].to_numpy(dtype=float)
    if np.ptp(y) == 0:
        raise InputError(f"{response} is {y[0]:g} in every row", expected="a response that varies")
    if family == "gaussian":
        scale = float(y.std())
        return y / scale, None if weights is None else table[weights].to_numpy(dtype=float), scale
    count = np.ones(len(y)) if trials is None else table[trials].to_numpy(dtype=float)
    if (y < 0).any() or (y > count).any() or (y != np.round(y)).any() or (count < 1).any():
        raise InputError(
            f"{response} is no number of correct answers",
            expected="0 or 1 in every row" if trials is None else f"whole numbers from 0 to {trials}",
        )
    return y / count, None if trials is None else count, 1.0
