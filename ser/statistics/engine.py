"""The mixed-model engine, ``glmm`` (https://github.com/pawlenartowicz/glmm): the only module that knows it.

It gets the columns of the fixed part as they are and a response of standard deviation 1, because scores between 0 and 1
have variances so small that searches stop early; what is returned is on the scale of the table.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from glmm import Fit as EngineFit
from glmm import fit
from threadpoolctl import threadpool_limits

from ser.errors import InputError
from ser.statistics.formula import RandomTerm
from ser.statistics.linear import ModelMatrix
from ser.statistics.random_terms import code_groups

#: Two starts agree if their log-likelihoods differ by less.
SAME_LOGLIK = 1e-4
#: A random SD below this share of the residual's (of 1 in logit models) is at its boundary, as lme4's isSingular.
BOUNDARY = 1e-4


@dataclass
class Problem:
    """What a fit is made from: response [N] (scaled; a share for grouped counts), fixed part, groups, weights [N]."""

    table: pd.DataFrame
    y: np.ndarray
    scale: float
    weights: np.ndarray | None
    matrix: ModelMatrix
    random: list[RandomTerm]
    family: str
    reml: bool


def run_engine(
    problem: Problem, fixed: np.ndarray, start: dict[str, list[float]] | None = None, tests: bool = False
) -> EngineFit:
    """One search by the engine, with fixed columns [N, R] as they are; its warnings stay in the fit."""
    data: dict[str, object] = {"y": problem.y}
    data |= {f"x{place}": column for place, column in enumerate(fixed.T)}
    parts = [f"x{place}" for place in range(fixed.shape[1])]
    for place, term in enumerate(problem.random):
        data[f"g{place}"] = [f"{code:07d}" for code in code_groups(problem.table, term.columns)]
        names = [_find_column(problem, fixed, slope) for slope in term.slopes]
        parts.append(f"({' + '.join(['1', *names])} | g{place})")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(
            data,
            f"y ~ 0 + {' + '.join(parts)}",
            family=problem.family,
            weights=problem.weights,
            reml=problem.reml if problem.family == "gaussian" else None,
            satterthwaite=tests,
            anova_test="Wald",
            warm_start=start,
        )


def has_slopes(problem: Problem, fixed: np.ndarray) -> bool:
    """Whether the fixed columns hold all covariates whose slopes are random, so that the engine takes the model."""
    slopes = {slope for term in problem.random for slope in term.slopes}
    values = [problem.table[slope].to_numpy(dtype=float) for slope in slopes]
    return all(any(np.array_equal(column, value) for column in fixed.T) for value in values)


def _find_column(problem: Problem, fixed: np.ndarray, slope: str) -> str:
    """Name of the fixed column that holds a covariate: the engine takes random slopes of nothing else."""
    values = problem.table[slope].to_numpy(dtype=float)
    for place, column in enumerate(fixed.T):
        if np.array_equal(column, values):
            return f"x{place}"
    raise InputError(f"the random slope of {slope} needs {slope} among the fixed effects")


def search_twice(problem: Problem, fixed: np.ndarray, second: bool) -> tuple[EngineFit, float]:
    """The better of two searches, and what the second gained in log-likelihood (NaN where there is none)."""
    first = run_engine(problem, fixed, tests=True)
    if not second:
        return first, float("nan")
    start: dict[str, list[float]] = {"theta": [2.0 if on else 0.0 for on in _list_diagonal(problem.random)]}
    if np.isfinite(first.loglik) and np.isfinite(first.beta).all():
        # Away from the first end on every side, and off the zeros, where the slope of the likelihood is zero.
        start["theta"] = [1.5 * value + 0.3 * on for value, on in zip(*_find_theta(first, problem.random), strict=True)]
        start["beta"] = [0.5 * float(value) for value in first.beta]
    again = run_engine(problem, fixed, start, tests=True)
    if not np.isfinite(first.loglik) or (again.converged and not first.converged):
        return again, float("nan")
    gain = float(again.loglik - first.loglik) if np.isfinite(again.loglik) else float("nan")
    return (again if again.converged and gain > SAME_LOGLIK else first), gain


def confirm_end(problem: Problem, fixed: np.ndarray, engine: EngineFit) -> bool:
    """Whether a third search, from the better end itself, stays there: then the first start was the bad one."""
    theta, _ = _find_theta(engine, problem.random)
    again = run_engine(problem, fixed, {"theta": theta, "beta": [float(value) for value in engine.beta]})
    return bool(again.converged and abs(again.loglik - engine.loglik) < SAME_LOGLIK)


def find_df(engine: EngineFit, basis: np.ndarray, rows: np.ndarray) -> float:
    """Satterthwaite degrees of freedom of combinations [Q, P]; infinite in logit models and where they failed."""
    if engine.df_method != "satterthwaite":
        return float("inf")
    return float(engine.contrast_test(rows @ basis)["DenDF"][0])


def find_loglik(problem: Problem, engine: EngineFit, shift: float) -> float:
    """Log-likelihood on the scale of the table; ``shift`` is what the coding of the fixed part adds to REML."""
    if problem.family != "gaussian":
        return float(engine.loglik)
    free = len(problem.y) - (len(engine.beta) if problem.reml else 0)
    return float(engine.loglik - free * np.log(problem.scale) + (shift if problem.reml else 0.0))


def _list_diagonal(random: Sequence[RandomTerm]) -> list[bool]:
    """Which entries of the engine's theta are diagonal (lower triangles by column, one a random term)."""
    return [
        row == column
        for term in random
        for column in range(len(term.slopes) + 1)
        for row in range(column, len(term.slopes) + 1)
    ]


def _find_theta(engine: EngineFit, random: Sequence[RandomTerm]) -> tuple[list[float], list[bool]]:
    """Relative Cholesky factors of the random effects as the engine takes them, and which entries are diagonal."""
    theta: list[float] = []
    for packed, term in zip(engine.varcorr, random, strict=True):
        size = len(term.slopes) + 1
        lower = np.zeros((size, size))
        lower[np.triu_indices(size)[::-1]] = np.asarray(packed, dtype=float) / engine.dispersion
        full = lower + np.tril(lower, -1).T
        root = np.linalg.cholesky(full + 1e-10 * np.eye(size)) if size > 1 else np.sqrt(full)
        theta += [float(root[row, column]) for column in range(size) for row in range(column, size)]
    return theta, _list_diagonal(random)


def tabulate_random(engine: EngineFit, problem: Problem) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Standard deviations and correlations of the random effects, on the scale of the response."""
    rows: list[dict[str, object]] = []
    correlations: list[dict[str, object]] = []
    unit = float(np.sqrt(engine.dispersion)) if problem.family == "gaussian" else 1.0
    for place, term in enumerate(problem.random):
        names = ["(Intercept)", *term.slopes]
        with np.errstate(divide="ignore", invalid="ignore"):
            # A search that failed has no variances at all.
            sds, correlation = engine.stddev_corr(place) if engine.varcorr else _no_variances(len(names))
        for name, sd in zip(names, sds, strict=True):
            row = {"group": term.group, "term": name, "sd": float(sd) * problem.scale}
            rows.append({**row, "boundary": bool(sd < BOUNDARY * unit)})
        for two in range(1, len(names)):
            for one in range(two):
                pair = {"group": term.group, "first": names[one], "second": names[two]}
                correlations.append({**pair, "correlation": float(correlation[one, two])})
    if problem.family == "gaussian":
        rows.append({"group": "residual", "term": "(Intercept)", "sd": unit * problem.scale, "boundary": False})
    return rows, correlations


def _no_variances(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Unknown standard deviations and correlations of one random term."""
    return np.full(size, np.nan), np.full((size, size), np.nan)
