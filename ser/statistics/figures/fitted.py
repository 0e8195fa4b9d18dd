"""Fitted values and residuals of a model, row by row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser.statistics.linear import LinearFit

#: Groups of all random terms together, above which their effects are not predicted (a dense system of equations).
MOST_GROUPS = 4000


def add_residuals(rows: pd.DataFrame, fit: LinearFit | None) -> pd.DataFrame:
    """The rows with ``fitted`` and ``residual`` of a model that was fitted to them.

    Of a mixed model these are conditional: the predicted effects of speakers, runs and so on are part of what is
    fitted, else every speaker's level would show as error. Unchanged for logit models, whose residuals are no normal
    errors, for models with random slopes, and where the model left rows out.
    """
    if fit is None or fit.link != "identity":
        return rows
    values = _read_ols(fit) if hasattr(fit, "residuals") else _predict_mixed(fit)
    if values is None or len(values[0]) != len(rows):
        return rows
    return rows.assign(fitted=values[0], residual=values[1])


def predict_groups(
    residuals: np.ndarray, groups: Mapping[str, np.ndarray], ratios: Mapping[str, float], weights: np.ndarray
) -> np.ndarray:
    """Best linear unbiased predictions of random intercepts, summed for each row [N] (Henderson's equations).

    Args:
        residuals: of the fixed part [N].
        groups: random term -> number of each row's group [N], from 0.
        ratios: random term -> its variance over the residual variance; above 0.
        weights: of the rows [N].
    """
    starts = np.cumsum([0, *(int(codes.max()) + 1 for codes in groups.values())])
    places = np.stack([codes + start for codes, start in zip(groups.values(), starts, strict=False)])
    size = int(starts[-1])
    cross = np.zeros((size, size))
    right = np.zeros(size)
    for one in places:
        np.add.at(right, one, weights * residuals)
        for other in places:
            np.add.at(cross, (one, other), weights)
    penalty = np.repeat([1 / ratios[name] for name in groups], np.diff(starts))
    effects = np.linalg.solve(cross + np.diag(penalty), right)
    return effects[places].sum(0)


def _read_ols(fit: LinearFit) -> tuple[np.ndarray, np.ndarray]:
    return fit.fitted, fit.residuals  # type: ignore[attr-defined]


def _predict_mixed(fit: LinearFit) -> tuple[np.ndarray, np.ndarray] | None:
    problem = fit.problem  # type: ignore[attr-defined]
    if any(term.slopes for term in problem.random):
        return None
    from ser.statistics.random_terms import code_groups

    sds = {row["group"]: float(row["sd"]) for row in fit.random}  # type: ignore[attr-defined]
    kept = [term for term in problem.random if sds[term.group] > 1e-6 * sds["residual"]]
    observed, fixed = problem.y * problem.scale, problem.matrix.coded @ fit.beta
    groups: dict[str, np.ndarray] = {term.group: np.asarray(code_groups(problem.table, term.columns)) for term in kept}
    if sum(int(codes.max()) + 1 for codes in groups.values()) > MOST_GROUPS:
        return None
    ratios = {term.group: (sds[term.group] / sds["residual"]) ** 2 for term in kept}
    weights = np.ones(len(observed)) if problem.weights is None else problem.weights
    fitted = fixed + (predict_groups(observed - fixed, groups, ratios, weights) if groups else 0.0)
    return fitted, (observed - fitted) * np.sqrt(weights)
