"""A linear classifier that needs no decompositions of its own: least squares on class indicators, thresholds balanced.

The threshold of a class lies midway between the mean scores of its clips and of the others', and scores are divided by
their spread within both; both are found on inner folds' predictions of training clips that were not fitted on, so that
frequent classes are not preferred. With two classes this is Fisher's discriminant with equal priors (Hastie et al.,
2009, 4.3), with a ridge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser.explainer.probing.ridge import Solution, Solver
from ser.metrics import find_uar_interval, uar


@dataclass(frozen=True, eq=False)
class Limits:
    """Where the scores of classes are cut [K], and their spread [K]."""

    middle: np.ndarray
    spread: np.ndarray

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Scores [M, K] in units of their spread above the cut."""
        return (scores - self.middle) / self.spread


@dataclass(frozen=True, eq=False)
class Classified:
    """Held-out clips of a fold as a linear classifier sees them.

    Attributes:
        rows: row numbers of the clips [M].
        scores: above 0 says that it is the class rather than another [M, K].
        solution: of the indicators.
        limits: of the scores.
    """

    rows: np.ndarray
    scores: np.ndarray
    solution: Solution
    limits: Limits


def mark_classes(classes: np.ndarray, train: np.ndarray, count: int) -> np.ndarray:
    """Indicators [N, K] of classes [N] in units of their spread among training rows."""
    marks = np.eye(count)[classes]
    spread = marks[train].std(0)
    return marks / np.where(spread > 0, spread, 1)


def classify(solver: Solver, classes: np.ndarray, count: int) -> Classified:
    """Fit on a fold's training rows and score its test rows."""
    train = solver.division.train
    solution = solver.solve(mark_classes(classes, train, count), share=True, hold=True)
    assert solution.held is not None
    limits = find_limits(solution.held, classes[train], count)
    return Classified(solver.division.test, limits.apply(solution.predicted), solution, limits)


def find_limits(held: np.ndarray, classes: np.ndarray, count: int) -> Limits:
    """Cuts and spreads from scores [n, K] of training rows by models that did not see them."""
    middle, spread = np.zeros(count), np.ones(count)
    for number in range(count):
        own, other = held[classes == number, number], held[classes != number, number]
        own, other = own[np.isfinite(own)], other[np.isfinite(other)]
        if len(own) and len(other):
            middle[number] = (own.mean() + other.mean()) / 2
            spread[number] = np.sqrt((own.var() + other.var()) / 2)
    return Limits(middle, np.where(spread > 0, spread, 1))


@dataclass(frozen=True, eq=False)
class Counts:
    """Confusion counts of each speaker: of all classes [S, K, K], and of each against the others [K, S, 2, 2]."""

    joint: np.ndarray
    single: np.ndarray


def count_hits(scored: Sequence[tuple[np.ndarray, np.ndarray]], classes: np.ndarray, speakers: np.ndarray) -> Counts:
    """Confusion counts of rows with scores [M, K], fold after fold.

    Args:
        scored: row numbers and scores.
        classes, speakers: numbers of every row that there is [N].
    """
    rows = np.concatenate([each for each, _ in scored])
    scores = np.concatenate([each for _, each in scored])
    count, true = scores.shape[1], classes[rows]
    _, place = np.unique(speakers[rows], return_inverse=True)
    joint = np.zeros((place.max() + 1, count, count), dtype=np.int64)
    np.add.at(joint, (place, true, scores.argmax(1)), 1)
    single = np.zeros((count, place.max() + 1, 2, 2), dtype=np.int64)
    for number in range(count):
        np.add.at(single[number], (place, (true == number) + 0, (scores[:, number] > 0) + 0), 1)
    return Counts(joint, single)


def find_uar(counts: np.ndarray) -> tuple[float, float, float]:
    """UAR with its interval over speakers, from counts [S, K, K]."""
    low, high = find_uar_interval([counts])
    return float(uar(counts.sum(0))), low, high
