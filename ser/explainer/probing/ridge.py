"""Ridge regressions that share their decompositions: all targets and all penalties of a fold from one.

A probe needs, for each of T targets, a penalty chosen on inner folds. A loop of grid searches decomposes the same
matrix T times A times. Here the standardised training rows Z = U S V' are decomposed once a fold; a prediction for any
target and penalty a is then P diag(1 / (S^2 + a)) Q with P of the new rows and Q of the target (Hastie, Tibshirani &
Friedman, 2009, 3.4.1). Scores and choices are those of ``GridSearchCV(make_pipeline(StandardScaler(), Ridge()),
scoring="neg_mean_squared_error")`` target by target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ser.head.data import find_spread

#: Penalties that inner folds choose from. The largest shrinks a probe of noise to the training mean.
ALPHAS = (1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6)

#: A held-out value further from the training mean counts as so many SDs. Functionals of a clip may be off by dozens
#: where a meter fails, and one such clip would decide R2; with fewer than that nothing changes.
LIMIT = 5.0

#: What is taken out of values [N, …] of all rows, as learnt from some rows.
Adjust = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Division:
    """An outer fold: rows that train, rows that are scored, and how the training rows divide again.

    Attributes:
        name: of the fold.
        train: row numbers [n].
        test: row numbers [m]; their speakers do not train.
        inner: pairs of row numbers, both out of ``train``: rows that fit, and rows that choose.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    inner: Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Basis:
    """Standardised rows [n, d], decomposed.

    Attributes:
        mean, scale: of the rows [d].
        basis: from standardised values to coordinates [d, r].
        left: from targets to coordinates [n, r].
        spectrum: squared singular values [r].
        shrinks: what of the squared length of coordinates is that of weights [r].
    """

    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    left: np.ndarray
    spectrum: np.ndarray
    shrinks: np.ndarray

    def place(self, values: np.ndarray) -> np.ndarray:
        """Coordinates [m, r] of held-out values [m, d]."""
        return self.standardise(values) @ self.basis

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Held-out values [m, d] in SDs of the rows from their mean, within :data:`LIMIT`."""
        return np.clip((values - self.mean) / self.scale, -LIMIT, LIMIT)

    def find_weights(self, turned: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Weights [d, T] of standardised values, for turned targets [r, T] with a penalty each [T]."""
        return self.basis @ (turned / (self.spectrum[:, None] + alphas))


def decompose(values: np.ndarray) -> Basis:
    """Rows [n, d] standardised and decomposed, on whichever side is smaller."""
    exact = values.astype(np.float64)
    mean, scale = find_spread(exact)
    rows = (exact - mean) / scale
    if rows.shape[1] <= rows.shape[0]:
        spectrum, vectors = np.linalg.eigh(rows.T @ rows)
        spectrum = np.maximum(spectrum, 0)
        return Basis(mean, scale, vectors, rows @ vectors, spectrum, np.ones(len(spectrum)))
    spectrum, vectors = np.linalg.eigh(rows @ rows.T)
    spectrum = np.maximum(spectrum, 0)
    return Basis(mean, scale, rows.T @ vectors, vectors, spectrum, spectrum)


@dataclass(frozen=True, eq=False)
class Solution:
    """Probes of T targets, fitted on a fold's training rows.

    Attributes:
        predicted: of the test rows [m, T].
        alphas: penalty of each target [T].
        mean: of the training rows [T].
        turned: targets in coordinates [r, T].
        held: predictions for the training rows by inner models that did not see them [n, T], where asked for; NaN for
            rows that no inner fold holds out.
    """

    predicted: np.ndarray
    alphas: np.ndarray
    mean: np.ndarray
    turned: np.ndarray
    held: np.ndarray | None = None


class Solver:
    """All decompositions of an outer fold; any number of targets can be solved with them.

    Args:
        values: embeddings of all rows [N, D].
        division: the fold.
        alphas: penalties to choose from.
        adjust: takes something out of values and targets, as learnt from fitting rows alone; ``None``: nothing.
    """

    def __init__(
        self,
        values: np.ndarray,
        division: Division,
        alphas: Sequence[float] = ALPHAS,
        adjust: Adjust | None = None,
    ) -> None:
        self.division = division
        self.alphas = np.asarray(alphas, dtype=np.float64)
        self.adjust = adjust or keep
        self.steps = []
        for fit, check in division.inner if len(self.alphas) > 1 else ():
            adjusted = self.adjust(values, fit)
            basis = decompose(adjusted[fit])
            self.steps.append((fit, check, basis, basis.place(adjusted[check])))
        self.adjusted = self.adjust(values, division.train)
        self.basis = decompose(self.adjusted[division.train])
        self.tested = self.basis.place(self.adjusted[division.test])

    def solve(self, targets: np.ndarray, share: bool = False, hold: bool = False) -> Solution:
        """Probes of targets [N, T].

        Args:
            targets: of all rows; those of test rows are not looked at.
            share: one penalty for all targets, by the mean of their errors.
            hold: keep the inner models' predictions.
        """
        chosen = self.choose(targets, share)
        return self.fit(targets, self.alphas[chosen], self._hold(targets, chosen) if hold else None)

    def choose(self, targets: np.ndarray, share: bool = False) -> np.ndarray:
        """Number of the penalty with the least mean squared error over inner folds, for each target [T]."""
        if not self.steps:
            return np.zeros(targets.shape[1], dtype=int)
        errors = self.measure(targets)
        return np.full(targets.shape[1], errors.mean(1).argmin()) if share else errors.argmin(0)

    def measure(self, targets: np.ndarray) -> np.ndarray:
        """Mean squared error over inner folds of every penalty and target [A, T]."""
        errors = np.zeros((len(self.alphas), targets.shape[1]))
        for fit, check, basis, places in self.steps:
            adjusted = self.adjust(targets, fit)
            turned, mean = turn(basis, adjusted[fit])
            aim = adjusted[check] - mean
            for number, alpha in enumerate(self.alphas):
                missed = (places / (basis.spectrum + alpha)) @ turned
                missed -= aim
                errors[number] += np.einsum("ij,ij->j", missed, missed) / (len(check) * len(self.steps))
        return errors

    def fit(self, targets: np.ndarray, alphas: np.ndarray, held: np.ndarray | None = None) -> Solution:
        """Probes with penalties [T] that are known."""
        adjusted = self.adjust(targets, self.division.train)
        turned, mean = turn(self.basis, adjusted[self.division.train])
        return Solution(spread_out(self.tested, self.basis, turned, alphas) + mean, alphas, mean, turned, held)

    def _hold(self, targets: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        held = np.full(targets.shape, np.nan)
        for fit, check, basis, places in self.steps:
            turned, mean = turn(basis, self.adjust(targets, fit)[fit])
            held[check] = spread_out(places, basis, turned, self.alphas[chosen]) + mean
        return held[self.division.train]


def turn(basis: Basis, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Targets [n, T] of fitting rows in coordinates [r, T], and their means [T]."""
    mean = targets.mean(0)
    return basis.left.T @ (targets - mean), mean


def spread_out(places: np.ndarray, basis: Basis, turned: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Predictions [m, T] less the mean, for coordinates [m, r], with a penalty for each target [T]."""
    return places @ (turned / (basis.spectrum[:, None] + alphas))


def keep(values: np.ndarray, rows: np.ndarray) -> np.ndarray:  # noqa: ARG001 - adjustments are alike
    """Values as they are."""
    return values
