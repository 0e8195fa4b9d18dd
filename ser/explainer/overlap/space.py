"""The space that clips are looked at in: standardised, turned to principal components, as other speakers' clips say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ser.explainer.probing.ridge import LIMIT
from ser.head.data import find_spread


@dataclass(frozen=True, eq=False)
class Space:
    """Principal components.

    Attributes:
        mean, scale: of the dimensions [D].
        axes: directions of the components [D, P], the widest first, no two alike.
        widths: their SDs [P].
        shares: of the variance [P].
    """

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    widths: np.ndarray
    shares: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, dims: int) -> Space:
        """Of clips [N, D]; fewer components than ``dims`` where there are not so many."""
        mean, scale = find_spread(values)
        rows = np.clip((values - mean) / scale, -LIMIT, LIMIT)
        axes, squares = find_axes(rows - rows.mean(0), dims)
        axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # the same whoever computes it
        total = max(float(rows.var(0).sum()) * len(rows), np.finfo(float).tiny)
        widths = np.sqrt(np.maximum(squares, np.finfo(float).tiny) / len(rows))
        return cls(mean, scale, axes, widths, squares / total)

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Clips [N, D] in SDs of each dimension, within :data:`ser.explainer.probing.ridge.LIMIT`."""
        return np.clip((values.astype(np.float64) - self.mean) / self.scale, -LIMIT, LIMIT)

    def turn(self, values: np.ndarray) -> np.ndarray:
        """Clips [N, D] on the components [N, P], each in its SDs."""
        return self.standardise(values) @ self.axes / self.widths


def find_axes(rows: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The widest directions [D, P] of centred rows [N, D], and the squared singular values [P], on the smaller side."""
    from scipy.linalg import eigh

    side = min(rows.shape)
    product = rows @ rows.T if len(rows) == side else rows.T @ rows
    squares, vectors = eigh(product, subset_by_index=[max(0, side - most), side - 1])
    squares, vectors = squares[::-1], vectors[:, ::-1]
    known = max(1, int((squares > 1e-10 * max(squares[0], np.finfo(float).tiny)).sum()))
    squares, vectors = squares[:known], vectors[:, :known]
    if len(rows) == side:
        vectors = rows.T @ vectors / np.sqrt(np.maximum(squares, np.finfo(float).tiny))
    return vectors, squares
