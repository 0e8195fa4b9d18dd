"""Maximum likelihood of a linear mixed model from the whole covariance matrix of its rows.

The engine takes random slopes only of what has a fixed one too. The model without the fixed slope, which its
likelihood-ratio test needs, is fitted here; with a matrix of all pairs of rows, that is for small tables.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, optimize

from ser.errors import InputError
from ser.statistics.engine import Problem
from ser.statistics.random_terms import code_groups

#: Rows up to which the matrix of all pairs of rows is affordable.
MOST_ROWS = 1000


def find_dense_loglik(problem: Problem, fixed: np.ndarray) -> tuple[float, bool]:
    """Log-likelihood by ML with fixed columns [N, R], on the scale of the table, and whether the search ended.

    Raises:
        InputError: a logit model, weights, or more than :data:`MOST_ROWS` rows.
    """
    if problem.family != "gaussian" or problem.weights is not None or len(problem.y) > MOST_ROWS:
        raise InputError(
            "a random slope without a fixed one is fitted in small linear models without weights only",
            expected=f"at most {MOST_ROWS} rows",
        )
    designs = list_designs(problem)
    diagonal = np.concatenate([np.eye(size)[np.tril_indices(size)] for size, _ in designs])
    bounds = [(0.0 if on else None, None) for on in diagonal]
    best = optimize.minimize(_miss, diagonal, (problem.y, fixed, designs), method="L-BFGS-B", bounds=bounds)
    again = optimize.minimize(_miss, best.x, (problem.y, fixed, designs), method="Nelder-Mead", options={"fatol": 1e-9})
    end = min(best.fun, again.fun)
    return float(-end / 2 - len(problem.y) * np.log(problem.scale)), bool(best.fun - end < 1e-3)


def list_designs(problem: Problem) -> list[tuple[int, np.ndarray]]:
    """Of each random term how many effects a group has, and its columns [N, groups, effects]."""
    designs = []
    for term in problem.random:
        codes = code_groups(problem.table, term.columns)
        slopes = [problem.table[name].to_numpy(dtype=float) for name in term.slopes]
        columns = np.stack([np.ones(len(codes)), *slopes], axis=1)
        design = np.zeros((len(codes), codes.max() + 1, columns.shape[1]))
        design[np.arange(len(codes)), codes] = columns
        designs.append((columns.shape[1], design))
    return designs


def _miss(theta: np.ndarray, y: np.ndarray, fixed: np.ndarray, designs: list[tuple[int, np.ndarray]]) -> float:
    """Minus twice the log-likelihood, coefficients and residual variance at their best."""
    covariance, place = np.eye(len(y)), 0
    for size, design in designs:
        lower = np.zeros((size, size))
        rows = np.tril_indices(size)
        lower[rows] = theta[place : place + len(rows[0])]
        place += len(rows[0])
        loaded = (design @ lower).reshape(len(y), -1)
        covariance += loaded @ loaded.T
    root = linalg.cholesky(covariance, lower=True)
    white = linalg.solve_triangular(root, np.column_stack([fixed, y]), lower=True)
    residual = white[:, -1] - white[:, :-1] @ np.linalg.lstsq(white[:, :-1], white[:, -1], rcond=None)[0]
    count = len(y)
    return float(count * (1 + np.log(2 * np.pi * residual @ residual / count)) + 2 * np.log(np.diag(root)).sum())
