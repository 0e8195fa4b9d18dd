"""Which dimensions matter to the emotions, seen from three sides, and how far these agree.

All are found on a fold's training clips alone:

- ``coefficient``: absolute weight of a standardised dimension in a linear classifier of the emotions.
- ``relevance``: mean |gradient times deviation from the mean| of the real head's margins.
- ``permutation``: by how much the classifier's squared error on inner held-out clips rises when a dimension is permuted
  within speakers. For a linear classifier the mean over all permutations has a closed form, so none is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser.explainer.probing.classify import mark_classes
from ser.explainer.probing.residuals import demean
from ser.explainer.probing.ridge import Solution, Solver, turn

VIEWS = ("coefficient", "relevance", "permutation")
#: How fast the weight of ranks falls in rank-biased overlap: the first 50 have 86 % of it.
PERSISTENCE = 0.98


def rank_coefficients(solver: Solver, solution: Solution) -> np.ndarray:
    """Absolute standardised coefficients [K, D] of a classifier's solution."""
    return np.abs(solver.basis.find_weights(solution.turned, solution.alphas).T)


def rank_permutations(
    solver: Solver, solution: Solution, values: np.ndarray, classes: np.ndarray, speakers: np.ndarray
) -> np.ndarray:
    """Expected rise of the squared error [K, D] when a dimension is permuted within speakers.

    With e the errors, w the weights and x - m the deviations from the speaker's mean, a permutation that takes x to x'
    changes the mean squared error by w^2 (x' - x)^2 - 2 w e (x' - x), whose mean over permutations is
    2 w^2 var + 2 w cov(e, x - m).
    """
    count = solution.turned.shape[1]
    marks = mark_classes(classes, solver.division.train, count)
    rise = np.zeros((count, values.shape[1]))
    for fit, check, basis, _ in solver.steps:
        turned, mean = turn(basis, marks[fit])
        weights = basis.find_weights(turned, solution.alphas)
        rows = basis.standardise(values[check])
        errors = marks[check] - mean - rows @ weights
        moved = demean(rows, speakers[check])
        rise += (2 * weights**2 * (moved**2).mean(0)[:, None] + 2 * weights * (moved.T @ errors) / len(check)).T
    return rise / max(len(solver.steps), 1)


def combine_classes(importance: np.ndarray) -> np.ndarray:
    """Importance [1 + K, D]: first for all classes together (each scaled to a mean of 1), then for each."""
    scale = np.abs(importance).mean(1, keepdims=True)
    return np.concatenate([(importance / np.where(scale > 0, scale, 1)).mean(0)[None], importance])


def sort_dimensions(importance: np.ndarray) -> np.ndarray:
    """Dimensions [..., D], the most important first; ties in their own order."""
    return np.argsort(-importance, axis=-1, kind="stable")


def overlap_ranks(one: np.ndarray, other: np.ndarray, persistence: float = PERSISTENCE) -> float:
    """Rank-biased overlap of two rankings of the same D things (Webber, Moffat & Zobel, 2010), extrapolated.

    1: the same; by chance about the mean share of a random pair, see :func:`expect_overlap`.
    """
    depth = len(one)
    places = np.maximum(np.argsort(one), np.argsort(other))  # a thing is in both tops from this depth on
    shared = np.cumsum(np.bincount(places, minlength=depth)) / np.arange(1, depth + 1)
    return weigh_depths(shared, persistence)


def expect_overlap(depth: int, persistence: float = PERSISTENCE) -> float:
    """Rank-biased overlap of two random rankings of so many things, on average."""
    return weigh_depths(np.arange(1, depth + 1) / depth, persistence)


def weigh_depths(shared: np.ndarray, persistence: float) -> float:
    """Shares [D] of common things by depth, those of small depths weighing most; beyond D as at D."""
    depth = np.arange(1, len(shared) + 1)
    return float(
        (1 - persistence) * (persistence ** (depth - 1) * shared).sum() + persistence ** len(shared) * shared[-1]
    )


def measure_stability(chosen: Sequence[np.ndarray], size: int) -> float:
    """Stability of sets of dimensions over folds (Nogueira, Sechidis & Brown, 2018): 1 the same, 0 by chance.

    Args:
        chosen: the dimensions of each fold.
        size: how many dimensions there are.
    """
    if len(chosen) < 2:
        return float("nan")
    picked = np.zeros((len(chosen), size))
    for row, dims in zip(picked, chosen, strict=True):
        row[dims] = 1
    share = picked.sum(1).mean() / size
    spread = picked.var(0, ddof=1).mean()
    return float(1 - spread / (share * (1 - share))) if 0 < share < 1 else float("nan")
